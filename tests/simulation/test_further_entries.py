"""Adding to a position: the same position, the same stop, and one way out for all of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors import names
from aegis.domain.ids import Coin
from aegis.domain.order import Role
from aegis.store.reading import View
from tests.simulation.candles import candle, closes, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, Settings, World, merged

THREE: Settings = {"risk": {"entries_per_position_max": 3, "take_profit_pct": 0}}
ADDING = {"enters": [2], "adds": [5, 8]}
STOP_AT = 12

RISING = [
    *flat(5),
    *flat(3, price="101", first=5),
    *flat(4, price="102", first=8),
    candle(STOP_AT, "102", "102", "96", "96"),
    *flat(8, price="96", first=STOP_AT + 1),
]
"""Three entries, decided at 100, 101 and 102; the stop stands at 98, 2 % below the first."""


def the_closed(world: World) -> View:
    (position,) = world.positions("CLOSED")
    return position


def amount(world: World, side: str) -> Decimal:
    """Return how much was traded on a side."""
    return sum((t.amount for t in world.ledger().trades if t.side == side), Decimal(0))


def entries(world: World) -> list[tuple[Decimal, str]]:
    orders = [each for each in world.evidence().orders.values() if each.role is Role.ENTRY]
    return [(each.filled, each.state) for each in sorted(orders, key=lambda o: o.intended_at)]


def test_three_entries_are_one_position(make_world: MakeWorld) -> None:
    world = make_world(RISING, script=ADDING, settings=merged(FREE, THREE)).start()
    world.run_until_candle(STOP_AT - 1)

    (position,) = world.positions("OPEN")
    amounts = [filled for filled, _ in entries(world)]
    assert len(amounts) == 3
    assert Decimal(str(position["amount"])) == sum(amounts)


def test_a_stop_takes_all_of_it_out_where_the_first_entry_put_it(make_world: MakeWorld) -> None:
    world = make_world(RISING, script=ADDING, settings=merged(FREE, THREE)).live()

    (sale,) = (trade for trade in world.ledger().trades if trade.side == "sell")
    assert sale.price == Decimal(98)
    assert sale.amount == sum(filled for filled, _ in entries(world))
    assert the_closed(world)["notes"] == "stop_loss"
    world.expect_truth()


def test_its_result_is_what_came_in_less_what_went_out(make_world: MakeWorld) -> None:
    world = make_world(RISING, script=ADDING, settings=THREE).live()

    came = went = Decimal(0)
    for trade in world.ledger().trades:
        cost = trade.amount * trade.price
        came += cost if trade.side == "sell" else 0
        went += trade.fee + (cost if trade.side == "buy" else 0)
    assert Decimal(str(the_closed(world)["pnl"])) == came - went
    assert world.ledger().balances[Coin("USDT")] == 10_000 + came - went
    world.expect_truth()


def test_an_entry_below_the_first_does_not_lower_the_stop(make_world: MakeWorld) -> None:
    market = [*flat(5), *flat(6, price="99", first=5), *closes(["99", "97.9", "97.9"], first=11)]
    world = make_world(market, script=ADDING, settings=merged(FREE, THREE)).live()

    (sale,) = (trade for trade in world.ledger().trades if trade.side == "sell")
    assert sale.price == Decimal(98)


def test_the_target_stays_where_the_first_entry_put_it(make_world: MakeWorld) -> None:
    market = [*RISING[:STOP_AT], *closes(["102", "104", "104"], first=STOP_AT)]
    settings = merged(FREE, THREE, {"risk": {"take_profit_pct": 4}})
    world = make_world(market, script=ADDING, settings=settings).live()

    closed = the_closed(world)
    assert (closed["notes"], closed["take_profit_price"]) == ("take_profit", "104")


def test_a_trailing_stop_that_was_raised_stays_raised(make_world: MakeWorld) -> None:
    market = [*closes(["100"] * 4 + ["110"]), *flat(6, price="109", first=5)]
    settings = merged(FREE, THREE, {"risk": {"stop_loss_pct": 0, "trailing_stop_pct": 2}})
    world = make_world(market, script=ADDING, settings=settings).live()

    (position,) = world.positions("OPEN")
    assert len(entries(world)) == 3
    assert Decimal(str(position["stop_price"])) == Decimal("107.8")


def test_a_stop_that_was_never_raised_is_no_trailing_stop(make_world: MakeWorld) -> None:
    """The mean of the entries lies below the first one; the stop is still the first one's."""
    market = [*flat(5), *flat(6, price="99", first=5), *closes(["99", "97.9", "97.9"], first=11)]
    settings = merged(FREE, THREE, {"risk": {"trailing_stop_pct": 2}})
    world = make_world(market, script=ADDING, settings=settings).live()

    assert the_closed(world)["notes"] == "stop_loss"


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2)])
def test_at_the_maximum_nothing_happens_and_nothing_is_said(
    make_world: MakeWorld, most: int, count: int
) -> None:
    settings = merged(FREE, THREE, {"risk": {"entries_per_position_max": most}})
    world = make_world(RISING, script=ADDING, settings=settings).live()

    assert len(entries(world)) == count
    assert not world.said("EntryRefused", "IntentRefused", "OrderRejected")


def test_nothing_is_added_while_an_entry_still_fills(make_world: MakeWorld) -> None:
    thin: Settings = {"paper": {"volume_share_max": Decimal("0.0002")}}
    settings = merged(FREE, THREE, thin)
    world = make_world(flat(60), script={"enters": [2], "adds": [3]}, settings=settings).live()

    ((filled, state),) = entries(world)
    assert state == "FILLED"
    assert filled > 0
    assert not world.said("EntryRefused", "IntentRefused")


def test_a_stop_calls_off_the_addition_that_still_fills_and_sells_what_it_got(
    make_world: MakeWorld,
) -> None:
    thin: Settings = {"paper": {"volume_share_max": Decimal("0.0002")}}
    market = [*flat(30), candle(30, "100", "100", "95", "95"), *flat(40, price="95", first=31)]
    script = {"enters": [2], "adds": [27]}
    world = make_world(market, script=script, settings=merged(FREE, THREE, thin)).live()

    (_, first), (added, second) = entries(world)
    assert (first, second) == ("FILLED", "CANCELED")
    assert 0 < added < 1
    assert amount(world, "sell") == amount(world, "buy")
    world.expect_truth()


def test_a_halt_adds_nothing(make_world: MakeWorld) -> None:
    world = make_world(RISING, script=ADDING, settings=merged(FREE, THREE)).start()
    world.run_until_candle(4)
    world.say("halt")
    world.run_to_the_end()

    assert len(entries(world)) == 1


@pytest.mark.parametrize("part", [names.STRATEGY, names.EXCHANGE_GATEWAY])
def test_an_addition_that_is_decided_again_after_a_crash_is_one(
    make_world: MakeWorld, part: str
) -> None:
    world = make_world(RISING, script=ADDING, settings=merged(FREE, THREE)).start()
    world.run_until_candle(6)
    world.run_until(lambda: len(entries(world)) == 2)
    world.kill(part)
    world.run_until_candle(STOP_AT - 1)

    assert len(entries(world)) == 3
    world.expect_truth()
