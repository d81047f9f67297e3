"""What one run of the reconciliation found for certain, and what came of its heals.

Pure but for its memory.

Invariant: a discrepancy is healed only when each command that heals it was taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.domain.commands import Command
from aegis.domain.events import Discrepancy
from aegis.domain.findings import Finding, Mark, marks_of
from aegis.domain.reconcile import healed, unhealed


class Healing:
    """`why_not` says why nothing is healed, though it could be; None where it is."""

    def __init__(self, confirmed: tuple[Finding, ...], why_not: str | None) -> None:
        self._confirmed = confirmed
        self._why_not = why_not
        self._asked = [] if why_not is not None else [c for each in confirmed for c in each.heal]
        self._refused: dict[Command, str] = {}

    @property
    def asked(self) -> tuple[Command, ...]:
        """What is asked of the store, and was not answered yet."""
        return tuple(self._asked)

    def hear(self, command: Command, refusal: str) -> None:
        """Take what the store said to a command that was asked; no refusal is a yes."""
        self._asked.remove(command)
        if refusal:
            self._refused[command] = refusal

    def discrepancies(self) -> tuple[Discrepancy, ...]:
        """Return what was found, each as it is now."""
        return tuple(found for _, found in self._outcomes())

    def standing(self) -> frozenset[Mark]:
        """Return the marks of what the next look finds again: nothing was done about it."""
        outcomes = self._outcomes()
        return marks_of(each for each, found in outcomes if not (each.heal and found.is_healed))

    def _outcomes(self) -> Iterator[tuple[Finding, Discrepancy]]:
        return ((each, self._outcome_of(each)) for each in self._confirmed)

    def _outcome_of(self, finding: Finding) -> Discrepancy:
        found = finding.discrepancy
        if not finding.heal:
            return found
        if self._why_not is not None:
            return unhealed(found, self._why_not)
        refused = [self._refused[each] for each in finding.heal if each in self._refused]
        return unhealed(found, refused[0]) if refused else healed(found)
