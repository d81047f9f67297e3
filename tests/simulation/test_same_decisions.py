"""A restart changes no decision: of the process, or of any part of it, wherever it falls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import names
from aegis.domain.lives import Lives
from aegis.store.loading import lives_of
from aegis.store.records import recorded_of, stored_events
from aegis.store.snapshot import snapshot_of
from tests.simulation.candles import SYMBOL, opens_at, walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.decided import Decision, decisions, entries, run_until_quiet_past
from tests.simulation.world import World

CANDLES = 150
PATIENT = "tests.simulation.scripts:Patient"
STRATEGIES = {
    "ema_cross": ("ema_cross", {"fast": 3, "slow": 8}),
    "counts candles since its entry": (PATIENT, {"holds": 7}),
}
KILLS = (37, 61, 62, 90)
"""A start anywhere else would give the averages other values; more deaths a day are given up."""

Hurt = Callable[[World], object]

PARTS: dict[str, Hurt] = {
    "the process": lambda world: world.restart(),
    "the strategy's actor": lambda world: world.kill(names.STRATEGY),
    "the gateway": lambda world: world.kill(names.EXCHANGE_GATEWAY),
    "the feed": lambda world: world.kill(names.MARKET_FEED),
    "the guard": lambda world: world.kill(names.GUARD),
    "the store": lambda world: world.kill(names.POSITION_STORE),
}


@pytest.fixture(params=list(STRATEGIES))
def strategy(request: pytest.FixtureRequest) -> tuple[str, dict[str, int]]:
    return STRATEGIES[request.param]


def made(make_world: MakeWorld, strategy: tuple[str, dict[str, int]], seed: int) -> World:
    name, params = strategy
    world: World = make_world(walk(CANDLES, seed=seed), strategy=name, script=params, seed=seed)
    return world


KNOWN: dict[tuple[str, int], list[Decision]] = {}


def undisturbed(
    make_world: MakeWorld, strategy: tuple[str, dict[str, int]], seed: int
) -> list[Decision]:
    """Return what is decided where nothing ever dies; lived once for all tests."""
    key = (strategy[0], seed)
    if key not in KNOWN:
        KNOWN[key] = decisions(made(make_world, strategy, seed).live())
        assert entries(KNOWN[key]) > 3, KNOWN[key]
    return KNOWN[key]


@pytest.mark.parametrize("part", list(PARTS))
def test_whatever_dies_and_comes_back_decides_as_if_nothing_had_been(
    make_world: MakeWorld, strategy: tuple[str, dict[str, int]], part: str
) -> None:
    expected = undisturbed(make_world, strategy, seed=1)
    world = made(make_world, strategy, seed=1).start()
    for number in KILLS:
        run_until_quiet_past(world, number)
        PARTS[part](world)
    world.run_to_the_end().end()

    assert decisions(world) == expected


@pytest.mark.parametrize("seed", [3, 4])
def test_a_kill_while_a_position_is_held_changes_no_decision(
    make_world: MakeWorld, strategy: tuple[str, dict[str, int]], seed: int
) -> None:
    expected = undisturbed(make_world, strategy, seed)
    world = made(make_world, strategy, seed).start()
    for number in KILLS:
        run_until_quiet_past(world, number)
        world.run_until(lambda: bool(world.positions("OPEN")))
        run_until_quiet_past(world, number)
        world.restart()
    world.run_to_the_end().end()

    assert decisions(world) == expected


@pytest.mark.parametrize("part", [each for each in PARTS if each != "the process"])
def test_a_candle_that_closes_while_a_part_is_dead_decides_when_it_is_back(
    make_world: MakeWorld, strategy: tuple[str, dict[str, int]], part: str
) -> None:
    expected = undisturbed(make_world, strategy, seed=1)
    world = made(make_world, strategy, seed=1).start()
    for decision in expected[2:6]:
        world.run_until_just_before(decision.decided_at)
        PARTS[part](world)
    world.run_to_the_end().end()

    assert decisions(world) == expected


@pytest.mark.parametrize("place", [2, 3], ids=["entry", "exit"])
def test_a_kill_at_any_step_up_to_a_decision_does_not_lose_it(
    make_world: MakeWorld, strategy: tuple[str, dict[str, int]], place: int
) -> None:
    expected = undisturbed(make_world, strategy, seed=1)
    is_decided = False
    for steps in range(40):
        world = made(make_world, strategy, seed=1).start()
        world.run_until_just_before(expected[place].decided_at)
        world.run_steps(steps)
        is_decided = len(decisions(world)) > place
        if is_decided:
            break
        world.restart().run_to_the_end().end()
        assert decisions(world)[: place + 1] == expected[: place + 1]
    assert is_decided, "Expected the sweep to reach the decision"


@pytest.mark.parametrize("part", ["the strategy's actor", "the gateway"])
def test_beats_keep_their_time_over_a_death(make_world: MakeWorld, part: str) -> None:
    def beats(world: World) -> list[int]:
        return sorted(order.intended_at for order in world.evidence().orders.values())

    metronome = ("metronome", {"period_s": 420})
    expected = beats(made(make_world, metronome, seed=1).live())
    world = made(make_world, metronome, seed=1).start()
    for number in KILLS:
        run_until_quiet_past(world, number)
        PARTS[part](world)
    world.run_to_the_end().end()

    assert len(expected) > 10
    assert beats(world) == expected


def test_rows_and_events_tell_the_same_lives(make_world: MakeWorld) -> None:
    """What a restart reads from the rows is what was followed event by event."""
    world = made(make_world, STRATEGIES["ema_cross"], seed=1).live()
    followed = Lives()
    with snapshot_of(world.store_path, "test") as snapshot:
        read = Lives(lives_of(snapshot.db, [SYMBOL]))
        for stored in stored_events(snapshot.db):
            followed.follow(recorded_of(stored))
    closes = [opens_at(number) for number in range(CANDLES + 1)]
    held = [read.held_at(SYMBOL, at) for at in closes]
    assert held == [followed.held_at(SYMBOL, at) for at in closes]
    assert 0 < sum(held) < CANDLES
