"""A stop that rests at the exchange beside what is held; the paper exchange locks its coins."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.dialogue import CancelOrder, ExchangeRequest, FindOrder, PlaceOrder
from aegis.domain.candles import Candle
from aegis.domain.ids import ClientOrderId
from aegis.domain.money import ZERO
from aegis.domain.order import OrderType
from aegis.exchange.paper import Fault
from supervisors.paper_desk import PaperDesk
from tests.simulation.candles import SYMBOL, candle, flat, opens_at
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, Settings, World, merged

ENTRY = {"enters": [2]}
DISASTER = merged(FREE, {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}})
"""Entered at 100: our stop at 98, the one at the exchange at 96.04."""


def lived(make_world: MakeWorld, market: list[Candle], **script: object) -> World:
    return make_world(market, script={**ENTRY, **script}, settings=DISASTER).live()


def stops(world: World) -> list[tuple[str, Decimal]]:
    """Return the stops that reached the exchange: how each ended, and what it sold."""
    found = (order for order in world.ledger().orders if order.type is OrderType.STOP)
    return [(order.status, order.filled) for order in found]


def sold(world: World) -> list[Decimal]:
    return [trade.price for trade in world.ledger().trades if trade.side == "sell"]


def to_the_stop() -> list[Candle]:
    """Return a market that falls to our stop, and not to the exchange's."""
    return [*flat(6), candle(6, "100", "100", "97", "97"), *flat(5, price="97", first=7)]


def test_it_rests_for_what_is_held_and_is_called_off_before_our_stop_sells(
    make_world: MakeWorld,
) -> None:
    world = lived(make_world, to_the_stop())

    assert stops(world) == [("canceled", ZERO)]
    assert len(sold(world)) == 1
    assert world.said("PositionClosed")[0].fields["reason"] == "stop_loss"
    assert world.place_of("OrderCanceled") < world.place_of(
        "OrderFilled", after=world.place_of("ExitTriggered")
    )
    assert world.said("ExitFailed", "ExchangeStopLost", "ExecutionError") == []
    world.expect_truth()


def test_our_exit_is_on_its_way_at_once(make_world: MakeWorld) -> None:
    world = make_world(to_the_stop(), script=ENTRY, settings=DISASTER).start()
    world.run_until(lambda: world.has_said("ExitTriggered"))
    triggered_at = world.now()
    world.run_until(lambda: world.has_said("PositionClosed"))
    assert world.now() - triggered_at < 1_000_000_000


def test_a_strategy_leaves_past_it(make_world: MakeWorld) -> None:
    world = lived(make_world, flat(14), leaves=[8])

    assert stops(world) == [("canceled", ZERO)]
    assert world.said("PositionClosed")[0].fields["reason"] == "strategy"
    world.expect_truth()


def test_while_nobody_guards_it_sells(make_world: MakeWorld) -> None:
    market = [*flat(6), candle(6, "100", "100", "95", "95"), *flat(5, price="95", first=7)]
    world = make_world(market, script=ENTRY, settings=DISASTER).start()
    world.run_until(
        lambda: world.has_said("OrderAccepted", role="protective") or bool(stops(world))
    )
    world.run_until_just_before(opens_at(6))
    world.hang("Guard")
    world.run_for(60)
    world.restart().run_to_the_end()
    world.end()

    assert [how for how, _ in stops(world)] == ["filled"]
    assert sold(world) == [Decimal("96.04")]
    assert world.said("PositionClosed")[0].fields["reason"] == "exchange_stop"
    world.expect_truth()


def test_a_restart_takes_it_up_and_places_no_second(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script=ENTRY, settings=DISASTER).start()
    world.run_until_candle(6)
    for number in (8, 10):
        world.restart().run_until_candle(number)

    assert stops(world) == [("open", ZERO)]


