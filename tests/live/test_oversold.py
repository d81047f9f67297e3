"""Live: coins that the owner brings beside an exit that is out of sight; what is sold of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.account import TradingState
from aegis.domain.order import OrderState, Role
from tests.exchange_server.faults import Fault, Rule
from tests.live.account import AccountWorld
from tests.live.world import LOOKS, ORDERS

BALANCES = "private/user-balance"
READS = (BALANCES, "private/get-trades", LOOKS, "private/get-open-orders")
BROUGHT = "0.02"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AccountWorld]:
    """A world that holds 0.0099925 BTC."""
    with AccountWorld(tmp_path) as world:
        yield world.hold()


def deaf(*but: str) -> list[Rule]:
    """Return the rules by which nothing of the account is told."""
    return [Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS if each not in but]


def leave_unseen(world: AccountWorld, *rules: Rule) -> None:
    """Leave by an order whose answer is lost, while these go wrong; the owner brings coins then."""
    world.faults(*rules, Rule(fault=Fault.DROP_AFTER, endpoint=ORDERS, next=1))
    assert world.say("flatten").is_done
    world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    world.owner("deposit", coin="BTC", quantity=BROUGHT)


def exits(world: AccountWorld) -> list[OrderState]:
    return [each.state for each in world.evidence().orders.values() if each.role is Role.EXIT]


def expect_flat_beside(world: AccountWorld, **owned: str) -> None:
    """Expect all to be over, and the owner's coins where they are."""
    world.faults()
    world.run_until(lambda: not world.status().account.is_flattening)
    world.run_for(120)
    assert world.say("reconcile").is_done
    assert world.status().account.blocked == ()
    world.expect_truth(**owned)


@pytest.mark.parametrize("but", [(), (BALANCES,)], ids=["nothing is told", "balances are told"])
def test_no_second_exit_goes_on_a_balance_that_may_be_the_owner_s(
    world: AccountWorld, but: tuple[str, ...]
) -> None:
    leave_unseen(world, *deaf(*but))
    world.run_for(60)
    assert world.has_said("ExitOutcomeUnknown")
    assert exits(world) == [OrderState.UNKNOWN]
    expect_flat_beside(world, BTC=BROUGHT)


def test_a_next_life_takes_no_balance_of_the_life_before_for_the_exchange_s(
    world: AccountWorld,
) -> None:
    leave_unseen(world, *deaf())
    world.be_down(30)
    world.run_for(60)
    assert exits(world) == [OrderState.UNKNOWN]
    expect_flat_beside(world, BTC=BROUGHT)


def test_a_second_exit_goes_once_the_balance_is_told(world: AccountWorld) -> None:
    world.faults(*deaf(), Rule(fault=Fault.DROP_BEFORE, endpoint=ORDERS, next=1))
    assert world.say("flatten").is_done
    world.run_for(30)
    assert exits(world) == [OrderState.UNKNOWN]
    world.faults(*deaf(BALANCES))
    world.run_until(lambda: len(exits(world)) > 1)
    expect_flat_beside(world)


def sold_twice(world: AccountWorld) -> None:
    """Have two exits carried out, the first of them late, on coins that came in between."""
    world.fault(Fault.LATE_EFFECT, ORDERS, next=1, seconds=25)
    assert world.say("flatten").is_done
    world.run_until(lambda: len(exits(world)) > 1)
    world.run_for(1)
    world.owner("deposit", coin="BTC", quantity=BROUGHT)
    world.run_until(lambda: world.has_said("AlarmRaised"))


def test_what_two_exits_sold_of_the_owner_s_is_booked_and_over(world: AccountWorld) -> None:
    sold_twice(world)
    (alarm,) = world.said("AlarmRaised")
    assert alarm.fields["check"] == "oversold"
    assert "0.0099875 BTC of your own were sold" in str(alarm.fields["text"])
    assert exits(world) == [OrderState.FILLED, OrderState.FILLED]
    expect_flat_beside(world, BTC="0.0100125")
    assert not world.has_said("ExecutionError")


def test_what_two_exits_sold_of_the_owner_s_is_no_gain(world: AccountWorld) -> None:
    sold_twice(world)
    world.run_until(lambda: world.has_said("PositionClosed"))
    (position,) = world.positions("CLOSED")
    assert abs(float(str(position["pnl"]))) < 1
    world.run_until(lambda: not world.status().account.is_flattening)
    assert world.say("resume").is_done
    assert world.status().account.trading_state is TradingState.ACTIVE
