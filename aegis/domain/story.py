"""The log as a story: one sentence for each event, with its figures, for people who read back.

Pure. Every type of event has its sentence; a new one without fails the type check.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from aegis.domain.events import (
    AlarmRaised,
    BalancesStarted,
    DayStarted,
    DiagnosisCompleted,
    DustSetAside,
    EquityPeaked,
    Event,
    ExternalChangeSeen,
    InstrumentChanged,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
    PositionClosed,
    PositionImported,
    PositionMarked,
    PositionOpened,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    PositionVoided,
    ReconciliationCompleted,
    StopRaised,
    StrategyArmed,
    TradingStateChanged,
)
from aegis.domain.instants import text_of
from aegis.domain.money import text
from aegis.domain.order import Side
from aegis.domain.restores import PositionDated, RecoveryCompleted, StoreRestored

OrderStory = (
    OrderIntended
    | OrderSubmitted
    | OrderAccepted
    | OrderOutcomeUnknown
    | OrderFilled
    | OrderCancelRequested
    | OrderCanceled
    | OrderRejected
    | OrderExpired
    | OrderNotPlaced
    | OrderNeedsHuman
)
PositionStory = (
    PositionOpened
    | PositionImported
    | PositionMarked
    | StopRaised
    | InstrumentChanged
    | DustSetAside
    | PositionClosed
    | PositionVoided
    | PositionUnpriced
    | PositionTransferred
    | PositionRepriced
    | PositionDated
)


def sentence_of(event: Event) -> str:
    """Return what happened, in one sentence."""
    if isinstance(event, OrderStory):
        return _of_order(event)
    if isinstance(event, PositionStory):
        return _of_position(event)
    return _of_account(event)


def _of_order(event: OrderStory) -> str:
    order = event.client_order_id
    match event:
        case OrderIntended():
            what = f"{event.side} {text(event.amount)} {event.symbol}"
            price = "" if event.price is None else f" at {text(event.price)}"
            seen = f"seen at {text(event.decision_price)}"
            return (
                f"Wants to {what}{price} ({event.role}, {event.type}, {seen}){_why(event.reason)}"
            )
        case OrderSubmitted():
            return f"Sends order {order}"
        case OrderAccepted():
            return f"The exchange has order {order}, as {event.exchange_order_id}"
        case OrderOutcomeUnknown():
            return f"No answer about order {order}{_why(event.reason)}"
        case OrderFilled():
            fill = event.fill
            done = "Bought" if event.side is Side.BUY else "Sold"
            fee = f"fee {text(fill.fee)} {fill.fee_currency}"
            rest = "" if event.is_complete else ", more to come"
            if event.not_ours > 0:
                rest += f"; {text(event.not_ours)} of it were the owner's coins"
            return f"{done} {text(fill.amount)} {event.symbol} at {text(fill.price)}, {fee}{rest}"
        case OrderCancelRequested():
            return f"Wants order {order} cancelled{_why(event.reason)}"
        case OrderCanceled():
            return f"Order {order} is cancelled, {_filled(event.filled)}{_why(event.reason)}"
        case OrderRejected():
            return f"Order {order} is refused, {_filled(event.filled)}{_why(event.reason)}"
        case OrderExpired():
            return f"Order {order} has expired, {_filled(event.filled)}{_why(event.reason)}"
        case OrderNotPlaced():
            return f"Order {order} never reached the exchange{_why(event.reason)}"
        case OrderNeedsHuman():
            return f"Nobody can say what became of order {order}{_why(event.reason)}"
        case _:
            assert_never(event)


def _of_position(event: PositionStory) -> str:
    match event:
        case PositionOpened():
            levels = _levels(event.stop_price, event.take_profit_price)
            return f"{event.symbol} is open at {text(event.price)}, {levels}"
        case PositionImported():
            levels = _levels(event.stop_price, event.take_profit_price)
            held = f"{text(event.amount)} {event.symbol}"
            return f"Imports {held}, entered at {text(event.entry_price)}, {levels}"
        case PositionMarked():
            return f"A unit is worth {text(event.price)}"
        case StopRaised():
            return (
                f"Raises the stop to {text(event.stop_price)}, the price being {text(event.price)}"
            )
        case InstrumentChanged():
            lots = f"lots of {text(event.instrument.amount_step)} {event.instrument.base}"
            return f"The exchange lists {event.instrument.symbol} anew, in {lots}"
        case DustSetAside():
            return f"Sets {text(event.amount)} {event.coin} aside as dust, cost {text(event.cost)}"
        case PositionClosed():
            return f"{event.symbol} is closed, P&L {text(event.pnl)}{_why(event.reason)}"
        case PositionVoided():
            return f"{event.symbol} was never entered{_why(event.reason)}"
        case PositionUnpriced():
            return f"{event.symbol} is gone at a price that nobody knows{_why(event.reason)}"
        case PositionTransferred():
            return f"{text(event.amount)} {event.coin} went elsewhere, worth {text(event.value)}"
        case PositionRepriced():
            sold = f"{event.symbol} was sold at {text(event.price)} after all"
            return f"{sold}, P&L {text(event.pnl)}{_why(event.reason)}"
        case PositionDated():
            known = (("opened at", event.opened_at), ("closed at", event.closed_at))
            said = " and ".join(f"{what} {text_of(at)}" for what, at in known if at is not None)
            return f"The exchange dates {event.symbol}{_why(said)}"
        case _:
            assert_never(event)


def _of_account(event: Event) -> str:
    match event:
        case BalancesStarted():
            coins = (f"{text(amount)} {coin}" for coin, amount in event.balances.items())
            return f"The account begins with {', '.join(coins) or 'nothing'}"
        case ExternalChangeSeen():
            sign = "+" if event.amount > 0 else ""
            about = f" ({event.reference})" if event.reference else ""
            change = f"{sign}{text(event.amount)} {event.coin}"
            return f"Somebody else's doing, {event.kind}: {change}{about}{_why(event.note)}"
        case DayStarted():
            return f"A day has begun, at {text_of(event.day_started_at)}, with {text(event.equity)}"
        case EquityPeaked():
            return f"The equity is higher than ever: {text(event.equity)}"
        case TradingStateChanged():
            leaving = ", leaving every position" if event.is_flattening else ""
            by = f" by {event.cause}" if event.cause else ""  # none where it goes on
            return f"Trading is {event.state}{by}{leaving}{_why(event.reason)}"
        case ReconciliationCompleted():
            healed = sum(found.is_healed for found in event.discrepancies)
            found = f"{len(event.discrepancies)} differences, {healed} healed"
            dry = ", dry run" if event.is_dry_run else ""
            return f"Compared with the exchange ({event.trigger}{dry}): {found}"
        case DiagnosisCompleted():
            odd = [f"{each.check} {each.status}" for each in event.checks if each.status != "ok"]
            told = ", ".join(odd) or f"all {len(event.checks)} checks ok"
            return f"Examined itself ({event.trigger}): {told}"
        case AlarmRaised():
            return f"ALARM, {event.check}: {event.text}"
        case StrategyArmed():
            return f"{event.strategy} may enter"
        case StoreRestored():
            return f"The store is put back to event {event.events}, from {event.backup}"
        case RecoveryCompleted():
            left = f", left: {', '.join(event.left)}" if event.left else ""
            return f"Booked {event.orders} forgotten orders with {event.fills} fills{left}"
        case _:
            raise AssertionError(f"Expected an event of the account, was {event!r}")


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""


def _filled(amount: Decimal) -> str:
    return f"{text(amount)} filled" if amount else "nothing filled"


def _levels(stop: Decimal | None, target: Decimal | None) -> str:
    stops = "no stop" if stop is None else f"stop {text(stop)}"
    return stops if target is None else f"{stops}, target {text(target)}"
