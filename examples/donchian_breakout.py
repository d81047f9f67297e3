"""Buy a close above the highest high of the last days, leave below the lowest low of fewer.

The rule of the Turtles' first system, after R. Donchian's four-week rule, with candles of any
length. Each new high says to enter again, so it also shows how a position grows: by as many
entries as `risk.entries_per_position_max` allows. Try it with

    run.py --config examples/config.toml
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.indicators import Donchian
from aegis.domain.strategies import Signal
from aegis.domain.strategies.parameters import refuse_unknown, whole_number


class DonchianBreakout:
    """Parameters: `enter` and `leave`, in candles, 20 and 10 unless told."""

    def __init__(self, params: Mapping[str, object]) -> None:
        refuse_unknown(params, ("enter", "leave"))
        enter = whole_number(params, "enter", 20, least=2, most=1000)
        leave = whole_number(params, "leave", 10, least=1, most=1000)
        self._entry, self._exit = Donchian(enter), Donchian(leave)
        self.warmup = max(self._entry.warmup, self._exit.warmup)

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Compare the close with the channels of before this candle, which is in them after."""
        entry, leave = self._entry.value, self._exit.value
        self._entry.add(candle)
        self._exit.add(candle)
        if entry is None or leave is None:
            return None
        if is_holding and candle.close < leave.lower:
            return Signal.LEAVE
        return Signal.ENTER if candle.close > entry.upper else None
