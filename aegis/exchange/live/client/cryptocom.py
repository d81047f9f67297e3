"""Crypto.com's protocol (Exchange v1 REST): which method each call is, and how its answer reads.

The library's own methods are left alone for what concerns orders: its look-up and cancel by client
id do not work, a client id in the unified way is dropped, and its parsing goes through floats.

Invariants:
1. An order carries our client id, and is looked up and cancelled by it.
2. Amounts are in the base coin, of market buys too, and go out as they were written.
3. On spot an order is `SPOT`: it never borrows.
4. A stop rests behind `private/advanced/*`, where alone it is looked up, listed and cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aegis.dialogue import PlaceOrder
from aegis.domain.candles import TIMEFRAMES_S
from aegis.domain.ids import NANOS_PER_SECOND, Symbol
from aegis.domain.money import text
from aegis.domain.order import OrderType
from aegis.exchange.live.calls import (
    Answer,
    Answered,
    Call,
    Cancel,
    Lost,
    Page,
    Place,
    ReadBalances,
    ReadCandles,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    ReadTrades,
    Verdict,
)
from aegis.exchange.live.client import cryptocom_market as market
from aegis.exchange.live.client import cryptocom_rows as rows
from aegis.exchange.live.client.classify import Clean, Result, judge
from aegis.exchange.live.client.door import Request
from aegis.exchange.live.client.evidence import Heard
from aegis.exchange.live.client.shapes import NANOS_PER_MS, Misshapen
from aegis.exchange.live.profiles import CRYPTOCOM

_ROUNDING_NS = NANOS_PER_SECOND
"""A window's ends may be rounded over there; trades this near to it are left out, no fault."""

_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
}

_TIMEFRAMES = {length_s: name.replace("d", "D") for name, length_s in TIMEFRAMES_S.items()}


def request_of(call: Call) -> Request | None:
    """Return the request of a call; None where the protocol has none."""
    match call:
        case Place():
            is_stop = call.order.type is OrderType.STOP
            request = _of_order("create-order", _order_params(call.order), is_stop=is_stop)
            return msgspec.structs.replace(request, dated_ms_max=call.dated_ms_max)
        case Cancel():
            key = {"client_oid": call.client_order_id}
            return _of_order("cancel-order", key, is_stop=call.is_stop)
        case ReadOrder():
            key = {"client_oid": call.client_order_id}
            return _of_order("get-order-detail", key, is_stop=call.is_stop)
        case ReadTrades():
            return _private("get-trades", _trades_params(call))
        case ReadOpenOrders():
            return _of_order("get-open-orders", {}, is_stop=call.is_stop)
        case ReadBalances():
            return _private("user-balance", {})
        case ReadPositions():
            return _private("get-positions", {})
        case ReadInstruments():
            return _public("get-instruments", {})
        case ReadQuote():
            return _public("get-tickers", _instrument(call.symbol))
        case ReadCandles():
            return _public("get-candlestick", _candles_params(call))
        case _:
            return None


def verdict_on(call: Call, method: str, heard: Heard, clean: Clean) -> Verdict:
    """Return what an answer to a call means; one that cannot be believed is lost."""
    verdict = judge(CRYPTOCOM, call, method, heard, clean)
    if not isinstance(verdict, Result):
        return verdict
    try:
        return Answered(value=_read(call, verdict.data))
    except Misshapen as fault:
        return Lost(reason=f"the answer cannot be believed: {fault}")


def names_listed(
    call: ReadInstruments, method: str, heard: Heard, clean: Clean
) -> tuple[Symbol, ...]:
    """Return all symbols that an answer lists, which was believed already."""
    verdict = judge(CRYPTOCOM, call, method, heard, clean)
    assert isinstance(verdict, Result), f"Expected a believed answer, was {verdict}"
    return market.names(verdict.data)


