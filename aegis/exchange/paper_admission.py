"""What the paper exchange refuses before an order exists: pure checks at its front door.

Invariants:
1. A request that is refused leaves nothing behind; every refusal is one of the codes of
   `RequestRefused`, with what was expected and what came.
2. What is admitted is paid for: its reserve is free, so fills of others cannot take it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.dialogue import PlaceOrder, RequestRefused
from aegis.domain.ids import NANOS_PER_SECOND, ExchangeOrderId, Instant
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO, floor_to, is_amount, text, times
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus
from aegis.exchange.paper_matching import (
    Book,
    Level,
    PaperOrder,
    PaperRules,
    free,
    side_price,
    unit_cost,
    with_slippage,
)

CLIENT_ORDER_ID_LENGTH_MAX = 36
"""What cryptocom allows; every venue we know allows at least 32."""

FIGURE_MIN, FIGURE_MAX = Decimal("1e-15"), Decimal("1e15")
DIGITS_MAX = 30
"""Figures beyond these are mistakes; within them, every product of ours stays exact."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What an admission is judged by; `level` is None before the symbol's first tick."""

    book: Book
    level: Level | None
    instrument: Instrument
    rules: PaperRules
    now: Instant


def fault_of_id(client_order_id: object) -> RequestRefused | None:
    """Return the refusal of an id that could not be kept, or None."""
    is_fit = (
        isinstance(client_order_id, str)
        and 1 <= len(client_order_id) <= CLIENT_ORDER_ID_LENGTH_MAX
        and client_order_id.isascii()
        and client_order_id.isprintable()
    )
    expected = f"a client order id of 1 to {CLIENT_ORDER_ID_LENGTH_MAX} ASCII characters"
    return None if is_fit else _invalid(expected, client_order_id)


def lateness_of(request: PlaceOrder, rules: PaperRules, now: Instant) -> RequestRefused | None:
    """Return the refusal of a request that was sent too long ago to be meant, or None."""
    age_ns = now - request.sent_at
    if age_ns <= rules.late_after_s * NANOS_PER_SECOND:
        return None
    reason = f"Expected a request at most {rules.late_after_s} s old, was {age_ns} ns old"
    return RequestRefused(code="too_late", reason=reason)


def admit(request: PlaceOrder, desk: Desk, number: int) -> PaperOrder | RequestRefused:
    """Return the order that a request makes, open and with its reserve, or its refusal."""
    fault = _fault_of_figures(request, desk.instrument) or _fault_of_size(request, desk)
    if fault is not None:
        return fault
    reserved = _reserve(request, desk)
    if reserved is None:
        return _invalid("a market that has opened, to know what a buy costs", "no price yet")
    is_buy = request.side is Side.BUY
    coin = desk.instrument.quote if is_buy else desk.instrument.base
    available = free(desk.book, coin)
    if reserved > available:
        reason = f"Expected {text(reserved)} {coin} free, was {text(available)}"
        return RequestRefused(code="insufficient_funds", reason=reason)
    return PaperOrder(
        order=_record(request, desk.now, number),
        trigger_price=request.trigger_price,
        reserved=reserved,
        reserved_coin=coin,
        is_resting=request.type is OrderType.STOP,
    )


def _record(request: PlaceOrder, now: Instant, number: int) -> VenueOrder:
    return VenueOrder(
        exchange_order_id=ExchangeOrderId(f"x-{number}"),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        amount=request.amount,
        price=request.price,
        filled=ZERO,
        status=VenueOrderStatus.OPEN,
        reason="",
        created_at=now,
    )


def _fault_of_figures(request: PlaceOrder, instrument: Instrument) -> RequestRefused | None:
    """Look at each figure by itself: that it is one, on its step, and wanted by the type."""
    if not instrument.is_active:
        return _invalid(f"an active {instrument.symbol}", "inactive")
    if not _is_on_step(request.amount, instrument.amount_step):
        return _invalid(f"an amount in steps of {instrument.amount_step}", request.amount)
    if request.type is not OrderType.LIMIT:
        if request.price is not None:
            return _invalid(f"no price on a {request.type} order", request.price)
        if request.type is OrderType.STOP and request.trigger_price is None:
            return _invalid("a trigger price on a stop", None)
    elif not _is_on_step(request.price, instrument.price_step):
        return _invalid(f"a price in steps of {instrument.price_step}", request.price)
    if request.trigger_price is not None and not _is_figure(request.trigger_price):
        return _invalid("a positive trigger price", request.trigger_price)
    if request.reduce_only and request.side is Side.BUY:
        return _invalid("a sell to be reduce-only, as spot knows no shorts", "a buy")
    return None


def _fault_of_size(request: PlaceOrder, desk: Desk) -> RequestRefused | None:
    instrument = desk.instrument
    if request.amount < instrument.amount_min:
        return _invalid(f"an amount of {instrument.amount_min} or more", request.amount)
    price = _price_known(request, desk)
    if price is not None and times(request.amount, price) < instrument.notional_min:
        notional = text(times(request.amount, price))
        return _invalid(f"a notional of {instrument.notional_min} or more", notional)
    return None


def _price_known(request: PlaceOrder, desk: Desk) -> Decimal | None:
    """Return what an order is valued at: its limit, else the market, else its trigger."""
    if request.price is not None:
        return request.price
    if desk.level is not None:
        return side_price(request.side, desk.level.tick.price, desk.rules)
    return request.trigger_price


def _reserve(request: PlaceOrder, desk: Desk) -> Decimal | None:
    """Return what stands aside for an order, in the coin that it pays with; None if unknown.

    A market buy sets aside its cost at the present ask with slippage and fee on top.
    """
    if request.side is Side.SELL:
        return request.amount
    price = _price_known(request, desk)
    if price is None:
        return None
    if request.type is not OrderType.LIMIT:
        price = with_slippage(request.side, price, desk.instrument, desk.rules)
    return times(request.amount, unit_cost(price, desk.rules))


def _is_figure(value: object) -> bool:
    """Say whether a figure is an exact, positive decimal of a sane size; a float is not."""
    return (
        isinstance(value, Decimal)
        and is_amount(value)
        and FIGURE_MIN <= value <= FIGURE_MAX
        and len(value.as_tuple().digits) <= DIGITS_MAX
    )


def _is_on_step(value: Decimal | None, step: Decimal) -> bool:
    return value is not None and _is_figure(value) and floor_to(value, step) == value


def _invalid(expected: str, was: object) -> RequestRefused:
    return RequestRefused(code="invalid_order", reason=f"Expected {expected}, was {was}")
