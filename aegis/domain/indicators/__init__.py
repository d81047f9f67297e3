"""Indicators, fed one closed candle at a time, in exact order; equal inputs give equal figures.

Each takes its next value or candle by `add`, which returns what it now says; `value` says it
again. `warmup` is how many it has to be fed before it answers, and None is its answer until
then. They reckon in decimals of 34 digits and never look back: what was said stays said.

Invariants:
1. An update costs the same however long the history is; memory is bounded by the period.
2. A sliding window is never subtracted from, so no rounding error outlives its window.
3. A wrong period is a `ValueError` in one phrase: it may come from a person's settings.
"""

from aegis.domain.indicators.averages import Ema, Sma
from aegis.domain.indicators.bands import Band, Bollinger, Donchian
from aegis.domain.indicators.vwap import Vwap
from aegis.domain.indicators.wilder import Atr, Rsi

__all__ = ["Atr", "Band", "Bollinger", "Donchian", "Ema", "Rsi", "Sma", "Vwap"]
