"""Wilder's strength and range, with the smoothing that is his.

Source of the formulas: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.indicators.window import checked_period
from aegis.domain.money import HUNDRED, ROUNDED, ZERO

NEITHER = Decimal(50)
"""The strength of a market that has not moved at all: no side is the stronger one."""


class Rsi:
    """Relative strength index: 100 * gains / (gains + losses), from 0 to 100.

    Gains and losses are Wilder's averages of the changes from value to value, so it takes one
    value more than `period`.
    """

    def __init__(self, period: int = 14) -> None:
        self._gains, self._losses = _Smoothed(period), _Smoothed(period)
        self._last: Decimal | None = None
        self.warmup = period + 1
        self.value: Decimal | None = None

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; return the index with it."""
        last, self._last = self._last, value
        if last is None:
            return None
        change = ROUNDED.subtract(value, last)
        gains = self._gains.add(max(change, ZERO))
        losses = self._losses.add(max(ROUNDED.minus(change), ZERO))
        if gains is not None and losses is not None:
            self.value = _strength(gains, losses)
        return self.value


class Atr:
    """Average true range: Wilder's average of how far the price went in each candle, in quote.

    The true range reaches from the higher of the high and the last close to the lower of the
    low and the last close. The first candle has no last close and only gives one, so it takes
    one candle more than `period`.
    """

    def __init__(self, period: int = 14) -> None:
        self._ranges = _Smoothed(period)
        self._last_close: Decimal | None = None
        self.warmup = period + 1
        self.value: Decimal | None = None

    def add(self, candle: Candle) -> Decimal | None:
        """Take the next candle; return the average with it."""
        last, self._last_close = self._last_close, candle.close
        if last is not None:
            highest, lowest = max(candle.high, last), min(candle.low, last)
            self.value = self._ranges.add(ROUNDED.subtract(highest, lowest))
        return self.value


class _Smoothed:
    """Wilder's average: the mean of the first `period` values, then 1 / period of each next."""

    def __init__(self, period: int) -> None:
        self._period = checked_period(period)
        self._count = Decimal(period)
        self._seen = 0
        self._sum = ZERO
        self._value = ZERO

    def add(self, value: Decimal) -> Decimal | None:
        if self._seen < self._period:
            self._seen += 1
            self._sum = ROUNDED.add(self._sum, value)
            self._value = ROUNDED.divide(self._sum, self._count)
            return self._value if self._seen == self._period else None
        change = ROUNDED.divide(ROUNDED.subtract(value, self._value), self._count)
        self._value = ROUNDED.add(self._value, change)
        return self._value


def _strength(gains: Decimal, losses: Decimal) -> Decimal:
    both = ROUNDED.add(gains, losses)
    if both == 0:
        return NEITHER
    return ROUNDED.divide(ROUNDED.multiply(HUNDRED, gains), both)
