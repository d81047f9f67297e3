"""How a position follows from an event of its own."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.events import (
    DustSetAside,
    InstrumentChanged,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderNotPlaced,
    OrderRejected,
    PositionClosed,
    PositionImported,
    PositionMarked,
    PositionOpened,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    PositionVoided,
    StopRaised,
)
from aegis.domain.fold.coins import with_coin
from aegis.domain.fold.marks import extremes, marked
from aegis.domain.fold.parts import COST_STEP, is_foreign, own_part
from aegis.domain.ids import Instant, PositionId
from aegis.domain.money import ZERO, minus, plus, share, times
from aegis.domain.order import Fill, Order, Role
from aegis.domain.position import Position, PositionStatus
from aegis.domain.restores import PositionDated

replace = msgspec.structs.replace


def opening_position(position: PositionId, event: OrderIntended, at: Instant) -> Position:
    """Return the position, still empty, that an entry's intent begins."""
    return _begun(position, event, event.decision_price, at)


def imported_position(position: PositionId, event: PositionImported, at: Instant) -> Position:
    """Return the position that came in from elsewhere."""
    cost = times(event.amount, event.entry_price)
    opened_at = min(event.opened_at, at)  # a market may have a time of its own
    imported = replace(
        _begun(position, event, event.entry_price, opened_at),
        amount=event.amount,
        cost=cost,
        entered=event.amount,
        paid=cost,
        mark=event.price,
        stop_price=event.stop_price,
        stop_first=event.stop_price,
        take_profit_price=event.take_profit_price,
        imported_at=at,
    )
    return _widened(imported, event.entry_price, event.price)


def _begun(
    position: PositionId, event: OrderIntended | PositionImported, price: Decimal, at: Instant
) -> Position:
    assert event.opening is not None
    return Position(
        position_id=position,
        symbol=event.symbol,
        side=event.opening.side,
        strategy=event.strategy,
        created_by=event.opening.created_by,
        policy=event.opening.policy,
        instrument=event.opening.instrument,
        intended_price=price,
        opened_at=at,
    )


def is_beginning(event: object) -> bool:
    """Say whether an event begins a position: the intent that opens it, or its import."""
    if isinstance(event, OrderIntended):
        return event.opening is not None
    return isinstance(event, PositionImported)


def evolve_position(
    position: Position, event: object, at: Instant, order: Order | None
) -> Position:
    """Return the position after one event of its own; `order` is the event's, evolved."""
    match event:
        case PositionMarked():  # first, as they come most often
            return marked(position, (event,), position.version)
        case OrderIntended() if event.role is not Role.ENTRY:
            assert position.is_alive, f"An exit from what is not alive: {position}"
            is_first = event.role is Role.EXIT and not position.leaving
            return replace(position, leaving=event.reason) if is_first else position
        case OrderFilled():
            assert order is not None
            filled = position if is_foreign(event) else _filled(position, event, order)
            return _exit_ended(filled) if order.is_ended and order.leaves else filled
        case OrderCanceled() | OrderRejected() | OrderExpired() | OrderNotPlaced():
            assert order is not None
            return _exit_ended(position) if order.leaves else position
        case PositionOpened():
            assert position.amount > 0, f"Opened with nothing entered: {position}"
            return _opened(position, event, at)
        case StopRaised():
            assert position.is_alive, f"A stop for what is not alive: {position}"
            return replace(position, stop_price=event.stop_price)
        case InstrumentChanged():
            return _relisted(position, event)
        case DustSetAside():
            return _without_dust(position, event)
        case PositionClosed():
            assert position.amount == 0, f"Closed with {position.amount} left: {position}"
            assert position.cost == 0, f"Closed with a cost of {position.cost} left: {position}"
            return _ended(position, PositionStatus.CLOSED, event.reason, at)
        case PositionVoided():
            assert position.entered == 0, f"Voided with {position.entered} entered: {position}"
            return _ended(position, PositionStatus.VOID, event.reason, at)
        case PositionTransferred():
            return _transferred(position, event)
        case PositionRepriced():
            return _repriced(position, event)
        case PositionDated():
            return _dated(position, event)
        case PositionUnpriced():
            gone = _ended(position, PositionStatus.CLOSED, event.reason, at)
            return replace(gone, is_unpriced=True)
        case _:
            return position


def status_of(position: Position, *, is_leaving: bool) -> PositionStatus:
    """Return an alive position's status from what it holds and whether an exit is in flight."""
    if not position.is_alive:
        return position.status
    if is_leaving:
        return PositionStatus.CLOSING
    return PositionStatus.OPENING if position.entered == 0 else PositionStatus.OPEN


def is_wider(position: Position, event: PositionMarked) -> bool:
    """Say whether a mark has seen a price beyond those that the position has seen."""
    high, low = position.price_high, position.price_low
    return (event.high is not None and (high is None or event.high > high)) or (
        event.low is not None and (low is None or event.low < low)
    )


def _opened(position: Position, event: PositionOpened, at: Instant) -> Position:
    """Return the position from its first fill on, or anew: an order given up may yet appear."""
    return replace(
        position,
        status=PositionStatus.OPEN,
        mark=event.price,
        stop_price=event.stop_price,
        stop_first=event.stop_price,
        take_profit_price=event.take_profit_price,
        opened_at=at,
        closed_at=None,
        close_reason="",
    )


