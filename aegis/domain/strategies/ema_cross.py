"""Enter when the fast average rises above the slow one, leave when it falls below it."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.indicators import Ema
from aegis.domain.strategies import Signal
from aegis.domain.strategies.parameters import refuse_unknown, whole_number


class EmaCross:
    """Parameters: `fast` and `slow`, periods in candles, 9 and 21 unless told."""

    def __init__(self, params: Mapping[str, object]) -> None:
        refuse_unknown(params, ("fast", "slow"))
        fast = whole_number(params, "fast", 9, least=1, most=1000)
        slow = whole_number(params, "slow", 21, least=2, most=2000)
        if fast >= slow:
            raise ValueError(f"fast: expected less than slow ({slow}), was {fast}")
        self.warmup = 3 * slow
        self._fast, self._slow = Ema(fast), Ema(slow)
        self._was_above: bool | None = None

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Compare the averages of the closes, now and one candle ago."""
        is_above = self._fast.add(candle.close) > self._slow.add(candle.close)
        was_above, self._was_above = self._was_above, is_above
        if was_above is None:
            return None
        if is_above and not was_above and not is_holding:
            return Signal.ENTER
        if not is_above and is_holding:
            return Signal.LEAVE
        return None
