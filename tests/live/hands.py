"""A strategy that leaves the trading to the test."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.strategies import Signal


class Once:
    """Enters on the first of its beats, and never again, nor ever leaves."""

    period_s = 1

    def __init__(self, params: Mapping[str, object]) -> None:
        del params
        self.warmup = 0
        self._has_entered = False

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Say nothing."""
        del candle, is_holding
        return None

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        was, self._has_entered = self._has_entered or is_holding, True
        return None if was else Signal.ENTER
