"""Answers of Crypto.com as its documents show them, and the calls that they answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from aegis.dialogue import PlaceOrder
from aegis.domain.ids import ClientOrderId, Instant, Symbol
from aegis.domain.order import OrderType, Side
from aegis.exchange.live.calls import (
    Call,
    Cancel,
    Place,
    ReadBalances,
    ReadCandles,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    ReadTrades,
)

BTC = Symbol("BTC/USDT")
ORDER_ID = ClientOrderId("ae0123456789abcdef0123456789abcd")
MINUTE_NS = 60_000_000_000
AT = Instant(1_613_575_617_173_123_456)
OPEN_AT = Instant(AT // MINUTE_NS * MINUTE_NS)

ORDER: dict[str, Any] = {
    "account_id": "52e7c00f-1324-5a6z-bfgt-de445bde21a5",
    "order_id": "19848525",
    "client_oid": ORDER_ID,
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
    "side": "BUY",
    "exec_inst": [],
    "quantity": "0.0100",
    "limit_price": "50000.0",
    "avg_price": "0.0",
    "cumulative_quantity": "0.0000",
    "cumulative_value": "0.000000",
    "cumulative_fee": "0.000000",
    "status": "ACTIVE",
    "instrument_name": "BTC_USDT",
    "fee_instrument_name": "BTC",
    "create_time": AT // 1_000_000,
    "create_time_ns": str(AT),
    "update_time": AT // 1_000_000,
}
TRADE: dict[str, Any] = {
    "account_id": "52e7c00f-1324-5a6z-bfgt-de445bde21a5",
    "event_date": "2021-02-17",
    "journal_type": "TRADING",
    "traded_quantity": "0.0050",
    "traded_price": "51278.5",
    "fees": "-0.000002000000000000000000025",
    "order_id": "19848525",
    "trade_id": "38554669",
    "trade_match_id": "76423",
    "client_oid": ORDER_ID,
    "taker_side": "MAKER",
    "side": "BUY",
    "instrument_name": "BTC_USDT",
    "fee_instrument_name": "BTC",
    "create_time": AT // 1_000_000,
    "create_time_ns": str(AT),
}
CANDLE: dict[str, Any] = {
    "o": "50508.5", "h": "50548.5", "l": "50172.5", "c": "50202.0", "v": "17.2032",
    "t": OPEN_AT // 1_000_000,
}  # fmt: skip
TICKER: dict[str, Any] = {
    "i": "BTC_USDT", "a": "51174.5", "b": "51170.00", "k": "51180.00", "t": 1_613_580_710_768,
}  # fmt: skip
INSTRUMENT: dict[str, Any] = {
    "symbol": "BTC_USDT",
    "inst_type": "CCY_PAIR",
    "display_name": "BTC/USDT",
    "base_ccy": "BTC",
    "quote_ccy": "USDT",
    "quote_decimals": 2,
    "quantity_decimals": 5,
    "price_tick_size": "0.01",
    "qty_tick_size": "0.00001",
    "max_leverage": "50",
    "tradable": True,
    "expiry_timestamp_ms": 0,
}
WALLET: dict[str, Any] = {
    "total_available_balance": "4721.05898582",
    "total_cash_balance": "7890.00320721",
    "instrument_name": "USD",
    "is_liquidating": False,
    "position_balances": [
        {"instrument_name": "BTC", "quantity": "24.00000000000000000001", "reserved_qty": "0"},
        {"instrument_name": "USDT", "quantity": "0.19411607", "reserved_qty": "0"},
        {"instrument_name": "CRO", "quantity": "0.00000000", "reserved_qty": "0"},
    ],
}
POSITION: dict[str, Any] = {
    "account_id": "858dbc8b", "quantity": "-0.1984", "cost": "-10159.573500",
    "instrument_name": "BTCUSD-PERP", "type": "PERPETUAL_SWAP",
}  # fmt: skip

PLACE = Place(
    order=PlaceOrder(
        client_order_id=ORDER_ID,
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.LIMIT,
        amount=Decimal("0.0100"),
        price=Decimal("50000.0"),
        trigger_price=None,
        reduce_only=False,
        sent_at=AT,
    )
)
CANCEL = Cancel(client_order_id=ORDER_ID, symbol=BTC)
READ_ORDER = ReadOrder(client_order_id=ORDER_ID, symbol=BTC)
READ_TRADES = ReadTrades(symbol=BTC, since=Instant(AT - 1), until=Instant(AT + 1))

GOOD: tuple[tuple[Call, str, Any], ...] = (
    (PLACE, "private/create-order", {"order_id": "19848525", "client_oid": ORDER_ID}),
    (CANCEL, "private/cancel-order", {"order_id": "19848525", "client_oid": ORDER_ID}),
    (READ_ORDER, "private/get-order-detail", ORDER),
    (READ_TRADES, "private/get-trades", {"data": [TRADE]}),
    (ReadOpenOrders(), "private/get-open-orders", {"data": [ORDER]}),
    (ReadBalances(), "private/user-balance", {"data": [WALLET]}),
    (ReadPositions(), "private/get-positions", {"data": [POSITION]}),
    (ReadInstruments(symbols=(BTC,)), "public/get-instruments", {"data": [INSTRUMENT]}),
    (ReadQuote(symbol=BTC), "public/get-tickers", {"data": [TICKER]}),
    (
        ReadCandles(symbol=BTC, timeframe_s=60, since=OPEN_AT),
        "public/get-candlestick",
        {"interval": "1m", "data": [CANDLE], "instrument_name": "BTC_USDT"},
    ),
)
"""Each call, the method it goes to, and the data of a good answer."""


def enveloped(method: str, result: object, *, code: object = 0, id: object = 11) -> str:  # noqa: A002  the protocol's name
    """Return an answer's body."""
    return json.dumps({"id": id, "method": method, "code": code, "result": result})


def refusal(method: str, code: object, message: str = "NO", *, id: object = 11) -> str:  # noqa: A002  the protocol's name
    """Return a body that says no, as the exchange words it."""
    return json.dumps({"id": id, "method": method, "code": code, "message": message})
