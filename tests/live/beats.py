"""Strategies for the local exchange: they know a candle as soon as they start, and go by beats.

The built-in metronome waits for the first candle that closes; here that would be most of a minute.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.strategies import Signal
from aegis.domain.strategies.metronome import Metronome


class InAndOut(Metronome):
    """Enters and leaves in turn."""

    def __init__(self, params: Mapping[str, object]) -> None:
        super().__init__(params)
        self.warmup = 1


class In(InAndOut):
    """Enters, and never leaves: that is for the stop."""

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        return None if is_holding else Signal.ENTER
