"""Stops, targets and trailing stops, at prices that a person could have had."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.instants import instant_of
from tests.simulation.candles import MINUTE_S, candle, closes, flat, number_of, opens_at, walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, Settings, World, merged

ENTRY = {"enters": [2]}
"""Decided at the close of candle 2, filled at the open of candle 3."""


def risk(**percents: object) -> Settings:
    return {"risk": {"stop_loss_pct": 0, "take_profit_pct": 0, **percents}}


STOP_AT_98 = merged(FREE, risk(stop_loss_pct=2))
TARGET_AT_104 = merged(FREE, risk(take_profit_pct=4))
BOTH = merged(FREE, risk(stop_loss_pct=2, take_profit_pct=4))
TRAILING = merged(FREE, risk(trailing_stop_pct=2))


def lived(make_world: MakeWorld, market: list[Candle], settings: Settings) -> World:
    return make_world(market, script=ENTRY, settings=settings).live()


def exit_price(world: World) -> Decimal:
    (sale,) = (trade for trade in world.ledger().trades if trade.side == "sell")
    return sale.price


def test_a_stop_that_the_path_crosses_fills_at_its_trigger(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "95", "95"), *flat(5, price="95", first=7)]
    world = lived(make_world, market, STOP_AT_98)

    assert exit_price(world) == Decimal(98)


def test_a_stop_that_a_gap_jumps_over_fills_at_the_open(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "93", "94", "92", "93"), *flat(5, price="93", first=7)]
    world = lived(make_world, market, STOP_AT_98)

    assert exit_price(world) == Decimal(93)


def test_a_stop_pays_spread_and_slippage_on_top(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "95", "95"), *flat(5, price="95", first=7)]
    world = lived(make_world, market, risk(stop_loss_pct=2))

    (position,) = world.positions()
    assert exit_price(world) < Decimal(str(position["stop_price"]))


def test_a_target_that_the_path_crosses_fills_at_its_trigger(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "108", "100", "108"), *flat(5, price="108", first=7)]
    world = lived(make_world, market, TARGET_AT_104)

    assert exit_price(world) == Decimal(104)


def test_a_target_that_a_gap_jumps_over_fills_no_better_than_its_trigger(
    make_world: MakeWorld,
) -> None:
    market = [*flat(6), candle(6, "110", "112", "110", "111"), *flat(5, price="111", first=7)]
    world = lived(make_world, market, TARGET_AT_104)

    assert exit_price(world) == Decimal(104)


def test_a_candle_that_touches_both_takes_the_stop(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "110", "95", "105"), *flat(5, price="105", first=7)]
    world = lived(make_world, market, BOTH)

    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "stop_loss"
    assert exit_price(world) == Decimal(98)


def test_a_low_just_above_the_stop_leaves_the_position_alone(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "98.01", "99"), *flat(5, price="99", first=7)]
    world = lived(make_world, market, STOP_AT_98)

    assert [position["status"] for position in world.positions()] == ["OPEN"]


def test_a_trailing_stop_follows_the_price_up_and_sells_below_its_highest(
    make_world: MakeWorld,
) -> None:
    market = closes(["100"] * 5 + ["105", "110", "109", "105", "105"])
    world = lived(make_world, market, TRAILING)

    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "trailing_stop"
    assert exit_price(world) == Decimal("107.8")  # 2 % below 110


@pytest.mark.parametrize("seed", range(5))
def test_a_trailing_stop_only_ever_rises(make_world: MakeWorld, seed: int) -> None:
    script = {"enters": [0], "period": 2}
    settings = risk(trailing_stop_pct=2)
    world = make_world(walk(120, seed=seed), script=script, settings=settings).live()

    raised = [line.fields for line in world.said("PositionOpened", "StopRaised")]
    steps = [
        (Decimal(str(one["stop_price"])), Decimal(str(two["stop_price"])))
        for one, two in pairwise(raised)
        if one["position"] == two["position"]
    ]
    assert steps
    assert all(earlier < later for earlier, later in steps)


def test_a_position_keeps_the_stops_it_was_entered_with(make_world: MakeWorld) -> None:
    market = [*flat(20), candle(20, "100", "100", "95", "95"), *flat(5, price="95", first=21)]
    world = make_world(market, script=ENTRY, settings=STOP_AT_98).start()
    world.run_until_candle(10)
    far = world.config.risk.model_copy(update={"stop_loss_pct": Decimal(50)})
    world.config = world.config.model_copy(update={"risk": far})
    world.restart().run_to_the_end().end()

    assert exit_price(world) == Decimal(98)


def test_no_stop_policy_is_a_lawful_policy(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "50", "50"), *flat(5, price="50", first=7)]
    settings = merged(FREE, risk(), {"risk": {"drawdown_max_pct": 100}})
    world = lived(make_world, market, settings)

    assert [position["status"] for position in world.positions()] == ["OPEN"]


def test_a_strategy_order_fills_at_the_next_open_at_the_earliest(make_world: MakeWorld) -> None:
    market = [*flat(3), candle(3, "101", "103", "100", "102"), *flat(5, price="102", first=4)]
    world = lived(make_world, market, merged(FREE, risk()))

    (trade,) = world.ledger().trades
    assert trade.price == Decimal(101)
    assert trade.at >= opens_at(3)


@pytest.mark.parametrize("seed", range(5))
def test_no_strategy_order_ever_fills_on_what_its_candle_had_seen(
    make_world: MakeWorld, seed: int
) -> None:
    """The candle that fills is a later one, and the price lies beyond its path, on our side."""
    market = {number_of(each.open_at): each for each in walk(120, seed=seed)}
    script = {"enters": [0], "leaves": [2], "period": 4}
    world = make_world(market.values(), script=script).live()

    orders = world.evidence().orders
    decided = {key: o for key, o in orders.items() if o.reason == "strategy"}
    assert len(decided) > 20
    for trade in world.ledger().trades:
        order = decided.get(trade.client_order_id or "")
        if order is None:
            continue
        assert number_of(trade.at) > number_of(order.intended_at - 1)
        candle_filled = market[number_of(trade.at)]
        if trade.side == "buy":
            assert trade.price > candle_filled.low
        else:
            assert trade.price < candle_filled.high


def test_a_stop_is_on_its_way_within_a_second_of_its_trigger(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "95", "95"), *flat(5, price="95", first=7)]
    world = lived(make_world, market, STOP_AT_98)

    low_at = opens_at(6) + MINUTE_S // 4 * NANOS_PER_SECOND
    (submitted,) = (
        event
        for event in world.history("OrderSubmitted")
        if instant_of(str(event["timestamp"])) >= low_at
    )
    assert instant_of(str(submitted["timestamp"])) - low_at <= NANOS_PER_SECOND


def test_an_entry_that_still_fills_is_called_off_when_the_stop_triggers(
    make_world: MakeWorld,
) -> None:
    thin = {"paper": {"volume_share_max": Decimal("0.0001")}}
    market = [*flat(4), candle(4, "100", "100", "95", "95"), *flat(20, price="95", first=5)]
    world = lived(make_world, market, merged(STOP_AT_98, thin))

    (position,) = world.positions()
    assert position["status"] == "CLOSED"
    (entry,) = (o for o in world.evidence().orders.values() if o.role == "entry")
    assert entry.state == "CANCELED"
    assert entry.filled < entry.amount
    world.expect_truth()


THIN: Settings = merged(FREE, risk(), {"paper": {"volume_share_max": Decimal("0.0001")}})
"""A tick brings a fortieth of what is asked for."""

COMES_AND_GOES = {"enters": [2], "leaves": [4]}


def test_a_leave_calls_off_the_entry_that_still_fills_and_leaves_all_of_it(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(30), script=COMES_AND_GOES, settings=THIN).live()

    (position,) = world.positions()
    orders = world.evidence().orders.values()
    (entry,) = (order for order in orders if order.role == "entry")
    assert (position["status"], entry.state) == ("CLOSED", "CANCELED")
    assert 0 < entry.filled < entry.amount
    assert {order.reason for order in orders if order.role == "exit"} == {"strategy"}
    world.expect_truth()


def test_a_leave_is_gone_through_with_after_a_restart(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=COMES_AND_GOES, settings=THIN).start()
    world.run_until(lambda: bool(world.history("OrderCancelRequested")))
    world.restart().run_to_the_end()

    (position,) = world.positions()
    assert position["status"] == "CLOSED"
    world.expect_truth()


# Leaps of the price ---------------------------------------------------------------------------


def leaping(price: str, volume: str = "100") -> list[Candle]:
    """Return a calm market, and then a candle at a price far away."""
    far = candle(6, price, price, price, price)
    return [*flat(6), msgspec.structs.replace(far, volume=Decimal(volume))]


def exits(world: World) -> list[tuple[str, str, Decimal]]:
    """Return the exits that reached the exchange: type, end and what was sold."""
    sells = (order for order in world.ledger().orders if order.side == "sell")
    return [(order.type, order.status, order.filled) for order in sells]


def test_a_stop_that_a_gap_jumps_over_goes_by_a_limit(make_world: MakeWorld) -> None:
    world = lived(make_world, [*leaping("90"), *flat(1, price="90", first=7)], STOP_AT_98)

    assert [(kind, end) for kind, end, _ in exits(world)] == [("limit", "filled")]
    assert exit_price(world) == Decimal(90)
    world.expect_truth()


def test_a_crash_without_takers_is_left_at_market_in_the_end_with_an_alarm(
    make_world: MakeWorld,
) -> None:
    market = [*leaping("90", volume="0"), *flat(3, price="80", first=7)]
    world = lived(make_world, market, STOP_AT_98)

    kinds = [(kind, end) for kind, end, _ in exits(world)]
    assert kinds == [("limit", "expired"), ("limit", "expired"), ("market", "filled")]
    (alarm,) = world.history("AlarmRaised")
    assert "goes at market" in str(alarm["data"])
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


def test_what_a_limit_left_unsold_goes_on_at_the_next_price(make_world: MakeWorld) -> None:
    market = [*leaping("90", volume="20"), *flat(3, price="90", first=7)]
    settings = merged(STOP_AT_98, {"paper": {"volume_share_max": "0.1"}})
    world = lived(make_world, market, settings)

    first, second = exits(world)[:2]
    assert (first[:2], second[0]) == (("limit", "expired"), "limit")
    assert 0 < first[2] < 1
    at = [instant_of(str(each["timestamp"])) for each in world.history("OrderSubmitted")][1:3]
    assert at[1] - at[0] <= (MINUTE_S // 4 + 1) * NANOS_PER_SECOND
    world.expect_truth()


def test_a_crash_on_the_way_between_two_limits_forgets_neither(make_world: MakeWorld) -> None:
    market = [*leaping("90", volume="0"), *flat(3, price="80", first=7)]
    world = make_world(market, script=ENTRY, settings=STOP_AT_98).start()
    world.run_until(lambda: len(world.history("OrderExpired")) == 1)
    world.restart().run_to_the_end()

    assert [kind for kind, _, _ in exits(world)] == ["limit", "limit", "market"]
    assert len(world.history("AlarmRaised")) == 1
    world.end()
    world.expect_truth()
