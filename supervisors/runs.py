"""How a system is driven to its end: on threads until a signal, or at speed 0 until the data end.

It owns signals and patience at the end; what the process exits with is decided here.
"""

from __future__ import annotations

import os
import signal
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

import msgspec

from aegis import __version__
from aegis.clock import ManualClock, ScaledClock, SystemClock, draw_hex, seeded_random
from aegis.config.model import Config, describe
from aegis.config.rerun import Rerun
from aegis.control import ControlServer
from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from aegis.domain.instants import text_of
from aegis.exchange.paper import no_faults
from aegis.exchange.replay import ReplayFile
from aegis.log.logger import Log
from aegis.messages import ControlReply, ControlRequest
from aegis.service import NOBODY, Service
from supervisors.channels import messengers_of
from supervisors.ground import ground_of_recording
from supervisors.hanging import hanging_ended
from supervisors.keeper import Keeper
from supervisors.runtime import SeededRuntime, ThreadRuntime
from supervisors.supervisor import Verdict
from supervisors.system import Faults, System

DRAIN_S_MAX = 1.6
"""A signal ends the process within 2 s, whatever hangs."""

LOOK_EACH_S = 0.1
"""How often the main thread looks up from waiting for a signal."""

SETTLE_S = 60.0
"""Market seconds that orders get to finish after the last candle."""

INSTANTS_PER_LOOK = 500
"""Of a run at speed 0, between two looks at signals and at the bar: about 100 candles."""

EXIT_SECOND_SIGNAL = 1
INCARNATION_DIGITS = 16

Progress = Callable[[int, int], None]
Reread = Callable[[], Config | None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    At speed 0 also the market's candles, how many of them it went through, and the real seconds;
    `is_early` where it did not come to their end.
    """

    exit_code: int
    reason: str
    is_early: bool = False
    files: tuple[ReplayFile, ...] = ()
    candles: tuple[Candle, ...] = ()
    candles_done: int = 0
    seconds: float = 0.0


class _Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a run tells, and what is done to it."""

    log: Log
    progress: Progress
    reread: Reread
    before_abort: Callable[[], None]
    faults: Faults
    service: Service
    is_kept: bool
    rerun: Rerun | None


class NoControl:
    """No socket: a run at speed 0 is over before anybody could say something."""

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        """Listen to nobody."""

    def answer(self, reply: ControlReply) -> None:
        """Answer nobody."""

    def close(self) -> None:
        """Close nothing."""


def keep_config() -> None:
    """Go on as configured, where nobody can read the configuration again."""


def leave_all() -> None:
    """Leave everything as it is."""


def run(
    config: Config,
    *,
    folder: Path,
    log: Log,
    progress: Progress,
    reread: Reread = keep_config,
    before_abort: Callable[[], None] = leave_all,
    faults: Faults = no_faults,
    service: Service = NOBODY,
    is_kept: bool = True,
    rerun: Rerun | None = None,
) -> Run:
    """Run AEGIS as configured, to its end; raises what opening raises, before anything trades.

    `progress` hears how many of how many candles a run at speed 0 has behind it. `reread` is
    called on SIGHUP, `before_abort` when a second signal ends the process at once. `faults` say
    what goes wrong between us and the paper exchange: nothing, but in drills. `service` is the
    manager that started this process; at speed 0 it is told nothing. A store that is not kept is
    one that the caller throws away, and never waits for the disk: at speed 0 alone. With `rerun`
    it goes once more through what an earlier run was shown, as far as that one came.
    """
    assert is_kept or config.market.speed == 0, "Expected a store that is kept, to trade on"
    assert rerun is None or not is_kept, "Expected a store that is thrown away, to run again in"
    outside = _Outside(
        log=log,
        progress=progress,
        reread=reread,
        before_abort=before_abort,
        faults=faults,
        service=service,
        is_kept=is_kept,
        rerun=rerun,
    )
    if config.market.speed == 0:
        return _run_to_the_end_of_data(config, folder, outside)
    return _run_until_told(config, folder, outside)


def _run_until_told(config: Config, folder: Path, outside: _Outside) -> Run:
    speed, log = config.market.speed, outside.log
    system = System(
        config,
        folder=folder,
        runtime_of=lambda start: ThreadRuntime(ScaledClock(start, speed), log),
        log=log,
        control=ControlServer(config.store.path),
        messengers=messengers_of(config, log),
        draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
        faults=outside.faults,
    )
    with _signals(outside.before_abort) as told:
        _tell_start(system, log)
        system.start(seed=config.market.seed)
        keeper = Keeper(outside.service, system.pulse, system.runtime.clock.monotonic)
        verdict = _wait(system, told, outside, keeper)
        system.close()
    return Run(exit_code=verdict.exit_code, reason=verdict.reason)


def _tell_start(system: System, log: Log) -> None:
    """Say what begins; `health` looks for it, so that no earlier life's heartbeat counts."""
    log("Starting", version=__version__, pid=os.getpid(), runs=describe(system.config))


def _wait(system: System, told: _Told, outside: _Outside, keeper: Keeper) -> Verdict:
    """Wait for a signal, for the market's end, or for the tree's; then drain, a bounded time."""
    while True:
        try:
            return system.verdicts.get_nowait()
        except Empty:
            pass
        if system.is_market_ended:
            return _drain(system, "the market ended", outside.log, keeper)
        keeper.look()
        if told.take_hang_up():
            _reconfigure(system, outside.reread())
        try:
            return _drain(system, told.stop.get(timeout=LOOK_EACH_S), outside.log, keeper)
        except Empty:
            continue


def _reconfigure(system: System, changed: Config | None) -> None:
    if changed is not None:
        system.reconfigure(changed)


def _drain(system: System, why: str, log: Log, keeper: Keeper) -> Verdict:
    log("Stopping", reason=why)
    keeper.stop(why)
    system.note_end()
    system.stop()
    try:
        verdict = system.verdicts.get(timeout=DRAIN_S_MAX)
    except Empty:
        log("DrainOverran", level="warning", deadline_s=DRAIN_S_MAX)
        return Verdict(0, f"{why}; not everything stopped in time")
    return Verdict(verdict.exit_code, f"{why}; {verdict.reason}")


class _Told:
    """What signals have said: the word to stop, and how often the configuration was changed."""

    def __init__(self) -> None:
        self.stop: SimpleQueue[str] = SimpleQueue()
        self.hang_ups: SimpleQueue[None] = SimpleQueue()

    def take_hang_up(self) -> bool:
        """Say whether SIGHUP came since the last time, once for however many."""
        is_taken = False
        while not self.hang_ups.empty():
            self.hang_ups.get()
            is_taken = True
        return is_taken


@contextmanager
def _signals(
    before_abort: Callable[[], None], on_stop: Callable[[], None] = leave_all
) -> Iterator[_Told]:
    """Turn signals into words; a second SIGINT or SIGTERM ends the process at once.

    `on_stop` is called at the first, in whatever the main thread is about.
    """
    told = _Told()
    seen: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            told.hang_ups.put(None)
            return
        if seen:
            before_abort()
            os._exit(EXIT_SECOND_SIGNAL)
        seen.append(number)
        told.stop.put(signal.Signals(number).name)
        on_stop()

    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, hear) for each in heard}
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


def _run_to_the_end_of_data(config: Config, folder: Path, outside: _Outside) -> Run:
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
        _signals(outside.before_abort, watch_steps) as told,
    ):
        _tell_start(system, outside.log)
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
    system: System, runtime: SeededRuntime, way: _Way, told: _Told, outside: _Outside
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
