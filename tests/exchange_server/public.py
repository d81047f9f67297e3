"""The public endpoints: instruments, tickers, candles, the book, and trades of the market."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tests.exchange_server.codes import RefusedError
from tests.exchange_server.engine import Engine
from tests.exchange_server.market import Market
from tests.exchange_server.shapes import DAY, LISTINGS, MS, SECOND, Listing, plain

CANDLES_MAX = 300
CANDLES_USUAL = 25
TRADES_MAX = 150

TIMEFRAMES_S: Mapping[str, int] = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "12h": 43_200,
    "1D": 86_400,
}
_MICROSECONDS_FROM, _NANOSECONDS_FROM = 10**14, 10**17

Query = Mapping[str, str]


def instant_of(value: object, usual: int) -> int:
    """Read an instant in milli-, micro- or nanoseconds; the number of its digits tells which."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise RefusedError(40005)
    try:
        number = int(value)
    except ValueError:
        raise RefusedError(40005) from None
    if number >= _NANOSECONDS_FROM:
        return number
    return number * 1_000 if number >= _MICROSECONDS_FROM else number * MS


def instruments(_query: Query, engine: Engine, _market: Market, _now: int) -> dict[str, object]:
    settings = engine.settings
    listed = [each for name, each in LISTINGS.items() if name not in settings.delisted]
    rows = [_instrument(each, is_halted=each.name in settings.halted) for each in listed]
    return {"data": rows}


def _instrument(listing: Listing, *, is_halted: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "symbol": listing.name,
        "inst_type": listing.kind,
        "display_name": f"{listing.base}/{listing.quote}",
        "base_ccy": listing.base,
        "quote_ccy": listing.quote,
        "quote_decimals": _decimals(listing.price_step),
        "quantity_decimals": _decimals(listing.amount_step),
        "price_tick_size": plain(listing.price_step),
        "qty_tick_size": plain(listing.amount_step),
        "max_leverage": "50",
        "tradable": not is_halted,
        "expiry_timestamp_ms": 0,
        "beta_product": False,
        "margin_buy_enabled": False,
        "margin_sell_enabled": False,
    }
    if listing.kind == "PERPETUAL_SWAP":
        row["contract_size"] = "1"
        row["underlying_symbol"] = f"{listing.base}{listing.quote}-INDEX"
    return row


def _decimals(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def tickers(query: Query, engine: Engine, market: Market, now: int) -> dict[str, object]:
    names = [_known(query, engine)] if "instrument_name" in query else list(LISTINGS)
    return {"data": [_ticker(name, engine, market, now) for name in names]}


def _ticker(name: str, engine: Engine, market: Market, now: int) -> dict[str, object]:
    last = market.last(name, now)
    high, low, opened = market.day(name, now)
    return {
        "i": name,
        "h": plain(high),
        "l": plain(low),
        "a": plain(last),
        "v": "1767.8734",
        "vv": plain(round(last * Decimal("1767.8734"), 2)),
        "c": plain(round(last / opened - 1, 4)),
        "b": plain(market.bid(name, now, engine.settings.spread_bps)),
        "k": plain(market.ask(name, now, engine.settings.spread_bps)),
        "t": engine.told(now) // MS,
    }


def candlestick(query: Query, engine: Engine, market: Market, now: int) -> dict[str, object]:
    """Give candles with start < open < end, the last ones if there are more than `count`.

    The running candle is among them. ccxt asks from one candle before the first that it wants,
    and for microseconds where it has no start.
    """
    name = _known(query, engine)
    timeframe = query.get("timeframe", "1m")
    if timeframe not in TIMEFRAMES_S:
        raise RefusedError(40003)
    count = _count(query, CANDLES_USUAL, CANDLES_MAX)
    rows = market.candles(
        name,
        TIMEFRAMES_S[timeframe] * SECOND,
        after=instant_of(query.get("start_ts"), 0),
        before=instant_of(query.get("end_ts"), now + 1),
        now=now,
        count=count,
    )
    data = [
        {
            "o": plain(each.open),
            "h": plain(each.high),
            "l": plain(each.low),
            "c": plain(each.close),
            "v": plain(each.volume),
            "t": each.open_at // MS,
        }
        for each in rows
    ]
    return {"interval": timeframe, "data": data, "instrument_name": name}


def book(query: Query, engine: Engine, _market: Market, now: int) -> dict[str, object]:
    name = _known(query, engine)
    depth = _count(query, 10, 50, named="depth")

    def rows(side: str) -> list[list[str]]:
        levels = list(engine.levels(name, side))[:depth]
        return [[plain(price), plain(amount), "1"] for price, amount in levels]

    data = [{"bids": rows("SELL"), "asks": rows("BUY"), "t": engine.told(now) // MS}]
    return {"depth": depth, "data": data, "instrument_name": name}


def trades(query: Query, engine: Engine, market: Market, now: int) -> dict[str, object]:
    """Give a made-up trade for each second's price, newest first."""
    name = _known(query, engine)
    end = min(instant_of(query.get("end_ts"), now + 1), now + 1)
    start = instant_of(query.get("start_ts"), end - DAY)
    first = (end - 1) // SECOND * SECOND
    instants = range(first, max(start, first - _count(query, 25, TRADES_MAX) * SECOND), -SECOND)
    step = LISTINGS[name].amount_step
    data = [
        {
            "s": "sell" if at // SECOND % 2 else "buy",
            "p": plain(market.last(name, at)),
            "q": plain(step * (1 + at // SECOND % 1_000)),
            "t": at // MS,
            "tn": str(at),
            "d": str(at // SECOND),
            "i": name,
        }
        for at in instants
    ]
    return {"data": data}


def _known(query: Query, engine: Engine) -> str:
    name = query.get("instrument_name")
    if not name:
        raise RefusedError(40003)
    if name not in LISTINGS or name in engine.settings.delisted:
        raise RefusedError(40004)
    return name


def _count(query: Query, usual: int, highest: int, *, named: str = "count") -> int:
    text = query.get(named)
    if text is None:
        return usual
    if not text.isdigit() or int(text) == 0:
        raise RefusedError(40004)
    return min(int(text), highest)
