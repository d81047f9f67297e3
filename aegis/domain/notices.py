"""Which events people are told of, and in which words."""

from __future__ import annotations

from aegis.domain.book import Book
from aegis.domain.events import (
    AlarmRaised,
    DiagnosisCompleted,
    ExternalChangeSeen,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    PositionClosed,
    PositionOpened,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    ReconciliationCompleted,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.money import text


def notice_of(recorded: Recorded, book: Book) -> str | None:
    """Return the sentence for people about an event, or None when it is not news."""
    event = recorded.event
    match event:
        case PositionOpened():
            stop = "no stop" if event.stop_price is None else f"stop {text(event.stop_price)}"
            return f"Opened {event.symbol} at {text(event.price)}, {stop}"
        case PositionClosed():
            return f"Closed {event.symbol}: {event.reason}, P&L {text(event.pnl)}"
        case PositionUnpriced():
            return f"{event.symbol} is gone from the exchange without a price: {event.reason}"
        case PositionTransferred():
            return f"{text(event.amount)} {event.coin} of {event.symbol} went elsewhere, unsold"
        case PositionRepriced():
            price, pnl = text(event.price), text(event.pnl)
            return f"{event.symbol}, closed unpriced, was sold at {price}: P&L {pnl}"
        case OrderOutcomeUnknown():
            return f"Order {event.client_order_id}: outcome unknown ({event.reason}); looking"
        case OrderNeedsHuman():
            return f"Order {event.client_order_id} needs you: {event.reason}"
        case OrderNotPlaced():
            return f"Order {event.client_order_id} was not placed: {event.reason}"
        case TradingStateChanged():
            return f"Trading is {event.state}: {event.reason or event.cause}"
        case ExternalChangeSeen():
            return f"Not ours: {event.coin} changed by {text(event.amount)} ({event.note})"
        case ReconciliationCompleted() if event.discrepancies and not event.is_dry_run:
            healed = sum(found.is_healed for found in event.discrepancies)
            return (
                f"Reconciliation: {len(event.discrepancies)} differences, {healed} healed, "
                f"{len(event.discrepancies) - healed} left for you"
            )
        case DiagnosisCompleted():
            return _diagnosis(event)
        case AlarmRaised():
            return f"Alarm: {event.text}"
        case _:
            del book
            return None


def _diagnosis(event: DiagnosisCompleted) -> str | None:
    found = [check for check in event.checks if check.status != "ok" and check.is_news]
    if not found:
        return None
    fixed = sum(check.status == "fixed" for check in found)
    names = ", ".join(check.check for check in found)
    return f"Diagnosis: {len(found)} findings ({names}), {fixed} fixed"
