"""How each request is carried out: which calls, in which order, and what they add up to.

Each sequence yields calls and is sent what came of them. Pure: it knows no thread, lane or delay
but those it asks for.

Invariants:
1. A placing is one call. Whatever is not an answer to it, a listed refusal or the certainty that
   it did not leave or was sent back, is `NoAnswer`.
2. An order is found only together with trades that add up to what it says was filled.
"""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from typing import TypeVar, assert_never

from aegis.dialogue import (
    HELD_BACK,
    CancelAccepted,
    CancelOrder,
    ExchangeRequest,
    FetchAccount,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
    balance_of,
)
from aegis.domain.commands import Quote
from aegis.domain.ids import Instant
from aegis.domain.money import ZERO, text, total
from aegis.domain.venue import VenueOrder, VenueTrade
from aegis.exchange.live.calls import (
    Answered,
    Cancel,
    Limited,
    Page,
    Place,
    ReadBalances,
    ReadInstruments,
    ReadOrder,
    ReadQuote,
    ReadTrades,
    Skewed,
)
from aegis.exchange.live.line.account import look_at_account
from aegis.exchange.live.line.steps import (
    Do,
    Heard,
    HeldBack,
    Sequence,
    Urgency,
    Ways,
    eldest_trade,
    later,
    no_of,
    value_of,
)
from aegis.exchange.live.line.windows import Reading

T = TypeVar("T")

FINDS_MAX = 3
"""Looks at one order until its trades add up; exchanges list them a moment later."""

TRADES_LAG_S = 1.0

CREATED_BEFORE_S_MAX = 86_400
"""An order may seem to be so much older than its submission, and no more."""


def sequence_of(request: ExchangeRequest, ways: Ways) -> Sequence:
    """Return how a request is carried out."""
    match request:
        case PlaceOrder():
            return _place(request)
        case CancelOrder():
            return _cancel(request)
        case FindOrder():
            return _find(request, ways)
        case FetchAccount():
            return look_at_account(request, ways)
        case FetchBalance():
            return _balance(request, ways)
        case FetchQuote():
            return _quote(request, ways)
        case FetchInstruments():
            return _instruments(request)
        case _:
            assert_never(request)


# Orders ---------------------------------------------------------------------------------------


def _place(request: PlaceOrder) -> Sequence:
    urgency = Urgency.EXIT if request.reduce_only else Urgency.ENTRY
    heard = yield Do(call=Place(order=request), urgency=urgency)
    match heard.verdict:
        case Answered(value=str() as key):
            return OrderPlaced(client_order_id=request.client_order_id, exchange_order_id=key)
        case HeldBack(code=code, reason=reason):
            return RequestRefused(code=code, reason=reason)
        case Limited(reason=reason) | Skewed(reason=reason):
            return RequestRefused(code=HELD_BACK, reason=reason)
        case _:
            return no_of(heard)


def _cancel(request: CancelOrder) -> Sequence:
    key, symbol = request.client_order_id, request.symbol
    call = Cancel(client_order_id=key, symbol=symbol, is_stop=request.is_stop)
    heard = yield Do(call=call, urgency=Urgency.CANCEL)
    if heard.verdict == Answered(value=None):
        return CancelAccepted(client_order_id=request.client_order_id)
    return no_of(heard)


def _find(request: FindOrder, ways: Ways) -> Sequence:
    """Look at an order, and at its trades where it has any, until the two agree."""
    key, told = request.client_order_id, ""
    for look in range(FINDS_MAX):
        call = ReadOrder(client_order_id=key, symbol=request.symbol, is_stop=request.is_stop)
        after_s = TRADES_LAG_S if look else 0.0
        heard = yield Do(call=call, urgency=Urgency.LOOK, after_s=after_s)
        match heard.verdict:
            case Answered(value=None):
                return OrderNotFound(client_order_id=key, as_of=heard.as_of)
            case Answered(value=VenueOrder() as order) if order.client_order_id == key:
                trades = yield from _trades_of(order, request.since, ways)
            case _:
                return no_of(heard)
        if isinstance(trades, RequestRefused | NoAnswer):
            return trades
        booked = _amount(trades)
        if booked == order.filled:
            return OrderFound(order=order, trades=trades)
        told = f"order says {text(order.filled)}, its trades {text(booked)}"
    return NoAnswer(reason=f"trades lag: {told}")


def _trades_of(
    order: VenueOrder, since: Instant, ways: Ways
) -> Generator[Do, Heard, tuple[VenueTrade, ...] | RequestRefused | NoAnswer]:
    """Read an order's trades, the newest windows first, until they make up what was filled."""
    if order.filled == ZERO:
        return ()
    profile, until = ways.profile, later(ways.now(), 1)
    begin = min(later(since, -profile.skew_margin_s), order.created_at)
    begin = max(begin, later(since, -CREATED_BEFORE_S_MAX), eldest_trade(ways))
    reading = Reading(profile.trades_window_s)
    reading.want(begin, until, is_newest_first=True)
    trades: tuple[VenueTrade, ...] = ()
    while (stretch := reading.next) is not None and _amount(trades) != order.filled:
        call = ReadTrades(symbol=order.symbol, since=stretch.since, until=stretch.until)
        heard = yield Do(call=call, urgency=Urgency.LOOK)
        if not isinstance(page := value_of(heard, Page), Page):
            return page
        reading.take(page)
        trades = tuple(trade for trade in reading.trades if _is_of(trade, order))
    return trades if reading.fault is None else NoAnswer(reason=reading.fault)


def _is_of(trade: VenueTrade, order: VenueOrder) -> bool:
    return trade.exchange_order_id == order.exchange_order_id


def _amount(trades: tuple[VenueTrade, ...]) -> Decimal:
    return total(trade.amount for trade in trades)


def _balance(request: FetchBalance, ways: Ways) -> Sequence:
    call = ReadBalances(may_owe=ways.has_positions)
    heard = yield Do(call=call, urgency=Urgency.LOOK)
    balances = value_of(heard, dict)
    if not isinstance(balances, dict):
        return balances
    return balance_of(request, balances)


# The market -----------------------------------------------------------------------------------


def _quote(request: FetchQuote, ways: Ways) -> Sequence:
    heard = yield Do(call=ReadQuote(symbol=request.symbol), urgency=Urgency.LOOK)
    match heard.verdict:
        case Answered(value=Quote() | None as quote):
            return QuoteFetched(symbol=request.symbol, quote=quote, as_of=ways.now())
        case _:
            return no_of(heard)


def _instruments(request: FetchInstruments) -> Sequence:
    heard = yield Do(
        call=ReadInstruments(symbols=request.symbols, is_anew=request.is_anew), urgency=Urgency.LOOK
    )
    instruments = value_of(heard, tuple)
    if isinstance(instruments, tuple):
        return InstrumentsFetched(instruments=instruments)
    return instruments
