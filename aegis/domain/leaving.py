"""How a position is left: which exit comes next, and what is called off before. Pure.

Invariants:
1. Whoever wants out, the same exit is wanted: its id holds the position and how many exits were
   intended before it, nothing else.
2. A second exit goes beside one that is out of sight only where the exchange itself would refuse
   whichever comes last; see `risk.may_go_second`.
3. An exit that rests is called off, and has ended, before the next one goes.
"""

from __future__ import annotations

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import Quote, RequestCancel
from aegis.domain.guard import ExitWanted, exit_order
from aegis.domain.ids import Incarnation, Instant, exit_order_id
from aegis.domain.order import Order, OrderState, OrderType, Role
from aegis.domain.position import Position
from aegis.domain.risk import OUT_OF_SIGHT, may_go_second

SECOND_EXIT_AFTER_S = 10
"""Real seconds out of sight until somebody is told of an exit, and a second one may go."""

AT_REST = (OrderState.OPEN, OrderState.PARTIAL)


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to leave a position now; `exit` None: nothing goes yet, or nothing is left."""

    ordinal: int
    cancels: tuple[RequestCancel, ...]
    exit: Order | None


def departure(
    book: Book,
    position: Position,
    wanted: ExitWanted,
    quote: Quote,
    *,
    tag: str,
    incarnation: Incarnation,
    lost_before: Instant,
) -> Departure:
    """Return how a position is left now; an exit lost before an instant is waited for no more."""
    active = book.active_orders(position.position_id)
    exits = [order for order in active if order.role is not Role.ENTRY]
    cancels = tuple(
        RequestCancel(client_order_id=order.client_order_id, reason=wanted.reason)
        for order in active
        if order.state in AT_REST and (order.role is Role.ENTRY or _rests(order))
    )
    ordinal = position.exits_ended + len(exits)
    order = None
    if all(_is_lost(each, lost_before) for each in exits):
        key = exit_order_id(tag, incarnation, position.position_id, ordinal)
        order = exit_order(book, position, wanted, quote, key, is_second=bool(exits))
    if order is not None and exits and not may_go_second(book, order):
        order = None
    return Departure(ordinal=ordinal, cancels=cancels, exit=order)


def lost_before(now: Instant, real_second: int) -> Instant:
    """Return since when an exit must be out of sight for a second one to go.

    `real_second` is how many of the nanoseconds that `now` counts go by in a real second.
    """
    return Instant(now - SECOND_EXIT_AFTER_S * real_second)


def _rests(order: Order) -> bool:
    """Say whether an order may stay open at the exchange for long, and block the way out."""
    return order.type is OrderType.LIMIT or order.role is Role.PROTECTIVE


def _is_lost(order: Order, before: Instant) -> bool:
    lost_at = order.unknown_at
    return order.state in OUT_OF_SIGHT and lost_at is not None and lost_at <= before
