"""Strategies that do what a test says, by the number of the candle."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.strategies import Signal
from tests.simulation.candles import number_of


class Script:
    """Parameters: the candles at whose close it says so. With `period`, again and again.

    At `adds` it says to enter whatever it holds; `raises_from` makes it raise at that candle and
    at each one after.
    """

    def __init__(self, params: Mapping[str, object]) -> None:
        self.warmup = 0
        self._enters = _numbers(params, "enters")
        self._leaves = _numbers(params, "leaves")
        self._adds = _numbers(params, "adds")
        self._raises = _numbers(params, "raises")
        self._period = _number(params, "period")
        self._raises_from = _number(params, "raises_from")

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        number = number_of(candle.open_at, candle.length_s)
        is_broken = self._raises_from is not None and number >= self._raises_from
        if number in self._raises or is_broken:
            raise RuntimeError(f"The script raises at candle {number}")
        place = number if self._period is None else number % self._period
        if place in self._adds or (place in self._enters and not is_holding):
            return Signal.ENTER
        return Signal.LEAVE if place in self._leaves and is_holding else None


class Beating(Script):
    """Says on each beat, from the one that `beats_from` names, to enter."""

    period_s = 60

    def __init__(self, params: Mapping[str, object]) -> None:
        super().__init__(params)
        self._beats_from = _number(params, "beats_from") or 0
        self._beats = 0

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        self._beats += 1
        is_meant = self._beats >= self._beats_from and not is_holding
        return Signal.ENTER if is_meant else None


class Patient:
    """Enters after `falls` closes in a row below the one before; leaves `holds` closes later.

    It counts the candles since it was told that it holds: a memory that a restart must not lose.
    """

    def __init__(self, params: Mapping[str, object]) -> None:
        self.warmup = 0
        self._falls_wanted = _number(params, "falls") or 2
        self._holds = _number(params, "holds") or 7
        self._close = Decimal(0)
        self._falls = self._held = 0

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        self._falls = self._falls + 1 if candle.close < self._close else 0
        self._held = self._held + 1 if is_holding else 0
        self._close = candle.close
        if is_holding:
            return Signal.LEAVE if self._held == self._holds else None
        return Signal.ENTER if self._falls == self._falls_wanted else None


class Mumbling:
    """Says something that is no signal."""

    def __init__(self, params: Mapping[str, object]) -> None:
        self.warmup = 0

    def on_candle(self, candle: Candle, *, is_holding: bool) -> str:
        return "buy"


def _numbers(params: Mapping[str, object], name: str) -> frozenset[int]:
    listed = params.get(name, ())
    assert isinstance(listed, tuple), f"Expected a list of candles, was {listed!r}"
    return frozenset(int(each) for each in listed)


def _number(params: Mapping[str, object], name: str) -> int | None:
    found = params.get(name)
    assert found is None or isinstance(found, int), f"Expected a number, was {found!r}"
    return found
