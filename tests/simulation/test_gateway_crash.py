"""A gateway that dies takes Reconciler, Guard and Strategy along; the stops come back first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import names
from aegis.dialogue import FetchAccount
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import SPEEDS, MakeWorld
from tests.simulation.faults import UNREADABLE, on
from tests.simulation.world import World

CRASH_AT, STOP_AT, CANDLES = 6, 9, 60
ALWAYS = {"enters": [0], "period": 1}
"""Enters at each close while it holds nothing."""

MARKET = (
    *flat(STOP_AT),
    candle(STOP_AT, "100", "100", "97", "97"),
    *flat(CANDLES - STOP_AT - 1, price="97", first=STOP_AT + 1),
)
OLD, NEW = 1, 2


@pytest.fixture(scope="module", params=list(SPEEDS))
def crashed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Let a gateway die in mid-trade; the account is out of reach until the stop was executed."""
    folder = tmp_path_factory.mktemp(request.param)
    world = World(folder, MARKET, script=ALWAYS, speed=SPEEDS[request.param]).start()
    world.run_until_candle(CRASH_AT)
    assert world.positions("OPEN"), "Expected to crash in mid-trade"
    world.faults = on(FetchAccount, UNREADABLE)
    world.kill(names.EXCHANGE_GATEWAY)
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.faults = lambda _request: None
    world.run_until(lambda: world.has_said("StrategyArmed", generation=NEW))
    world.run_until(lambda: len(world.said("PositionOpened")) > 1)
    world.end()
    yield world
    world.leave()


def test_strategy_goes_down_with_the_gateway(crashed: World) -> None:
    (restart,) = crashed.said("ActorRestarting")

    assert restart.fields["name"] == names.EXCHANGE_GATEWAY
    assert restart.fields["along"] == (names.RECONCILER, names.GUARD, names.STRATEGY)
    assert crashed.has_said("StrategyDisarmed", generation=OLD)


def test_guard_is_back_with_its_position_before_any_reconciliation(crashed: World) -> None:
    opened = crashed.said("PositionOpened")[0]
    started = crashed.place_of("GuardStarted", generation=NEW)
    reconciled = crashed.place_of("ReconciliationCompleted", generation=NEW)

    assert started < reconciled
    assert crashed.lines[started].fields["positions"] == [opened.fields["position"]]


def test_a_stop_that_is_reached_before_arming_is_executed(crashed: World) -> None:
    (closed,) = crashed.said("PositionClosed")
    place = crashed.place_of("PositionClosed")

    assert closed.fields["reason"] == "stop_loss"
    assert place < crashed.place_of("ReconciliationCompleted", generation=NEW)
    assert place < crashed.place_of("StrategyArmed", generation=NEW)


def test_strategy_is_armed_only_after_the_reconciliation_of_its_generation(
    crashed: World,
) -> None:
    reconciled = crashed.place_of("ReconciliationCompleted", generation=NEW)

    assert reconciled < crashed.place_of("StrategyArmed", generation=NEW)


def test_nothing_is_entered_between_the_crash_and_the_arming(crashed: World) -> None:
    first, second = crashed.entries()[:2]
    armed = [int(str(event["event_id"])) for event in crashed.history("StrategyArmed")]

    assert armed[0] < first < armed[1] < second


def test_the_log_is_sound_after_a_gateway_crash(crashed: World) -> None:
    assert crashed.verified().ok


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "victim",
    [
        names.POSITION_STORE,
        names.EXCHANGE_GATEWAY,
        names.RECONCILER,
        names.GUARD,
        names.STRATEGY,
        names.MARKET_FEED,
        names.DIAGNOSTICIAN,
        names.NOTIFIER,
        names.COMMAND_LISTENER,
    ],
)
def test_whoever_dies_trading_goes_on_and_store_and_exchange_are_one(
    make_world: MakeWorld, victim: str, seed: int
) -> None:
    script = {"enters": [1], "leaves": [3], "period": 5}
    world = make_world(flat(40), script=script, seed=seed).start()
    world.run_until_candle(12)
    world.run_for(seed * 13.7)

    world.kill(victim)
    world.run_until_candle(25)
    opened = len(world.said("PositionOpened"))
    world.run_to_the_end().end()

    assert len(world.said("PositionOpened")) > opened
    world.expect_truth()


@pytest.mark.parametrize(
    "victim", [names.POSITION_STORE, names.EXCHANGE_GATEWAY, names.GUARD, names.STRATEGY]
)
def test_whoever_hangs_is_given_up_and_the_stop_is_executed(
    make_world: MakeWorld, victim: str
) -> None:
    market = [*flat(20), candle(20, "100", "100", "97", "97"), *flat(9, price="97", first=21)]
    world = make_world(market, script={"enters": [2]}, can_hang=True).start()
    world.run_until_candle(6)

    world.hang(victim)
    world.run_to_the_end().end()

    assert world.has_said("ActorSilent", name=victim)
    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "stop_loss"
    world.expect_truth()
