"""SIGKILL at any moment of trading live: after each start exchange and store agree.

Orders are filled in parts, fees are taken in the coin received, a price falls through the stops
while nobody lives, answers are lost; the exchange takes a client id as often as it comes.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from aegis.clock import seeded_random, sleep
from tests.exchange_server.faults import Fault
from tests.live.conftest import Make
from tests.live.scene import SETTINGS, LiveScene

LIVES, LIVES_LONG, KILLS = 5, 50, 10

pytestmark = [
    pytest.mark.patient,
    pytest.mark.timeout(300),  # each takes half a minute, where nothing else runs
]

LIFE_S_MAX = 1.3
PRICES = ("40000", "40000", "38000")
FAULTS = (None, None, Fault.DROP_AFTER, Fault.HTML_502_AFTER, Fault.SILENCE, Fault.DROP_BEFORE)
EARLY_SHARE = 0.2

TWO = SETTINGS.replace('["BTC/USDT"]', '["BTC/USDT", "ETH/USDT"]').replace(
    "poll_interval_s = 0.1", "poll_interval_s = 0.25"
)
PARTS = {"depth": Decimal(40), "creation_lag_s": 0.02, "cancel_lag_s": 0.02}


def die_somehow(scene: LiveScene, chances: Random) -> None:
    """Live and be killed, perhaps once more on the way back, and live again.

    What is drawn is what is waited for; where the kill falls is the machine's affair.
    """
    control = scene.local.control
    process = scene.living
    if (fault := chances.choice(FAULTS)) is not None:
        control.fault(fault, "private/create-order", next=1)
    sleep(chances.uniform(0, LIFE_S_MAX))
    scene.kill(process)
    if chances.random() < EARLY_SHARE:
        process = scene.start()
        sleep(chances.uniform(0, LIFE_S_MAX))
        scene.kill(process)
    control.faults()
    control.price("BTC_USDT", chances.choice(PRICES))
    scene.restart()


def die_again_and_again(make_live: Make, seed: int) -> None:
    scene, chances = make_live(TWO, **PARTS), seeded_random(seed)
    for _ in range(KILLS):
        die_somehow(scene, chances)
    scene.clean_up()  # the next one has the machine for itself


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_kill_at_any_moment_of_trading_live_loses_and_doubles_nothing(
    make_live: Make, seed: int
) -> None:
    die_again_and_again(make_live, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(LIVES, LIVES_LONG))
def test_no_kill_of_five_hundred_loses_or_doubles_anything(make_live: Make, seed: int) -> None:
    die_again_and_again(make_live, seed)
