"""How a system is driven to its end: on threads until a signal, or at speed 0 until the data end.

It owns signals and patience at the end; what the process exits with is decided here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

import msgspec

from aegis.clock import ManualClock, ScaledClock, SystemClock, draw_hex, seeded_random
from aegis.config import Config
from aegis.control import ControlServer
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.paper import no_faults
from aegis.log import Log
from aegis.messages import ControlReply, ControlRequest
from supervisors.runtime import SeededRuntime, ThreadRuntime
from supervisors.supervisor import Verdict
from supervisors.system import Faults, System, candles_of

DRAIN_S_MAX = 1.6
"""A signal ends the process within 2 s, whatever hangs."""

SETTLE_S = 60.0
"""Market seconds that orders get to finish after the last candle."""

STEPS_PER_LOOK = 2_000
EXIT_SECOND_SIGNAL = 1
INCARNATION_DIGITS = 16

Progress = Callable[[int, int], None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; `candles` and `seconds` (real) are those of a run at speed 0."""

    exit_code: int
    reason: str
    candles: tuple[Candle, ...] = ()
    seconds: float = 0.0


class NoControl:
    """No socket: a run at speed 0 is over before anybody could say something."""

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        """Listen to nobody."""

    def answer(self, reply: ControlReply) -> None:
        """Answer nobody."""

    def close(self) -> None:
        """Close nothing."""


def run(
    config: Config, *, folder: Path, log: Log, progress: Progress, faults: Faults = no_faults
) -> Run:
    """Run AEGIS as configured, to its end; raises what opening raises, before anything trades.

    `progress` hears how many of how many candles a run at speed 0 has behind it. `faults` say
    what goes wrong between us and the paper exchange: nothing, but in drills.
    """
    if config.market.speed == 0:
        return _run_to_the_end_of_data(config, folder, log, progress, faults)
    return _run_until_told(config, folder, log, faults)


def _run_until_told(config: Config, folder: Path, log: Log, faults: Faults) -> Run:
    speed = config.market.speed
    system = System(
        config,
        folder=folder,
        runtime_of=lambda start: ThreadRuntime(ScaledClock(start, speed), log),
        log=log,
        control=ControlServer(config.store.path),
        draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
        faults=faults,
    )
    with _signals() as told:
        system.start(seed=config.market.seed)
        verdict = _wait(system, told, log)
    system.close()
    return Run(exit_code=verdict.exit_code, reason=verdict.reason)


def _wait(system: System, told: SimpleQueue[str], log: Log) -> Verdict:
    """Wait for a signal, for the market's end, or for the tree's; then drain, a bounded time."""
    while True:
        try:
            return system.verdicts.get_nowait()
        except Empty:
            pass
        if system.is_market_ended:
            return _drain(system, "the market ended", log)
        try:
            return _drain(system, told.get(timeout=0.1), log)
        except Empty:
            continue


def _drain(system: System, why: str, log: Log) -> Verdict:
    log("Stopping", reason=why)
    system.stop()
    try:
        verdict = system.verdicts.get(timeout=DRAIN_S_MAX)
    except Empty:
        log("DrainOverran", level="warning", deadline_s=DRAIN_S_MAX)
        return Verdict(0, f"{why}; not everything stopped in time")
    return Verdict(verdict.exit_code, f"{why}; {verdict.reason}")


@contextmanager
def _signals() -> Iterator[SimpleQueue[str]]:
    """Turn the first SIGINT or SIGTERM into a word; the second ends the process at once."""
    told: SimpleQueue[str] = SimpleQueue()
    seen: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if seen:
            os._exit(EXIT_SECOND_SIGNAL)
        seen.append(number)
        told.put(signal.Signals(number).name)

    before = {each: signal.signal(each, hear) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seeded_runtime(config: Config) -> Callable[[Instant], SeededRuntime]:
    """Return what makes the one-threaded runtime of a run at speed 0."""
    return lambda start: SeededRuntime(ManualClock(start), config.market.seed)


def seeded_incarnation(config: Config) -> str:
    """Return the incarnation of a store that is made at speed 0: the seed's, not the moment's."""
    drawn = seeded_random(config.market.seed).getrandbits(4 * INCARNATION_DIGITS)
    return f"{drawn:0{INCARNATION_DIGITS}x}"


def _run_to_the_end_of_data(
    config: Config, folder: Path, log: Log, progress: Progress, faults: Faults
) -> Run:
    runtimes: list[SeededRuntime] = []

    def runtime_of(start: Instant) -> SeededRuntime:
        runtimes.append(seeded_runtime(config)(start))
        return runtimes[0]

    system = System(
        config,
        folder=folder,
        runtime_of=runtime_of,
        log=log,
        control=NoControl(),
        draw_incarnation=lambda: seeded_incarnation(config),
        faults=faults,
    )
    runtime, stopwatch = runtimes[0], SystemClock()
    candles = candles_of(system.sources)
    began = stopwatch.monotonic()
    with _signals() as told:
        system.start(seed=config.market.seed)
        verdict = _go_through(system, runtime, candles, told, progress)
    system.close()
    seconds = stopwatch.monotonic() - began
    return Run(exit_code=verdict.exit_code, reason=verdict.reason, candles=candles, seconds=seconds)


def _go_through(
    system: System,
    runtime: SeededRuntime,
    candles: tuple[Candle, ...],
    told: SimpleQueue[str],
    progress: Progress,
) -> Verdict:
    first = runtime.clock.now()
    last = candles[-1].close_at if candles else first
    steps = 0

    def goes_on() -> bool:
        nonlocal steps
        steps += 1
        if steps % STEPS_PER_LOOK == 0:
            progress(_share(runtime.clock.now(), first, last, len(candles)), len(candles))
            if not told.empty():
                return False
        return not system.is_market_ended and system.verdicts.empty()

    runtime.run_while(goes_on)
    why = "the data ended" if system.is_market_ended else "stopped early"
    if system.verdicts.empty():
        runtime.run_for(SETTLE_S)
        system.stop()
        runtime.run_while(system.verdicts.empty)
        verdict = system.verdicts.get_nowait()
        progress(_share(runtime.clock.now(), first, last, len(candles)), len(candles))
        return Verdict(verdict.exit_code, f"{why}; {verdict.reason}")
    return system.verdicts.get_nowait()


def _share(now: Instant, first: Instant, last: Instant, total: int) -> int:
    """Return how many of `total` candles lie behind an instant, by its place between the ends."""
    if last <= first:
        return total
    return min(total, total * (now - first) // max(last - first, NANOS_PER_SECOND))