def _read(call: Call, data: msgspec.Raw) -> Answer:
    match call:
        case Place():
            return rows.placed(data, call.order.client_order_id)
        case ReadOrder():
            return rows.order(data, call.client_order_id, call.symbol)
        case ReadTrades():
            return _page(call, data)
        case ReadOpenOrders():
            return rows.open_orders(data)
        case ReadBalances():
            return rows.balances(data, may_owe=call.may_owe)
        case ReadPositions():
            return rows.positions(data)
        case ReadInstruments():
            return market.instruments(data, call.symbols)
        case ReadQuote():
            return market.quote(data, call.symbol)
        case ReadCandles():
            found = market.candles(data, call.symbol, call.timeframe_s)
            return tuple(each for each in found if each.open_at >= call.since)
        case _:
            return None


def _page(call: ReadTrades, data: msgspec.Raw) -> Page:
    """Return the trades of the window; one of elsewhere says that the answer is another's."""
    found, told = rows.trades(data)
    for each in found:
        if call.symbol not in (None, each.symbol):
            raise Misshapen("instrument_name is another one")
        if not call.since - _ROUNDING_NS <= each.at <= call.until + _ROUNDING_NS:
            raise Misshapen("create_time is far from the window")
    return Page(
        trades=tuple(each for each in found if call.since <= each.at <= call.until),
        is_full=told >= CRYPTOCOM.trades_page,
    )


def _order_params(order: PlaceOrder) -> dict[str, object]:
    params: dict[str, object] = {
        **_instrument(order.symbol),
        "client_oid": order.client_order_id,
        "side": order.side.name,
        "type": _TYPES[order.type],
        "quantity": text(order.amount),
    }
    if order.type is OrderType.LIMIT:
        assert order.price is not None, f"Expected a price, was none ({order.client_order_id})"
        params["price"] = text(order.price)
        params["time_in_force"] = (
            "IMMEDIATE_OR_CANCEL" if order.is_immediate else "GOOD_TILL_CANCEL"
        )
    if order.type is OrderType.STOP:
        assert order.trigger_price is not None, f"Expected a trigger ({order.client_order_id})"
        params["ref_price"] = text(order.trigger_price)
    if ":" not in order.symbol:
        params["spot_margin"] = "SPOT"
    elif order.reduce_only:
        params["exec_inst"] = ["REDUCE_ONLY"]
    return params


def _trades_params(call: ReadTrades) -> dict[str, object]:
    """Return a window in nanoseconds; its end is exclusive there and inclusive here."""
    params = _instrument(call.symbol) if call.symbol is not None else {}
    return params | {
        "start_time": str(call.since),
        "end_time": str(call.until + 1),
        "limit": CRYPTOCOM.trades_page,
    }


def _candles_params(call: ReadCandles) -> dict[str, object]:
    """Return the window of a page, in milliseconds, a candle early where the start is exclusive."""
    length_ns = call.timeframe_s * NANOS_PER_SECOND
    page_ns = CRYPTOCOM.candles_page * length_ns
    return _instrument(call.symbol) | {
        "timeframe": _TIMEFRAMES[call.timeframe_s],
        "count": CRYPTOCOM.candles_page,
        "start_ts": (call.since - length_ns) // NANOS_PER_MS,
        "end_ts": (call.since + page_ns) // NANOS_PER_MS,
    }


def _instrument(symbol: Symbol) -> dict[str, object]:
    return {"instrument_name": rows.instrument_name(symbol)}


def _of_order(method: str, params: Mapping[str, object], *, is_stop: bool) -> Request:
    """Return a request about an order; stops and other triggers live behind paths of their own."""
    return _private(f"advanced/{method}" if is_stop else method, dict(params))


def _private(method: str, params: dict[str, object]) -> Request:
    return Request(path=f"private/{method}", section=("v1", "private"), verb="POST", params=params)


def _public(method: str, params: dict[str, object]) -> Request:
    return Request(path=f"public/{method}", section=("v1", "public"), verb="GET", params=params)
