"""What a strategy is, and the ones that come with AEGIS.

A strategy of your own is a class in a module of yours, named in the configuration as
"module:Class". It is made once for each symbol with the table `[strategy.params]`, sees each
closed candle once and in order, and answers with a signal or nothing. It never places an
order, and what it wants passes every limit. Figures are `Decimal`; a candle's prices are in
the quote coin. It needs no clock, file or network: equal candles must give equal signals.

Raise `ValueError` from `__init__` when a parameter is wrong; its text is shown as a fault of
the configuration.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable

from aegis.domain.candles import Candle


class Signal(StrEnum):
    ENTER = "enter"
    LEAVE = "leave"


class Strategy(Protocol):
    """Implement these two, and `__init__(self, params)`."""

    warmup: int
    """How many closed candles it has to see before its signals mean anything."""

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        """Take the next closed candle; say whether to enter, to leave, or nothing.

        `is_holding` says whether a position of this symbol is held, or on its way in or out.
        ENTER while holding adds an entry where `entries_per_position_max` allows it, and is
        nothing where it does not; LEAVE leaves the whole position.
        """
        ...


@runtime_checkable
class TimedStrategy(Protocol):
    """A strategy that decides on a timer as well, each `period_s` of market time."""

    period_s: int

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        """Say whether to enter, to leave, or nothing."""
        ...
