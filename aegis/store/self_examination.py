"""A diagnosis of an open store by whoever holds it, without actors: look, mend, look again, record.

It finds and mends what the running AEGIS' diagnosis would, as far as a store alone can say: limits,
clocks and prices belong to a process.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.domain.commands import Command, CompleteDiagnosis, Refusal
from aegis.domain.diagnose import lost_orders, missing_stops, stuck_positions
from aegis.domain.events import CheckResult, Recorded
from aegis.domain.ids import Generation, Instant
from aegis.domain.judgement import (
    Ask,
    Depth,
    Judgement,
    Remedy,
    halt_for,
    in_order,
    in_turn,
    outcome_of,
    what_was_done,
)
from aegis.domain.mends import Mend
from aegis.store.clerk import Clerk
from aegis.store.inspection import Inspection, Places
from aegis.store.journal import Store
from aegis.store.mending import mend

OUTSIDE = Generation(0)
"""The generation of what happens while no tree runs."""

STUCK_AFTER_DAYS = 7
UNKNOWN_AFTER_S = 60
OUTBOX_AFTER_S = 86_400.0
"""Nobody tells while nobody runs; a day is long even so."""


class Examination:
    """Of one open store, by one clerk; used once."""

    def __init__(self, store: Store, clerk: Clerk, now: Instant) -> None:
        self._store, self._clerk, self._now = store, clerk, now
        places = Places(path=store.path, files=lambda: store.files, outbox_after_s=OUTBOX_AFTER_S)
        self._inspection = Inspection(places)
        self._records: list[Recorded] = []

    def done(self) -> tuple[tuple[CheckResult, ...], tuple[Recorded, ...]]:
        """Return what each check came to, and all that was recorded of it."""
        try:
            results = self._results()
        finally:
            self._inspection.close()
        halt = halt_for(results)
        if halt is not None:
            self._execute(halt)
        self._execute(CompleteDiagnosis(generation=OUTSIDE, trigger="library", checks=results))
        return results, tuple(self._records)

    def _results(self) -> tuple[CheckResult, ...]:
        found = self._look()
        remedies = in_turn(found)
        results = tuple(each.result for each in found)
        if not remedies:
            return results
        before = {result.check: result for result in results}
        done = {each.result.check: what_was_done(each.remedies) for each in found if each.remedies}
        self._mend(remedies)
        after = (each.result for each in self._look())
        return tuple(outcome_of(before.get(each.check), each, done) for each in after)

    def _look(self) -> tuple[Judgement, ...]:
        book = self._store.book
        ask = Ask(depth=Depth.WHOLE, last_event_id=book.last_event_id, now=self._now)
        return in_order((
            *self._inspection.look(ask),
            missing_stops(book),
            stuck_positions(book, self._now, STUCK_AFTER_DAYS),
            lost_orders(book, self._now, UNKNOWN_AFTER_S),
        ))  # fmt: skip

    def _mend(self, remedies: Sequence[Remedy]) -> None:
        for remedy in remedies:
            if isinstance(remedy, Mend):
                mend(self._store, remedy, self._now)
            else:
                self._execute(remedy)

    def _execute(self, command: Command) -> None:
        done = self._clerk.execute(command, now=self._now)
        assert not isinstance(done, Refusal), f"Expected {command} to be taken, was {done}"
        self._records += done
