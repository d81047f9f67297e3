"""Live: what the account's owner does beside AEGIS, while it runs and while it is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.live.account import TAG, AccountWorld
from tests.live.world import SYMBOL

Meanwhile = Callable[[Callable[[], object]], None]

D = Decimal
HELD = "0.0099925"
"""What 0.01 BTC are after the fee, which comes out of them."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AccountWorld]:
    """A world that holds a position bought at 40,004."""
    with AccountWorld(tmp_path) as world:
        yield world.hold()


@pytest.fixture(params=["running", "down"])
def meanwhile(world: AccountWorld, request: pytest.FixtureRequest) -> Meanwhile:
    """What lets the owner act, and reconciles: by a person's word, or by the start after it."""

    def running(act: Callable[[], object]) -> None:
        act()
        world.say("reconcile")

    def down(act: Callable[[], object]) -> None:
        world.be_down(600, act)
        world.reconciled()

    return running if request.param == "running" else down


def test_a_position_that_the_owner_sells_closes_by_that_trade(
    world: AccountWorld, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda: world.owner("trade", side="SELL", quantity="0.00999", price="41000"))

    (position,) = world.positions("CLOSED")
    assert (position["pnl"], position["notes"]) == ("9.2428075", "closed_by_hand")
    assert world.kinds() == ["phantom"]
    world.expect_truth()


def test_a_part_that_the_owner_sells_leaves_the_rest_held(
    world: AccountWorld, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda: world.owner("trade", side="SELL", quantity="0.004", price="41000"))

    (position,) = world.positions("OPEN")
    assert position["amount"] == "0.0059925"
    assert world.kinds() == ["amount_mismatch"]
    world.expect_truth()


def test_what_the_owner_buys_is_his(world: AccountWorld, meanwhile: Meanwhile) -> None:
    meanwhile(lambda: world.owner("trade", side="BUY", quantity="0.005", price="40000"))

    (position,) = world.positions("OPEN")
    assert position["amount"] == HELD
    assert world.kinds() == ["external", "external"]
    world.expect_truth(BTC="0.00499625")


@pytest.mark.parametrize(
    ("act", "coin", "amount"),
    [("deposit", "USDT", "500.25"), ("withdraw", "USDT", "99.5"), ("deposit", "BTC", "0.3")],
)
def test_what_comes_and_goes_is_recorded_and_no_gain(
    world: AccountWorld, meanwhile: Meanwhile, act: str, coin: str, amount: str
) -> None:
    meanwhile(lambda: world.owner(act, coin=coin, quantity=amount))

    assert world.kinds() == ["external"]
    (change,) = world.said("ExternalChangeSeen")
    assert D(change.fields["amount"]) == D(amount) * (-1 if act == "withdraw" else 1)
    assert world.positions("OPEN")[0]["amount"] == HELD
    world.expect_truth(BTC=amount if coin == "BTC" else "0")


def test_coins_of_a_position_that_are_withdrawn_are_unresolved(
    world: AccountWorld, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda: world.owner("withdraw", coin="BTC", quantity="0.004"))

    (position,) = world.positions("OPEN")
    account = world.status().account
    assert account.blocked == (SYMBOL,)
    assert account.unresolved == {position["position_id"]: D("0.004")}
    assert "resolve" in world.discrepancies()[0]["action"]


def test_what_is_left_of_withdrawn_coins_is_sold_after_one_look(world: AccountWorld) -> None:
    world.owner("withdraw", coin="BTC", quantity="0.004")
    world.say("flatten")
    world.run_until(lambda: world.positions()[0]["amount"] != HELD)

    (position,) = world.positions("OPEN")
    assert position["amount"] == "0.0040025"  # withdrawn, and what no order can sell
    assert world.status().account.unresolved == {position["position_id"]: D("0.004")}
    bounded = [each for each in world.core.ledger.orders() if each.side == "SELL"][-1]
    assert bounded.quantity == D("0.00599")


def test_an_order_of_the_owner_s_is_told_and_left_alone(
    world: AccountWorld, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda: world.owner("order", quantity="0.01", price="30000"))

    assert world.kinds() == ["external"]
    (there,) = [order for order in world.core.ledger.orders() if order.maker == "owner"]
    assert there.is_open
    assert world.status().account.blocked == ()
    world.expect_truth()


def test_an_order_of_the_owner_s_that_rests_is_told_once(world: AccountWorld) -> None:
    world.owner("order", quantity="0.01", price="30000")
    world.run_for(120)
    told = len(world.said("ReconciliationCompleted"))
    assert world.kinds() == ["external"]
    world.run_for(300)
    assert len(world.said("ReconciliationCompleted")) == told


@pytest.mark.parametrize("act", ["order", "trade"])
def test_our_tag_without_an_intent_halts_entries(
    world: AccountWorld, meanwhile: Meanwhile, act: str
) -> None:
    name = TAG + "0" * (32 - len(TAG))
    meanwhile(lambda: world.owner(act, quantity="0.01", price="30000", client_oid=name))

    assert "orphan" in world.kinds()
    account = world.status().account
    assert (account.trading_state, account.cause) == ("REDUCING", "orphan")
    assert not world.say("resume").is_done
    world.run_for(60)
    assert world.positions("OPEN")[0]["amount"] == HELD


@pytest.mark.parametrize("is_down", [False, True], ids=["running", "down"])
def test_a_resting_order_of_ours_that_the_owner_cancels_ends_with_its_part(
    tmp_path: Path, *, is_down: bool
) -> None:
    with AccountWorld(tmp_path, matching="by_hand") as world:
        world.start()
        world.run_until(lambda: world.has_said("OrderAccepted"))
        (order,) = world.core.ledger.orders()

        def act() -> None:
            world.owner("fill", order_id=order.order_id, quantity="0.004", price="40000")
            world.owner("cancel", order_id=order.order_id)

        if is_down:
            world.be_down(600, act)
        else:
            act()
        world.run_until(lambda: world.has_said("OrderCanceled"))

        assert world.positions("OPEN")[0]["amount"] == "0.003998"
        world.expect_truth()


@pytest.mark.parametrize(("act", "left"), [("trade", "0.00599"), ("cancel", "0.00999")])
def test_a_stop_at_the_exchange_follows_what_the_owner_does(
    tmp_path: Path, act: str, left: str
) -> None:
    stops = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
    with AccountWorld(tmp_path, settings=stops, locks_triggers=False) as world:
        world.hold()
        world.run_for(10)
        _, stop = world.core.ledger.orders()
        if act == "trade":
            world.owner("trade", side="SELL", quantity="0.004", price="41000")
        else:
            world.owner("cancel", order_id=stop.order_id)
        world.say("reconcile")
        world.run_for(10)

        resting = [order.quantity for order in world.core.ledger.orders() if order.is_open]
        assert resting == [D(left)]
        world.expect_truth()
