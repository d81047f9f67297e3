"""A store that was put back from a backup, and what its exchange knows beyond it.

A restored store has forgotten orders that the exchange has taken. They carry this account's tag,
so they can be told from anybody else's; whose position they were in only the exchange's order of
things can say: what is bought first opens, what is sold leaves.

Invariants:
1. After a restore entries are halted until a comparison has shown nothing forgotten, or a person
   has looked at what there is; then a person resumes.
2. What is booked is what the exchange says, to the digit: its order, its trades, its end. An order
   whose trades do not add up to its fill is not booked.
3. Nothing is booked twice: an order, or a trade, that the store knows is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import (
    AdoptOrder,
    CompleteRecovery,
    EndOrder,
    RecordFills,
    RecordRestore,
    Refusal,
)
from aegis.domain.events import (
    Event,
    Opening,
    OrderAccepted,
    OrderCancelRequested,
    OrderIntended,
    OrderSubmitted,
    PositionClosed,
    PositionOpened,
    Proposed,
)
from aegis.domain.fills import end_order, record_fills
from aegis.domain.findings import fill_of
from aegis.domain.guard import ExitReason
from aegis.domain.ids import (
    ClientOrderId,
    Incarnation,
    Instant,
    Symbol,
    is_derivative,
    position_id,
)
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO, is_amount, is_figure, text, total
from aegis.domain.order import OrderStep, OrderType, Role, Side
from aegis.domain.position import PositionSide, StopPolicy
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed_of_account
from aegis.domain.protection import STOP_REASON
from aegis.domain.restores import PositionDated, RecoveryCompleted, StoreRestored
from aegis.domain.steering import halted
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade

RECOVERED = ExitReason.RECOVERED.value
"""Why an order was wanted whose reason was lost."""

RECOVERER = "reconciler"
"""Who created a position that was found at the exchange."""

CALLED_OFF_LATER = (
    "it may fill until AEGIS starts, and calls it off; or cancel it at the exchange now"
)

RESTS_ON = (
    "it rests there, and stays as it is; when AEGIS starts it keeps it for what is held, or calls "
    "it off where risk.exchange_stop is off"
)

ENDINGS: dict[VenueOrderStatus, OrderStep] = {
    VenueOrderStatus.CANCELED: OrderStep.CANCEL,
    VenueOrderStatus.REJECTED: OrderStep.REJECT,
    VenueOrderStatus.EXPIRED: OrderStep.EXPIRE,
}


class LostOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with our tag that the store does not know, as the exchange tells it."""

    order: VenueOrder
    trades: tuple[VenueTrade, ...]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the exchange's record: how a position that is found is to be guarded."""

    incarnation: Incarnation
    strategy: str
    policy: StopPolicy
    instruments: Mapping[Symbol, Instrument]


def record_restore(book: Book, command: RecordRestore) -> Decision:
    """Return the restore, and the halt that comes with it."""
    restored = proposed_of_account(
        StoreRestored(
            backup=command.backup,
            events=command.events,
            head_hash=command.head_hash,
            replaced=command.replaced,
            replaced_events=command.replaced_events,
            incarnation=command.incarnation,
        )
    )
    reason = (
        f"restored from {command.backup}: entries are halted until the books were compared "
        "with the exchange's, and you resume"
    )
    return (*restored, *halted(book, "restore", reason))


def complete_recovery(command: CompleteRecovery) -> Decision:
    """Return that a person has looked at what was forgotten."""
    completed = RecoveryCompleted(orders=command.orders, fills=command.fills, left=command.left)
    return proposed_of_account(completed)


