"""SIGKILL in the middle of a replay at full speed: what is decided is what would have been."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.clock import sleep
from aegis.store.errors import StoreFailed
from tests.crash.evidence import Evidence, look
from tests.crash.process import POLL_S, RUN, Process
from tests.crash.scene import Scene
from tests.simulation.candles import walk, write_replay
from tests.simulation.decided import decisions_in, entries

CANDLES = 300
KILLS = 2

REPLAY = """
[market]
source = "replay"
path = "candles.csv"
speed = 0

[strategy]
name = {name}
params = {params}

[risk]
daily_loss_max = 100000
drawdown_max_pct = 99
entries_per_position_max = 2
"""

STRATEGIES = {
    "ema_cross": ('"ema_cross"', "{ fast = 3, slow = 8 }"),
    "rsi_reversion": ('"rsi_reversion"', "{ period = 5, oversold = 35 }"),
    "counts candles since its entry": ('"tests.simulation.scripts:Patient"', "{ holds = 7 }"),
}


LONG = "rsi_reversion"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name == LONG else []) for name in STRATEGIES],
)
def test_a_replay_killed_again_and_again_decides_what_an_undisturbed_one_does(
    make_scene: Callable[..., Scene], name: str
) -> None:
    strategy, params = STRATEGIES[name]
    settings = REPLAY.format(name=strategy, params=params)
    undisturbed, killed = make_scene(settings, RUN), make_scene(settings, RUN)
    for scene in (undisturbed, killed):
        write_replay(scene.folder / "candles.csv", walk(CANDLES, seed=11))
    assert undisturbed.start().exit_code() == 0
    expected = decisions_in(undisturbed.store)
    assert entries(expected) > 5

    for number in range(KILLS):
        past = expected[(number + 1) * len(expected) // (KILLS + 1)].decided_at
        kill_quiet(killed, killed.start(), past)
    assert killed.start().exit_code() == 0

    assert decisions_in(killed.store) == expected
    killed.look_at_the_dead()


def kill_quiet(scene: Scene, process: Process, past: int) -> None:
    """Kill at some moment past an instant, with no order on its way: that one might be lost.

    It stands still while it is looked at, so that it gets no further on a slow machine.
    """

    def is_dead() -> bool | None:
        os.kill(process.pid, signal.SIGSTOP)
        while process.is_alive and not is_stopped(process):
            sleep(POLL_S)
        if is_past(scene, past) and not found_by_the_next(scene).book.active_orders():
            process.kill()
            return True
        os.kill(process.pid, signal.SIGCONT)
        return None

    process.wait_for("StrategyArmed")
    process.wait_until(is_dead, lambda: "past it, and no order on its way", poll_s=0.001)


def is_stopped(process: Process) -> bool:
    """Say whether each of its threads stands still; a signal reaches them one by one."""
    try:
        threads = [*Path(f"/proc/{process.pid}/task").glob("*/stat")]
        states = {thread.read_text().rpartition(")")[2].split()[0] for thread in threads}
    except FileNotFoundError:  # a thread has just ended
        return False
    return states == {"T"}


def is_past(scene: Scene, past: int) -> bool:
    try:
        decided = decisions_in(scene.store)
    except StoreFailed:  # it stands still amid a checkpoint, where nobody can look
        return False
    return bool(decided) and decided[-1].decided_at >= past


def found_by_the_next(scene: Scene) -> Evidence:
    """Return what a recovery will find: a commit whose sync was cut short is none to a reader."""
    copy = scene.folder / "copy.db"
    for ending in ("", "-wal"):
        shutil.copyfile(f"{scene.store}{ending}", f"{copy}{ending}")
    found = look(copy)
    for path in scene.folder.glob("copy.db*"):
        path.unlink()
    return found
