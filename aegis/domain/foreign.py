"""What happened to a position of ours that was no doing of ours, and a person's word on it.

Invariants:
1. A balance alone closes nothing: a trade of the exchange does, or a person.
2. What others sold of a position is an order of role forced, whose id is made from the trades.
3. A person's word concerns what the exchange was last seen to lack, no more.
4. Coins that went elsewhere unsold take their cost along: neither a gain nor a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from aegis.domain.book import Book
from aegis.domain.commands import BookForcedFills, CloseUnpriced, Refusal, ResolvePosition
from aegis.domain.events import (
    DustSetAside,
    Event,
    OrderAccepted,
    OrderFilled,
    OrderIntended,
    OrderSubmitted,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    Proposed,
)
from aegis.domain.fills import consequences, is_sound
from aegis.domain.fold import evolve_order, evolve_position, intended_order
from aegis.domain.fold.positions import cost_of
from aegis.domain.ids import Instant, is_derivative
from aegis.domain.money import is_amount, is_figure, minus, plus, text, times, total
from aegis.domain.order import OrderType, Role
from aegis.domain.position import Position
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed
from aegis.domain.risk import is_held, own_side
from aegis.domain.told import TIMES_OFF_MAX, is_likely, told_sale

TRANSFERRED = "transferred"

ORPHANS_NAMED = 3
"""Another AEGIS may have made hundreds; `reconcile` and the log name each."""


def book_forced_fills(book: Book, command: BookForcedFills, now: Instant) -> Decision:
    """Return the order that stands for others' trades in a position, and what follows."""
    if command.client_order_id in book.orders:
        return NOTHING_NEW
    position = book.positions.get(command.position_id)
    if position is None or not is_held(position):
        return Refusal(code="no_position", text=f"{command.position_id} is not held")
    refusal = _in_flight(book, position) or _fault_of_fills(command, position)
    return refusal or _forced(book, position, command, now)


def _in_flight(book: Book, position: Position) -> Refusal | None:
    active = [each for each in book.active_orders(position.position_id) if not each.only_waits]
    if not active:
        return None
    return Refusal(
        code="in_flight",
        text=f"{active[0].client_order_id} ({active[0].role}) has not ended",
        mends_with_time=True,
    )


def _fault_of_fills(command: BookForcedFills, position: Position) -> Refusal | None:
    for fill in command.fills:
        if not is_sound(fill, position):
            return Refusal(code="bad_fill", text=f"expected figures, was {fill}")
    sold = total(fill.amount for fill in command.fills)
    if not 0 < sold <= position.amount:
        return Refusal(
            code="oversold", text=f"{position.position_id}: {sold} sold of {position.amount}"
        )
    return None


def _forced(
    book: Book, position: Position, command: BookForcedFills, now: Instant
) -> tuple[Proposed, ...]:
    order_id = command.client_order_id
    intent = _forced_intent(position, command)
    accepted = OrderAccepted(client_order_id=order_id, exchange_order_id=command.exchange_order_id)
    events: list[Event] = [intent, OrderSubmitted(client_order_id=order_id), accepted]
    order = intended_order(position.position_id, intent, now)
    order = evolve_order(order, OrderSubmitted(client_order_id=order_id), now)
    order = evolve_order(order, accepted, now)
    for fill in command.fills:
        filled = OrderFilled(
            client_order_id=order_id,
            symbol=position.symbol,
            side=order.side,
            fill=fill,
            is_complete=plus(order.filled, fill.amount) == order.amount,
        )
        order = evolve_order(order, filled, now)
        position = evolve_position(position, filled, now, order)
        events.append(filled)
    own = tuple(Proposed(position_id=position.position_id, event=event) for event in events)
    return (*own, *consequences(book, position, order))


def _forced_intent(position: Position, command: BookForcedFills) -> OrderIntended:
    return OrderIntended(
        client_order_id=command.client_order_id,
        symbol=position.symbol,
        role=Role.FORCED,
        side=own_side(position),
        type=OrderType.MARKET,
        amount=total(fill.amount for fill in command.fills),
        price=None,
        trigger_price=None,
        reduce_only=True,
        strategy=position.strategy,
        reason=command.reason,
        decision_price=command.fills[0].price,
        bid=None,
        ask=None,
        opening=None,
    )


def close_unpriced(book: Book, command: CloseUnpriced) -> Decision:
    """Return the end of a position that is gone and nobody can say at what price."""
    position = book.positions.get(command.position_id)
    if position is None or not position.is_alive or position.amount != command.amount:
        return NOTHING_NEW
    refusal = _in_flight(book, position)
    if refusal is not None:
        return refusal
    unpriced = PositionUnpriced(symbol=position.symbol, reason=command.reason)
    return proposed(position.position_id, unpriced)


# A person's word ----------------------------------------------------------------------------


