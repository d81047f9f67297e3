"""The limits, and what they apply to. They stand below the strategy and bind only what adds risk.

An order is classed from the book, never from what its sender calls it: what reduces an own
position must only have the right side and no more than what is there to sell; whatever else it
is increases, and must pass every limit. An order whose outcome is unknown counts at full size.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import Quote, Reading, Refusal, SubmitOrder
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    Coin,
    Instant,
    PositionId,
    Symbol,
    is_derivative,
)
from aegis.domain.money import ZERO, distance, is_amount, minus, percent_of, plus, times, total
from aegis.domain.order import Order, OrderState, Role, Side
from aegis.domain.position import Position, PositionSide, PositionStatus, worth_of
from aegis.domain.second import may_go_second


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote coin, per cents of the price; a zero drawdown or cool-down is off."""

    quote_coin: Coin
    open_positions_max: int
    entries_per_position_max: int
    order_notional_max: Decimal
    exposure_max: Decimal
    orders_per_minute_max: int
    price_collar_pct: Decimal
    daily_loss_max: Decimal
    drawdown_max_pct: Decimal
    cooldown_s: int


def own_side(position: Position) -> Side:
    """Return the side that reduces a position."""
    return Side.SELL if position.side is PositionSide.LONG else Side.BUY


def sellable(book: Book, position: Position, besides: Order | None = None) -> Decimal:
    """Return what may still be sold of a position: what is held less what exits may yet sell.

    A stop that rests at the exchange is not counted: it has ended before an exit is sent.
    """
    promised = total(
        order.remaining
        for order in book.active_orders(position.position_id)
        if order.role not in (Role.ENTRY, Role.PROTECTIVE) and order is not besides
    )
    return minus(position.amount, promised)


def has_exit(book: Book, position: PositionId) -> bool:
    """Say whether an exit of a position has not ended."""
    return any(order.role is Role.EXIT for order in book.active_orders(position))


def is_reducing(book: Book, order: Order) -> bool:
    """Class an order from the book: whether it can only make an own position smaller."""
    position = book.positions.get(order.position_id)
    return (
        position is not None
        and position.symbol == order.symbol
        and order.side is own_side(position)
    )


def oversell(book: Book, order: Order, reading: Reading | None) -> Refusal | None:
    """Return why a reducing order would sell more than is there, or None."""
    position = book.positions[order.position_id]
    free = sellable(book, position, order)
    if order.amount <= free or may_go_second(book, order, reading):
        return None
    return Refusal(
        code="oversell",
        text=f"expected at most {free} {position.instrument.base} to sell, was {order.amount}",
        mends_with_time=True,
    )


def equity_of(book: Book, quote_coin: Coin) -> Decimal:
    """Return the marked equity in quote: the quote balance and own positions at their marks."""
    return marked_equity(book.account, quote_coin, map(worth_of, book.alive_positions()))


def marked_equity(account: Account, quote_coin: Coin, held: Iterable[Decimal]) -> Decimal:
    """Return the quote balance and what is held, by its worth in quote."""
    return plus(account.balances.get(quote_coin, ZERO), total(held))


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """How far an equity stands below the day's first and below the highest; a gain is below zero.

    `drawdown_max` is the fall that is allowed, in quote.
    """

    of_day: Decimal
    drawdown: Decimal
    drawdown_max: Decimal


def losses_of(account: Account, equity: Decimal, drawdown_max_pct: Decimal) -> Losses | None:
    """Return the losses that the limits look at; None before the first day has started."""
    if account.day_started_at is None:
        return None
    return Losses(
        of_day=minus(account.day_start_equity, equity),
        drawdown=max(minus(account.peak_equity, equity), ZERO),
        drawdown_max=percent_of(account.peak_equity, drawdown_max_pct),
    )


def exposure_of(book: Book, besides: Order | None = None) -> Decimal:
    """Return what is at risk in quote: positions at their marks and entries still to fill."""
    held = total(
        times(position.amount, position.mark or position.intended_price)
        for position in book.alive_positions()
    )
    coming = total(
        times(order.remaining, order.decision_price)
        for order in book.active_orders()
        if order.role is Role.ENTRY and order is not besides
    )
    return plus(held, coming)


def gate(
    book: Book, order: Order, view: SubmitOrder, now: Instant, limits: Limits
) -> Refusal | None:
    """Return why an increasing order must not be sent, or None when every limit lets it pass."""
    return (
        unverified(order.symbol)
        or _held_back(view)
        or _halted(book, order.symbol)
        or _leaving(book, order)
        or _too_many(book, order, now, limits)
        or _too_large(book, order, limits)
        or _cooling(book, order, now, limits)
        or loss_breach(book, equity_of(book, limits.quote_coin), limits)
        or _beyond_collar(order, view.quote, limits)
    )


ENTRIES_UNVERIFIED = (
    "derivatives are read and reconciled; entries are refused: "
    "funding, leverage and margin mode are not verified"
)


def unverified(symbol: Symbol) -> Refusal | None:
    """Return why a symbol takes no entries whatever the account says, or None."""
    if not is_derivative(symbol):
        return None
    return Refusal(code="derivatives", text=ENTRIES_UNVERIFIED)


