"""What a strategy's wish becomes: an intent to open a position, to add to it, to leave it, or none.

Pure. The limits stand below, at the store; what is silent here is only what needs no telling.

Invariants:
1. An addition changes neither stop nor target: they stay as the opening recorded them.
2. Nothing is added to what is being left, nor while another entry is under way.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import IntendOrder, Refusal
from aegis.domain.events import Opening
from aegis.domain.guard import ExitReason, ExitWanted, exit_order, quote_of
from aegis.domain.ids import (
    Incarnation,
    Instant,
    Symbol,
    entry_order_id,
    exit_order_id,
    position_id,
)
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.domain.order import Order, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide, StopPolicy
from aegis.domain.risk import entries_sent, equity_of, has_exit, is_held, unverified
from aegis.domain.sizing import Prospect, Sizing, canary_too_small, size


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of trading."""

    name: str
    symbols: tuple[Symbol, ...]
    sizing: Sizing
    policy: StopPolicy
    spread_bps: Decimal
    entries_max: int


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What makes an id ours: `tag` begins each client order id, the incarnation is the store's."""

    tag: str
    incarnation: Incarnation


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """To enter or leave a symbol, decided at an instant on a price.

    `was_holding` is what the strategy was told: who believes to hold nothing adds nothing.
    """

    symbol: Symbol
    decided_at: Instant
    price: Decimal
    was_holding: bool
    atr: Decimal | None


def entry_intent(
    book: Book, wish: Wish, plan: Plan, origin: Origin, instrument: Instrument | None
) -> IntendOrder | Refusal | None:
    """Return the intent; None where the wish needs no answer, a refusal where a person may ask."""
    held = book.position_of(wish.symbol)
    is_halted = book.account.trading_state is not TradingState.ACTIVE
    if is_halted or (held is not None and not _may_add(book, held, wish, plan)):
        return None
    if (refusal := unverified(wish.symbol)) is not None:
        return refusal
    if instrument is None or not instrument.is_active:
        return Refusal(code="inactive", text=f"{wish.symbol} is not traded at the exchange now")
    amount = size(plan.sizing, _prospect(book, held, wish, plan, instrument))
    if isinstance(amount, Refusal):
        return amount
    opening = None
    if held is None:
        opening = Opening(
            side=PositionSide.LONG,
            created_by="strategy",
            policy=plan.policy,
            instrument=instrument,
        )
    return IntendOrder(order=_order(held, wish, plan, origin, amount), opening=opening)


def canary_bar(plan: Plan, price: Decimal | None, instrument: Instrument | None) -> Refusal | None:
    """Return why no entry of an instrument passes a canary at a price, as long as that is known."""
    if price is None or instrument is None:
        return None
    stop_price = plan.policy.first_stop(price, instrument.price_step)
    prospect = Prospect(
        instrument=instrument, price=price, stop_price=stop_price, equity=ZERO, atr=None
    )
    return canary_too_small(plan.sizing, prospect)


def exit_intent(book: Book, wish: Wish, plan: Plan, origin: Origin) -> IntendOrder | None:
    """Return the intent to leave what is held, unless something leaves it already.

    What others may have sold is not left.
    """
    held = book.position_of(wish.symbol)
    if held is None or not is_held(held) or book.account.is_doubted(held.position_id):
        return None
    if has_exit(book, held.position_id):
        return None
    order_id = exit_order_id(origin.tag, origin.incarnation, held.position_id, held.exits_ended)
    wanted = ExitWanted(reason=ExitReason.STRATEGY, trigger_price=None)
    quote = quote_of(wish.price, plan.spread_bps, wish.decided_at)
    order = exit_order(book, held, wanted, quote, order_id)
    return None if order is None else IntendOrder(order=order)


def _prospect(
    book: Book, held: Position | None, wish: Wish, plan: Plan, instrument: Instrument
) -> Prospect:
    first_stop = plan.policy.first_stop(wish.price, instrument.price_step)
    return Prospect(
        instrument=instrument,
        price=wish.price,
        stop_price=first_stop if held is None else held.stop_price,
        equity=equity_of(book, instrument.quote),
        atr=wish.atr,
    )


def _may_add(book: Book, held: Position, wish: Wish, plan: Plan) -> bool:
    active = book.active_orders(held.position_id)
    is_idle = all(order.role is Role.PROTECTIVE for order in active)
    is_free = is_held(held) and not held.leaving and is_idle
    return wish.was_holding and is_free and entries_sent(book, held.position_id) < plan.entries_max


def _order(held: Position | None, wish: Wish, plan: Plan, origin: Origin, amount: Decimal) -> Order:
    incarnation, at = origin.incarnation, wish.decided_at
    new_id = position_id(incarnation, plan.name, wish.symbol, at)
    own_id = new_id if held is None else held.position_id
    quote = quote_of(wish.price, plan.spread_bps, at)
    return Order(
        client_order_id=entry_order_id(origin.tag, incarnation, plan.name, own_id, at),
        position_id=own_id,
        symbol=wish.symbol,
        role=Role.ENTRY,
        side=Side.BUY,
        type=OrderType.MARKET,
        amount=amount,
        strategy=plan.name,
        reason="strategy",
        decision_price=wish.price,
        bid=quote.bid,
        ask=quote.ask,
    )
