"""Enter and leave in turn, each `period_s`: for drills and for a first look at a venue.

It has no opinion of the market; its only gate is a fresh price.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.strategies import Signal
from aegis.domain.strategies.parameters import refuse_unknown, whole_number

SECONDS_PER_WEEK = 7 * 86_400


class Metronome:
    """Parameter: `period_s`, seconds of market time between two beats, 300 unless told."""

    def __init__(self, params: Mapping[str, object]) -> None:
        refuse_unknown(params, ("period_s",))
        self.period_s = whole_number(params, "period_s", 300, least=1, most=SECONDS_PER_WEEK)
        self.warmup = 0

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:  # noqa: ARG002  it decides on its timer alone
        """Say nothing: candles do not matter to it."""
        return None

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        """Leave what is held, enter otherwise."""
        return Signal.LEAVE if is_holding else Signal.ENTER
