"""A run at speed 0: on one thread, as fast as it goes, to the end of its data.

It owns how such a run is driven: how often it looks up, where it ends, and what befalls one that
goes once more through a recording. It never decides about trading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

from aegis.clock import ManualClock, SystemClock, seeded_random
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from aegis.domain.instants import text_of
from aegis.messages import ControlReply, ControlRequest
from supervisors.channels import messengers_of
from supervisors.ground import ground_of_recording
from supervisors.hanging import hanging_ended
from supervisors.outside import Outside, Progress, Run, tell_start
from supervisors.runtime import SeededRuntime
from supervisors.signals import Told, signals
from supervisors.supervisor import Verdict
from supervisors.system import System

SETTLE_S = 60.0
"""Market seconds that orders get to finish after the last candle."""

INSTANTS_PER_LOOK = 500
"""Of a run at speed 0, between two looks at signals and at the bar: about 100 candles."""

INCARNATION_DIGITS = 16


class NoControl:
    """No socket: a run at speed 0 is over before anybody could say something."""

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        """Listen to nobody."""

    def answer(self, reply: ControlReply) -> None:
        """Answer nobody."""

    def close(self) -> None:
        """Close nothing."""


def seeded_runtime(config: Config) -> Callable[[Instant], SeededRuntime]:
    """Return what makes the one-threaded runtime of a run at speed 0."""
    return lambda start: SeededRuntime(ManualClock(start), config.market.seed)


def seeded_incarnation(config: Config) -> str:
    """Return the incarnation of a store that is made at speed 0: the seed's, not the moment's."""
    drawn = seeded_random(config.market.seed).getrandbits(4 * INCARNATION_DIGITS)
    return f"{drawn:0{INCARNATION_DIGITS}x}"


def run_to_the_end_of_data(config: Config, folder: Path, outside: Outside) -> Run:
    """Run to the end of the data, of a signal's patience, or of the run that is gone again."""
    rerun = outside.rerun
    runtimes: list[SeededRuntime] = []

    def runtime_of(start: Instant) -> SeededRuntime:
        runtimes.append(seeded_runtime(config)(start))
        return runtimes[0]

    system = System(
        config,
        folder=folder,
        runtime_of=runtime_of,
        log=outside.log,
        control=NoControl(),
        messengers=messengers_of(config, outside.log),
        draw_incarnation=lambda: rerun.incarnation if rerun else seeded_incarnation(config),
        faults=outside.faults,
        ground=ground_of_recording(rerun) if rerun else None,
        is_kept=outside.is_kept,
    )
    runtime, stopwatch = runtimes[0], SystemClock()
    candles = system.ground.candles()
    way = _Way(runtime, candles, outside.progress)
    began = stopwatch.monotonic()
    with (
        hanging_ended(lambda: runtime.steps) as watch_steps,
        signals(outside.before_abort, watch_steps) as told,
    ):
        tell_start(system, outside.log)
        system.start(seed=config.market.seed)
        is_over = _go_through(system, runtime, way, told, outside)
        verdict = _settled(system, runtime)
        system.close()
    return Run(
        exit_code=verdict.exit_code,
        reason=verdict.reason,
        is_early=not is_over,
        files=system.ground.files,
        candles=candles,
        candles_done=way.tell(),
        seconds=stopwatch.monotonic() - began,
    )


class _Way:
    """How far a run at speed 0 has come: the candles that were still to close when it began."""

    def __init__(
        self, runtime: SeededRuntime, candles: tuple[Candle, ...], progress: Progress
    ) -> None:
        self._now = runtime.clock.now
        begin = self._now()
        self._closes_at = sorted(c.close_at for c in candles if c.close_at > begin)
        self._progress = progress

    def tell(self) -> int:
        """Tell, and return, how many candles are behind."""
        done = bisect_right(self._closes_at, self._now())
        self._progress(done, len(self._closes_at))
        return done


def _go_through(
    system: System, runtime: SeededRuntime, way: _Way, told: Told, outside: Outside
) -> bool:
    """Live to the end of the data, or to where a run that is gone again ended; False before it."""
    instants = 0
    past = _Past(system, outside.rerun)

    def goes_on() -> bool:
        nonlocal instants
        instants += 1
        if instants % INSTANTS_PER_LOOK == 0:
            way.tell()
            if told.take_hang_up():
                outside.reread()
            if not told.stop.empty():
                return False
        if past.is_over(runtime.clock.now()):
            return False
        return not system.is_market_ended and system.verdicts.empty()

    way.tell()
    runtime.live_while(goes_on)
    system.note_end()
    return system.is_market_ended or past.is_over(runtime.clock.now())


def _settled(system: System, runtime: SeededRuntime) -> Verdict:
    """Let orders finish, stop, and return how it ended."""
    at = f"{text_of(runtime.clock.now())[:19]}Z"
    why = "the data ended" if system.is_market_ended else f"stopped early at {at}"
    if system.verdicts.empty():
        runtime.run_for(SETTLE_S)
        system.stop()
        runtime.run_while(system.verdicts.empty)
        verdict = system.verdicts.get_nowait()
        return Verdict(verdict.exit_code, f"{why}; {verdict.reason}")
    return system.verdicts.get_nowait()


class _Past:
    """What befell a run that is gone again: other settings on the way, and its end."""

    def __init__(self, system: System, rerun: Rerun | None) -> None:
        self._system = system
        self._ends_at = None if rerun is None else rerun.ends_at
        self._changes = [] if rerun is None else list(rerun.changes)

    def is_over(self, now: Instant) -> bool:
        """Take over the settings that are due; say whether the run has come to its end."""
        while self._changes and self._changes[0][0] <= now:
            self._system.reconfigure(self._changes.pop(0)[1])
        return self._ends_at is not None and now >= self._ends_at
