"""Crypto.com's rows of an account, and the values that they stand for: orders, trades, holdings.

Figures are texts in its answers ("all numbers must be strings"), so a float never stands between.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol, TradeId
from aegis.domain.money import FEE_DECIMALS_MAX, ZERO, negative, plus
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.live.client.shapes import (
    Misshapen,
    amount,
    coin,
    decoded,
    figure,
    instant_of_ms,
    instant_of_ns,
    name_of,
    once,
    one_of,
    the_one,
    zero_or_more,
)

T = TypeVar("T")

_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_TYPES = {
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "TAKE_PROFIT": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP_LIMIT": OrderType.LIMIT,
    "TAKE_PROFIT_LIMIT": OrderType.LIMIT,
}
_STATUSES = {
    "NEW": VenueOrderStatus.OPEN,
    "PENDING": VenueOrderStatus.OPEN,
    "ACTIVE": VenueOrderStatus.OPEN,
    "FILLED": VenueOrderStatus.FILLED,
    "CANCELED": VenueOrderStatus.CANCELED,
    "REJECTED": VenueOrderStatus.REJECTED,
    "EXPIRED": VenueOrderStatus.EXPIRED,
}
_LIQUIDITIES = {"TAKER": "taker", "MAKER": "maker", "": "taker"}

_PERPETUAL = re.compile(r"([A-Z0-9]+)USD-PERP")


def instrument_name(symbol: Symbol) -> str:
    """Return Crypto.com's name of a symbol: BTC_USDT for BTC/USDT, BTCUSD-PERP for BTC/USD:USD."""
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return f"{base}{quote}-PERP" if settle else f"{base}_{quote}"


def symbol_of(name: object) -> Symbol:
    """Return the symbol of an instrument; one of another kind than these keeps its name."""
    text = name_of(name, "instrument_name")
    perpetual = _PERPETUAL.fullmatch(text)
    if perpetual:
        return Symbol(f"{perpetual[1]}/USD:USD")
    return Symbol(text.replace("_", "/", 1))


class Rows(msgspec.Struct, Generic[T]):
    """Data that are a list."""

    data: list[T]


class _Placed(msgspec.Struct):
    order_id: str
    client_oid: str


class _Order(msgspec.Struct):
    order_id: str
    side: str
    order_type: str
    quantity: str
    cumulative_quantity: str
    status: str
    instrument_name: str
    client_oid: str | None = None
    limit_price: str | None = None
    exchange_order_id: str | None = None  # of what a trigger became when it fired
    reason: int | str | None = None
    create_time: int | None = None
    create_time_ns: str | None = None


class _Trade(msgspec.Struct):
    trade_id: str
    order_id: str
    side: str
    instrument_name: str
    traded_quantity: str
    traded_price: str
    fees: str
    fee_instrument_name: str
    client_oid: str | None = None
    taker_side: str | None = None
    create_time: int | None = None
    create_time_ns: str | None = None


class _Balance(msgspec.Struct):
    instrument_name: str
    quantity: str


class _Wallet(msgspec.Struct):
    position_balances: list[_Balance]
    total_cash_balance: str | None = None


class _Position(msgspec.Struct):
    instrument_name: str
    quantity: str
    isolation_id: str | int | None = None


# Orders and trades ----------------------------------------------------------------------------


_PLACED = msgspec.json.Decoder(_Placed)
_ORDER = msgspec.json.Decoder(_Order)
_ORDERS = msgspec.json.Decoder(Rows[_Order])
_TRADES = msgspec.json.Decoder(Rows[_Trade])
_WALLETS = msgspec.json.Decoder(Rows[_Wallet])
_POSITIONS = msgspec.json.Decoder(Rows[_Position])


def placed(data: msgspec.Raw, client_order_id: str) -> ExchangeOrderId:
    """Return the exchange's id of the order that was placed under an id of ours."""
    row = decoded(data, _PLACED)
    if row.client_oid != client_order_id:
        raise Misshapen("client_oid is another one")
    return ExchangeOrderId(name_of(row.order_id, "order_id"))


def order(data: msgspec.Raw, client_order_id: str, symbol: Symbol) -> VenueOrder:
    """Return the order that was asked for, and no other."""
    found = _order(decoded(data, _ORDER))
    if found.client_order_id != client_order_id:
        raise Misshapen("client_oid is another one")
    if found.symbol != symbol:
        raise Misshapen("instrument_name is another one")
    return found


