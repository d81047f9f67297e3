"""Enter when a fall has spent itself, leave when the price has come back.

The relative strength index must have been oversold and rise out of it again: what still falls
is not bought. Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, whose
period and lower level are the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import Candle
from aegis.domain.indicators import Rsi
from aegis.domain.strategies import Signal
from aegis.domain.strategies.parameters import figure, refuse_unknown, whole_number

WARMUP_PERIODS = 10
"""After so many periods the start of Wilder's average weighs less than a ten-thousandth."""


class RsiReversion:
    """Parameters: `period` in candles, 14, and the levels `oversold`, 30, and `exit`, 55.

    It enters at a close whose index is above `oversold` while the last one was not, and leaves
    at the first close whose index is at `exit` or above. Each time that the index comes out of
    `oversold` it says to enter, while it holds as well.
    """

    def __init__(self, params: Mapping[str, object]) -> None:
        refuse_unknown(params, ("period", "oversold", "exit"))
        period = whole_number(params, "period", 14, least=2, most=500)
        oversold = figure(params, "oversold", 30, least=1, most=98)
        exit_level = figure(params, "exit", 55, least=2, most=99)
        if oversold >= exit_level:
            raise ValueError(f"oversold: expected less than exit ({exit_level}), was {oversold}")
        self.warmup = WARMUP_PERIODS * period
        self._oversold, self._exit = oversold, exit_level
        self._rsi = Rsi(period)

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Compare the index of the closes with its levels, now and one candle ago."""
        before, now = self._rsi.value, self._rsi.add(candle.close)
        if before is None or now is None:
            return None
        if now >= self._exit:
            return Signal.LEAVE if is_holding else None
        return Signal.ENTER if before <= self._oversold < now else None
