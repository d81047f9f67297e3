"""Faults at random, over many seeds: what may never be, never is, and all comes to rest as one."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from actors import names
from aegis.domain.events import OrderFilled
from aegis.domain.ids import EventId, PositionId
from aegis.domain.money import ZERO, minus, plus
from aegis.domain.order import UNSETTLED, Side
from tests.crash.evidence import records_since, unlawful
from tests.simulation.candles import walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.faults import at_random
from tests.simulation.world import World

SEEDS, SEEDS_LONG = range(10), range(10, 400)
FAULTY_CANDLES, CANDLES = 40, 55
RATES = (0.02, 0.1, 0.3, 0.6)
VICTIMS = (
    names.POSITION_STORE,
    names.EXCHANGE_GATEWAY,
    names.RECONCILER,
    names.GUARD,
    names.STRATEGY,
    names.MARKET_FEED,
)
SETTINGS = {
    "risk": {"stop_loss_pct": 1, "take_profit_pct": 1, "trailing_stop_pct": 0},
    "supervisor": {"restarts_max": 50},
}
SCRIPT = {"enters": [0, 2], "leaves": [4], "period": 6}


def test_no_seed_sells_twice_or_loses_an_order(make_world: MakeWorld) -> None:
    for seed in SEEDS:
        expect_truth_of(make_world, seed)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_seed_of_many_sells_twice_or_loses_an_order(make_world: MakeWorld) -> None:
    for seed in SEEDS_LONG:
        expect_truth_of(make_world, seed)


def expect_truth_of(make_world: MakeWorld, seed: int) -> None:
    world = stormy_life(make_world, seed)
    for expect in (expect_everything_settled, expect_nothing_oversold, World.expect_truth):
        try:
            expect(world)
        except AssertionError as failure:
            raise AssertionError(f"Seed {seed}, {expect.__name__}: {failure}") from failure


def stormy_life(make_world: MakeWorld, seed: int) -> World:
    """Live through faults, deaths and kills at random, then through some quiet candles."""
    chance = random.Random(seed)
    fee = chance.choice(["quote", "received"])
    world = make_world(
        walk(CANDLES, seed=seed),
        script=SCRIPT,
        settings={**SETTINGS, "paper": {"fee_currency": fee, "volume_share_max": Decimal("0.001")}},
        faults=at_random(seed, rate=chance.choice(RATES)),
        seed=seed,
    ).start()
    for candle in sorted(chance.sample(range(2, FAULTY_CANDLES), 4)):
        world.run_until_candle(candle)
        world.run_for(chance.random() * 60)
        if chance.random() < 0.4:
            world.restart()
        else:
            world.kill(chance.choice(VICTIMS))
        evidence = world.evidence()
        assert not unlawful(evidence, world.ledger()), f"Seed {seed} at candle {candle}"
    world.run_until_candle(FAULTY_CANDLES)
    world.faults = lambda _request: None
    world.run_to_the_end().end()
    return world


def expect_everything_settled(world: World) -> None:
    left = [order for order in world.evidence().orders.values() if order.state in UNSETTLED]
    assert not left, f"Expected every outcome to be known, was {left}"


def expect_nothing_oversold(world: World) -> None:
    """Walk through all fills in their order: no position is ever below zero."""
    held: dict[PositionId, Decimal] = {}
    for recorded in records_since(world.store_path, EventId(0)):
        event = recorded.event
        if not isinstance(event, OrderFilled):
            continue
        position, change = recorded.position_id, plus if event.side is Side.BUY else minus
        held[position] = change(held.get(position, ZERO), event.fill.amount)
        assert held[position] >= ZERO, recorded
