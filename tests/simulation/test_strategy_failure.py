"""A strategy that keeps failing ends in: entries halted, positions guarded. Never in an exit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import names
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import SPEEDS, MakeWorld
from tests.simulation.world import World

RAISES_FROM, STOP_AT, CANDLES = 4, 30, 33
RESTARTS_MAX = 5

MARKET = (
    *flat(STOP_AT),
    candle(STOP_AT, "100", "100", "97", "97"),
    *flat(CANDLES - STOP_AT - 1, price="97", first=STOP_AT + 1),
)
BROKEN = {"enters": [1], "raises_from": RAISES_FROM}
PATIENT = {"supervisor": {"window_s": 3600, "restarts_max": RESTARTS_MAX}}


@pytest.fixture(scope="module", params=list(SPEEDS))
def broken(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Let a strategy enter once, and then raise at each candle until it is given up."""
    folder = tmp_path_factory.mktemp(request.param)
    speed = SPEEDS[request.param]
    world = World(folder, MARKET, script=BROKEN, settings=PATIENT, speed=speed)
    world.start().run_to_the_end()
    verdict = world.end()
    world.log("Ended", exit_code=verdict.exit_code)
    yield world
    world.leave()


def test_each_failure_is_counted_and_restarted_until_patience_ends(broken: World) -> None:
    restarts = [
        line.fields["restarts"]
        for line in broken.said("ActorRestarting")
        if line.fields["name"] == names.STRATEGY
    ]

    assert restarts == list(range(1, RESTARTS_MAX + 1))


def test_whoever_watches_from_outside_sees_it_given_up_and_the_work_go_on(broken: World) -> None:
    pulse = broken.system.pulse

    assert pulse.is_abandoned
    assert pulse.cycles > CANDLES


def test_a_strategy_given_up_leaves_entries_halted_by_cause(broken: World) -> None:
    account = broken.status().account

    assert (account.trading_state, account.cause) == ("REDUCING", "strategy")
    assert broken.has_said("StrategyAbandoned")


def test_a_stop_fires_while_the_strategy_is_dead(broken: World) -> None:
    (closed,) = broken.said("PositionClosed")

    assert closed.fields["reason"] == "stop_loss"
    assert broken.place_of("StrategyAbandoned") < broken.place_of("PositionClosed")


def test_a_strategy_given_up_does_not_end_the_process(broken: World) -> None:
    assert broken.has_said("Ended", exit_code=0)
    assert not broken.said("SupervisorGaveUp")


def test_a_strategy_that_raises_once_trades_on(make_world: MakeWorld) -> None:
    script = {"enters": [1, 9], "leaves": [3], "raises": [6]}
    world = make_world(flat(20), script=script).live()

    assert len(world.said("PositionOpened")) == 2
    assert world.status().account.trading_state == "ACTIVE"
    world.expect_truth()


def test_a_replay_gives_a_strategy_up_that_fails_again_and_again(make_world: MakeWorld) -> None:
    script = {"raises": list(range(10, 400, 50))}
    world = make_world(flat(400), script=script).live()

    assert world.has_said("StrategyAbandoned")


def test_a_word_that_is_no_signal_is_a_failure_of_the_strategy(make_world: MakeWorld) -> None:
    strategy = "tests.simulation.scripts:Mumbling"
    world = make_world(flat(5), strategy=strategy, script={}).live()

    deaths = [line.fields["error"] for line in world.said("ActorDied")]
    assert deaths
    assert all('Expected "enter"' in death for death in deaths)


def test_a_resume_after_a_restart_lets_the_mended_strategy_trade(make_world: MakeWorld) -> None:
    script = {"enters": [1, 45, 50], "raises_from": RAISES_FROM}
    world = make_world(flat(60), script=script, settings=PATIENT).start()
    world.run_until(lambda: world.has_said("StrategyAbandoned"))
    world.run_until_candle(30)
    params = {"enters": (45, 50), "leaves": (40,)}
    strategy = world.config.strategy.model_copy(update={"params": params})
    world.config = world.config.model_copy(update={"strategy": strategy})
    world.restart()
    world.run_until_candle(46)
    assert len(world.said("PositionOpened")) == 1

    assert world.say("resume").is_done
    world.run_until_candle(52)

    assert len(world.said("PositionOpened")) == 2
