"""The fold: how an order, a position and the account follow from an event.

Pure functions, value and event in, next value out. They decide nothing: an event that does not
fit the value is corruption, and asserts.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import Account
from aegis.domain.events import (
    BalancesStarted,
    DayStarted,
    DustSetAside,
    EquityPeaked,
    ExternalChangeSeen,
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
    PositionMarked,
    PositionOpened,
    PositionUnpriced,
    PositionVoided,
    ReconciliationCompleted,
    StopRaised,
    TradingStateChanged,
)
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    Coin,
    Instant,
    PositionId,
)
from aegis.domain.money import ZERO, minus, negative, plus, share, times
from aegis.domain.order import TRANSITIONS, Order, OrderStep, Role, Side
from aegis.domain.position import Position, PositionStatus

replace = msgspec.structs.replace

COST_STEP = Decimal("0.00000001")
"""A partial exit's share of the cost is rounded down to this; the last exit takes the rest."""

RATE_WINDOW_NS = 60 * NANOS_PER_SECOND

OrderEvent = (
    OrderSubmitted
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
ORDER_EVENTS = OrderEvent.__args__

STEP_OF: dict[type, OrderStep] = {
    OrderSubmitted: OrderStep.SUBMIT,
    OrderAccepted: OrderStep.ACCEPT,
    OrderOutcomeUnknown: OrderStep.LOSE_SIGHT,
    OrderCancelRequested: OrderStep.WANT_CANCEL,
    OrderCanceled: OrderStep.CANCEL,
    OrderRejected: OrderStep.REJECT,
    OrderExpired: OrderStep.EXPIRE,
    OrderNotPlaced: OrderStep.PROVE_ABSENT,
    OrderNeedsHuman: OrderStep.GIVE_UP,
}


def intended_order(position: PositionId, event: OrderIntended, at: Instant) -> Order:
    """Return the order that an intent begins."""
    return Order(
        client_order_id=event.client_order_id,
        position_id=position,
        symbol=event.symbol,
        role=event.role,
        side=event.side,
        type=event.type,
        amount=event.amount,
        strategy=event.strategy,
        reason=event.reason,
        decision_price=event.decision_price,
        price=event.price,
        trigger_price=event.trigger_price,
        bid=event.bid,
        ask=event.ask,
        reduce_only=event.reduce_only,
        intended_at=at,
    )


def opening_position(position: PositionId, event: OrderIntended, at: Instant) -> Position:
    """Return the position, still empty, that an entry's intent begins."""
    assert event.opening is not None
    return Position(
        position_id=position,
        symbol=event.symbol,
        side=event.opening.side,
        strategy=event.strategy,
        created_by=event.opening.created_by,
        policy=event.opening.policy,
        instrument=event.opening.instrument,
        intended_price=event.decision_price,
        opened_at=at,
    )


def evolve_order(order: Order, event: OrderEvent, at: Instant) -> Order:
    """Return the order after one event of its own."""
    if isinstance(event, OrderFilled):
        return _filled_order(order, event, at)
    step = STEP_OF[type(event)]
    state = TRANSITIONS.get((order.state, step))
    assert state is not None, f"{order.client_order_id}: {step} does not follow {order.state}"
    moved = replace(order, state=state)
    match event:
        case OrderSubmitted():
            return replace(moved, submitted_at=at)
        case OrderAccepted():
            return replace(
                moved, exchange_order_id=event.exchange_order_id, unknown_at=None, ended_at=None
            )
        case OrderOutcomeUnknown():
            return replace(moved, unknown_at=at)
        case OrderCanceled() | OrderRejected() | OrderExpired():
            assert event.filled == order.filled, f"Expected filled {order.filled}, was {event}"
            return replace(moved, ended_at=at, end_reason=event.reason)
        case OrderNotPlaced():
            return replace(moved, ended_at=at, end_reason=event.reason)
        case OrderCancelRequested() | OrderNeedsHuman():
            return moved


def _filled_order(order: Order, event: OrderFilled, at: Instant) -> Order:
    step = OrderStep.COMPLETE if event.is_complete else OrderStep.FILL
    state = TRANSITIONS.get((order.state, step))
    assert state is not None, f"{order.client_order_id}: {step} does not follow {order.state}"
    fill = event.fill
    assert fill.trade_id not in order.trade_ids, f"Trade {fill.trade_id} was booked twice"
    filled = plus(order.filled, fill.amount)
    assert filled <= order.amount, f"{order.client_order_id} filled {filled} of {order.amount}"
    assert event.is_complete == (filled == order.amount), f"{event} at {filled}"
    return replace(
        order,
        state=state,
        filled=filled,
        cost=plus(order.cost, times(fill.amount, fill.price)),
        fees=_with(order.fees, fill.fee_currency, fill.fee),
        trade_ids=(*order.trade_ids, fill.trade_id),
        ended_at=at if event.is_complete else None,
        end_reason="filled" if event.is_complete else "",
    )


def evolve_position(
    position: Position, event: object, at: Instant, order: Order | None
) -> Position:
    """Return the position after one event of its own; `order` is the event's, evolved."""
    match event:
        case OrderIntended() if event.role is not Role.ENTRY:
            assert position.is_alive, f"An exit from what is not alive: {position}"
            return position
        case OrderFilled():
            assert order is not None
            filled = _entered(position, event) if _adds(order) else _left(position, event)
            return _exit_ended(filled) if order.is_ended and not _adds(order) else filled
        case OrderCanceled() | OrderRejected() | OrderExpired() | OrderNotPlaced():
            assert order is not None
            return position if _adds(order) else _exit_ended(position)
        case PositionOpened():
            assert position.amount > 0, f"Opened with nothing entered: {position}"
            return _opened(position, event, at)
        case PositionMarked():
            assert position.is_alive, f"A mark for what is not alive: {position}"
            return replace(position, mark=event.price)
        case StopRaised():
            assert position.is_alive, f"A stop for what is not alive: {position}"
            return replace(position, stop_price=event.stop_price)
        case DustSetAside():
            return _without_dust(position, event)
        case PositionClosed():
            assert position.is_alive, f"Closed twice: {position}"
            assert position.amount == 0, f"Closed with {position.amount} left: {position}"
            assert position.cost == 0, f"Closed with a cost of {position.cost} left: {position}"
            return replace(
                position,
                status=PositionStatus.CLOSED,
                closed_at=at,
                close_reason=event.reason,
            )
        case PositionVoided():
            assert position.is_alive, f"Voided twice: {position}"
            assert position.entered == 0, f"Voided with {position.entered} entered: {position}"
            return replace(
                position, status=PositionStatus.VOID, closed_at=at, close_reason=event.reason
            )
        case PositionUnpriced():
            return replace(
                position,
                status=PositionStatus.CLOSED,
                closed_at=at,
                close_reason=event.reason,
                is_unpriced=True,
            )
        case _:
            return position


def status_of(position: Position, *, is_leaving: bool) -> PositionStatus:
    """Return an alive position's status from what it holds and whether an exit is in flight."""
    if not position.is_alive:
        return position.status
    if is_leaving:
        return PositionStatus.CLOSING
    return PositionStatus.OPENING if position.entered == 0 else PositionStatus.OPEN


def _opened(position: Position, event: PositionOpened, at: Instant) -> Position:
    """Return the position from its first fill on, or anew: an order given up may yet appear."""
    return replace(
        position,
        status=PositionStatus.OPEN,
        mark=event.price,
        stop_price=event.stop_price,
        take_profit_price=event.take_profit_price,
        opened_at=at,
        closed_at=None,
        close_reason="",
    )


def _adds(order: Order) -> bool:
    return order.role is Role.ENTRY


def _entered(position: Position, event: OrderFilled) -> Position:
    fill, cost = event.fill, times(event.fill.amount, event.fill.price)
    fee_base, fee_quote = _fee_parts(position, event)
    assert fee_base < fill.amount, f"A fee of all that came in: {event}"
    return replace(
        position,
        amount=plus(position.amount, minus(fill.amount, fee_base)),
        cost=plus(position.cost, cost),
        entered=plus(position.entered, fill.amount),
        paid=plus(position.paid, cost),
        pnl=minus(position.pnl, fee_quote),
        fees=_with(position.fees, fill.fee_currency, fill.fee),
        fees_quote=plus(position.fees_quote, _fee_value(event, fee_base, fee_quote)),
    )


def _left(position: Position, event: OrderFilled) -> Position:
    """Return the position after an exit's fill.

    A fee in base beyond what is held was paid from other holdings of that coin: it is in `fees`,
    like a fee in a third coin, and not in the P&L.
    """
    fill, proceeds = event.fill, times(event.fill.amount, event.fill.price)
    fee_base, fee_quote = _fee_parts(position, event)
    assert fill.amount <= position.amount, f"Sold {fill.amount} of {position.amount}: {event}"
    gone = min(plus(fill.amount, fee_base), position.amount)
    cost = (
        position.cost
        if gone == position.amount
        else share(position.cost, gone, position.amount, COST_STEP)
    )
    return replace(
        position,
        amount=minus(position.amount, gone),
        cost=minus(position.cost, cost),
        exited=plus(position.exited, fill.amount),
        received=plus(position.received, proceeds),
        pnl=plus(position.pnl, minus(minus(proceeds, cost), fee_quote)),
        fees=_with(position.fees, fill.fee_currency, fill.fee),
        fees_quote=plus(position.fees_quote, _fee_value(event, fee_base, fee_quote)),
    )


def _exit_ended(position: Position) -> Position:
    return replace(position, exits_ended=position.exits_ended + 1)


def _without_dust(position: Position, event: DustSetAside) -> Position:
    assert event.amount == position.amount, f"Expected all of {position.amount}, was {event}"
    assert event.cost == position.cost, f"Expected all of {position.cost}, was {event}"
    return replace(position, amount=ZERO, cost=ZERO, pnl=minus(position.pnl, position.cost))


def _fee_parts(position: Position, event: OrderFilled) -> tuple[Decimal, Decimal]:
    coin, fee = event.fill.fee_currency, event.fill.fee
    if coin == position.instrument.base:
        return fee, ZERO
    return ZERO, fee if coin == position.instrument.quote else ZERO


def _fee_value(event: OrderFilled, fee_base: Decimal, fee_quote: Decimal) -> Decimal:
    return plus(fee_quote, times(fee_base, event.fill.price))


def evolve_account(
    account: Account,
    event: object,
    at: Instant,
    position: Position | None,
    order: Order | None,
) -> Account:
    """Return the account after one event of anybody's."""
    match event:
        case BalancesStarted():
            return replace(account, balances=dict(event.balances), has_balances=True)
        case OrderFilled():
            assert position is not None
            return replace(account, balances=_after_fill(account.balances, position, event))
        case ExternalChangeSeen():
            return _transferred(account, event)
        case DustSetAside():
            return replace(account, dust=_with(account.dust, event.coin, event.amount))
        case OrderSubmitted() if order is not None and _adds(order):
            recent = [t for t in account.entries_submitted_at if t > at - RATE_WINDOW_NS]
            return replace(account, entries_submitted_at=(*recent, at))
        case PositionClosed() | PositionUnpriced():
            closed = {**account.last_closed_at, event.symbol: at}
            return replace(account, last_closed_at=closed)
        case DayStarted():
            return replace(
                account,
                day_started_at=event.day_started_at,
                day_start_equity=event.equity,
                peak_equity=max(account.peak_equity, event.equity),
            )
        case EquityPeaked():
            return replace(account, peak_equity=event.equity)
        case TradingStateChanged():
            return replace(
                account,
                trading_state=event.state,
                cause=event.cause,
                reason=event.reason,
                is_flattening=event.is_flattening,
                peak_equity=account.peak_equity if event.equity is None else event.equity,
            )
        case ReconciliationCompleted() if not event.is_dry_run:
            open_ends = [found for found in event.discrepancies if not found.is_healed]
            return replace(
                account,
                blocked=tuple(sorted({f.symbol for f in open_ends if f.symbol is not None})),
                orphans=tuple(f.subject for f in open_ends if f.kind == "orphan"),
                reconciled_at=at,
            )
        case _:
            return account


def _transferred(account: Account, event: ExternalChangeSeen) -> Account:
    """Return the account after a transfer: loss limits go on from what is there now."""
    after = replace(account, balances=_with(account.balances, event.coin, event.amount))
    if not event.counts_as_equity:
        return after
    return replace(
        after,
        day_start_equity=plus(account.day_start_equity, event.amount),
        peak_equity=max(ZERO, plus(account.peak_equity, event.amount)),
    )


def _after_fill(
    balances: dict[Coin, Decimal], position: Position, event: OrderFilled
) -> dict[Coin, Decimal]:
    fill, cost = event.fill, times(event.fill.amount, event.fill.price)
    is_buy = event.side is Side.BUY
    base = fill.amount if is_buy else negative(fill.amount)
    quote = negative(cost) if is_buy else cost
    after = _with(balances, position.instrument.base, base)
    after = _with(after, position.instrument.quote, quote)
    return _with(after, fill.fee_currency, negative(fill.fee))


def _with(figures: dict[Coin, Decimal], coin: Coin, change: Decimal) -> dict[Coin, Decimal]:
    if change == 0:
        return figures
    return {**figures, coin: plus(figures.get(coin, ZERO), change)}
