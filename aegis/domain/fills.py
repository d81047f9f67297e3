"""What the exchange's trades and endings make of an order and its position.

Invariants:
1. A trade is booked once; one that does not fit its order is refused, never bent. What an exit
   sold beyond its position was the owner's: it is booked as that, and told.
2. An order ends only when the exchange's cumulative fill equals ours.
3. What follows for a position follows when its last active order has ended, in the same breath.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.commands import EndOrder, RecordFills, Refusal, ResolveOrder
from aegis.domain.events import (
    AlarmRaised,
    DustSetAside,
    Event,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionClosed,
    PositionOpened,
    PositionVoided,
    Proposed,
)
from aegis.domain.fold import evolve_order, evolve_position
from aegis.domain.fold.parts import beyond, brought, own_part
from aegis.domain.guard import opening_stops
from aegis.domain.ids import Instant, is_derivative
from aegis.domain.money import (
    FEE_DECIMALS_MAX,
    ZERO,
    distance,
    is_amount,
    is_figure,
    minus,
    plus,
    text,
    total,
)
from aegis.domain.order import TRANSITIONS, UNSETTLED, Fill, Order, OrderState, OrderStep, Role
from aegis.domain.position import Position
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed_of_account, unlawful

OVERSOLD = "oversold"
"""What the alarm is called by which an owner hears that coins of theirs were sold."""


def record_fills(book: Book, command: RecordFills, now: Instant) -> Decision:
    """Return the trades that are new, each as its own event, and what follows from them."""
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    position, dust = book.positions[order.position_id], own_dust(book, order)
    proposals: list[Proposed] = []
    foreign: list[OrderFilled] = []
    for fill in command.fills:
        if fill.trade_id in order.trade_ids:
            continue
        refusal = _fault_of_fill(book, order, position, fill, takes_more=command.takes_more)
        if refusal is not None:
            return refusal
        event = _filled(order, position, fill, dust)
        dust = minus(dust, beyond(position, order, own_part(event)))
        if event.not_ours > 0:
            foreign.append(event)
        is_first = order.role is Role.ENTRY and (position.entered == 0 or not position.is_alive)
        order = evolve_order(order, event, now)
        position = evolve_position(position, event, now, order)
        proposals.append(Proposed(position_id=position.position_id, event=event))
        if is_first:
            opened = _opened(position, fill)
            position = evolve_position(position, opened, now, order)
            proposals.append(Proposed(position_id=position.position_id, event=opened))
    if proposals and order.is_ended:
        proposals.extend(consequences(book, position, order))
    if foreign:
        proposals.extend(proposed_of_account(alarm_of(book, order, position, foreign)))
    return tuple(proposals)


def own_dust(book: Book, order: Order) -> Decimal:
    """Return how much beyond its position an order may have sold that was ours: our dust.

    None where no position gains by it: it has ended, or never held anything.
    """
    position = book.positions[order.position_id]
    is_holder = position.is_alive and position.entered > 0
    if order.role not in (Role.EXIT, Role.PROTECTIVE) or not is_holder:
        return ZERO
    is_coin = not is_derivative(order.symbol)
    return book.account.dust.get(position.instrument.base, ZERO) if is_coin else ZERO


def _filled(order: Order, position: Position, fill: Fill, dust: Decimal) -> OrderFilled:
    return OrderFilled(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        fill=fill,
        is_complete=plus(order.filled, fill.amount) >= order.amount,
        not_ours=max(ZERO, minus(beyond(position, order, fill), dust)),
    )


def alarm_of(book: Book, order: Order, position: Position, sold: list[OrderFilled]) -> AlarmRaised:
    """Return what the owner is told whose coins an order of ours has sold.

    Where a later position holds the coin as well they may be of that one: a comparison finds out.
    """
    instrument = position.instrument
    amount = text(total(event.not_ours for event in sold))
    worth = text(total(brought(event, instrument.quote) for event in sold))
    others = [
        each.position_id
        for each in book.alive_positions()
        if each.position_id != position.position_id
        and each.instrument.base == instrument.base
        and each.amount > 0
    ]
    whose = f"of your own, or of position {', '.join(others)}," if others else "of your own"
    advice = "run.py reconcile says whose" if others else "buy them back by hand if you want"
    told = (
        f"{amount} {instrument.base} {whose} were sold by AEGIS: order {order.client_order_id} "
        f"sold more than its position had. They brought {worth} {instrument.quote}, which are in "
        f"your account, neither gain nor loss. All is booked, nothing is sent again; {advice}"
    )
    return AlarmRaised(check=OVERSOLD, text=told)


def _fault_of_fill(
    book: Book, order: Order, position: Position, fill: Fill, *, takes_more: bool
) -> Refusal | None:
    """Return why a fill cannot be the order's: a person must look."""
    step = OrderStep.COMPLETE if order.state is OrderState.FILLED else OrderStep.FILL
    if (order.state, step) not in TRANSITIONS:
        return unlawful(order, step)
    if not is_sound(fill, position):
        return Refusal(
            code="bad_fill", text=f"{order.client_order_id}: expected figures, was {fill}"
        )
    alive = book.position_of(order.symbol)
    is_other = alive is not None and alive.position_id != position.position_id
    if order.adds and not position.is_alive and alive is not None and is_other:
        return Refusal(
            code="position_exists",
            text=f"{order.client_order_id}, given up long ago, has filled, and {order.symbol} has "
            f"{alive.position_id} by now",
            mends_with_time=True,
        )
    if plus(order.filled, fill.amount) > order.amount and (order.adds or not takes_more):
        return Refusal(
            code="overfill",
            text=f"{order.client_order_id}: {fill.trade_id} fills {fill.amount} over "
            f"{order.filled} of {order.amount}",
        )
    if is_derivative(order.symbol) and beyond(position, order, fill) > 0:
        return Refusal(
            code="oversold",
            text=f"{order.client_order_id}: {fill.trade_id} sold {fill.amount} of "
            f"{position.amount}",
        )
    return None


