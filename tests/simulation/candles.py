"""Candles made by hand, by seed, and written down as a replay file."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol

SYMBOL = Symbol("BTC/USDT")
START = Instant(1_704_067_200 * NANOS_PER_SECOND)
"""2024-01-01T00:00:00Z: the open of candle 0."""

PRICE = "100"
VOLUME = Decimal(1000)
MINUTE_S = 60


def candle(
    number: int, opens: str, high: str, low: str, closes: str, *, length_s: int = MINUTE_S
) -> Candle:
    return Candle(
        symbol=SYMBOL,
        open_at=opens_at(number, length_s),
        length_s=length_s,
        open=Decimal(opens),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(closes),
        volume=VOLUME,
    )


def opens_at(number: int, length_s: int = MINUTE_S) -> Instant:
    return Instant(START + number * length_s * NANOS_PER_SECOND)


def number_of(instant: int, length_s: int = MINUTE_S) -> int:
    """Return the number of the candle in which an instant lies."""
    return (instant - START) // (length_s * NANOS_PER_SECOND)


def flat(
    count: int, *, price: str = PRICE, first: int = 0, length_s: int = MINUTE_S
) -> list[Candle]:
    """Return candles in which nothing happens."""
    numbers = range(first, first + count)
    return [candle(number, price, price, price, price, length_s=length_s) for number in numbers]


def closes(prices: Sequence[str], *, first: int = 0) -> list[Candle]:
    """Return candles that move straight from one close to the next."""
    made, before = [], prices[0]
    for number, price in enumerate(prices, start=first):
        high, low = max(before, price, key=Decimal), min(before, price, key=Decimal)
        made.append(candle(number, before, high, low, price))
        before = price
    return made


def walk(count: int, *, seed: int, step_cents: int = 80, first: int = 0) -> list[Candle]:
    """Return a random walk around 100, in cents, that never comes near zero."""
    chance = random.Random(seed)
    made, cents = [], 10_000
    for number in range(first, first + count):
        opens = cents
        cents = max(5_000, cents + chance.randint(-step_cents, step_cents))
        high = max(opens, cents) + chance.randint(0, step_cents // 2)
        low = min(opens, cents) - chance.randint(0, step_cents // 2)
        made.append(candle(number, *(_price(each) for each in (opens, high, low, cents))))
    return made


def write_replay(path: Path, candles: Iterable[Candle]) -> Path:
    """Write plain OHLCV with epoch seconds, stamped at the open."""
    rows = ["timestamp,open,high,low,close,volume"]
    for each in candles:
        figures = (each.open, each.high, each.low, each.close, each.volume)
        rows.append(",".join((str(each.open_at // NANOS_PER_SECOND), *map(str, figures))))
    path.write_text("\n".join(rows) + "\n")
    return path


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
