"""How an order comes to be, and how it gets leave to be sent.

Invariants:
1. The same intent twice is one order; the same id with other parameters is a conflict.
2. An exit reduces an own position and an entry does not, whatever the sender calls it.
3. What reduces is refused only where it would sell more than is there, or may: it waits then for
   a stop at the exchange to end, or for a doubt whose coins they are.
"""

from __future__ import annotations

from aegis.domain.book import Book
from aegis.domain.commands import IntendOrder, Refusal, SubmitOrder
from aegis.domain.events import Opening, OrderIntended, OrderRejected, OrderSubmitted
from aegis.domain.fills import ending
from aegis.domain.ids import Instant
from aegis.domain.money import is_amount, is_figure
from aegis.domain.order import Order, OrderState, OrderType, Role, Side
from aegis.domain.position import PositionSide
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed
from aegis.domain.risk import (
    Limits,
    gate,
    is_reducing,
    oversell,
    own_side,
)
from aegis.domain.second import may_go_second, stop_in_the_way


def intend(book: Book, command: IntendOrder) -> Decision:
    """Return the intent where it is new and makes sense."""
    order, opening = command.order, command.opening
    known = book.orders.get(order.client_order_id)
    if known is not None:
        return NOTHING_NEW if _is_same_intent(known, order) else _conflict(known, order)
    refusal = (
        _fault_of_figures(order)
        or _fault_of_shape(order, opening)
        or _fault_of_place(book, command)
        or (None if order.role is Role.ENTRY else oversell(book, order, command.reading))
    )
    if refusal is not None:
        return refusal
    return proposed(order.position_id, _intended(order, opening))


def _fault_of_figures(order: Order) -> Refusal | None:
    named = {
        "amount": order.amount,
        "decision_price": order.decision_price,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "bid": order.bid,
        "ask": order.ask,
    }
    for name, value in named.items():
        if value is not None and not (is_amount(value) and is_figure(value)):
            return _bad_intent(order, f"expected {name} as a positive figure, was {value}")
    return None


def _fault_of_shape(order: Order, opening: Opening | None) -> Refusal | None:
    """Return what makes an order no order of ours at all, whatever is held."""
    if (order.price is None) is (order.type is OrderType.LIMIT):
        return _bad_intent(order, f"a {order.type} order at {order.price}")
    if (order.type is OrderType.STOP) is not (order.role is Role.PROTECTIVE):
        return _bad_intent(order, f"a {order.type} order as {order.role}")
    if order.type is OrderType.STOP and order.trigger_price is None:
        return _bad_intent(order, "a stop without a trigger")
    if order.role is Role.FORCED:
        return _bad_intent(order, "only the exchange makes a forced order")
    if opening is None:
        return None
    if order.role is not Role.ENTRY or opening.instrument.symbol != order.symbol:
        return _bad_intent(order, f"{order.role} cannot open {opening.instrument.symbol}")
    if opening.side is not PositionSide.LONG:
        return Refusal(code="no_shorts", text=f"expected a long {order.symbol}: spot has no other")
    return None


def _fault_of_place(book: Book, command: IntendOrder) -> Refusal | None:
    """Return why an order does not belong where it wants to, or None."""
    order, opening = command.order, command.opening
    alive = book.position_of(order.symbol)
    if opening is None and (alive is None or alive.position_id != order.position_id):
        return Refusal(code="no_position", text=f"{order.position_id} is not alive")
    if opening is not None and (alive is not None or order.position_id in book.positions):
        held = alive or book.positions[order.position_id]
        return Refusal(code="position_exists", text=f"{order.symbol} has {held.position_id}")
    side = own_side(alive) if alive is not None else Side.SELL
    if (order.side is side) is (order.role is Role.ENTRY):
        return _bad_intent(order, f"{order.side} is no {order.role} of a position to {side}")
    in_flight = [o for o in book.active_orders(order.position_id) if _excludes(o, order)]
    if in_flight and not may_go_second(book, order, command.reading):
        return Refusal(
            code="in_flight",
            text=f"{in_flight[0].client_order_id} ({in_flight[0].role}) has not ended",
            mends_with_time=True,
        )
    if order.role is not Role.EXIT and alive is not None and alive.leaving:
        return Refusal(code="leaving", text=f"{alive.position_id} is being left: {alive.leaving}")
    return None


def _excludes(active: Order, order: Order) -> bool:
    """One order of a role at a time, and nothing but an exit beside an exit."""
    return active.role is order.role or active.role is Role.EXIT


def _bad_intent(order: Order, text: str) -> Refusal:
    return Refusal(code="bad_intent", text=f"{order.client_order_id}: {text}")


def _intended(order: Order, opening: Opening | None) -> OrderIntended:
    return OrderIntended(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        role=order.role,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        trigger_price=order.trigger_price,
        reduce_only=order.reduce_only,
        strategy=order.strategy,
        reason=order.reason,
        decision_price=order.decision_price,
        bid=order.bid,
        ask=order.ask,
        opening=opening,
    )


def _is_same_intent(known: Order, order: Order) -> bool:
    """Two intents are one when all that the exchange would do is the same."""
    return all(
        getattr(known, name) == getattr(order, name)
        for name in ("position_id", "symbol", "role", "side", "type", "amount", "price")
    )


def _conflict(known: Order, order: Order) -> Refusal:
    return Refusal(
        code="intent_conflict",
        text=f"{order.client_order_id} is {known.side} {known.amount} {known.symbol} already, "
        f"was asked as {order.side} {order.amount}; the first stands",
    )


def overtaken(book: Book, order: Order) -> Refusal | None:
    """Return why a stop is not placed any more: what it was to guard is being left."""
    position = book.positions[order.position_id]
    if order.role is not Role.PROTECTIVE or not position.leaving:
        return None
    return Refusal(code="leaving", text=f"{order.position_id} is being left: {position.leaving}")


def submit(book: Book, command: SubmitOrder, now: Instant, limits: Limits) -> Decision:
    """Return the leave to send an order, or its end where a gate says no."""
    order = book.orders.get(command.client_order_id)
    if order is None or order.state is not OrderState.INTENT:
        return Refusal(
            code="not_intent",
            text=f"{command.client_order_id} is {order.state if order else 'unknown'}",
        )
    stop = stop_in_the_way(book, order, command.reading, command.silent_stop)
    if stop is not None:
        text = f"the stop {stop.client_order_id} at the exchange is {stop.state}"
        return Refusal(code="stop_rests", text=text, mends_with_time=True)
    if order.role is Role.EXIT and book.account.is_doubted(order.position_id):
        text = f"orders that are not known here may have sold what is left of {order.position_id}"
        return Refusal(code="doubted", text=text, mends_with_time=True)
    if is_reducing(book, order):
        refusal = oversell(book, order, command.reading) or overtaken(book, order)
    else:
        refusal = gate(book, order, command, now, limits)
    if refusal is None:
        event = OrderSubmitted(client_order_id=order.client_order_id)
        return proposed(order.position_id, event)
    rejected = OrderRejected(
        client_order_id=order.client_order_id,
        filled=order.filled,
        reason=f"{refusal.code}: {refusal.text}",
    )
    return ending(book, order, rejected, now)
