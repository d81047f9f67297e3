"""Prices of an exchange that is not proven, by the library's own methods, which know its protocol.

Nothing is at stake but a price: what cannot be read is lost, and asked for again. The library is
told to leave figures as they were written, so none of them is a float.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from aegis.domain.candles import TIMEFRAMES_S, Candle
from aegis.domain.commands import Quote
from aegis.domain.ids import Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.exchange.live.calls import Call, ReadCandles, ReadInstruments, ReadQuote
from aegis.exchange.live.client.door import Door, Told
from aegis.exchange.live.client.evidence import Heard, Silence
from aegis.exchange.live.client.shapes import (
    NANOS_PER_MS,
    Misshapen,
    amount,
    believable,
    coin,
    instant_of_ms,
    once,
    zero_or_more,
)
from aegis.exchange.live.profile import Profile

_TIMEFRAMES = {length_s: name for name, length_s in TIMEFRAMES_S.items()}
_CANDLE_FIGURES = 6

Listed = dict[str, dict[str, Any]]
"""The library's own words of markets, by symbol."""


def ask(door: Door, profile: Profile, call: Call) -> Told | Heard | Silence:
    """Make a public call; `Heard` where the library made nothing of what came."""
    match call:
        case ReadInstruments():
            return door.ask("fetch_markets")
        case ReadQuote():
            return door.ask("fetch_ticker", call.symbol)
        case ReadCandles():
            timeframe = _TIMEFRAMES[call.timeframe_s]
            since_ms = call.since // NANOS_PER_MS
            return door.ask("fetch_ohlcv", call.symbol, timeframe, since_ms, profile.candles_page)
        case _:
            raise AssertionError(f"Expected a public call, was {type(call).__name__}")


def listed(told: Told, symbols: Collection[Symbol]) -> Listed:
    """Return what the library says of some symbols, as far as the exchange lists them."""
    if not isinstance(told.value, list) or not told.value:
        raise Misshapen("no instruments at all")
    wanted = set(symbols)
    return {
        row["symbol"]: {name: value for name, value in row.items() if name != "info"}
        for row in told.value
        if isinstance(row, dict) and row.get("symbol") in wanted
    }


def names(told: Told) -> tuple[Symbol, ...]:
    """Return all symbols that the exchange lists; `listed` has believed the answer already."""
    rows = told.value if isinstance(told.value, list) else []
    found = (row.get("symbol") for row in rows if isinstance(row, dict))
    return tuple(Symbol(symbol) for symbol in found if isinstance(symbol, str))


def instruments(markets: Listed) -> tuple[Instrument, ...]:
    """Return what the library's words of markets mean; where no least is told there is none."""
    return tuple(_instrument(Symbol(symbol), market) for symbol, market in markets.items())


def quote(told: Told, symbol: Symbol) -> Quote | None:
    """Return the best prices, None where one side of the book is empty."""
    ticker = told.value
    if not isinstance(ticker, dict) or ticker.get("symbol") != symbol:
        raise Misshapen("not the ticker that was asked for")
    if ticker.get("bid") is None or ticker.get("ask") is None:
        return None
    at_ms = ticker.get("timestamp")
    at = instant_of_ms(at_ms, "timestamp") if isinstance(at_ms, int) else told.heard.server_at
    if at is None:
        raise Misshapen("timestamp is missing")
    bid, ask_price = amount(ticker["bid"], "bid"), amount(ticker["ask"], "ask")
    if bid > ask_price:
        raise Misshapen("the bid is above the ask")
    return Quote(bid=bid, ask=ask_price, at=at)


def candles(told: Told, call: ReadCandles) -> tuple[Candle, ...]:
    """Return the candles that open at or after the one asked for, eldest first."""
    if not isinstance(told.value, list):
        raise Misshapen("no list of candles")
    found = once((_candle(row, call) for row in told.value), lambda each: each.open_at, "candle")
    eldest_first = sorted(found, key=lambda each: each.open_at)
    return tuple(each for each in eldest_first if each.open_at >= call.since)


def _instrument(symbol: Symbol, market: Mapping[str, Any]) -> Instrument:
    steps, limits = _mapping(market, "precision"), _mapping(market, "limits")
    lot = amount(steps.get("amount"), "the step of amounts")
    return Instrument(
        symbol=symbol,
        base=coin(market.get("base"), "base"),
        quote=coin(market.get("quote"), "quote"),
        amount_step=lot,
        price_step=amount(steps.get("price"), "the step of prices"),
        amount_min=max(lot, _least(limits, "amount")),
        notional_min=_least(limits, "cost"),
        is_active=market.get("active") is not False,
    )


def _mapping(market: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = market.get(name)
    if not isinstance(value, dict):
        raise Misshapen(f"{name} is missing")
    return value


def _least(limits: Mapping[str, Any], name: str) -> Decimal:
    least = _mapping(limits, name).get("min")
    return ZERO if least is None else zero_or_more(least, f"the least {name}")


def _candle(row: object, call: ReadCandles) -> Candle:
    if not isinstance(row, list) or len(row) < _CANDLE_FIGURES or not isinstance(row[0], int):
        raise Misshapen("a candle is not of the expected shape")
    _, opened, high, low, close, volume = row[:_CANDLE_FIGURES]
    return believable(
        Candle(
            symbol=call.symbol,
            open_at=instant_of_ms(row[0], "a candle's time"),
            length_s=call.timeframe_s,
            open=amount(opened, "open"),
            high=amount(high, "high"),
            low=amount(low, "low"),
            close=amount(close, "close"),
            volume=zero_or_more(volume, "volume"),
        )
    )
