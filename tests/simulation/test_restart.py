"""Killed at any moment, with anything under way: the next start is one with the exchange."""

from __future__ import annotations

import random

import pytest

from aegis.dialogue import PlaceOrder
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.order import OrderState
from tests.crash.evidence import unlawful
from tests.simulation.candles import candle, flat, walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.faults import ANSWER_LOST, REQUEST_LOST, on
from tests.simulation.world import FREE, World

BUSY = {"enters": [0], "leaves": [2], "period": 4}


@pytest.mark.parametrize("seed", range(8))
def test_kills_at_random_moments_leave_store_and_exchange_as_one(
    make_world: MakeWorld, seed: int
) -> None:
    chance = random.Random(seed)
    world = make_world(walk(60, seed=seed), script=BUSY, seed=seed).start()
    for candle_number in sorted(chance.sample(range(50), 6)):
        world.run_until_candle(candle_number)
        steps = chance.randrange(400)
        world.run_steps(steps)
        world.restart()
        assert not unlawful(world.evidence(), world.ledger())

    world.run_to_the_end().end()

    world.expect_truth()


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SUBMITTING, OrderState.OPEN])
@pytest.mark.parametrize("role", ["entry", "exit"])
def test_an_order_in_any_state_survives_a_kill_as_one_order(
    make_world: MakeWorld, state: OrderState, role: str
) -> None:
    world = make_world(flat(30), script={"enters": [2], "leaves": [6]}).start()
    world.run_until(lambda: is_there(world, role, state))

    world.restart()
    world.run_to_the_end().end()

    assert len(world.ledger().orders) == len({o.client_order_id for o in world.ledger().orders})
    world.expect_truth()


def is_there(world: World, role: str, state: OrderState) -> bool:
    orders = world.system._store.book.active_orders()
    return any(order.role == role and order.state is state for order in orders)


def test_an_intent_that_was_never_sent_expires(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script={"enters": [2]}).start()
    world.run_until(lambda: is_there(world, "entry", OrderState.INTENT))
    world.restart()
    world.run_to_the_end()

    (expired,) = world.history("OrderExpired")
    assert "never sent" in str(expired["data"])
    assert world.ledger().orders == ()


def test_an_order_whose_answer_was_under_way_is_found_after_the_restart(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(30), script={"enters": [2]}, faults=on(PlaceOrder, ANSWER_LOST))
    world.start().run_until(lambda: bool(world.ledger().orders))
    world.restart()
    world.run_to_the_end()

    assert [position["status"] for position in world.positions()] == ["OPEN"]
    world.end()
    world.expect_truth()


def test_an_order_whose_request_was_lost_is_not_sent_again_after_the_restart(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(30), script={"enters": [2]}, faults=on(PlaceOrder, REQUEST_LOST))
    world.start().run_until(lambda: is_there(world, "entry", OrderState.SUBMITTING))
    world.run_for(1)
    world.faults = lambda _request: None
    world.restart()
    world.run_to_the_end()

    assert world.has_said("OrderNotPlaced")
    assert world.ledger().orders == ()


def test_a_stop_that_was_passed_while_nothing_ran_is_executed_at_the_first_price(
    make_world: MakeWorld,
) -> None:
    market = [*flat(10), *flat(10, price="90", first=10)]
    world = make_world(market, script={"enters": [2]}, settings=FREE).start()
    world.run_until(lambda: world.now() > market[9].close_at - 2 * NANOS_PER_SECOND)
    world.restart()
    world.run_to_the_end()

    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "stop_loss"


def test_the_market_goes_on_where_it_was_left(make_world: MakeWorld) -> None:
    world = make_world(walk(40, seed=1), script=BUSY).start()
    world.run_until_candle(20)
    world.restart()

    assert world.now() >= candle(19, "1", "1", "1", "1").open_at
    world.run_to_the_end().end()
    world.expect_truth()


def test_a_restart_after_the_end_of_the_data_changes_no_trade(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script=BUSY).live()
    trades = world.ledger().trades

    world.start().run_to_the_end().end()

    assert world.ledger().trades == trades
    world.expect_truth()
