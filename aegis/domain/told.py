"""Positions that no order of ours opened: a person tells of an entry, or brings a position along.

Invariants:
1. An entry that is told becomes an order and its fill like any other: quote went, coins came.
2. A position that is imported comes with its coins, and nothing was paid for it here.
3. One position a symbol, spot knows no shorts, and what is too small to be sold is refused.
4. The same position twice is known, whatever became of it; nothing is written again.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.commands import BookEntry, BookForcedFills, ImportPosition, Refusal
from aegis.domain.events import (
    Event,
    Opening,
    OrderAccepted,
    OrderFilled,
    OrderIntended,
    OrderSubmitted,
    PositionImported,
    PositionOpened,
    Proposed,
)
from aegis.domain.ids import ClientOrderId, ExchangeOrderId, Instant, PositionId
from aegis.domain.instrument import Instrument
from aegis.domain.money import (
    FEE_DECIMALS_MAX,
    ZERO,
    is_amount,
    is_figure,
    minus,
    percent_of,
    ratio,
    text,
    times,
)
from aegis.domain.order import TOLD, Fill, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed

Figures = dict[str, Decimal | None]

TIMES_OFF_MAX = Decimal(2)
"""How far a price that a person tells may be from the last one that was seen."""

SIZE_MAX = Decimal("1e15")
"""Of a position, in base and in quote. Nobody has as much, and an exchange would not take an exit
of more."""

LEVEL_PCT_MIN, LEVEL_PCT_MAX = Decimal(5), Decimal(2_000)
"""Of the entry price. A stop or a target beyond was meant as something else, as a per cent."""


def book_entry(book: Book, command: BookEntry) -> Decision:
    """Return the order that stands for a trade that a person tells of, and its position."""
    if command.client_order_id in book.orders:
        return NOTHING_NEW
    fill = command.fill
    figures: Figures = {
        "amount": fill.amount,
        "entry_price": fill.price,
        "stop_price": command.stop_price,
        "take_profit_price": command.take_profit_price,
    }
    refusal = (
        _fault_of_figures(figures)
        or _fault_of_fee(command)
        or _fault_of_levels(command)
        or _fault_of_place(book, command.position_id, command.opening, _net(command), fill.price)
    )
    return refusal or _entered(command)


def import_position(book: Book, command: ImportPosition) -> Decision:
    """Return a position that comes in with its coins."""
    if command.position_id in book.positions:
        return NOTHING_NEW
    figures: Figures = {
        "amount": command.amount,
        "entry_price": command.entry_price,
        "price": command.price,
        "stop_price": command.stop_price,
        "take_profit_price": command.take_profit_price,
    }
    amount, price = command.amount, command.price
    refusal = _fault_of_figures(figures) or _fault_of_place(
        book, command.position_id, command.opening, amount, price
    )
    if refusal is not None:
        return refusal
    stop, target = _levels(command, command.entry_price)
    imported = PositionImported(
        symbol=command.opening.instrument.symbol,
        opening=command.opening,
        strategy=command.opening.created_by,
        amount=amount,
        entry_price=command.entry_price,
        price=price,
        stop_price=stop,
        take_profit_price=target,
        opened_at=command.opened_at,
        reference=command.reference,
    )
    return proposed(command.position_id, imported)


def is_near(level: Decimal, price: Decimal) -> bool:
    """Say whether a level may be meant as a price beside an entry's."""
    return percent_of(price, LEVEL_PCT_MIN) <= level <= percent_of(price, LEVEL_PCT_MAX)


def is_likely(position: Position, price: Decimal) -> bool:
    """Say whether a price may be no slip of the hand: what is booked by it cannot be taken back."""
    seen = position.mark or position.entry_price
    return ratio(seen, TIMES_OFF_MAX) <= price <= times(seen, TIMES_OFF_MAX)


def fault_of_sale(position: Position, price: Decimal) -> Refusal | None:
    """Return why a sale that a person tells must not be booked at a price."""
    if is_likely(position, price):
        return None
    seen = text(position.mark or position.entry_price)
    said = f"exit_price: expected one within {TIMES_OFF_MAX} times the last price seen, {seen}"
    said = f"{said}, was {text(price)}; if it is so, tell it to update_position first"
    return Refusal(code="unlikely", text=said)


def fault_of_rise(position: Position, price: Decimal) -> Refusal | None:
    """Return why no stop must follow a price that a person tells: it could not be lowered again."""
    if is_likely(position, price):
        return None
    seen = text(position.mark or position.entry_price)
    said = f"current_price: expected one within {TIMES_OFF_MAX} times the last price seen, {seen}"
    said = f"{said}, as the stop would follow and is never lowered; was {text(price)}; if it is so"
    return Refusal(code="unlikely", text=f"{said}, tell prices in between first")


def fault_of_stop(position: Position, stop: Decimal, price: Decimal) -> Refusal | None:
    """Return why a stop that a person tells must not be set while a unit is worth `price`."""
    before = position.stop_price
    if before is not None and stop < before:
        said = f"stop_price: a stop is only raised, from {text(before)} on; was {text(stop)}"
        return Refusal(code="lower_stop", text=said)
    if stop >= price:
        said = f"stop_price: expected it below the price {text(price)}, was {text(stop)}"
        return Refusal(code="bad_figure", text=said)
    return None


def told_entry(
    key: PositionId,
    at: Instant,
    opening: Opening,
    *,
    amount: Decimal,
    price: Decimal,
    fee: Decimal,
    exchange_order_id: str | None,
    stop_price: Decimal | None,
    take_profit_price: Decimal | None,
    reason: str,
) -> BookEntry:
    """Return the entry that a person tells of; what is None, the opening's policy says."""
    name = f"told-{key}"
    return BookEntry(
        position_id=key,
        client_order_id=ClientOrderId(name),
        exchange_order_id=ExchangeOrderId(exchange_order_id or name),
        opening=opening,
        fill=_told_fill(name, opening.instrument, amount=amount, price=price, fee=fee, at=at),
        stop_price=stop_price,
        take_profit_price=take_profit_price,
        reason=reason,
    )