def adopt_order(book: Book, command: AdoptOrder, now: Instant) -> Decision:
    """Return an order that the exchange knows and the store has forgotten, with all its trades.

    One that never filled and is over says nothing; one that is still open, and would enter or has
    nothing to leave, is called off. What was sold and no position held were the owner's coins: a
    position that never held anything stands for such an order.
    """
    order, order_id = command.order, ClientOrderId(command.order.client_order_id or "")
    is_over = order.status is not VenueOrderStatus.OPEN
    if order_id in book.orders or (is_over and order.filled == 0):
        return NOTHING_NEW
    refusal = _fault_of_place(book, command) or _fault_of_figures(book, command)
    if refusal is not None:
        return refusal
    tried = book.copy()
    events: list[Proposed] = []
    for step in (_begin, _fill, _end, _call_off):
        decision = step(tried, command, order_id, now)
        if isinstance(decision, Refusal):
            return decision
        for each in decision:
            tried.record(each, by="", at=now)
        events += decision
    return (*events, *_dated(tried, command, events, now))


def _fault_of_figures(book: Book, command: AdoptOrder) -> Refusal | None:
    order, filled = command.order, total(fill.amount for fill in command.fills)
    if filled != order.filled:
        told = f"its trades come to {text(filled)}, the exchange says {text(order.filled)}"
        return _refused("fills_missing", command, told)
    price = _decision_price(book, command)
    if price is None:
        told = "it is open, and no price or position is known for it: cancel it at the exchange"
        return _refused("bad_figure", command, told)
    if not all(is_amount(each) and is_figure(each) for each in (order.amount, price)):
        return _refused("bad_figure", command, f"{text(order.amount)} at {price}")
    return None


def _fault_of_place(book: Book, command: AdoptOrder) -> Refusal | None:
    alive = book.position_of(command.order.symbol)
    is_sale = command.order.side is Side.SELL
    if alive is None and is_sale and is_derivative(command.order.symbol):
        return _refused("no_position", command, "it reduced what no position holds")
    active = () if alive is None else book.active_orders(alive.position_id)
    if active:
        return _refused("in_flight", command, f"{active[0].client_order_id} has not ended")
    return None


def _refused(code: str, command: AdoptOrder, why: str) -> Refusal:
    return Refusal(code=code, text=f"{told_order(command)}: {why}")


def told_order(command: AdoptOrder) -> str:
    """Return an order of the exchange in a few words."""
    order = command.order
    filled = f"{text(order.filled)} of {text(order.amount)}"
    return f"{order.side} {filled} {order.symbol} ({order.client_order_id}, {order.status})"


def told_adoption(what: str, command: AdoptOrder, not_ours: Decimal = ZERO) -> tuple[str, ...]:
    """Return lines on an order that is booked: its fills, and what becomes of it if it is open.

    `not_ours` is what it sold that no position held.
    """
    price = ", ".join(f"{text(fill.amount)} at {text(fill.price)}" for fill in command.fills)
    line = f"{what}: {told_order(command)}" + (f": {price}" if price else "")
    if not_ours > 0:
        line += f"; {text(not_ours)} of it no position held: coins of yours, neither gain nor loss"
    order = command.order
    if order.status is not VenueOrderStatus.OPEN:
        return (line,)
    if order.side is Side.BUY:
        return line, CALLED_OFF_LATER
    return (line, RESTS_ON) if order.type is OrderType.STOP else (line,)


def _decision_price(book: Book, command: AdoptOrder) -> Decimal | None:
    """Return the price that comes nearest to what was seen when it was decided on."""
    if command.fills:
        return command.fills[0].price
    alive = book.position_of(command.order.symbol)
    of_position = None if alive is None else alive.mark or alive.intended_price
    return command.order.price or of_position


