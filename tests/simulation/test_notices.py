"""Each thing that people must hear of is told, marked, and told again rather than lost."""

from __future__ import annotations

from functools import partial

import pytest

from actors import names
from aegis.store.snapshot import snapshot_of
from tests.simulation.candles import flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import World

BUSY = {"enters": [0], "leaves": [2], "period": 4}


def outbox(world: World) -> list[tuple[int, str]]:
    """Return event and state of each notice."""
    with snapshot_of(world.store_path, "look") as snapshot:
        rows = snapshot.db.execute("SELECT event_id, state FROM notifications ORDER BY event_id")
        return [(int(str(event_id)), str(state)) for event_id, state in rows]


def told(world: World) -> list[int]:
    return [int(line.fields["event_id"]) for line in world.said("Notified")]


def test_every_opening_and_closing_is_told_once_and_marked(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=BUSY).live()

    assert len(world.said("PositionOpened")) > 3
    assert told(world) == [event_id for event_id, _ in outbox(world)]
    assert {state for _, state in outbox(world)} == {"sent"}
    assert len(told(world)) == 1 + len(world.said("PositionOpened", "PositionClosed"))
    texts = [str(line.fields["text"]) for line in world.said("Notified")]
    runs = f"paper, replay, BTC/USDT, {world.config.strategy.name}"
    assert texts[0] == f"[PAPER] AEGIS started: {runs}; 0 positions open"
    assert any(" %), strategy" in text for text in texts)
    assert all(text.startswith("[PAPER] ") for text in texts)


def test_a_part_that_starts_again_is_not_told_as_a_start(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=BUSY).start()
    for candle, victim in ((5, names.EXCHANGE_GATEWAY), (10, names.STRATEGY)):
        world.run_until_candle(candle)
        world.kill(victim)
    world.run_to_the_end().end()

    assert len([line for line in world.said("Notified") if "started" in line.fields["text"]]) == 1


def test_each_start_of_the_process_is_told(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=BUSY).start()
    world.run_until_candle(10)
    world.restart().run_to_the_end().end()

    assert len([line for line in world.said("Notified") if "started" in line.fields["text"]]) == 2


@pytest.mark.parametrize("victim", [names.NOTIFIER, names.POSITION_STORE])
def test_no_notice_is_lost_when_somebody_dies(make_world: MakeWorld, victim: str) -> None:
    world = make_world(flat(40), script=BUSY).start()
    for candle in (6, 11, 17, 22):
        world.run_until_candle(candle)
        heard = len(world.said("PositionOpened", "PositionClosed"))
        world.run_until(partial(has_heard_more, world, heard))
        world.kill(victim)
    world.run_to_the_end().end()

    assert set(told(world)) == {event_id for event_id, _ in outbox(world)}
    assert {state for _, state in outbox(world)} == {"sent"}


def test_no_notice_is_lost_over_kills(make_world: MakeWorld) -> None:
    world = make_world(flat(40), script=BUSY).start()
    for steps in range(5, 65, 7):
        world.run_until(lambda: bool(pending(world)) or world.system.is_market_ended)
        world.run_steps(steps)
        world.restart()
    world.run_to_the_end().end()

    assert set(told(world)) == {event_id for event_id, _ in outbox(world)}
    assert {state for _, state in outbox(world)} == {"sent"}


def has_heard_more(world: World, than: int) -> bool:
    return len(world.said("PositionOpened", "PositionClosed")) > than


def pending(world: World) -> list[int]:
    return [event_id for event_id, state in outbox(world) if state == "pending"]
