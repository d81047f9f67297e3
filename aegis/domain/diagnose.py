"""The checks that need nothing but the book, with their remedies as commands."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import ChangeTradingState, Command, RaiseStop
from aegis.domain.events import CheckResult
from aegis.domain.guard import is_stopless, opening_stops
from aegis.domain.ids import NANOS_PER_SECOND, Instant, PositionId
from aegis.domain.money import text
from aegis.domain.position import Position

SECONDS_PER_DAY = 86_400

SOUND = ("chain", "projections")
"""Checks that must hold before anything new is risked."""

Finding = tuple[CheckResult, tuple[Command, ...]]


def stuck_positions(book: Book, now: Instant, after_days: int) -> Finding:
    """Flag positions that are open for longer than `after_days`; there is no remedy."""
    limit_ns = after_days * SECONDS_PER_DAY * NANOS_PER_SECOND
    stuck = [p.position_id for p in book.alive_positions() if now - p.opened_at > limit_ns]
    return _result("stuck", f"open for over {after_days} days", stuck), ()


def missing_stops(book: Book) -> Finding:
    """Find held positions without the stop of their policy; the remedy sets it."""
    bare = [position for position in book.alive_positions() if is_stopless(position)]
    remedies = tuple(filter(None, map(_stop_for, bare)))
    names = [position.position_id for position in bare]
    return _result("stops", "without the stop of their policy", names), remedies


def _stop_for(position: Position) -> RaiseStop | None:
    stop, _ = opening_stops(position, position.entry_price)
    if stop is None:
        return None
    return RaiseStop(position_id=position.position_id, stop_price=stop, price=position.mark or stop)


def _result(check: str, fault: str, found: Sequence[PositionId]) -> CheckResult:
    if not found:
        return CheckResult(check=check, status="ok", details="")
    return CheckResult(check=check, status="finding", details=f"{fault}: {', '.join(found)}")


def what_was_done(commands: tuple[Command, ...]) -> str:
    """Return the sentence for people about remedies."""
    return "; ".join(
        f"set the stop of {command.position_id} to {text(command.stop_price)}"
        for command in commands
        if isinstance(command, RaiseStop)
    )


def halt_for(checks: tuple[CheckResult, ...]) -> ChangeTradingState | None:
    """Return the halt of entries that a finding in the store itself asks for, or None.

    A look that could not be done proves nothing, and is a warning only.
    """
    broken = [each for each in checks if each.check in SOUND and each.status == "finding"]
    if not broken:
        return None
    return ChangeTradingState(
        state=TradingState.REDUCING,
        cause="store",
        reason=f"the store is not sound ({broken[0].check}: {broken[0].details}); see verify",
    )
