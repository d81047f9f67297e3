"""Live: what a person asks of a stopped AEGIS looks at the account, and sends it nothing.

But for `flatten`, whatever the books, a setting changed since, or a price would have asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.control import Ask
from supervisors.outing import errand_of
from tests.exchange_server.faults import Fault
from tests.live.account import AccountWorld
from tests.live.world import ORDERS
from tests.simulation.world import Settings

STOPS: Settings = {"risk": {"stop_loss_pct": 2, "take_profit_pct": 0, "exchange_stop": "off"}}
DISASTER: Settings = {"risk": {**STOPS["risk"], "exchange_stop": "disaster"}}
BELOW_OUR_STOP = "38900"

Scene = Callable[[Path], AccountWorld]


def beyond_its_stop(folder: Path) -> AccountWorld:
    world = killed(folder, STOPS)
    world.price(BELOW_OUR_STOP)
    return world


def a_stop_at_the_exchange_turned_on_since(folder: Path) -> AccountWorld:
    world = killed(folder, STOPS)
    world.configure(DISASTER)
    return world


def a_stop_at_the_exchange_turned_off_since(folder: Path) -> AccountWorld:
    world = killed(folder, DISASTER)
    world.configure(STOPS)
    return world


def a_restored_store(folder: Path) -> AccountWorld:
    world = killed(folder, STOPS)
    kept = world.keep_copy()
    world.start()
    world.price(BELOW_OUR_STOP)
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.drop()
    world.owner("deposit", coin="BTC", quantity="0.5")
    world.restore(kept)
    return world


def an_entry_out_of_sight(folder: Path) -> AccountWorld:
    world = AccountWorld(folder, settings=STOPS)
    world.fault(Fault.DROP_BEFORE, ORDERS)
    world.start().run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    world.drop()
    world.faults()
    return world


def an_entry_that_rests(folder: Path) -> AccountWorld:
    world = AccountWorld(folder, settings=STOPS, matching="by_hand")
    world.start().run_until(lambda: world.has_said("OrderAccepted"))
    assert world.say("halt").is_done
    world.drop()
    return world


def killed(folder: Path, settings: Settings) -> AccountWorld:
    """Return a world that holds a position, and whose AEGIS was killed."""
    world = AccountWorld(folder, settings=settings).hold()
    world.run_for(10)
    world.drop()
    return world


def changing(world: AccountWorld) -> list[str]:
    """Return the requests that would change something at the exchange."""
    endpoints = [each.endpoint for each in world.requests()]
    return [each for each in endpoints if "create" in each or "cancel" in each]


@pytest.mark.parametrize(
    "scene",
    [
        beyond_its_stop,
        a_stop_at_the_exchange_turned_on_since,
        a_stop_at_the_exchange_turned_off_since,
        a_restored_store,
        an_entry_out_of_sight,
        an_entry_that_rests,
    ],
    ids=lambda scene: scene.__name__,
)
@pytest.mark.parametrize("is_dry_run", [False, True], ids=["", "dry run"])
def test_who_asks_what_there_is_sends_no_order_and_no_cancel(
    tmp_path: Path, scene: Scene, *, is_dry_run: bool
) -> None:
    with scene(tmp_path) as world:
        sent = changing(world)
        for command in ("reconcile", "diagnose", "reconcile"):
            world.errand(Ask(command=command, is_dry_run=is_dry_run))
        assert changing(world) == sent


@pytest.mark.parametrize("is_dry_run", [False, True])
@pytest.mark.parametrize("command", ["reconcile", "diagnose", "recover"])
def test_an_errand_that_is_to_sell_nothing_is_not_for_trading(
    command: str, *, is_dry_run: bool
) -> None:
    assert not errand_of(Ask(command=command, is_dry_run=is_dry_run)).is_trading
