"""How a system is driven: on threads until a signal or its market's end; at speed 0 by `quick`.

It owns patience at the end; what the process exits with is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Empty

from aegis.clock import ScaledClock, SystemClock, draw_hex
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.control import ControlServer
from aegis.domain.ids import Instant
from aegis.exchange.paper import no_faults
from aegis.log.logger import Log
from aegis.ports import Clock
from aegis.service import NOBODY, Service
from supervisors.channels import messengers_of
from supervisors.keeper import Keeper
from supervisors.outside import Outside, Progress, Reread, Run, keep_config, tell_start
from supervisors.paper_desk import Faults
from supervisors.quick import INCARNATION_DIGITS, run_to_the_end_of_data
from supervisors.runtime import ThreadRuntime
from supervisors.signals import Told, leave_all, signals
from supervisors.supervisor import Verdict
from supervisors.system import System

DRAIN_S_MAX = 1.6
"""A signal ends the process within 2 s, whatever hangs."""

LOOK_EACH_S = 0.1
"""How often the main thread looks up from waiting for a signal."""


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
    outside = Outside(
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
        return run_to_the_end_of_data(config, folder, outside)
    return _run_until_told(config, folder, outside)


def _run_until_told(config: Config, folder: Path, outside: Outside) -> Run:
    log = outside.log
    system = System(
        config,
        folder=folder,
        runtime_of=lambda start: ThreadRuntime(clock_of(config, start), log),
        log=log,
        control=ControlServer(config.store.path),
        messengers=messengers_of(config, log),
        draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
        faults=outside.faults,
    )
    with signals(outside.before_abort) as told:
        tell_start(system, log)
        system.start(seed=config.market.seed)
        keeper = Keeper(outside.service, system.pulse, system.runtime.clock.monotonic)
        verdict = _wait(system, told, outside, keeper)
        system.close()
    return Run(exit_code=verdict.exit_code, reason=verdict.reason)


def clock_of(config: Config, start: Instant) -> Clock:
    """Return the market's time: the wall's where the market is real, never before `start`."""
    if config.market.source == "exchange":
        return SystemClock(start)
    return ScaledClock(start, config.market.speed)


def _wait(system: System, told: Told, outside: Outside, keeper: Keeper) -> Verdict:
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
