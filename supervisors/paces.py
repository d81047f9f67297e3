"""How time passes while an errand is done: on one thread at the last stored instant, or for real.

Where the exchange is real, so is its time; nobody can be asked in any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from actors.base import ActorRuntime
from aegis.clock import ManualClock, SystemClock, sleep
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.ports import Log
from supervisors.seeded import SeededRuntime
from supervisors.threads import ThreadRuntime

STILL_S_MAX = 120
"""Market seconds that an errand may take; the exchange on paper answers within one."""

REAL_S_MAX = 180.0
"""Real seconds that it may take: an order without an answer is proved absent, or found, in half."""

LOOK_EACH_S = 0.05


class Pace(Protocol):
    """Makes the runtime of one errand, once, and lets it work."""

    limit_s: float

    def runtime_at(self, start: Instant) -> ActorRuntime: ...

    def run_while(self, is_wanted: Callable[[], bool]) -> None:
        """Let everybody work while something is wanted, a bounded time."""
        ...


class StillPace:
    """One thread; time stands where the store left it, and jumps to what is due."""

    limit_s: float = STILL_S_MAX

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._runtime: SeededRuntime

    def runtime_at(self, start: Instant) -> ActorRuntime:
        self._runtime = SeededRuntime(ManualClock(start), self._seed)
        return self._runtime

    def run_while(self, is_wanted: Callable[[], bool]) -> None:
        runtime = self._runtime
        end = runtime.clock.now() + STILL_S_MAX * NANOS_PER_SECOND
        runtime.run_while(lambda: is_wanted() and runtime.clock.now() < end)


class RealPace:
    """Threads and the wall's clock; whoever waits looks now and then."""

    limit_s = REAL_S_MAX

    def __init__(self, log: Log) -> None:
        self._log = log
        self._monotonic = SystemClock().monotonic

    def runtime_at(self, start: Instant) -> ActorRuntime:
        return ThreadRuntime(SystemClock(start), self._log)

    def run_while(self, is_wanted: Callable[[], bool]) -> None:
        end_s = self._monotonic() + REAL_S_MAX
        while is_wanted() and self._monotonic() < end_s:
            sleep(LOOK_EACH_S)
