"""Moving averages: exponential and simple."""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.indicators.window import Window, checked_period
from aegis.domain.money import ROUNDED


class Ema:
    """Exponential moving average: the last one, plus 2 / (period + 1) of the way to the value.

    It starts at the first value it sees and answers from there on; how it began weighs less
    than 0.3 % after three periods.
    """

    def __init__(self, period: int) -> None:
        self._weight = ROUNDED.divide(Decimal(2), Decimal(checked_period(period) + 1))
        self.warmup = 1
        self.value: Decimal | None = None

    def add(self, value: Decimal) -> Decimal:
        """Take the next value; return the average with it."""
        if self.value is None:
            self.value = value
        else:
            change = ROUNDED.multiply(ROUNDED.subtract(value, self.value), self._weight)
            self.value = ROUNDED.add(self.value, change)
        return self.value


class Sma:
    """Simple moving average: the mean of the last `period` values."""

    def __init__(self, period: int) -> None:
        self._window = Window(period, ROUNDED.add)
        self._count = Decimal(period)
        self.warmup = period
        self.value: Decimal | None = None

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; return the mean with it."""
        total = self._window.add(value)
        self.value = None if total is None else ROUNDED.divide(total, self._count)
        return self.value
