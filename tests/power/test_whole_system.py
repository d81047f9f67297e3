"""The whole of AEGIS over a disk that fails: what it did at the exchange is what its store says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import aegis.store.inspection
import aegis.store.reserve
from aegis.domain.order import Side
from aegis.store.reserve import is_reserved
from tests.power.faults import FULL, Plan, refusing
from tests.simulation.candles import flat, walk
from tests.simulation.conftest import MakeWorld, make_world
from tests.simulation.test_self_healing import started_anew
from tests.simulation.world import FREE, World

__all__ = ["make_world"]

SEEDS, SEEDS_LONG = range(3), range(3, 200)
FAULTY_CANDLES, CANDLES = 30, 45
RATES = (0.0005, 0.002, 0.01)
SCRIPT = {"enters": [0, 2], "leaves": [4], "period": 6}
PAGE_BYTES = 4096
PATIENT = {"supervisor": {"restarts_max": 1000}}


@pytest.fixture
def plan() -> Iterator[Plan]:
    with refusing() as made:
        yield made


def stormy_life(make_world: MakeWorld, plan: Plan, seed: int) -> World:
    """Live while each call to the disk fails now and then, and on until all is at rest."""
    chance, rate = Random(seed), RATES[seed % len(RATES)]
    world = make_world(walk(CANDLES, seed=seed), script=SCRIPT, settings=PATIENT, seed=seed)
    world.start()
    plan.fail_while(lambda: chance.random() < rate)
    world.run_until_candle(FAULTY_CANDLES)
    plan.relent()
    world.run_to_the_end().end()
    return world


def test_a_disk_that_fails_now_and_then_costs_no_order_and_doubles_none(
    make_world: MakeWorld, plan: Plan
) -> None:
    died = 0
    for seed in SEEDS:
        world = stormy_life(make_world, plan, seed)
        world.expect_truth()
        died += len(world.said("ActorDied"))
    assert died >= len(SEEDS)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_disk_that_fails_in_many_ways_costs_no_order_and_doubles_none(
    make_world: MakeWorld, plan: Plan
) -> None:
    for seed in SEEDS_LONG:
        stormy_life(make_world, plan, seed).expect_truth()


def test_a_disk_that_fails_for_good_ends_with_70_and_the_next_start_guards(
    make_world: MakeWorld, plan: Plan
) -> None:
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = make_world(market, script={"enters": [2, 8]}, settings=FREE).start()
    world.run_until_candle(6)
    plan.fail_while(lambda: True)
    world.run_until(lambda: not world.system.verdicts.empty())
    assert world.system.verdicts.get_nowait().exit_code == 70
    assert len(world.ledger().orders) == 1

    plan.relent()
    world.restart().run_to_the_end()
    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.end()
    world.expect_truth()


def test_a_position_is_left_on_a_full_disk(
    make_world: MakeWorld, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from here on, but for what the reserve takes."""
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = make_world(market, script={"enters": [2, 8]}, settings=FREE).start()
    world.run_until_candle(6)
    fill_disk(plan, world.store_path, monkeypatch)
    world.run_to_the_end()

    assert world.has_said("TradingStateChanged", state="REDUCING", cause="disk")
    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.end()
    world.expect_truth()


def test_pages_that_turn_bad_under_it_halt_entries_and_stops_go_on(make_world: MakeWorld) -> None:
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = make_world(market, script={"enters": [2, 10]}, settings=FREE).start()
    world.run_until_candle(6)
    started_anew(world)
    spoil(world.store_path)
    assert not world.say("diagnose").is_done
    world.run_to_the_end()

    assert world.has_said("TradingStateChanged", state="REDUCING", cause="store")
    assert world.bought() == 1
    assert [order.side for order in world.ledger().orders] == [Side.BUY, Side.SELL]


def spoil(store: Path) -> None:
    """Turn a bit in each page but the first, as a disk does; nobody else has locks to lose."""
    data = bytearray(store.read_bytes())
    for page in range(PAGE_BYTES, len(data), PAGE_BYTES):
        data[page + 100] ^= 1
    store.write_bytes(data)


def fill_disk(plan: Plan, store: Path, patch: pytest.MonkeyPatch) -> None:
    """Let no write find room, as long as the reserve is there."""
    plan.fail_while(lambda: is_reserved(store), FULL)
    for module in (aegis.store.reserve, aegis.store.inspection):
        patch.setattr(module, "free_bytes", lambda _store: 0)