def told_sale(
    position: Position,
    amount: Decimal,
    price: Decimal,
    *,
    reason: str,
    at: Instant,
    fee: Decimal = ZERO,
) -> BookForcedFills:
    """Return the sale that a person tells of; a fee that is not told, the balances will show."""
    name = f"told-{position.position_id}-{position.exits_ended}"
    return BookForcedFills(
        position_id=position.position_id,
        client_order_id=ClientOrderId(name),
        exchange_order_id=ExchangeOrderId(name),
        fills=(_told_fill(name, position.instrument, amount=amount, price=price, fee=fee, at=at),),
        reason=reason,
    )


def _told_fill(
    name: str,
    instrument: Instrument,
    *,
    amount: Decimal,
    price: Decimal,
    fee: Decimal,
    at: Instant,
) -> Fill:
    """Return a trade that a person tells of; its fee is in quote."""
    return Fill(
        trade_id=name,
        amount=amount,
        price=price,
        fee=fee,
        fee_currency=instrument.quote,
        liquidity=TOLD,
        filled_at=at,
    )


def _levels(
    command: BookEntry | ImportPosition, price: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Return stop and target as told, else by the policy at an entry price; None is off."""
    policy, step = command.opening.policy, command.opening.instrument.price_step
    return (
        command.stop_price or policy.first_stop(price, step),
        command.take_profit_price or policy.first_target(price, step),
    )


def _entered(command: BookEntry) -> tuple[Proposed, ...]:
    order_id, fill, opening = command.client_order_id, command.fill, command.opening
    symbol = opening.instrument.symbol
    stop, target = _levels(command, fill.price)
    events: tuple[Event, ...] = (
        OrderIntended(
            client_order_id=order_id,
            symbol=symbol,
            role=Role.ENTRY,
            side=Side.BUY,
            type=OrderType.MARKET,
            amount=fill.amount,
            price=None,
            trigger_price=None,
            reduce_only=False,
            strategy=opening.created_by,
            reason=command.reason,
            decision_price=fill.price,
            bid=None,
            ask=None,
            opening=opening,
        ),
        OrderSubmitted(client_order_id=order_id),
        OrderAccepted(client_order_id=order_id, exchange_order_id=command.exchange_order_id),
        OrderFilled(
            client_order_id=order_id, symbol=symbol, side=Side.BUY, fill=fill, is_complete=True
        ),
        PositionOpened(symbol=symbol, price=fill.price, stop_price=stop, take_profit_price=target),
    )
    return tuple(Proposed(position_id=command.position_id, event=event) for event in events)


def _net(command: BookEntry) -> Decimal:
    """Return what came in, after a fee in the coin itself."""
    fill = command.fill
    is_in_base = fill.fee_currency == command.opening.instrument.base
    return minus(fill.amount, fill.fee) if is_in_base else fill.amount


def _fault_of_figures(figures: Figures) -> Refusal | None:
    for name, value in figures.items():
        if value is not None and not (is_amount(value) and is_figure(value)):
            return Refusal(
                code="bad_figure", text=f"{name}: expected a positive figure, was {value}"
            )
    return None


def _fault_of_fee(command: BookEntry) -> Refusal | None:
    fill = command.fill
    if not is_figure(fill.fee, FEE_DECIMALS_MAX) or fill.fee < 0:
        return Refusal(code="bad_figure", text=f"fees: expected zero or more, was {fill.fee}")
    return None


def _fault_of_levels(command: BookEntry) -> Refusal | None:
    """Return why stop and target would be hit by the entry price itself, or never."""
    price, stop, target = command.fill.price, command.stop_price, command.take_profit_price
    for name, level in (("stop_price", stop), ("take_profit_price", target)):
        if level is not None and not is_near(level, price):
            said = f"{name}: expected a price near the entry's {text(price)}, was {text(level)}"
            return Refusal(code="bad_figure", text=said)
    if stop is not None and stop >= price:
        said = f"stop_price: expected it below the entry price {text(price)}, was {text(stop)}"
        return Refusal(code="bad_figure", text=said)
    if target is not None and target <= price:
        said = f"take_profit_price: expected it above {text(price)}, was {text(target)}"
        return Refusal(code="bad_figure", text=said)
    return None


def _fault_of_place(
    book: Book, position_id: PositionId, opening: Opening, amount: Decimal, price: Decimal
) -> Refusal | None:
    instrument = opening.instrument
    symbol = instrument.symbol
    if opening.side is not PositionSide.LONG:
        return Refusal(code="no_shorts", text=f"expected a long {symbol}: spot has no other")
    held = book.position_of(symbol) or book.positions.get(position_id)
    if held is not None:
        named = f"{symbol} has position {held.position_id}, which is {held.status}"
        return Refusal(code="position_exists", text=f"{named}; one position a symbol")
    if max(amount, times(amount, price)) > SIZE_MAX:
        said = f"{text(amount)} {symbol} at {text(price)} is too large to be meant"
        return Refusal(code="too_large", text=said)
    if amount <= ZERO or instrument.is_dust(amount, price):
        least = f"{text(instrument.amount_min)} {instrument.base}"
        worth = f"{text(instrument.notional_min)} {instrument.quote}"
        said = f"{text(amount)} {symbol} is too small to be sold: from {least} worth {worth} on"
        return Refusal(code="too_small", text=said)
    return None