def open_orders(data: msgspec.Raw) -> tuple[VenueOrder, ...]:
    """Return all orders of a list; each is open."""
    found = tuple(_order(row) for row in decoded(data, _ORDERS).data)
    if any(each.status is not VenueOrderStatus.OPEN for each in found):
        raise Misshapen("an open order's status is an ended one")
    return once(found, lambda each: each.exchange_order_id, "order_id")


def trades(data: msgspec.Raw) -> tuple[tuple[VenueTrade, ...], int]:
    """Return trades, eldest first, and how many rows told of them."""
    rows = decoded(data, _TRADES).data
    found = once(map(_trade, rows), lambda each: (each.symbol, each.trade_id), "trade_id")
    return tuple(sorted(found, key=lambda each: (each.at, each.trade_id))), len(rows)


def _order(row: _Order) -> VenueOrder:
    kind = one_of(row.order_type, _TYPES, "order_type")
    status = one_of(row.status, _STATUSES, "status")
    whole = zero_or_more(row.quantity, "quantity")  # zero: an order by notional, none of ours
    filled = zero_or_more(row.cumulative_quantity, "cumulative_quantity")
    if whole and filled > whole:
        raise Misshapen("cumulative_quantity is more than quantity")
    if whole and status is VenueOrderStatus.FILLED and filled != whole:
        raise Misshapen("cumulative_quantity is less than quantity, and the order FILLED")
    is_limit = kind is OrderType.LIMIT
    return VenueOrder(
        exchange_order_id=ExchangeOrderId(
            name_of(row.exchange_order_id or row.order_id, "order_id")
        ),
        client_order_id=_client_order_id(row.client_oid),
        symbol=symbol_of(row.instrument_name),
        side=one_of(row.side, _SIDES, "side"),
        type=kind,
        amount=whole,
        price=amount(row.limit_price, "limit_price") if is_limit else None,
        filled=filled,
        status=status,
        reason=_reason(row.reason),
        created_at=_instant(row),
    )


def _trade(row: _Trade) -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId(name_of(row.trade_id, "trade_id")),
        exchange_order_id=ExchangeOrderId(name_of(row.order_id, "order_id")),
        client_order_id=_client_order_id(row.client_oid),
        symbol=symbol_of(row.instrument_name),
        side=one_of(row.side, _SIDES, "side"),
        amount=amount(row.traded_quantity, "traded_quantity"),
        price=amount(row.traded_price, "traded_price"),
        fee=negative(figure(row.fees, "fees", FEE_DECIMALS_MAX)),  # its sign is the balance's
        fee_currency=coin(row.fee_instrument_name, "fee_instrument_name"),
        liquidity=one_of(row.taker_side or "", _LIQUIDITIES, "taker_side"),
        at=_instant(row),
    )


def _client_order_id(said: str | None) -> str | None:
    return name_of(said, "client_oid") if said else None


def _reason(said: int | str | None) -> str:
    return f"code {name_of(str(said), 'reason')}" if said else ""


def _instant(row: _Order | _Trade) -> Instant:
    if row.create_time_ns is not None:
        return instant_of_ns(row.create_time_ns, "create_time_ns")
    if row.create_time is None:
        raise Misshapen("create_time is missing")
    return instant_of_ms(row.create_time, "create_time")


# Account --------------------------------------------------------------------------------------


def balances(data: msgspec.Raw, *, may_owe: bool) -> dict[Coin, Decimal]:
    """Return what the wallet holds of each coin; a wallet without rows has to be worth nothing."""
    wallet = the_one(decoded(data, _WALLETS).data, "wallet")
    rows = once(wallet.position_balances, lambda each: each.instrument_name, "coin")
    if not rows and figure(wallet.total_cash_balance, "total_cash_balance") != 0:
        raise Misshapen("no coins, and a cash balance of them")
    quantity_of = figure if may_owe else zero_or_more
    held = {
        coin(row.instrument_name, "instrument_name"): quantity_of(row.quantity, "quantity")
        for row in rows
    }
    return {name: quantity for name, quantity in held.items() if quantity}


def positions(data: msgspec.Raw) -> dict[Symbol, Decimal]:
    """Return the signed amount of each position; isolated ones of one symbol are added up."""
    rows = once(
        decoded(data, _POSITIONS).data,
        lambda each: (each.instrument_name, each.isolation_id),
        "position",
    )
    held: dict[Symbol, Decimal] = {}
    for row in rows:
        symbol = symbol_of(row.instrument_name)
        held[symbol] = plus(held.get(symbol, ZERO), figure(row.quantity, "quantity"))
    return {symbol: quantity for symbol, quantity in held.items() if quantity}
