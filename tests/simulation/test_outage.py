"""A day on which the channel to people goes wrong in every way: nothing is lost or overtaken."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest

from actors import names
from aegis.domain.delivery import Manners
from aegis.store.snapshot import snapshot_of
from tests.notify.messengers import SMOOTH, Odds, SeededMessenger
from tests.simulation.candles import flat, opens_at
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import World

LENGTH_S = 300
A_DAY = 24
CANDLES = {"market": {"timeframe": "5m"}}
SCRIPT = {"enters": [0], "leaves": [2], "period": 4}
BAD = Odds(asked_to_wait=0.2, no_answer=0.2, hang=0.2, lost_answer=0.2)
ONE_BY_ONE = Manners(deadline_s=10, interval_s=1)
AS_MANY_AS_FIT = Manners(deadline_s=10, interval_s=1, length_max=4096, gather_from=4, page_max=100)


def owed(world: World, channel: str) -> list[tuple[int, str, str]]:
    """Return event, text and state of every notice for a channel, in order."""
    with snapshot_of(world.store_path, "look") as snapshot:
        rows = snapshot.db.execute(
            "SELECT event_id, text, state FROM notifications WHERE channel = ? ORDER BY event_id",
            (channel,),
        )
        return [(int(str(event)), str(text), str(state)) for event, text, state in rows]


def expect_all_in_order(world: World, line: SeededMessenger) -> None:
    """Expect each notice to have arrived, first tellings in order, doubled only where allowed."""
    rows = owed(world, line.channel)
    assert len(rows) > 20
    assert {state for _, _, state in rows} == {"sent"}
    events = [letter.event_id for letter in line.arrived]
    first = list(dict.fromkeys(events))
    assert all(before < after for before, after in pairwise(first))
    lost = Counter(letter.event_id for letter in line.lost_answers)
    assert all(count <= 1 + lost[event] for event, count in Counter(events).items())
    assert set(events) == {event for event, _, _ in rows}


def candles_in(hours: int) -> int:
    return hours * 3600 // LENGTH_S


def world_with(make_world: MakeWorld, line: SeededMessenger, hours: int, seed: int = 1) -> World:
    candles = flat(candles_in(hours) + 20, length_s=LENGTH_S)
    return make_world(candles, script=SCRIPT, messengers=[line], settings=CANDLES, seed=seed)


def live_through(world: World, line: SeededMessenger, hours: int) -> None:
    """Live through the hours in which the line is bad, and well past them."""
    world.start()
    world.run_until(lambda: world.now() >= opens_at(candles_in(hours), LENGTH_S))
    be_well_again(world, line)


def be_well_again(world: World, line: SeededMessenger) -> None:
    """Go through the rest of the market, and the time that the last notices may take."""
    line.odds = SMOOTH
    world.run_until(lambda: world.system.is_market_ended)
    world.run_for(3600)
    world.end()


def opened_in(world: World) -> list[str]:
    """Return the minutes in which positions opened."""
    return [str(line.fields["at"])[:16] for line in world.said("PositionOpened")]


def has_tried_more(line: SeededMessenger, than: int) -> bool:
    return line.tries > than


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))]
)
def test_a_day_of_trouble_loses_and_overtakes_nothing(make_world: MakeWorld, seed: int) -> None:
    line = SeededMessenger(seed, BAD, manners=ONE_BY_ONE)
    world = world_with(make_world, line, A_DAY, seed)
    live_through(world, line, A_DAY)

    assert line.tries > 1.5 * len(owed(world, line.channel))
    assert line.lost_answers
    expect_all_in_order(world, line)


@pytest.mark.parametrize("hours", [3, pytest.param(A_DAY, marks=pytest.mark.long)])
def test_hours_of_silence_are_made_good_in_a_few_letters(make_world: MakeWorld, hours: int) -> None:
    line = SeededMessenger(1, Odds(no_answer=1.0), manners=AS_MANY_AS_FIT)
    world = world_with(make_world, line, hours)
    live_through(world, line, hours)

    rows = owed(world, line.channel)
    assert {state for _, _, state in rows} == {"sent"}
    batches = [letter for letter in line.arrived if "that waited:" in letter.text]
    assert 1 <= len(batches) <= 1 + len(rows) / 30
    told = [each for letter in line.arrived for each in letter.text.splitlines()]
    of_batches = [each for each in told if each.startswith("2024-")]
    assert of_batches == sorted(of_batches)
    said = [each.partition("[PAPER] ")[2] for each in told if "that waited:" not in each]
    assert [text.partition("[PAPER] ")[2] for _, text, _ in rows] == said
    assert line.tries < hours * 60 + 100
    assert len(world.said("NotifyFailed")) <= hours + 2
    assert len(world.said("NotifyRecovered")) == 1


def test_nothing_is_lost_when_the_process_is_killed_again_and_again(
    make_world: MakeWorld,
) -> None:
    line = SeededMessenger(5, BAD, manners=ONE_BY_ONE)
    world = make_world(flat(160), script=SCRIPT, messengers=[line]).start()
    for candle in range(10, 130, 10):
        world.run_until_candle(candle)
        world.restart()
    be_well_again(world, line)

    rows = owed(world, line.channel)
    assert {state for _, _, state in rows} == {"sent"}
    first = list(dict.fromkeys(letter.event_id for letter in line.arrived))
    assert first == [event for event, _, _ in rows]


@pytest.mark.parametrize("victim", [names.NOTIFIER, names.POSITION_STORE])
def test_nothing_is_lost_when_somebody_dies_meanwhile(make_world: MakeWorld, victim: str) -> None:
    line = SeededMessenger(6, Odds(no_answer=0.3, lost_answer=0.1), manners=ONE_BY_ONE)
    world = make_world(flat(100), script=SCRIPT, messengers=[line]).start()
    for candle in (20, 40, 60, 80):
        world.run_until_candle(candle)
        tries = line.tries
        world.run_until(partial(has_tried_more, line, tries))
        world.kill(victim)
    be_well_again(world, line)

    rows = owed(world, line.channel)
    assert {state for _, _, state in rows} == {"sent"}
    first = list(dict.fromkeys(letter.event_id for letter in line.arrived))
    assert first == [event for event, _, _ in rows]


def test_a_dead_channel_keeps_neither_the_log_nor_the_trading_back(make_world: MakeWorld) -> None:
    dead = SeededMessenger(1, Odds(hang=1.0), channel="dead")
    without = make_world(flat(60), script=SCRIPT).live()
    world = make_world(flat(60), script=SCRIPT, messengers=[dead]).live()

    assert opened_in(world) == opened_in(without)
    assert {state for _, _, state in owed(world, "log")} == {"sent"}
    assert {state for _, _, state in owed(world, "dead")} == {"pending"}


def test_a_channel_taken_out_of_the_settings_is_given_up_visibly(make_world: MakeWorld) -> None:
    dead = SeededMessenger(1, Odds(no_answer=1.0), channel="dead")
    world = make_world(flat(60), script=SCRIPT, messengers=[dead]).start()
    world.run_until_candle(30)
    world.drop()
    waiting = len(owed(world, "dead"))
    world.messengers = world.messengers[:1]
    world.start().run_to_the_end().end()

    assert waiting > 2
    assert {state for _, _, state in owed(world, "dead")} == {"given_up"}
    (line,) = world.said("NoticesGivenUp")
    assert line.fields == {"level": "warning", "channel": "dead", "notices": waiting}