def resolve(book: Book, command: ResolvePosition, now: Instant) -> Decision:
    """Return what a person's word makes of what the exchange no longer has."""
    price = command.price
    if price is not None and not (is_amount(price) and is_figure(price)):
        return Refusal(code="bad_price", text=f"expected a positive price, was {price}")
    position = named(book, command.name)
    if position is None:
        return Refusal(code="unknown_position", text=_unknown(book, command.name))
    missing = book.account.unresolved.get(position.position_id)
    if missing is None and not position.is_unpriced:
        return Refusal(code="not_unresolved", text=_nothing_to_resolve(position))
    if price is not None and position.amount > 0 and not is_likely(position, price):
        return Refusal(code="bad_price", text=_unlikely(position, price))
    if missing is None:
        return _repriced(position, price)
    refusal = _in_flight(book, position)
    if refusal is not None:
        return refusal
    missing = min(missing, position.amount)
    if price is None and is_derivative(position.symbol):
        return Refusal(code="not_unresolved", text=_no_transfer(position))
    if price is None:
        return _transferred(position, missing)
    sale = told_sale(position, missing, price, reason="resolved", at=now)
    return book_forced_fills(book, sale, now)


def named(book: Book, name: str) -> Position | None:
    """Return the position that a person means by its id, or by the symbol that it is alive in."""
    for position in book.alive_positions():
        if name in (position.position_id, position.symbol):
            return position
    return next((p for p in book.positions.values() if p.position_id == name), None)


def unresolved_names(book: Book) -> str:
    """Return what a person can resolve, by name, or that there is nothing."""
    named = [
        f"{position.position_id} ({position.symbol})"
        for position in book.alive_positions()
        if position.position_id in book.account.unresolved
    ]
    return ", ".join(named) or "nothing"


def _unknown(book: Book, name: str) -> str:
    return f"no position {name!r}; unresolved is {unresolved_names(book)}"


def _unlikely(position: Position, price: Decimal) -> str:
    seen = text(position.mark or position.entry_price)
    return (
        f"expected a price within {TIMES_OFF_MAX} times the last one seen of {position.symbol} "
        f"({seen}), was {text(price)}; if it has moved so far, let AEGIS run and see it"
    )


def _no_transfer(position: Position) -> str:
    return (
        f"{position.symbol} (position {position.position_id}) is a derivative, which cannot be "
        "transferred: expected --closed-at PRICE"
    )


def _nothing_to_resolve(position: Position) -> str:
    what = f"{position.symbol} (position {position.position_id})"
    if not position.is_alive:
        return f"{what} is {position.status} already ({position.close_reason})"
    return (
        f"{what} is {position.status}, and the exchange had its coins at the last reconciliation; "
        "if it has them no more, run reconcile first"
    )


def _repriced(position: Position, price: Decimal | None) -> Decision:
    if price is None or position.amount == 0:
        text_of = "expected a price" if price is None else "its coins were not sold"
        return Refusal(
            code="not_unresolved",
            text=f"{position.symbol} (position {position.position_id}) has closed unpriced "
            f"({position.close_reason}): {text_of}",
        )
    gain = minus(times(position.amount, price), position.cost)
    repriced = PositionRepriced(
        symbol=position.symbol,
        price=price,
        pnl=plus(position.pnl, gain),
        reason=position.close_reason,
    )
    return proposed(position.position_id, repriced)


def _transferred(position: Position, missing: Decimal) -> Decision:
    price = position.mark or position.entry_price
    event = PositionTransferred(
        symbol=position.symbol,
        coin=position.instrument.base,
        amount=missing,
        cost=cost_of(position, missing),
        value=times(missing, price),
    )
    left = replace(
        position,
        amount=minus(position.amount, missing),
        cost=minus(position.cost, event.cost),
    )
    events: list[Event] = [event]
    if left.is_dust:
        if left.amount > 0 or left.cost > 0:
            dust = DustSetAside(coin=left.instrument.base, amount=left.amount, cost=left.cost)
            events.append(dust)
        events.append(PositionUnpriced(symbol=position.symbol, reason=TRANSFERRED))
    return tuple(Proposed(position_id=position.position_id, event=each) for each in events)


def told_missing(position: Position, missing: Decimal) -> str:
    """Return one line on what the exchange lacks of a position, and what a person can do."""
    ways = "--closed-at PRICE"
    if not is_derivative(position.symbol):
        ways = f"--transferred | {ways}"
    return (
        f"{position.symbol}: the exchange lacks {text(missing)} {position.instrument.base} of "
        f"position {position.position_id}; say what became of it: run.py resolve "
        f"{position.position_id} {ways}"
    )


def told_orphans(orphans: Sequence[str]) -> str:
    """Return what orders and trades with our tag mean that this store does not know."""
    return (
        f"{named_orphans(orphans)} at the exchange: made by an AEGIS, and not from this store; "
        "another AEGIS trades this account, or this store is an old copy"
    )


def named_orphans(orphans: Sequence[str]) -> str:
    """Return the first of them, and how many more there are."""
    more = len(orphans) - ORPHANS_NAMED
    return ", ".join(orphans[:ORPHANS_NAMED]) + (f" and {more} more" if more > 0 else "")


ORPHANS_DO = (
    "stop the other one, cancel at the exchange what is open, run.py recover (it shows and books "
    "what was traded), then run.py resume"
)
"""What a person does about them."""
