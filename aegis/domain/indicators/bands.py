"""Bands around the price: Bollinger's by its deviation, Donchian's by its extremes."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.indicators.window import Window, checked_period
from aegis.domain.money import ROUNDED, ZERO, is_amount

TWO = Decimal(2)


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Three prices; lower <= middle <= upper."""

    lower: Decimal
    middle: Decimal
    upper: Decimal


class Bollinger:
    """The mean of the last `period` values, and `deviations` standard deviations to each side.

    The deviation is the population's: the root of the mean squared distance from the mean.
    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001.
    """

    def __init__(self, period: int = 20, deviations: Decimal = TWO) -> None:
        if not is_amount(deviations):
            raise ValueError(f"deviations: expected a number above 0, was {deviations}")
        self._window = Window(period, _joined)
        self._deviations = deviations
        self.warmup = period
        self.value: Band | None = None

    def add(self, value: Decimal) -> Band | None:
        """Take the next value; return the band with it."""
        found = self._window.add(_Moments(count=1, mean=value, squares=ZERO))
        if found is not None:
            variance = ROUNDED.divide(found.squares, Decimal(found.count))
            reach = ROUNDED.multiply(self._deviations, ROUNDED.sqrt(variance))
            self.value = Band(
                lower=ROUNDED.subtract(found.mean, reach),
                middle=found.mean,
                upper=ROUNDED.add(found.mean, reach),
            )
        return self.value


class Donchian:
    """The lowest low and the highest high of the last `period` candles, this one among them.

    A breakout compares a close with the `value` from before that candle was added. Source: the
    four-week rule of R. Donchian, 1960.
    """

    def __init__(self, period: int = 20) -> None:
        self._lows: Window[Decimal] = Window(checked_period(period), min)
        self._highs: Window[Decimal] = Window(period, max)
        self.warmup = period
        self.value: Band | None = None

    def add(self, candle: Candle) -> Band | None:
        """Take the next candle; return the channel with it."""
        lower, upper = self._lows.add(candle.low), self._highs.add(candle.high)
        if lower is not None and upper is not None:
            middle = ROUNDED.divide(ROUNDED.add(lower, upper), TWO)
            self.value = Band(lower=lower, middle=middle, upper=upper)
        return self.value


class _Moments(msgspec.Struct, frozen=True, kw_only=True):
    """`squares` is the sum of the squared distances from the mean."""

    count: int
    mean: Decimal
    squares: Decimal


def _joined(one: _Moments, other: _Moments) -> _Moments:
    """Return the moments of both together, without the difference of two large sums of squares.

    Source: Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances, 1979. Equal values have a deviation of exactly zero.
    """
    count = one.count + other.count
    apart = ROUNDED.subtract(other.mean, one.mean)
    step = ROUNDED.divide(ROUNDED.multiply(apart, Decimal(other.count)), Decimal(count))
    between = ROUNDED.multiply(ROUNDED.multiply(apart, step), Decimal(one.count))
    squares = ROUNDED.add(ROUNDED.add(one.squares, other.squares), between)
    return _Moments(count=count, mean=ROUNDED.add(one.mean, step), squares=squares)
