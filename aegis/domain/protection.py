"""The stop that rests at the exchange while a position is held: where, and for how much. Pure.

It is there for the time in which nobody guards: further away than our own stop, which goes first
while AEGIS runs. On spot it may lock the coins, so whoever wants out calls it off, and sells once
its end is proved.

Invariants:
1. One rests at a time; its amount is what is held, and there. Another amount is another order:
   the first is called off, and has ended, before the next is wanted.
2. None is wanted for what is being left, nor while an exit or an entry is under way.
3. It is moved only when the amount changes, and for nothing else.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import IntendOrder, Quote, RaiseAlarm, RequestCancel
from aegis.domain.events import (
    Event,
    ExternalChangeSeen,
    OrderIntended,
    ReconciliationCompleted,
)
from aegis.domain.fold import is_of_order
from aegis.domain.ids import ClientOrderId, Incarnation, PositionId, protective_order_id
from aegis.domain.leaving import AT_REST
from aegis.domain.money import floor_to, minus, percent_of, times
from aegis.domain.order import Order, OrderState, OrderType, Role
from aegis.domain.position import Position
from aegis.domain.pursuit import Pursuit
from aegis.domain.risk import has_exit, is_held, own_side
from aegis.domain.second import OUT_OF_SIGHT, gone_of, unsent_exits

STOP_REASON = "exchange_stop"


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stop should rest at the exchange, and for how much."""

    amount: Decimal
    price: Decimal


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done for it now; `ordinal` is of the one that is wanted next."""

    ordinal: int
    command: IntendOrder | RequestCancel | None


def stop_of(book: Book, position: Position) -> Order | None:
    """Return the stop at the exchange that has not ended, or None."""
    active = book.active_orders(position.position_id)
    return next((each for each in active if each.role is Role.PROTECTIVE), None)


def disaster_price(position: Position) -> Decimal | None:
    """Return where it rests: as far below our stop as our stop was below the price; None is off."""
    policy, stop = position.policy, position.stop_price
    widths = [each for each in (policy.stop_loss_pct, policy.trailing_stop_pct) if each > 0]
    if stop is None or not widths:
        return None
    price = floor_to(minus(stop, percent_of(stop, min(widths))), position.instrument.price_step)
    return price if price > 0 else None


def called_off(book: Book, position: Position) -> RequestCancel | None:
    """Return the cancel of a stop that stands in the way of who leaves, or of nothing any more."""
    stop = stop_of(book, position)
    if stop is None or stop.state not in AT_REST or not is_left(book, position):
        return None
    return RequestCancel(client_order_id=stop.client_order_id, reason="the position is left")


def told_of(book: Book, event: Event) -> tuple[ClientOrderId, ...]:
    """Return the orders of which an event tells something: its own, mostly.

    Whoever moves coins tells of the stops that are called off there: one that was alone may be so
    no more, or has fired, and what it sold was taken for the owner's.
    """
    if isinstance(event, OrderIntended) or is_of_order(event):
        return (event.client_order_id,)
    if not isinstance(event, ExternalChangeSeen):
        return ()
    return tuple(
        each.client_order_id
        for each in book.active_orders()
        if each.role is Role.PROTECTIVE
        and each.state is OrderState.CANCELING
        and book.positions[each.position_id].instrument.base == event.coin
    )


def released(book: Book, event: Event) -> tuple[ClientOrderId, ...]:
    """Return the exits whose leave is asked for again, as what they wait for may be over.

    That is a stop, of which there is news, or a doubt whose coins they are, which a look may end.
    """
    if isinstance(event, ReconciliationCompleted):
        return unsent_exits(book)
    return waiting_exits(book, book.orders[event.client_order_id]) if is_of_order(event) else ()


def waiting_exits(book: Book, order: Order) -> tuple[ClientOrderId, ...]:
    """Return the exits that wait for a stop, whenever there is news of it: they may be sent now."""
    if order.role is not Role.PROTECTIVE:
        return ()
    return tuple(
        each.client_order_id
        for each in book.active_orders(order.position_id)
        if each.role is Role.EXIT and each.state is OrderState.INTENT
    )


def is_left(book: Book, position: Position) -> bool:
    """Say whether a position is being left, or nothing of it is held."""
    is_held_on = is_held(position) and not position.leaving
    return not is_held_on or has_exit(book, position.position_id)


def protection(
    book: Book,
    position: Position,
    quote: Quote,
    *,
    tag: str,
    incarnation: Incarnation,
    is_wanted: bool,
) -> Protection:
    """Return what brings the stop at the exchange in line with what is held."""
    orders = book.orders_of(position.position_id)
    ordinal = sum(each.role is Role.PROTECTIVE for each in orders)
    stop = stop_of(book, position)
    command: IntendOrder | RequestCancel | None = None
    if stop is not None:
        is_as_held = stop.remaining == amount_there(book, position)
        if stop.state in AT_REST and not (is_wanted and is_as_held):
            reason = "the position's amount changed" if is_wanted else "no stop is wanted there"
            command = RequestCancel(client_order_id=stop.client_order_id, reason=reason)
    elif is_wanted and (level := level_of(book, position)) is not None:
        order = Order(
            client_order_id=protective_order_id(tag, incarnation, position.position_id, ordinal),
            position_id=position.position_id,
            symbol=position.symbol,
            role=Role.PROTECTIVE,
            side=own_side(position),
            type=OrderType.STOP,
            amount=level.amount,
            strategy=position.strategy,
            reason=STOP_REASON,
            decision_price=quote.bid,
            trigger_price=level.price,
            bid=quote.bid,
            ask=quote.ask,
            reduce_only=True,
        )
        command = IntendOrder(order=order) if level.price < quote.bid else None
    return Protection(ordinal=ordinal, command=command)


def amount_there(book: Book, position: Position) -> Decimal:
    """Return what of a position is at the exchange and can be sold there, in whole lots."""
    there = minus(position.amount, gone_of(book, position))
    return floor_to(there, position.instrument.amount_step)


def level_of(book: Book, position: Position) -> Level | None:
    """Return the stop that should rest; None while something moves, or where it were too small."""
    amount, price = amount_there(book, position), disaster_price(position)
    instrument = position.instrument
    is_moving = any(
        each.role is Role.ENTRY and each.state not in OUT_OF_SIGHT
        for each in book.active_orders(position.position_id)
    )
    if price is None or is_moving or is_left(book, position):
        return None
    is_enough = amount >= instrument.amount_min and times(amount, price) >= instrument.notional_min
    return Level(amount=amount, price=price) if is_enough and amount > 0 else None


class Keeper:
    """Keeps a stop at the exchange for each position; one that was lost is placed after a pause.

    A crash forgets its memory: at most one is tried a pause too early.
    """

    def __init__(self, tag: str, *, is_wanted: bool) -> None:
        self._tag = tag
        self._is_wanted = is_wanted
        self._pursuit = Pursuit()

    def due(
        self, book: Book, position: Position, quote: Quote, incarnation: Incarnation, now_ns: int
    ) -> IntendOrder | RequestCancel | None:
        """Return what is to be asked of the store now, once."""
        if not self._is_wanted and stop_of(book, position) is None:
            return None
        due = protection(
            book,
            position,
            quote,
            tag=self._tag,
            incarnation=incarnation,
            is_wanted=self._is_wanted,
        )
        if isinstance(due.command, RequestCancel):
            return due.command
        is_waiting = self._pursuit.is_resting(position, now_ns)
        if due.command is None or is_waiting or self._pursuit.has_asked(position, due.ordinal):
            return None
        self._pursuit.ask(position, due.ordinal)
        return due.command

    def lost(self, position: PositionId, now_ns: int) -> tuple[int, int]:
        """Take that one is not there, though nobody here called it off; see `Pursuit.failed`."""
        self._pursuit.refused(position)
        return self._pursuit.failed(position, now_ns)

    def forget(self, position: PositionId) -> None:
        """Let go of a position that has ended."""
        self._pursuit.forget(position)


def alarm_of(position: Position, reason: str) -> RaiseAlarm:
    """Return what people are told when a stop is gone that nobody here called off."""
    told = (
        f"the stop of {position.symbol} at the exchange is gone ({reason}); it is placed again. "
        "If somebody cancels it on purpose, set risk.exchange_stop to off"
    )
    return RaiseAlarm(check="exchange_stop", text=told)