def _held_back(view: SubmitOrder) -> Refusal | None:
    if view.hold is None:
        return None
    return Refusal(code="held_back", text=view.hold, mends_with_time=True)


def _halted(book: Book, symbol: Symbol) -> Refusal | None:
    account = book.account
    if account.trading_state is not TradingState.ACTIVE:
        why = account.reason or account.cause
        return Refusal(code="halted", text=f"trading is {account.trading_state}: {why}")
    if symbol in account.blocked:
        return Refusal(code="unresolved", text=f"{symbol} differs from the exchange; see status")
    if any(
        order.symbol == symbol and order.state is OrderState.NEEDS_HUMAN
        for order in book.active_orders()
    ):
        return Refusal(code="needs_human", text=f"an order in {symbol} needs a person's word")
    return None


def _leaving(book: Book, order: Order) -> Refusal | None:
    if not has_exit(book, order.position_id):
        return None
    return Refusal(code="leaving", text=f"{order.position_id} is being left", mends_with_time=True)


def _too_many(book: Book, order: Order, now: Instant, limits: Limits) -> Refusal | None:
    others = [p for p in book.alive_positions() if p.position_id != order.position_id]
    if len(others) >= limits.open_positions_max:
        return Refusal(
            code="open_positions_max",
            text=f"expected fewer than {limits.open_positions_max} positions, were {len(others)}",
            mends_with_time=True,
        )
    entries = entries_sent(book, order.position_id)
    if entries >= limits.entries_per_position_max:
        return Refusal(
            code="entries_per_position_max",
            text=f"the position already took {entries} entries",
        )
    window = now - 60 * NANOS_PER_SECOND
    recent = sum(at > window for at in book.account.entries_submitted_at)
    if recent >= limits.orders_per_minute_max:
        return Refusal(
            code="orders_per_minute_max",
            text=f"{recent} entries were sent within a minute",
            mends_with_time=True,
        )
    return None


def entries_sent(book: Book, position: PositionId) -> int:
    """Return how many entries of a position went out, or may have; an import counts as one."""
    held = book.positions.get(position)
    imported = held is not None and held.imported_at is not None
    sent = (each.role is Role.ENTRY and _was_sent(each) for each in book.orders_of(position))
    return imported + sum(sent)


def _was_sent(order: Order) -> bool:
    return order.filled > 0 or not (order.state is OrderState.INTENT or order.is_ended)


def _too_large(book: Book, order: Order, limits: Limits) -> Refusal | None:
    notional = times(order.amount, order.decision_price)
    if notional > limits.order_notional_max:
        return Refusal(
            code="order_notional_max",
            text=f"expected at most {limits.order_notional_max}, was {notional}",
        )
    exposure = plus(exposure_of(book, order), notional)
    if exposure > limits.exposure_max:
        return Refusal(
            code="exposure_max",
            text=f"expected at most {limits.exposure_max} at risk, would be {exposure}",
            mends_with_time=True,
        )
    return None


def _cooling(book: Book, order: Order, now: Instant, limits: Limits) -> Refusal | None:
    closed_at = book.account.last_closed_at.get(order.symbol)
    if closed_at is None or now - closed_at >= limits.cooldown_s * NANOS_PER_SECOND:
        return None
    return Refusal(
        code="cooldown",
        text=f"{order.symbol} rests {limits.cooldown_s} s after a close",
        mends_with_time=True,
    )


def loss_breach(book: Book, equity: Decimal, limits: Limits) -> Refusal | None:
    """Return which loss limit a marked equity has hit, or None."""
    losses = losses_of(book.account, equity, limits.drawdown_max_pct)
    if losses is None:
        return None
    lost, fall, allowed = losses.of_day, losses.drawdown, losses.drawdown_max
    if limits.daily_loss_max > 0 and lost >= limits.daily_loss_max:
        return Refusal(
            code="daily_loss",
            text=f"lost {lost} since the day began, the limit is {limits.daily_loss_max}",
            mends_with_time=True,
        )
    if limits.drawdown_max_pct > 0 and fall >= allowed > 0:
        peak = book.account.peak_equity
        return Refusal(
            code="drawdown",
            text=f"{fall} below the highest equity {peak}, the limit is {allowed}",
        )
    return None


def _beyond_collar(order: Order, quote: Quote | None, limits: Limits) -> Refusal | None:
    if quote is None or not (is_amount(quote.bid) and is_amount(quote.ask)):
        return Refusal(code="no_price", text="no fresh price to enter at", mends_with_time=True)
    price = quote.ask if order.side is Side.BUY else quote.bid
    if distance(price, order.decision_price) <= percent_of(
        order.decision_price, limits.price_collar_pct
    ):
        return None
    return Refusal(
        code="price_collar",
        text=f"decided at {order.decision_price}, the price is {price} now",
    )


def is_held(position: Position) -> bool:
    """Say whether something of a position is held."""
    return position.amount > 0 and position.status is not PositionStatus.OPENING
