"""Each policy on each course of the price, and what was missed while nobody looked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from actors import names
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.order import Role
from tests.simulation.candles import MINUTE_S, candle, closes, flat, opens_at
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, Settings, World, merged

ENTRY = {"enters": [2]}
QUARTER_NS = MINUTE_S // 4 * NANOS_PER_SECOND

COURSES: dict[str, list[Candle]] = {
    "falls": closes(["100"] * 5 + ["97", "97", "97"]),
    "rises": closes(["100"] * 5 + ["105", "105", "105"]),
    "rises a little and falls back": closes(["100"] * 5 + ["103", "100.5", "100.5", "100.5"]),
    "goes nowhere": flat(9),
}

EXPECTED = {
    "both": ((2, 4, 0), ["stop_loss", "take_profit", None, None]),
    "stop alone": ((2, 0, 0), ["stop_loss", None, None, None]),
    "target alone": ((0, 4, 0), [None, "take_profit", None, None]),
    "trailing alone": ((0, 0, 2), ["stop_loss", None, "trailing_stop", None]),
    "all three": ((2, 4, 2), ["stop_loss", "take_profit", "trailing_stop", None]),
    "stop nearer than trailing": ((1, 0, 2), ["stop_loss", None, "trailing_stop", None]),
    "none": ((0, 0, 0), [None, None, None, None]),
}


def policy(stop: object, target: object, trailing: object) -> Settings:
    percents = {"stop_loss_pct": stop, "take_profit_pct": target, "trailing_stop_pct": trailing}
    return merged(FREE, {"risk": percents})


TRAILING = policy(0, 0, 2)
STOP = policy(2, 0, 0)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_policy_leaves_where_it_says_and_nowhere_else(make_world: MakeWorld, name: str) -> None:
    percents, expected = EXPECTED[name]
    found = []
    for course in COURSES.values():
        world = make_world(course, script=ENTRY, settings=policy(*percents)).live()
        found.append(next((line.fields["reason"] for line in world.said("PositionClosed")), None))

    assert found == expected


def stop_of(world: World) -> Decimal:
    (position,) = world.positions()
    return Decimal(str(position["stop_price"]))


def exits(world: World) -> list[int]:
    """Return when each exit was intended."""
    orders = world.evidence().orders.values()
    return sorted(order.intended_at for order in orders if order.role is Role.EXIT)


@pytest.mark.parametrize("speed_of_fall", ["98", "95", "80"])
def test_an_exit_is_intended_on_the_very_tick_that_crosses(
    make_world: MakeWorld, speed_of_fall: str
) -> None:
    fall = candle(6, "100", "100", speed_of_fall, speed_of_fall)
    market = [*flat(6), fall, *flat(5, price=speed_of_fall, first=7)]
    world = make_world(market, script=ENTRY, settings=STOP).live()

    assert exits(world) == [opens_at(6) + QUARTER_NS]


def test_a_crash_of_a_quarter_leaves_at_the_second_tick(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "75", "75", "74", "74"), *flat(5, price="74", first=7)]
    world = make_world(market, script=ENTRY, settings=STOP).live()

    assert exits(world) == [opens_at(6) + QUARTER_NS]
    assert len(world.said("TickRefused")) == 1


def test_a_crash_that_goes_on_is_not_doubted_for_ever(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "75", "75", "36", "36"), *flat(5, price="36", first=7)]
    world = make_world(market, script=ENTRY, settings=STOP).live()

    assert exits(world) == [opens_at(6) + QUARTER_NS]


def test_an_exit_says_how_far_beyond_its_level_the_price_was(make_world: MakeWorld) -> None:
    market = [*flat(10), *flat(10, price="90", first=10)]
    world = make_world(market, script=ENTRY, settings=STOP).start()
    world.run_until_just_before(opens_at(10))
    world.restart()
    world.run_to_the_end()

    (exit_,) = world.said("ExitTriggered")
    assert (exit_.fields["trigger_price"], exit_.fields["gap"]) == (98, 8)


# What was missed --------------------------------------------------------------------------

PEAK = 6
PEAKED = [
    *flat(PEAK),
    candle(PEAK, "100", "110", "100", "109"),
    *flat(5, price="109", first=PEAK + 1),
]
"""The high of 110 is a tick of its own, half a minute into the candle."""

Miss = Callable[[World], object]

MISSES: dict[str, tuple[int, Miss]] = {
    "the feed at the high": (
        opens_at(PEAK) + 2 * QUARTER_NS, lambda world: world.kill(names.MARKET_FEED)
    ),
    "the guard at the high": (
        opens_at(PEAK) + 2 * QUARTER_NS, lambda world: world.kill(names.GUARD)
    ),
    "the guard at the close": (opens_at(PEAK + 1), lambda world: world.kill(names.GUARD)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MISSES))
def test_a_trailing_stop_is_raised_along_a_high_that_was_missed(
    make_world: MakeWorld, name: str
) -> None:
    instant, miss = MISSES[name]
    world = make_world(PEAKED, script=ENTRY, settings=TRAILING).start()
    world.run_until_just_before(instant)
    miss(world)
    world.run_to_the_end().end()

    assert stop_of(world) == Decimal("107.8")


def test_a_candle_that_a_dead_feed_missed_whole_raises_the_stop(make_world: MakeWorld) -> None:
    """Each of its five pieces of news finds the feed dead."""
    world = make_world(PEAKED, script=ENTRY, settings=TRAILING).start()
    for step in range(5):
        world.run_until_just_before(opens_at(PEAK) + step * QUARTER_NS)
        world.kill(names.MARKET_FEED)
    world.run_until(lambda: stop_of(world) > 100)

    assert stop_of(world) == Decimal("107.8")
    assert world.now() < opens_at(PEAK + 1) + NANOS_PER_SECOND


def test_a_high_before_the_entry_raises_nothing(make_world: MakeWorld) -> None:
    market = [*flat(2), candle(2, "100", "150", "100", "100"), *flat(8, first=3)]
    world = make_world(market, script=ENTRY, settings=TRAILING).start()
    world.run_until_candle(5)
    world.kill(names.GUARD)
    world.run_to_the_end().end()

    assert stop_of(world) == Decimal(98)


def test_a_price_below_the_stop_that_was_missed_is_left_at_once(make_world: MakeWorld) -> None:
    """The stop goes to 107.8 along the missed high; the next price, 105, is beyond it."""
    market = [*PEAKED[: PEAK + 1], *flat(5, price="105", first=PEAK + 1)]
    world = make_world(market, script=ENTRY, settings=TRAILING).start()
    for step in range(2, 5):
        world.run_until_just_before(opens_at(PEAK) + step * QUARTER_NS)
        world.kill(names.MARKET_FEED)
    world.run_to_the_end().end()

    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "trailing_stop"
    assert exits(world)[0] <= opens_at(PEAK + 1) + QUARTER_NS
