"""SIGKILL at any moment of a lively run: nothing is lost, doubled or booked otherwise."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from aegis.clock import seeded_random, sleep
from tests.crash.paper_process import Hold
from tests.crash.process import RUN
from tests.crash.scene import METRONOME, Scene

KILLS = 4
LIFE_S_MAX = 0.5
DRAIN_S_MAX = 0.05
EARLY_SHARE, ASKED_SHARE = 0.2, 0.2
HOLDS = (None, None, None, Hold.ANSWER, Hold.ANSWER, Hold.REQUEST)

RECEIVED = METRONOME + '[paper]\nfee_currency = "received"\n'
PARTIAL = (
    METRONOME.replace("period_s = 360", "period_s = 1200")
    + "[paper]\nvolume_share_max = 0.0005\n[sizing]\nvalue = 900\n"
)


CROSSING = METRONOME.replace(
    'name = "metronome"\nparams = { period_s = 360 }', "params = { fast = 2, slow = 3 }"
)


@pytest.mark.parametrize(
    ("seed", "settings"),
    [(1, METRONOME), (2, RECEIVED), (3, PARTIAL)],
    ids=["fees-in-quote", "fees-in-the-coin-received", "partial-fills"],
)
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    make_scene: Callable[..., Scene], seed: int, settings: str
) -> None:
    scene, chances = make_scene(settings, RUN), seeded_random(seed)
    process = scene.restart()
    for _ in range(KILLS):
        sleep(chances.uniform(0, LIFE_S_MAX))
        scene.kill(process)
        process = scene.restart()
    last = scene.kill(process)
    told = scene.verify()
    assert (told["ok"], told["problems"]) == (True, [])
    assert (told["events"], told["head_hash"]) == (last.event_id, last.head_hash)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "settings"),
    [(11, METRONOME), (12, RECEIVED), (13, PARTIAL), (14, CROSSING)],
    ids=["fees-in-quote", "fees-in-the-coin-received", "partial-fills", "ema-cross"],
)
def test_fifty_kills_of_every_kind_lose_and_double_nothing(
    make_scene: Callable[..., Scene], seed: int, settings: str
) -> None:
    calm = settings.replace("period_s = 360", "period_s = 900")  # long logs take longer to read
    scene, chances = make_scene(calm), seeded_random(seed)
    scene.kill(scene.restart())
    for _ in range(49):
        die_somehow(scene, chances)
    scene.restart()


def die_somehow(scene: Scene, chances: Random) -> None:
    """Live and be killed: recovered or not yet, with answers held back or not, asked to end or not.

    What is drawn is what is waited for; where the kill falls is the machine's affair.
    """
    is_early, is_asked = chances.random() < EARLY_SHARE, chances.random() < ASKED_SHARE
    process = scene.start() if is_early else scene.restart()
    scene.hold(chances.choice(HOLDS))
    sleep(chances.uniform(0, LIFE_S_MAX))
    if is_asked and not is_early:
        process.terminate()
        sleep(chances.uniform(0, DRAIN_S_MAX))
    scene.kill(process)
    scene.hold(None)