def is_sound(fill: Fill, position: Position) -> bool:
    """Say whether a trade's figures can be reckoned with."""
    is_fee = is_figure(fill.fee, FEE_DECIMALS_MAX) and (
        fill.fee_currency != position.instrument.base or distance(fill.fee, ZERO) < fill.amount
    )
    return is_fee and all(is_amount(each) and is_figure(each) for each in (fill.amount, fill.price))


def _opened(position: Position, fill: Fill) -> PositionOpened:
    stop_price, take_profit_price = opening_stops(position, fill.price)
    return PositionOpened(
        symbol=position.symbol,
        price=fill.price,
        stop_price=stop_price,
        take_profit_price=take_profit_price,
    )


def end_order(book: Book, command: EndOrder, now: Instant) -> Decision:
    """Return the end that the exchange told, once all that it filled is booked."""
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    if order.is_ended:
        return NOTHING_NEW
    if (order.state, command.step) not in TRANSITIONS:
        return unlawful(order, command.step)
    if command.filled != order.filled:
        return Refusal(
            code="fills_missing",
            text=f"the exchange filled {command.filled} of {order.client_order_id}, "
            f"{order.filled} is booked",
            mends_with_time=True,
        )
    return ending(book, order, _end_event(command, order), now)


def resolve_order(book: Book, command: ResolveOrder, now: Instant) -> Decision:
    """Return the end of an order that a person has looked for at the exchange, and not found."""
    order_id = command.client_order_id
    order = book.orders.get(order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"no order {order_id!r}")
    if order.state is not OrderState.NEEDS_HUMAN:
        wait = "; AEGIS looks for it still: wait" if order.state in UNSETTLED else ""
        return Refusal(
            code="not_needed", text=f"order {order_id} is {order.state}, and needs no word{wait}"
        )
    reason = "a person has looked, and the exchange never took it"
    return ending(book, order, OrderNotPlaced(client_order_id=order_id, reason=reason), now)


def _end_event(
    command: EndOrder, order: Order
) -> OrderCanceled | OrderRejected | OrderExpired | OrderNotPlaced:
    order_id, filled, reason = order.client_order_id, order.filled, command.reason
    match command.step:
        case OrderStep.CANCEL:
            return OrderCanceled(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.REJECT:
            return OrderRejected(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.EXPIRE:
            return OrderExpired(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.PROVE_ABSENT:
            return OrderNotPlaced(client_order_id=order_id, reason=reason)
        case _:
            raise AssertionError(f"Expected a step that ends an order, was {command.step}")


def ending(
    book: Book,
    order: Order,
    event: OrderCanceled | OrderRejected | OrderExpired | OrderNotPlaced,
    now: Instant,
) -> tuple[Proposed, ...]:
    """Return an order's end and what follows from it for its position."""
    ended = evolve_order(order, event, now)
    position = evolve_position(book.positions[order.position_id], event, now, ended)
    first = Proposed(position_id=order.position_id, event=event)
    return (first, *consequences(book, position, ended))


def consequences(book: Book, position: Position, ended: Order) -> tuple[Proposed, ...]:
    """Return what follows for a position when its last active order has ended."""
    others = [
        order
        for order in book.active_orders(position.position_id)
        if order.client_order_id != ended.client_order_id
    ]
    if others or not position.is_alive:
        return ()
    if position.entered == 0:
        voided = PositionVoided(symbol=position.symbol, reason=ended.end_reason)
        return (Proposed(position_id=position.position_id, event=voided),)
    if not position.is_dust:
        return ()
    events: list[Event] = []
    pnl = position.pnl
    if position.amount > 0 or position.cost > 0:
        dust = DustSetAside(
            coin=position.instrument.base, amount=position.amount, cost=position.cost
        )
        pnl = evolve_position(position, dust, Instant(0), None).pnl
        events.append(dust)
    reason = _close_reason(book, position, ended)
    events.append(PositionClosed(symbol=position.symbol, pnl=pnl, reason=reason))
    return tuple(Proposed(position_id=position.position_id, event=event) for event in events)


def _close_reason(book: Book, position: Position, ended: Order) -> str:
    """Return why the last exit that sold something was wanted; dust where none sold anything."""
    exits = [order for order in (*book.orders_of(position.position_id), ended)
             if order.role is not Role.ENTRY and order.filled > 0]  # fmt: skip
    return exits[-1].reason if exits else "dust"
