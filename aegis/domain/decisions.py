"""What a command makes true: `decide(book, command)` gives new events, or says no.

Pure, and the only place where events are born. A command whose fact is in the book already
gives no events: it is known, not wrong.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    AdoptOrder,
    ArmStrategy,
    AskForHuman,
    BookEntry,
    BookForcedFills,
    ChangeInstrument,
    ChangeTradingState,
    CloseUnpriced,
    Command,
    CompleteDiagnosis,
    CompleteReconciliation,
    CompleteRecovery,
    EndOrder,
    ImportPosition,
    IntendOrder,
    LoseSight,
    MarkPosition,
    RaiseAlarm,
    RaiseStop,
    RecordExternalChange,
    RecordFills,
    RecordPeak,
    RecordRestore,
    Refusal,
    RequestCancel,
    ResolveOrder,
    ResolvePosition,
    StartBalances,
    StartDay,
    SubmitOrder,
)
from aegis.domain.events import (
    AlarmRaised,
    Event,
    InstrumentChanged,
    OrderAccepted,
    OrderCancelRequested,
    OrderNeedsHuman,
    OrderOutcomeUnknown,
    PositionMarked,
    Proposed,
    StopRaised,
    StrategyArmed,
)
from aegis.domain.fills import end_order, record_fills, resolve_order
from aegis.domain.fold import is_wider
from aegis.domain.foreign import book_forced_fills, close_unpriced, resolve
from aegis.domain.ids import Instant
from aegis.domain.intents import intend, submit
from aegis.domain.money import is_figure
from aegis.domain.order import TRANSITIONS, OrderState, OrderStep
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed, proposed_of_account, unlawful
from aegis.domain.restored import adopt_order, complete_recovery, record_restore
from aegis.domain.risk import Limits
from aegis.domain.second import is_alone
from aegis.domain.steering import (
    change_trading_state,
    complete_reconciliation,
    note_fact,
    start_day,
)
from aegis.domain.told import book_entry, import_position

ALREADY: dict[OrderStep, OrderState] = {
    OrderStep.LOSE_SIGHT: OrderState.UNKNOWN,
    OrderStep.WANT_CANCEL: OrderState.CANCELING,
    OrderStep.GIVE_UP: OrderState.NEEDS_HUMAN,
}
"""Steps that only say what the state says: taken again there, they are known, not wrong."""


def decide(book: Book, command: Command, *, now: Instant, limits: Limits) -> Decision:
    """Return the events that a command makes true now, or why it must not."""
    match command:
        case MarkPosition() | RaiseStop():  # first, as they come most often
            return _guard(book, command)
        case ChangeInstrument():
            return _relist(book, command)
        case IntendOrder():
            return intend(book, command)
        case SubmitOrder():
            return submit(book, command, now, limits)
        case RecordFills():
            return record_fills(book, command, now)
        case EndOrder():
            return end_order(book, command, now)
        case BookForcedFills():
            return book_forced_fills(book, command, now)
        case BookEntry():
            return book_entry(book, command)
        case ImportPosition():
            return import_position(book, command)
        case CloseUnpriced():
            return close_unpriced(book, command)
        case ResolvePosition():
            return resolve(book, command, now)
        case ResolveOrder():
            return resolve_order(book, command, now)
        case AcceptOrder() | LoseSight() | RequestCancel() | AskForHuman():
            return _step(book, command)
        case ChangeTradingState():
            return change_trading_state(book, command, limits)
        case StartDay():
            return start_day(book, command)
        case CompleteReconciliation():
            return complete_reconciliation(book, command)
        case StartBalances() | RecordExternalChange() | RecordPeak() | CompleteDiagnosis():
            return note_fact(book, command, limits)
        case RaiseAlarm():
            return proposed_of_account(AlarmRaised(check=command.check, text=command.text))
        case ArmStrategy():
            return proposed_of_account(
                StrategyArmed(
                    generation=command.generation,
                    strategy=command.strategy,
                    taught_since=command.taught_since,
                )
            )
        case RecordRestore():
            return record_restore(book, command)
        case AdoptOrder():
            return adopt_order(book, command, now)
        case CompleteRecovery():
            return complete_recovery(command)
        case _:
            assert_never(command)


def _step(book: Book, command: AcceptOrder | LoseSight | RequestCancel | AskForHuman) -> Decision:
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    event: Event
    match command:
        case AcceptOrder():
            is_again = command.takes_up_again and order.is_given_up
            if order.exchange_order_id == command.exchange_order_id and not is_again:
                return NOTHING_NEW
            step = OrderStep.ACCEPT
            event = OrderAccepted(
                client_order_id=order.client_order_id,
                exchange_order_id=command.exchange_order_id,
            )
        case LoseSight():
            step = OrderStep.LOSE_SIGHT
            event = OrderOutcomeUnknown(
                client_order_id=order.client_order_id, reason=command.reason
            )
        case RequestCancel():
            step = OrderStep.WANT_CANCEL
            event = OrderCancelRequested(
                client_order_id=order.client_order_id,
                reason=command.reason,
                is_alone=is_alone(book, order),
            )
        case AskForHuman():
            step = OrderStep.GIVE_UP
            event = OrderNeedsHuman(client_order_id=order.client_order_id, reason=command.reason)
    if order.state is ALREADY.get(step):
        return NOTHING_NEW
    if (order.state, step) not in TRANSITIONS:
        return unlawful(order, step)
    return (Proposed(position_id=order.position_id, event=event),)


def _guard(book: Book, command: MarkPosition | RaiseStop) -> Decision:
    position = book.positions.get(command.position_id)
    if position is None or not position.is_alive:
        return Refusal(code="no_position", text=f"{command.position_id} is not alive")
    for price in _prices(command):
        if price is not None and not (is_figure(price) and price > 0):
            return Refusal(code="no_price", text=f"expected a positive price, was {price}")
    if isinstance(command, MarkPosition):
        marked = PositionMarked(price=command.price, high=command.high, low=command.low)
        is_known = position.mark == command.price and not is_wider(position, marked)
        return NOTHING_NEW if is_known else proposed(position.position_id, marked)
    if position.stop_price is not None and command.stop_price <= position.stop_price:
        return NOTHING_NEW
    return proposed(
        position.position_id,
        StopRaised(stop_price=command.stop_price, price=command.price),
    )


def _relist(book: Book, command: ChangeInstrument) -> Decision:
    position = book.positions.get(command.position_id)
    if position is None or not position.is_alive:
        return Refusal(code="no_position", text=f"{command.position_id} is not alive")
    had, has = position.instrument, command.instrument
    if (had.symbol, had.base, had.quote) != (has.symbol, has.base, has.quote):
        text = f"expected {had.symbol} of {had.base} and {had.quote}, was {has}"
        return Refusal(code="other_instrument", text=text)
    if had == has:
        return NOTHING_NEW
    return proposed(position.position_id, InstrumentChanged(instrument=has))


def _prices(command: MarkPosition | RaiseStop) -> tuple[Decimal | None, ...]:
    if isinstance(command, RaiseStop):
        return (command.stop_price,)
    return (command.price, command.high, command.low)
