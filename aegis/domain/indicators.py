"""Indicators, fed one closed candle at a time; equal candles give equal figures."""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.money import ROUNDED


class Ema:
    """Exponential moving average over `period` values, weight 2 / (period + 1).

    It starts at the first value it sees; after about three periods the start is forgotten.
    """

    def __init__(self, period: int) -> None:
        assert period > 0, f"Expected a positive period, was {period}"
        self._weight = ROUNDED.divide(Decimal(2), Decimal(period + 1))
        self.value: Decimal | None = None

    def add(self, value: Decimal) -> Decimal:
        """Take the next value; return the average with it."""
        if self.value is None:
            self.value = value
        else:
            change = ROUNDED.multiply(ROUNDED.subtract(value, self.value), self._weight)
            self.value = ROUNDED.add(self.value, change)
        return self.value