def _filled(position: Position, event: OrderFilled, order: Order) -> Position:
    filled = _entered(position, event.fill) if order.adds else _left(position, own_part(event))
    return _widened(filled, event.fill.price)


def _entered(position: Position, fill: Fill) -> Position:
    cost = times(fill.amount, fill.price)
    fee_base, fee_quote = _fee_parts(position, fill)
    assert fee_base < fill.amount, f"A fee of all that came in: {fill}"
    return replace(
        position,
        amount=plus(position.amount, minus(fill.amount, fee_base)),
        cost=plus(position.cost, cost),
        entered=plus(position.entered, fill.amount),
        paid=plus(position.paid, cost),
        pnl=minus(position.pnl, fee_quote),
        fees=with_coin(position.fees, fill.fee_currency, fill.fee),
        fees_quote=plus(position.fees_quote, _fee_value(fill, fee_base, fee_quote)),
    )


def _left(position: Position, fill: Fill) -> Position:
    """Return the position after an exit's fill.

    A fee in base beyond what is held was paid from other holdings of that coin, and counts at the
    price of the sale. One in a third coin is in `fees` alone: nobody knows its worth. What was sold
    beyond what is held was dust, which had its cost booked already: all that it brings is gain.
    """
    proceeds = times(fill.amount, fill.price)
    fee_base, fee_quote = _fee_parts(position, fill)
    sold = min(fill.amount, position.amount)
    wanted = plus(sold, fee_base)
    gone = min(wanted, position.amount)
    charged = plus(fee_quote, times(minus(wanted, gone), fill.price))
    cost = cost_of(position, gone)
    return replace(
        position,
        amount=minus(position.amount, gone),
        cost=minus(position.cost, cost),
        exited=plus(position.exited, fill.amount),
        received=plus(position.received, proceeds),
        pnl=plus(position.pnl, minus(minus(proceeds, cost), charged)),
        fees=with_coin(position.fees, fill.fee_currency, fill.fee),
        fees_quote=plus(position.fees_quote, _fee_value(fill, fee_base, fee_quote)),
    )


def cost_of(position: Position, amount: Decimal) -> Decimal:
    """Return what an amount of a position takes of its cost along; all of it takes the rest."""
    if amount == position.amount:
        return position.cost
    return share(position.cost, amount, position.amount, COST_STEP)


def _widened(position: Position, *prices: Decimal) -> Position:
    """Return the position with its extremes beyond or at some prices."""
    high, low = extremes(position.price_high, position.price_low, prices)
    return replace(position, price_high=high, price_low=low)


def _exit_ended(position: Position) -> Position:
    return replace(position, exits_ended=position.exits_ended + 1)


def _relisted(position: Position, event: InstrumentChanged) -> Position:
    assert position.is_alive, f"An instrument for what is not alive: {position}"
    return replace(position, instrument=event.instrument)


def _without_dust(position: Position, event: DustSetAside) -> Position:
    assert event.amount == position.amount, f"Expected all of {position.amount}, was {event}"
    assert event.cost == position.cost, f"Expected all of {position.cost}, was {event}"
    return replace(position, amount=ZERO, cost=ZERO, pnl=minus(position.pnl, position.cost))


def _transferred(position: Position, event: PositionTransferred) -> Position:
    assert position.is_alive, f"A transfer of what is not alive: {position}"
    assert event.amount <= position.amount, f"Moved {event.amount} of {position.amount}: {event}"
    assert event.cost <= position.cost, f"Moved a cost of {event.cost}: {position}"
    return replace(
        position,
        amount=minus(position.amount, event.amount),
        cost=minus(position.cost, event.cost),
    )


def _repriced(position: Position, event: PositionRepriced) -> Position:
    assert position.is_unpriced, f"A price for what has one: {position}"
    proceeds = times(position.amount, event.price)
    return replace(
        _widened(position, event.price),
        amount=ZERO,
        cost=ZERO,
        exited=plus(position.exited, position.amount),
        received=plus(position.received, proceeds),
        pnl=plus(position.pnl, minus(proceeds, position.cost)),
        close_reason=event.reason,
        is_unpriced=False,
    )


def _ended(position: Position, status: PositionStatus, reason: str, at: Instant) -> Position:
    assert position.is_alive, f"Ended twice: {position}"
    return replace(position, status=status, closed_at=at, close_reason=reason)


def _dated(position: Position, event: PositionDated) -> Position:
    assert event.closed_at is None or not position.is_alive, f"Not closed yet: {position}"
    return replace(
        position,
        opened_at=position.opened_at if event.opened_at is None else event.opened_at,
        closed_at=position.closed_at if event.closed_at is None else event.closed_at,
    )


def _fee_parts(position: Position, fill: Fill) -> tuple[Decimal, Decimal]:
    coin, fee = fill.fee_currency, fill.fee
    if coin == position.instrument.base:
        return fee, ZERO
    return ZERO, fee if coin == position.instrument.quote else ZERO


def _fee_value(fill: Fill, fee_base: Decimal, fee_quote: Decimal) -> Decimal:
    return plus(fee_quote, times(fee_base, fill.price))
