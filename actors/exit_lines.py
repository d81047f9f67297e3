"""Guard's lines on leaving: what wanted out, what waits, what was left unsold, what failed."""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.commands import Quote
from aegis.domain.guard import ExitWanted
from aegis.domain.ids import PositionId
from aegis.domain.order import Order
from aegis.domain.position import Position
from aegis.ports import Log


def tell_trigger(
    log: Log, position: Position, wanted: ExitWanted, quote: Quote, limit: Decimal | None
) -> None:
    """Tell that a position is left now, by a limit or at market."""
    log(
        "ExitTriggered",
        position=position.position_id,
        symbol=position.symbol,
        reason=wanted.reason,
        trigger_price=wanted.trigger_price,
        bid=quote.bid,
        gap=wanted.gap(quote.bid),
        limit=limit,
    )


def tell_wait(log: Log, position: Position, why: str) -> None:
    """Tell of an exit that is due, and waits."""
    log(
        "ExitHeldBack",
        level="warning",
        position=position.position_id,
        symbol=position.symbol,
        text=why,
    )


def tell_unfilled(log: Log, order: Order) -> None:
    """Tell of an exit that found too few takers at its limit."""
    log(
        "ExitUnfilled",
        level="warning",
        position=order.position_id,
        reason=order.end_reason,
        limit=order.price,
        filled=order.filled,
    )


def tell_failed(
    log: Log, position_id: PositionId, reason: str, failures: int, pause_s: int
) -> None:
    """Tell of an exit that failed, and is tried again after a pause."""
    log(
        "ExitFailed",
        level="error",
        position=position_id,
        reason=reason,
        failures=failures,
        retry_after_s=pause_s,
    )


def tell_stop_lost(
    log: Log, position_id: PositionId, reason: str, failures: int, pause_s: int
) -> None:
    """Tell that the stop at the exchange is gone, and is placed again after a pause."""
    log(
        "ExchangeStopLost",
        level="error",
        position=position_id,
        reason=reason,
        failures=failures,
        retry_after_s=pause_s,
    )
