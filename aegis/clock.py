"""The only door to the time, and to randomness as seeds.

It never decides anything.

Invariants:
1. `now()` of one clock never steps back. When the wall is set back, it goes half as fast until the
   wall has caught up: what waits for an instant waits twice as long at most.
2. Patience is measured by `monotonic()`, which no setting of the wall touches.
3. Randomness that no seed gave is drawn here alone, for what must be new: a store's
   incarnation.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from decimal import Decimal
from fractions import Fraction

from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.instants import text_of
from aegis.domain.surroundings import Clocks

AHEAD_SLOWER = 2
"""How many times slower a clock goes while it is ahead of the wall."""


class SystemClock:
    """The wall's UTC time, never before `not_before`; market time is real time."""

    def __init__(self, not_before: int = 0) -> None:
        self._lock = threading.Lock()
        self._last = not_before
        self._last_monotonic = time.monotonic_ns()

    def now(self) -> Instant:
        with self._lock:
            before, self._last_monotonic = self._last_monotonic, time.monotonic_ns()
            passed = max(0, self._last_monotonic - before)
            self._last = max(self._last + passed // AHEAD_SLOWER, time.time_ns())
            return Instant(self._last)

    def monotonic(self) -> float:
        return time.monotonic()

    def real_s(self, market_s: float) -> float:
        return market_s


class ScaledClock:
    """A market that begins at `start` and runs `speed` times as fast as real time."""

    def __init__(self, start: Instant, speed: Decimal | float) -> None:
        if not (Decimal(speed).is_finite() and speed > 0):
            raise ValueError(f"Expected a finite speed above 0, was {speed}")
        self._start = start
        self._speed = Fraction(speed)
        self._origin_ns = time.monotonic_ns()

    def now(self) -> Instant:
        elapsed_ns = time.monotonic_ns() - self._origin_ns
        return Instant(self._start + elapsed_ns * self._speed.numerator // self._speed.denominator)

    def monotonic(self) -> float:
        return time.monotonic()

    def real_s(self, market_s: float) -> float:
        return market_s / float(self._speed)


class ManualClock:
    """A clock that moves only when it is told to; market and real time are one."""

    def __init__(self, start: Instant) -> None:
        self._start = start
        self._now = start
        self._monotonic_s = 0.0

    def now(self) -> Instant:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic_s

    def real_s(self, market_s: float) -> float:
        return market_s

    def advance_to(self, instant: Instant) -> None:
        """Move on to `instant`, which may be now but not earlier."""
        assert instant >= self._now, f"Expected {self._now} or later, was {instant}"
        self._now = instant
        self._monotonic_s = (instant - self._start) / NANOS_PER_SECOND


def read_clocks() -> Clocks:
    """Return what both of the machine's clocks say now, to be compared with another moment."""
    return Clocks(wall_ns=time.time_ns(), monotonic_ns=time.monotonic_ns())


def wall_text() -> str:
    """Write the wall's time as log lines carry it: RFC 3339, UTC, milliseconds."""
    return text_of(Instant(time.time_ns()))[:23] + "Z"


def sleep(seconds: float) -> None:
    """Wait in real time; for the edge alone, since no actor waits."""
    time.sleep(seconds)


def seeded_random(seed: int) -> random.Random:
    """Return a stream of choices that depends on the seed alone, in every process."""
    return random.Random(seed)  # noqa: S311  choices, not secrets


def draw_hex(length: int) -> str:
    """Draw `length` lower-case hex characters, for what must never have been before."""
    return secrets.token_hex((length + 1) // 2)[:length]
