"""Killed in the middle of an errand: what was written stands, and the same errand goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from aegis.clock import SystemClock, seeded_random, sleep
from aegis.exchange.paper_ledger import read_ledger
from aegis.store.reading import read_status
from aegis.store.verify import verify
from supervisors.settings import ledger_path
from tests.cli.candle_files import HEADER, rows, write
from tests.cli.test_errands import HOLDING
from tests.crash.evidence import look, unlawful
from tests.crash.process import ROOT, RUN, WAIT_S_MAX, clean_environment, words
from tests.crash.scene import Scene
from tests.exchange.paper_kit import BTC
from tests.forked import Forked
from tests.paper_hand import Hand, hand_of
from tests.simulation.world import config_of

KILLS = 2


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """A folder in which AEGIS holds a position and does not run."""
    made = make_scene(HOLDING, RUN)
    write(made.folder, [HEADER, *rows()])
    assert errand(made, "run").wait(WAIT_S_MAX) == 0
    assert read_status(made.store).positions
    return made


def errand(scene: Scene, *arguments: str) -> Forked:
    program = words(scene.folder, RUN, *arguments)
    return Forked(program, ROOT, clean_environment(), scene.folder / "stderr.txt")


def duration_s(scene: Scene, *arguments: str) -> float:
    clock = SystemClock()
    began = clock.monotonic()
    assert errand(scene, *arguments).wait(WAIT_S_MAX) in (0, 1)
    return clock.monotonic() - began


def kill_within(scene: Scene, most_s: float, seed: int, *arguments: str) -> None:
    """Start an errand and kill it at some moment, again and again; look at what it left."""
    chance = seeded_random(seed)
    for _ in range(KILLS):
        process = errand(scene, *arguments)
        sleep(chance.uniform(most_s / 3, most_s))
        process.kill()
        assert process.wait(WAIT_S_MAX) in (0, 1, -signal.SIGKILL)
        verification = verify(scene.store)
        assert verification.problems == ()
        assert unlawful(look(scene.store), read_ledger(scene.ledger)) == ()


def hand(scene: Scene) -> Hand:
    replay = {"market": {"source": "replay", "path": scene.folder / "candles.csv", "speed": 0}}
    config = config_of(scene.folder, {"store": {"path": scene.store}}, replay)
    assert ledger_path(config) == scene.ledger
    return hand_of(config)


def test_a_halt_killed_anywhere_is_done_or_not(scene: Scene) -> None:
    kill_within(scene, duration_s(scene, "resume"), 1, "halt")
    assert errand(scene, "halt").wait(WAIT_S_MAX) == 0
    assert read_status(scene.store).account.trading_state == "REDUCING"
    assert errand(scene, "resume").wait(WAIT_S_MAX) == 0
    assert read_status(scene.store).account.trading_state == "ACTIVE"


def test_a_flatten_killed_anywhere_sells_once_and_ends_flat(scene: Scene) -> None:
    kill_within(scene, 2 * duration_s(scene, "resume"), 2, "flatten")
    assert errand(scene, "flatten").wait(WAIT_S_MAX) == 0
    assert read_status(scene.store).positions == ()
    assert len(read_ledger(scene.ledger).trades) == 2
    assert read_ledger(scene.ledger).balances[BTC] == 0


def test_a_resolution_killed_anywhere_is_done_once(scene: Scene) -> None:
    held = read_ledger(scene.ledger).balances[BTC]
    hand(scene).transfer(BTC, -held)
    most_s = duration_s(scene, "reconcile")
    kill_within(scene, most_s, 3, "resolve", "BTC/USDT", "--transferred")
    assert errand(scene, "resolve", "BTC/USDT", "--transferred").wait(WAIT_S_MAX) in (0, 1)
    assert read_status(scene.store).positions == ()
    assert errand(scene, "reconcile").wait(WAIT_S_MAX) == 0


def test_two_errands_at_once_leave_one_result(scene: Scene) -> None:
    processes = [errand(scene, "flatten") for _ in range(3)]
    codes = sorted(process.wait(WAIT_S_MAX) for process in processes)
    assert codes[0] == 0
    assert set(codes) <= {0, 75}
    assert read_status(scene.store).positions == ()
    assert len(read_ledger(scene.ledger).trades) == 2
