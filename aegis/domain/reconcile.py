"""What one run of the reconciliation would do: each heal tried on a copy of the book first.

Pure. A heal is kept only when, on the copy, its difference is gone and the exchange's figures
agree at least as well as before; what is not kept is unresolved, with why, for a person.

Invariants:
1. The book that is handed in is not changed.
2. What is healed is found no more: reconciling twice is reconciling once.
3. Nothing is planned on one look: `confirmed` keeps what was seen before, see `Sightings`.
"""

from __future__ import annotations

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import Command, Refusal
from aegis.domain.coverage import balance_differences
from aegis.domain.decisions import decide
from aegis.domain.discrepancies import compare
from aegis.domain.events import Discrepancy
from aegis.domain.findings import Finding, Kind, View
from aegis.domain.foreign import told_missing
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.risk import Limits

HEALS_MAX = 200
"""Of one run; each is tried on a copy of the book. What is left is for the next run."""

EXIT_REFUSED = "exit refused"
"""The trigger of a run that the exchange's refusal of an exit asks for: its coins may be gone."""

OVERLAP_S = 3600
"""Trades are read again from this long before the last look: exchanges list late."""

NEVER = Instant(0)

BLOCKED_S = 7 * 86_400
"""So much more is read by a life that begins with something for a person, and not for want of
coins: it may be a trade. Each day is a call, and a second."""

replace = msgspec.structs.replace


def plan(book: Book, view: View, *, limits: Limits, now: Instant) -> tuple[Finding, ...]:
    """Return everything that differs, in the order in which it would be healed.

    A finding that comes back without a heal, and is not healed, is for a person.
    """
    done: list[Finding] = []
    failed: dict[tuple[str, ...], Finding] = {}
    found = compare(book, view)
    for _ in range(HEALS_MAX):
        next_one = next((f for f in found if f.heal and f.key not in failed), None)
        if next_one is None:
            break
        tried = book.copy()
        fault = _fault(tried, next_one, found, view, limits=limits, now=now)
        if fault is None:
            done.append(next_one)
            book, found = tried, compare(tried, view)
        else:
            failed[next_one.key] = _left(next_one, fault)
    left = [failed.get(each.key, each) for each in found]
    return (*done, *(for_a_person(each, book) for each in left))


def _fault(
    tried: Book,
    finding: Finding,
    found: tuple[Finding, ...],
    view: View,
    *,
    limits: Limits,
    now: Instant,
) -> str | None:
    """Heal a copy, and return why the heal is none, or nothing.

    Where positions are told, they are the witness: cash is settled when the exchange likes.
    """
    differed = set(balance_differences(tried, view.account))
    for command in finding.heal:
        refusal = _execute(tried, command, limits=limits, now=now)
        if refusal is not None:
            return refusal.text
    after = compare(tried, view)
    known = {each.key for each in found}
    if any(each.key == finding.key for each in after):
        return "it would be there still"
    differs = set(balance_differences(tried, view.account))
    if view.account.positions is None and not differs <= differed:
        return f"the exchange's {', '.join(sorted(differs - differed))} would not fit then"
    new = [each for each in after if each.key not in known and not each.is_rest]
    return f"{new[0].discrepancy.kind} {new[0].discrepancy.subject} would appear" if new else None


def _execute(book: Book, command: Command, *, limits: Limits, now: Instant) -> Refusal | None:
    decision = decide(book, command, now=now, limits=limits)
    if isinstance(decision, Refusal):
        return decision
    for proposed in decision:
        book.record(proposed, by="", at=now)
    return None


def _left(finding: Finding, why: str) -> Finding:
    return replace(finding, discrepancy=unhealed(finding.discrepancy, why), heal=())


def for_a_person(finding: Finding, book: Book) -> Finding:
    """Return a finding that says what a person can do about it."""
    found = finding.discrepancy
    if finding.heal or found.is_healed:
        return finding
    position = book.positions.get(found.position_id) if found.position_id else None
    if position is not None and found.missing is not None:
        hint = told_missing(position, found.missing)
        action = f"{found.action}; {hint}" if found.action else f"none: {hint}"
    else:
        action = found.action or ADVICE[Kind(found.kind)]
    return replace(finding, discrepancy=replace(found, action=action))


ADVICE: dict[Kind, str] = {
    Kind.PHANTOM: "none: say what became of it with resolve",
    Kind.GHOST: "none: look at the order's trades at the exchange",
    Kind.AMOUNT_MISMATCH: "none: look at the trade at the exchange",
    Kind.PRICE_MISMATCH: "none: look at the trade at the exchange",
    Kind.UNKNOWN_ORDER: "none: cancel it at the exchange",
    Kind.ORPHAN: "halt entries: another AEGIS trades this account, or this store is an old copy",
    Kind.EXTERNAL: "none: it is not ours",
}
"""What a person does about what no heal was found for."""


def confirmed(seen: tuple[Finding, ...], last: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return what the last look found that had been seen for long enough.

    What was judged on the heals of others is kept only where all of these are.
    """
    before = {finding.key for finding in seen}
    kept: list[Finding] = []
    is_whole = True
    for finding in last:
        if finding.key in before and (is_whole or not finding.is_rest):
            kept.append(finding)
        elif finding.heal:
            is_whole = False
    return tuple(kept)


def trades_since(book: Book, watched_until: Instant = NEVER, *, is_first: bool = False) -> Instant:
    """Return from when on trades are read: since the last look, or since what is unresolved began.

    Exchanges list late, so a while before. `watched_until` is of a look that left no word;
    `is_first` is the first look of a life.
    """
    account = book.account
    begin = max(account.looked_at or account.reconciled_at or Instant(0), watched_until)
    lacking = [book.positions[each] for each in account.unresolved if each in book.positions]
    begin = min((begin, *(position.opened_at for position in lacking)))
    is_more = account.blocked and not {p.symbol for p in lacking}.issuperset(account.blocked)
    before_s = OVERLAP_S + (BLOCKED_S if is_first and is_more else 0)
    return Instant(max(0, begin - before_s * NANOS_PER_SECOND))


def healed(discrepancy: Discrepancy) -> Discrepancy:
    """Return the discrepancy as one that was made right."""
    return replace(discrepancy, is_healed=True)


def unhealed(discrepancy: Discrepancy, why: str) -> Discrepancy:
    """Return the discrepancy as one that stands although a heal is known, with why if known."""
    action = f"would {discrepancy.action}"
    return replace(discrepancy, action=f"none: {action}, but {why}" if why else action)
