"""Crypto.com's rows of its market, and the values that they stand for: instruments and prices."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.commands import Quote
from aegis.domain.ids import Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.money import ONE, ZERO
from aegis.exchange.live.client.cryptocom_rows import Rows, instrument_name, symbol_of
from aegis.exchange.live.client.shapes import (
    Misshapen,
    amount,
    believable,
    coin,
    decoded,
    instant_of_ms,
    once,
    the_one,
    zero_or_more,
)

_DOLLARS = frozenset({"USD", "USDT", "USDC"})
"""Against these the least notional is 1, by the default of get-risk-parameters; the instruments
themselves tell none."""


class _Named(msgspec.Struct):
    symbol: str


class _Instrument(msgspec.Struct):
    base_ccy: str
    quote_ccy: str
    price_tick_size: str
    qty_tick_size: str
    tradable: bool


class _Ticker(msgspec.Struct):
    i: str
    t: int
    b: str | None
    k: str | None


class _Candle(msgspec.Struct):
    t: int
    o: str
    h: str
    l: str  # noqa: E741  the exchange's name of it
    c: str
    v: str


class _Candles(msgspec.Struct):
    data: list[_Candle]
    instrument_name: str


_ROWS = msgspec.json.Decoder(Rows[msgspec.Raw])
_NAMED = msgspec.json.Decoder(_Named)
_INSTRUMENT = msgspec.json.Decoder(_Instrument)
_TICKERS = msgspec.json.Decoder(Rows[_Ticker])
_CANDLES = msgspec.json.Decoder(_Candles)


def instruments(data: msgspec.Raw, symbols: Collection[Symbol]) -> tuple[Instrument, ...]:
    """Return those of some symbols that are listed; rows of others are not looked into."""
    rows = decoded(data, _ROWS).data
    if not rows:
        raise Misshapen("no instruments at all")
    wanted = {instrument_name(symbol): symbol for symbol in symbols}
    named = ((decoded(row, _NAMED).symbol, row) for row in rows)
    found = (_instrument(row, wanted[name]) for name, row in named if name in wanted)
    return once(found, lambda each: each.symbol, "instrument")


def names(data: msgspec.Raw) -> tuple[Symbol, ...]:
    """Return the symbols of all instruments that are listed."""
    return tuple(symbol_of(decoded(row, _NAMED).symbol) for row in decoded(data, _ROWS).data)


def _instrument(row: msgspec.Raw, symbol: Symbol) -> Instrument:
    told = decoded(row, _INSTRUMENT)
    if symbol.partition(":")[0] != f"{told.base_ccy}/{told.quote_ccy}":
        raise Misshapen("an instrument's coins are others than its name says")
    lot = amount(told.qty_tick_size, "qty_tick_size")
    return Instrument(
        symbol=symbol,
        base=coin(told.base_ccy, "base_ccy"),
        quote=coin(told.quote_ccy, "quote_ccy"),
        amount_step=lot,
        price_step=amount(told.price_tick_size, "price_tick_size"),
        amount_min=lot,
        notional_min=ONE if told.quote_ccy in _DOLLARS else ZERO,
        is_active=told.tradable,
    )


def quote(data: msgspec.Raw, symbol: Symbol) -> Quote | None:
    """Return the best prices, None where one side of the book is empty."""
    ticker = the_one(decoded(data, _TICKERS).data, "ticker")
    if ticker.i != instrument_name(symbol):
        raise Misshapen("i is another one")
    at = instant_of_ms(ticker.t, "t")
    if ticker.b is None or ticker.k is None:
        return None
    bid, ask = amount(ticker.b, "b"), amount(ticker.k, "k")
    if bid > ask:
        raise Misshapen("the bid is above the ask")
    return Quote(bid=bid, ask=ask, at=at)


def candles(data: msgspec.Raw, symbol: Symbol, length_s: int) -> tuple[Candle, ...]:
    """Return candles, eldest first."""
    told = decoded(data, _CANDLES)
    if told.instrument_name != instrument_name(symbol):
        raise Misshapen("instrument_name is another one")
    found = once(
        (_candle(row, symbol, length_s) for row in told.data), lambda each: each.open_at, "candle"
    )
    return tuple(sorted(found, key=lambda each: each.open_at))


def _candle(row: _Candle, symbol: Symbol, length_s: int) -> Candle:
    candle = Candle(
        symbol=symbol,
        open_at=instant_of_ms(row.t, "t"),
        length_s=length_s,
        open=amount(row.o, "o"),
        high=amount(row.h, "h"),
        low=amount(row.l, "l"),
        close=amount(row.c, "c"),
        volume=zero_or_more(row.v, "v"),
    )
    return believable(candle)
