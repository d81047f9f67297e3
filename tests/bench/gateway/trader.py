"""A strategy that enters and leaves in turn, when the bench tells it to."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.strategies import Signal

YEAR_S = 365 * 86_400


class Trader:
    """Its own beat never comes; one candle of the past is its price to decide on."""

    warmup = 1
    period_s = YEAR_S

    def __init__(self, params: Mapping[str, object]) -> None:
        assert not params, f"Expected no parameters, was {params}"

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Say nothing."""
        return None

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        """Leave what is held, enter otherwise."""
        return Signal.LEAVE if is_holding else Signal.ENTER
