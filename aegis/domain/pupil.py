"""One symbol's strategy, and what it has been shown.

Invariants:
1. Each closed candle is shown once and in order.
2. What was said of a candle counts until the next one is shown: only the newest can decide.
"""

from __future__ import annotations

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.indicators import Atr
from aegis.domain.lives import Taught
from aegis.domain.sizing import ATR_PERIOD
from aegis.domain.strategies import Signal, Strategy


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, of which candle, and whether the strategy was told that it holds."""

    signal: Signal
    candle: Candle
    was_holding: bool


class Pupil:
    """`until` is the instant up to which all candles were shown; None before the first page.

    `taught` is what the log says of earlier lives and of the first arming; None before it.
    """

    def __init__(self, symbol: Symbol, strategy: Strategy) -> None:
        self.symbol = symbol
        self.strategy = strategy
        self.taught: Taught | None = None
        self.since: Instant | None = None
        self.until: Instant | None = None
        self.last: Candle | None = None
        self.said: Said | None = None
        self.range = Atr(ATR_PERIOD)
        self._seen = 0
        self._beat_at: Instant | None = None

    @property
    def reads_from(self) -> Instant | None:
        """After which instant it has candles to catch up with; None for a warm-up's alone."""
        if self.until is not None:
            return self.until
        return None if self.taught is None else self.taught.since

    @property
    def anchor(self) -> Instant:
        """After which instant each candle is part of its state."""
        assert self.since is not None, f"Expected {self.symbol} to have caught up"
        return self.since if self.taught is None else min(self.taught.since, self.since)

    def is_behind(self, candle: Candle) -> bool:
        """Say whether candles are missing between the last one shown and this one."""
        return self.last is not None and candle.open_at > self.last.close_at

    def show(self, candle: Candle, *, is_holding: bool, may_decide: bool = True) -> None:
        """Show the next candle; raises whatever the strategy does, and has shown it even so."""
        may_decide = may_decide and not self.is_behind(candle)
        if self.since is None:
            self.since = candle.open_at
        self.last, self.until, self.said = candle, candle.close_at, None
        self._seen += 1
        self.range.add(candle)
        signal = meant(self.strategy.on_candle(candle, is_holding=is_holding))
        if signal is not None and may_decide and self._seen > self.strategy.warmup:
            self.said = Said(signal=signal, candle=candle, was_holding=is_holding)

    def has_seen(self, candle: Candle) -> bool:
        """Say whether a candle was shown already."""
        return self.until is not None and candle.close_at <= self.until

    def know_until(self, instant: Instant) -> None:
        """Take it that nothing else closed up to an instant."""
        if self.since is None:
            self.since = instant
        self.until = max(instant, self.until or instant)

    def decision(self) -> Said | None:
        """Take what it said of the newest candle, once; a warm-up's candle decides nothing."""
        said, self.said = self.said, None
        if said is None or self.taught is None or said.candle.close_at <= self.taught.armed_at:
            return None
        return said

    def next_beat(self, period_s: int, now: Instant) -> Instant:
        """Return when it beats next: in step with its first arming, whatever was missed."""
        assert self.taught is not None, f"Expected {self.symbol} to have been armed"
        period_ns = period_s * NANOS_PER_SECOND
        due = self._beat_at or self.taught.armed_at
        steps = max(1, (now - due) // period_ns + 1)  # a timer may fire an instant early
        self._beat_at = Instant(due + steps * period_ns)
        return self._beat_at


def meant(said: str | None) -> Signal | None:
    """Return what a strategy said as a signal; anything else is its bug, and raises."""
    if said is None or said in tuple(Signal):
        return None if said is None else Signal(said)
    raise ValueError(f'Expected "enter", "leave" or None of on_candle, was {said!r}')
