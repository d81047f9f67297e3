"""What was tried on the most used bot, and failed there: four failures, none of them here.

0 duplicates, 0 orphans, 0 lost positions, 0 false heartbeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.health import judge
from aegis.domain.ids import ClientOrderId
from aegis.domain.order import OrderState
from tests.exchange_server.faults import Fault
from tests.live.world import BEATS, ORDERS, LiveWorld

LOOPS = 6
BEAT_S = 5
HEARTBEATS = 20
HEARTBEAT_S = 60


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    settings = {"risk": {"open_positions_max": 1}, "supervisor": {"heartbeat_s": HEARTBEAT_S}}
    with LiveWorld(tmp_path, period_s=BEAT_S, settings=settings) as made:
        yield made


def placed(world: LiveWorld) -> list[ClientOrderId]:
    return [ClientOrderId(order.client_oid) for order in world.core.ledger.orders()]


def die_as_it_is_placed(world: LiveWorld) -> ClientOrderId:
    """Die once the exchange has an order, and before anybody heard of it."""
    world.start()
    world.run_until(lambda: bool(placed(world)))
    world.drop()
    (order_id,) = placed(world)
    assert world.evidence().orders[order_id].state is OrderState.SUBMITTING
    return order_id


# A: the answer is lost, loop after loop ---------------------------------------------------------


def test_a_lost_answer_of_six_loops_is_one_order_that_is_known(world: LiveWorld) -> None:
    world.start().run_until(lambda: world.has_said("StrategyArmed"))
    world.fault(Fault.DROP_AFTER, "private")
    world.run_for(LOOPS * BEAT_S)
    (order_id,) = placed(world)
    assert world.evidence().orders[order_id].state is OrderState.UNKNOWN
    assert len(world.requests(ORDERS)) == 1

    world.faults()
    world.run_for(60)

    assert placed(world) == [order_id]
    assert world.evidence().orders[order_id].state is OrderState.FILLED
    world.expect_truth()


# B: killed between the answer and the commit ----------------------------------------------------


def test_an_order_whose_answer_no_life_wrote_down_is_found_by_the_next(world: LiveWorld) -> None:
    order_id = die_as_it_is_placed(world)

    world.start().run_for(30)

    assert placed(world) == [order_id]
    (position,) = world.positions("OPEN")
    assert position["stop_price"] is not None
    world.expect_truth()


# C: the exchange does not know a filled order for a moment --------------------------------------


@pytest.mark.parametrize("fault", [Fault.FORGET, Fault.LAG])
def test_a_filled_order_that_is_not_found_for_a_moment_loses_no_position(
    world: LiveWorld, fault: Fault
) -> None:
    order_id = die_as_it_is_placed(world)
    world.fault(fault, "private", seconds=20.0)

    world.start().run_for(20)
    assert world.evidence().orders[order_id].state in {OrderState.UNKNOWN, OrderState.FILLED}
    world.faults()
    world.run_for(200)

    assert placed(world) == [order_id]
    assert [each["status"] for each in world.positions()] == ["OPEN"]
    world.expect_truth()


def test_a_filled_order_that_is_forgotten_for_good_is_known_by_its_trades(
    world: LiveWorld,
) -> None:
    order_id = die_as_it_is_placed(world)
    world.owner("forget", client_oid=order_id)

    world.start().run_for(200)

    assert [each["status"] for each in world.positions()] == ["OPEN"]
    world.expect_truth()


# D: nothing is completed any more ---------------------------------------------------------------


def test_while_nothing_is_completed_no_heartbeat_says_so_and_no_watchdog_is_fed(
    tmp_path: Path,
) -> None:
    settings = {"supervisor": {"heartbeat_s": HEARTBEAT_S}}
    with LiveWorld(tmp_path, strategy=BEATS, settings=settings) as world:
        world.start().run_for(3 * HEARTBEAT_S)
        world.fault(Fault.DROP_BEFORE)
        world.run_for(HEARTBEAT_S + 1)  # the one in which it began
        fed, told = world.system.pulse.cycles, len(world.said("Heartbeat"))
        world.run_for(HEARTBEATS * HEARTBEAT_S)

        beats = world.said("Heartbeat")[told:]
        assert len(beats) == HEARTBEATS
        assert [beat.fields["completed"] for beat in beats] == [0] * HEARTBEATS
        assert not any(is_told_healthy(int(beat.fields["completed"])) for beat in beats)
        assert world.system.pulse.cycles == fed

        world.faults()
        world.run_for(3 * HEARTBEAT_S)
        assert is_told_healthy(int(world.said("Heartbeat")[-1].fields["completed"]))


def is_told_healthy(completed: int) -> bool:
    """Say what `run.py health` makes of a heartbeat that just came."""
    return judge(
        holder_pid=1,
        heartbeat_age_s=1,
        completed=completed,
        is_first=False,
        cause="",
        interval_s=HEARTBEAT_S,
    ).is_healthy