def test_the_owner_cancels_it_and_it_is_placed_again_and_told(make_world: MakeWorld) -> None:
    world = make_world(flat(12), script=ENTRY, settings=DISASTER).start()
    world.run_until_candle(5)
    (resting,) = (order for order in world.ledger().orders if order.type is OrderType.STOP)
    assert resting.client_order_id is not None
    key = ClientOrderId(resting.client_order_id)
    desk = world.system.desk
    assert isinstance(desk, PaperDesk)
    desk.venue.execute(CancelOrder(client_order_id=key, symbol=SYMBOL, is_stop=True))
    world.run_until_candle(8)

    assert [how for how, _ in stops(world)] == ["canceled", "open"]
    assert len(world.said("ExchangeStopLost")) == 1
    assert len(world.history("AlarmRaised")) == 1


def test_where_it_is_set_to_off_again_it_is_called_off(make_world: MakeWorld) -> None:
    world = make_world(flat(12), script=ENTRY, settings=DISASTER).start()
    world.run_until_candle(5)
    world.drop()
    off = world.config.risk.model_copy(update={"exchange_stop": "off"})
    world.config = world.config.model_copy(update={"risk": off})
    world.start().run_until_candle(8)

    assert [how for how, _ in stops(world)] == ["canceled"]


def test_a_flatten_leaves_past_it(make_world: MakeWorld) -> None:
    world = make_world(flat(14), script=ENTRY, settings=DISASTER).start()
    world.run_until_candle(6)
    world.say("flatten")
    world.run_until(lambda: world.has_said("PositionClosed"))

    assert stops(world) == [("canceled", ZERO)]
    world.end()
    world.expect_truth()


def lost(kinds: type | tuple[type, ...], times: int) -> object:
    """Return a plan in which the first answers about stops are lost after their effect."""
    left = [times]

    def fault(request: ExchangeRequest) -> Fault | None:
        is_of_stop = (
            request.type is OrderType.STOP
            if isinstance(request, PlaceOrder)
            else isinstance(request, CancelOrder | FindOrder) and request.is_stop
        )
        if not (is_of_stop and isinstance(request, kinds) and left[0] > 0):
            return None
        left[0] -= 1
        return Fault(is_answer_lost=True)

    return fault


@pytest.mark.parametrize("kinds", [PlaceOrder, CancelOrder, FindOrder])
@pytest.mark.parametrize("seed", range(3))
def test_lost_answers_about_it_cost_nothing_but_time(
    make_world: MakeWorld, kinds: type, seed: int
) -> None:
    world = make_world(
        to_the_stop(), script=ENTRY, settings=DISASTER, faults=lost(kinds, 2), seed=seed
    ).live()

    assert len(sold(world)) == 1
    assert len(stops(world)) == 1
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


@pytest.mark.parametrize("steps", range(0, 60, 4))
def test_a_kill_on_the_way_from_the_stop_to_our_exit_sells_once(
    make_world: MakeWorld, steps: int
) -> None:
    world = make_world(to_the_stop(), script=ENTRY, settings=DISASTER).start()
    world.run_until(lambda: world.has_said("ExitTriggered"))
    world.run_steps(steps)
    world.restart().run_to_the_end()
    world.end()

    assert len(sold(world)) == 1
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


@pytest.mark.parametrize(("timeframe", "length_s", "each_s"), [("1m", 60, 31), ("15m", 900, 211)])
def test_a_diagnosis_at_any_moment_of_trading_misses_none(
    make_world: MakeWorld, timeframe: str, length_s: int, each_s: int
) -> None:
    often: Settings = {"diagnose": {"interval_s": each_s}, "market": {"timeframe": timeframe}}
    world = make_world(
        flat(24, length_s=length_s),
        script={"enters": [2, 12], "leaves": [8, 20]},
        settings=merged(DISASTER, often),
    ).live()

    assert [how for how, _ in stops(world)] == ["canceled", "canceled"]
    assert len(world.history("DiagnosisCompleted")) > 40
    assert world.said("DiagnosisFinding") == []
