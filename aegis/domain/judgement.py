"""What a check came to, and what follows from it: remedies, halts, exit codes, words.

Invariants:
1. Fixed is what had a finding and a remedy, and what a second look does not find.
2. What could not be looked at has failed; it is never called well.
3. The same finding is news once: details hold no figure that changes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.checks import CHECKS, check_of
from aegis.domain.commands import ChangeTradingState, Command, RaiseStop
from aegis.domain.events import CheckResult
from aegis.domain.ids import EventId, Instant
from aegis.domain.mends import (
    EmptyWal,
    FreeReserve,
    MakeReserve,
    Mend,
    RebuildRows,
    RewriteMark,
    SetAside,
    TrimOld,
)
from aegis.domain.money import text

Remedy = Command | Mend

replace = msgspec.structs.replace


class Depth(IntEnum):
    """How much a look takes upon itself: what is new; the files as well; everything."""

    LIGHT = 1
    DEEP = 2
    WHOLE = 3


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. All up to `last_event_id` was committed before the question."""

    depth: Depth
    last_event_id: EventId
    now: Instant


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A check's result, and what would mend it, in the order in which to do it."""

    result: CheckResult
    remedies: tuple[Remedy, ...] = ()


def judged(check: str, faults: Sequence[str], *remedies: Remedy) -> Judgement:
    """Return what a check came to: well without faults; remedies count only with them."""
    assert check_of(check), f"Expected a check of the list, was {check}"
    if not faults:
        return Judgement(result=CheckResult(check=check, status="ok", details=""))
    result = CheckResult(check=check, status="finding", details="; ".join(faults))
    return Judgement(result=result, remedies=remedies)


def failed(check: str, why: str) -> Judgement:
    """Return that a check could not be done."""
    return Judgement(result=CheckResult(check=check, status="failed", details=why))


def in_order(found: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """Return findings in the order of the list of checks, one a check: the last word counts."""
    by_name = {each.result.check: each for each in found}
    return tuple(by_name[check.name] for check in CHECKS if check.name in by_name)


def in_turn(found: Sequence[Judgement]) -> tuple[Remedy, ...]:
    """Return the remedies in the order in which to take them, each once.

    The rebuild comes last: where the book was read from wrong rows, the store starts over.
    """
    remedies = dict.fromkeys(remedy for each in found for remedy in each.remedies)
    return tuple(sorted(remedies, key=lambda remedy: isinstance(remedy, RebuildRows)))


def outcome_of(
    before: CheckResult | None, after: CheckResult, done: Mapping[str, str]
) -> CheckResult:
    """Return what a check came to after its remedy, told with what was done."""
    remedy = done.get(after.check)
    if before is None or remedy is None or after.status == "failed":
        return after
    if after.status == "ok":
        return CheckResult(
            check=before.check, status="fixed", details=f"{before.details}; {remedy}"
        )
    return replace(after, details=f"{after.details}; tried: {remedy}")


def is_unresolved(result: CheckResult) -> bool:
    """Say whether something is left that money or truth hangs on."""
    return result.status in ("finding", "failed") and check_of(result.check).is_critical


def with_news(
    results: Sequence[CheckResult], told: Mapping[str, CheckResult]
) -> tuple[CheckResult, ...]:
    """Mark what people have heard already, and housekeeping that is not worth a word."""
    return tuple(
        replace(each, is_news=each.status != "ok" and not _is_stale(each, told.get(each.check)))
        for each in results
    )


def _is_stale(result: CheckResult, told: CheckResult | None) -> bool:
    if result.status == "fixed":
        return check_of(result.check).is_housekeeping
    return told is not None and (told.status, told.details) == (result.status, result.details)


def halt_for(results: Sequence[CheckResult]) -> ChangeTradingState | None:
    """Return the halt of entries that a finding asks for, or None.

    A look that could not be done proves nothing, and is a warning only. The store's own faults
    come first: what is halted for them is not resumed for room on a disk.
    """
    broken = [
        each for each in results if each.status == "finding" and check_of(each.check).halt_cause
    ]
    if not broken:
        return None
    first = min(broken, key=lambda each: check_of(each.check).halt_cause != "store")
    return ChangeTradingState(
        state=TradingState.REDUCING,
        cause=check_of(first.check).halt_cause,
        reason=f"{first.check}: {first.details}; {check_of(first.check).advice}",
    )


def what_was_done(remedies: Sequence[Remedy]) -> str:
    """Return the sentence for people about remedies."""
    return "; ".join(filter(None, map(_deed, remedies)))


def _deed(remedy: Remedy) -> str:
    match remedy:
        case RaiseStop():
            return f"set the stop of {remedy.position_id} to {text(remedy.stop_price)}"
        case SetAside():
            numbers = ", ".join(str(orphan.event_id) for orphan in remedy.orphans)
            return f"put {numbers} into quarantine"
        case RewriteMark():
            return "wrote it anew"
        case EmptyWal():
            return "moved it into the database"
        case TrimOld():
            return "deleted"
        case FreeReserve():
            return "freed the reserve"
        case MakeReserve():
            return "made the reserve"
        case RebuildRows():
            return "made the rows anew from the events"
        case _:
            return ""


def line_of(result: CheckResult) -> str:
    """Return a check's line for people: its status, its name, and what there is to say."""
    check = check_of(result.check)
    said = result.details or check.holds
    advice = f" ({check.advice})" if result.status == "finding" else ""
    return f"{result.status:<7}  {result.check:<13}  {said}{advice}"