def _begin(
    book: Book, command: AdoptOrder, order_id: ClientOrderId, _now: Instant
) -> tuple[Proposed, ...]:
    alive, order = book.position_of(command.order.symbol), command.order
    price = _decision_price(book, command)
    assert price is not None, f"Expected a price, it was asked for: {command}"
    position_id = command.position_id if alive is None else alive.position_id
    events: tuple[Event, ...] = (
        OrderIntended(
            client_order_id=order_id,
            symbol=order.symbol,
            role=_role_of(order),
            side=order.side,
            type=order.type,
            amount=order.amount,
            price=order.price,
            trigger_price=None,
            reduce_only=False,
            strategy=command.strategy if alive is None else alive.strategy,
            reason=STOP_REASON if order.type is OrderType.STOP else RECOVERED,
            decision_price=price,
            bid=None,
            ask=None,
            opening=command.opening if alive is None else None,
        ),
        OrderSubmitted(client_order_id=order_id),
        OrderAccepted(client_order_id=order_id, exchange_order_id=order.exchange_order_id),
    )
    return tuple(Proposed(position_id=position_id, event=each) for each in events)


def _role_of(order: VenueOrder) -> Role:
    if order.side is Side.BUY:
        return Role.ENTRY
    return Role.PROTECTIVE if order.type is OrderType.STOP else Role.EXIT


def _fill(book: Book, command: AdoptOrder, order_id: ClientOrderId, now: Instant) -> Decision:
    return record_fills(book, RecordFills(client_order_id=order_id, fills=command.fills), now)


def _end(book: Book, command: AdoptOrder, order_id: ClientOrderId, now: Instant) -> Decision:
    step = ENDINGS.get(command.order.status)
    if step is None:
        return NOTHING_NEW
    reason = command.order.reason or RECOVERED
    end = EndOrder(client_order_id=order_id, step=step, filled=command.order.filled, reason=reason)
    return end_order(book, end, now)


def _call_off(
    book: Book, _command: AdoptOrder, order_id: ClientOrderId, _now: Instant
) -> tuple[Proposed, ...]:
    order = book.orders[order_id]
    has_use = not order.adds and book.positions[order.position_id].entered > 0
    if order.is_ended or has_use:
        return NOTHING_NEW
    wanted = OrderCancelRequested(client_order_id=order_id, reason=RECOVERED)
    return (Proposed(position_id=order.position_id, event=wanted),)


def _dated(
    book: Book, command: AdoptOrder, events: Sequence[Proposed], now: Instant
) -> tuple[Proposed, ...]:
    """Return when the exchange says that a position was opened, or closed, by an order's fills.

    Without it these would be the instants of the booking. None is to come, or before its opening.
    """
    kinds = {type(each.event) for each in events}
    if kinds.isdisjoint((PositionOpened, PositionClosed)):
        return ()
    position = book.positions[events[0].position_id]
    first, last = (min(command.fills[end].filled_at, now) for end in (0, -1))
    begun = first if PositionOpened in kinds else position.opened_at
    dated = PositionDated(
        symbol=position.symbol,
        opened_at=first if PositionOpened in kinds else None,
        closed_at=max(begun, last) if PositionClosed in kinds else None,
    )
    return (Proposed(position_id=position.position_id, event=dated),)


# What to adopt --------------------------------------------------------------------------------


def in_turn(found: Iterable[LostOrder]) -> tuple[LostOrder, ...]:
    """Return orders in the order in which they took effect: by their first trade, else by birth."""
    return tuple(sorted(found, key=_began))


def _began(lost: LostOrder) -> tuple[Instant, str]:
    order = lost.order
    at = min((trade.at for trade in lost.trades), default=order.created_at)
    return at, order.exchange_order_id


def adoption_of(lost: LostOrder, terms: Terms) -> AdoptOrder:
    """Return what books a forgotten order, whose symbol's instrument has to be known."""
    order = lost.order
    opening = Opening(
        side=PositionSide.LONG,
        created_by=RECOVERER,
        policy=terms.policy,
        instrument=terms.instruments[order.symbol],
    )
    return AdoptOrder(
        order=order,
        fills=tuple(fill_of(trade) for trade in sorted(lost.trades, key=lambda each: each.at)),
        position_id=position_id(terms.incarnation, RECOVERED, order.symbol, order.created_at),
        opening=opening,
        strategy=terms.strategy,
    )
