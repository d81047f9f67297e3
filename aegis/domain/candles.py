"""Candles, and the path that a price takes inside one.

Invariants:
1. A candle is known by its open instant; it decides only when it is closed.
2. The path is open, the extreme against the position, the other extreme, close: the order
   that is worst for who holds the position (a lower bound of the result).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import distance, is_amount, times

TIMEFRAMES_S = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800,
    "1h": 3600, "4h": 14_400, "1d": 86_400,
}  # fmt: skip
"""The timeframes that a market may have, with their length in seconds."""


QUARTER = Decimal("0.25")


class Candle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Prices in the quote coin, volume in the base coin, over [open_at, open_at + length)."""

    symbol: Symbol
    open_at: Instant
    length_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def close_at(self) -> Instant:
        """The first instant after the candle; from here on it is closed."""
        return Instant(self.open_at + self.length_s * NANOS_PER_SECOND)


class Tick(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A move of the mid price from one level to the next, and the volume that went with it.

    A gap is a tick whose `start` equals its `price`: nothing traded on the way there. Without
    volume it is a mere quote, that nobody may have traded at.
    """

    symbol: Symbol
    at: Instant
    start: Decimal
    price: Decimal
    volume: Decimal


def path(candle: Candle, *, falls_first: bool) -> tuple[Tick, Tick, Tick, Tick]:
    """Return a candle as four ticks, a quarter of its length and volume apart.

    `falls_first` puts the low before the high, which is against a long position.
    """
    quarter_ns = candle.length_s * NANOS_PER_SECOND // 4
    quarter_volume = times(candle.volume, QUARTER)
    first, second = (candle.low, candle.high) if falls_first else (candle.high, candle.low)
    levels = (candle.open, candle.open, first, second, candle.close)
    one, two, three, four = (
        Tick(
            symbol=candle.symbol,
            at=Instant(candle.open_at + step * quarter_ns),
            start=levels[step],
            price=levels[step + 1],
            volume=quarter_volume,
        )
        for step in range(4)
    )
    return one, two, three, four


def fault_of(candle: Candle) -> str | None:
    """Return what is wrong with a candle's figures, or None; one clear phrase for a person."""
    named = (
        ("open", candle.open),
        ("high", candle.high),
        ("low", candle.low),
        ("close", candle.close),
    )
    for name, price in named:
        if not is_amount(price):
            return f"{name}: expected a positive price, was {price}"
    if not candle.volume.is_finite() or candle.volume < 0:
        return f"volume: expected zero or more, was {candle.volume}"
    if candle.high < max(candle.open, candle.close) or candle.low > min(candle.open, candle.close):
        return f"expected low <= open, close <= high, was {candle.low} .. {candle.high}"
    return None


JUMP_SHARE_MAX = Decimal("0.2")
"""No listed coin moves this far from one price to the next; a wrong digit or feed does."""


def is_jump(before: Decimal, price: Decimal) -> bool:
    """Say whether a price is too far from the one before to be believed at first sight."""
    return distance(price, before) > times(before, JUMP_SHARE_MAX)
