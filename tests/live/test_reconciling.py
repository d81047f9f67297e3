"""Live: what the exchange tells late, in part or in two ways, and what the books make of it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors import names
from aegis.cli.unsettled import to_settle
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.order import OrderState
from aegis.messages import ReconcileNow
from tests.exchange_server.faults import Fault
from tests.live.account import AccountWorld
from tests.live.world import ORDERS, SYMBOL

D = Decimal
BALANCES, TRADES = "private/user-balance", "private/get-trades"
HELD = "0.0099925"
DUST = "0.0000025"
"""What no order can sell of it."""

DAY_S = 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AccountWorld]:
    """A world that holds a position bought at 40,004."""
    with AccountWorld(tmp_path) as world:
        yield world.hold()


# Late, and lagging behind ---------------------------------------------------------------------


def test_a_lag_of_seconds_is_no_change_from_outside(world: AccountWorld) -> None:
    world.say("flatten")
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.fault(Fault.LAG, BALANCES, seconds=4)

    assert world.say("reconcile").text == "0 discrepancies, nothing changed"
    assert not world.has_said("ExternalChangeSeen")
    world.expect_truth()


def test_a_sale_whose_trade_is_listed_late_is_booked_once_it_is(world: AccountWorld) -> None:
    world.owner("trade", side="SELL", quantity="0.004", price="41000")
    world.fault(Fault.NO_DATA, TRADES)
    assert not world.say("reconcile").is_done
    assert world.status().account.blocked == (SYMBOL,)
    world.faults()
    world.run_for(60)

    assert world.say("reconcile").is_done

    assert world.status().account.blocked == ()
    assert world.positions("OPEN")[0]["amount"] == "0.0059925"
    world.expect_truth()


def test_an_account_without_a_wallet_is_not_an_empty_one(world: AccountWorld) -> None:
    world.fault(Fault.NO_DATA, BALANCES)
    assert "no wallet" in world.say("reconcile").text
    world.faults()
    world.run_for(60)

    assert world.say("reconcile").text == "0 discrepancies, nothing changed"
    assert not world.has_said("DiscrepancyFound")
    world.expect_truth()


def test_coins_that_come_back_end_the_question(world: AccountWorld) -> None:
    world.owner("withdraw", coin="BTC", quantity="0.004")
    assert not world.say("reconcile").is_done
    world.owner("deposit", coin="BTC", quantity="0.004")

    assert world.say("reconcile").is_done

    assert world.status().account.unresolved == {}
    world.expect_truth()


# Orders of ours -------------------------------------------------------------------------------


def test_an_order_that_was_filled_in_parts_and_forgotten_is_told_by_its_trades(
    tmp_path: Path,
) -> None:
    with AccountWorld(tmp_path, matching="by_hand") as world:
        world.start()
        world.run_until(lambda: world.has_said("OrderAccepted"))
        (order,) = world.core.ledger.orders()
        world.drop()
        world.owner("fill", order_id=order.order_id, quantity="0.004", price="39999")
        world.go_by(5)
        world.owner("fill", order_id=order.order_id, quantity="0.003", price="40001")
        world.owner("cancel", order_id=order.order_id)
        world.owner("forget", order_id=order.order_id)
        world.go_by(3 * DAY_S)
        world.start()
        world.run_until(lambda: world.has_said("OrderCanceled"))

        assert world.kinds() == ["ghost", "amount_mismatch"]
        (position,) = world.positions("OPEN")
        assert (position["amount"], position["cost"]) == ("0.0069965", "279.999")
        world.expect_truth()


def test_an_order_that_arrives_after_it_was_proved_absent_is_found(tmp_path: Path) -> None:
    with AccountWorld(tmp_path) as world:
        world.start()
        world.fault(Fault.LATE_EFFECT, ORDERS, seconds=300, next=1)
        world.run_until(lambda: world.has_said("OrderNotPlaced"))
        world.run_until(lambda: world.has_said("DiscrepancyFound"))
        world.run_for(1)

        assert world.kinds() == ["ghost"]
        assert world.positions("OPEN")[0]["amount"] == HELD
        world.expect_truth()


def test_what_cannot_be_sold_is_dust_and_stays_it(world: AccountWorld) -> None:
    world.say("flatten")
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.be_down(600)
    world.reconciled()

    assert world.kinds() == []
    assert world.evidence().book.account.dust == {"BTC": D(DUST)}
    assert world.core.ledger.balances()["BTC"] == D(DUST)
    world.expect_truth()


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [("price", D("40005"), "price_mismatch"), ("quantity", D("0.02"), "amount_mismatch")],
)
def test_a_trade_that_is_told_in_two_ways_is_for_a_person(
    world: AccountWorld, field: str, value: Decimal, kind: str
) -> None:
    fills = world.core.books.fills
    as_it_was = fills[0]
    fills[0] = replace(as_it_was, **{field: value})
    assert not world.say("reconcile").is_done
    assert world.kinds() == [kind]
    assert world.status().account.blocked == (SYMBOL,)
    fills[0] = as_it_was

    assert world.say("reconcile").is_done

    assert world.status().account.blocked == ()
    world.expect_truth()


# The account ----------------------------------------------------------------------------------


def test_days_of_hundreds_of_trades_are_read_within_the_limits(world: AccountWorld) -> None:
    world.drop()
    world.ways(rate_limits=True)
    world.owner("deposit", coin="BTC", quantity="0.1")
    for _ in range(3 * 50):
        world.owner("trade", side="BUY", quantity="0.001", price="39000")
        world.owner("trade", side="SELL", quantity="0.001", price="39500")
        world.go_by(DAY_S // 50)
    world.owner("withdraw", coin="BTC", quantity="0.0998875")
    world.owner("trade", side="SELL", quantity="0.004", price="41000")
    world.go_by(3600)
    before = len(world.requests())
    world.start()
    world.reconciled()

    asked = world.requests()[before:]
    assert {each.outcome for each in asked} == {"0"}
    assert sum(each.endpoint == TRADES for each in asked) >= 2 * 4
    (position,) = world.positions("OPEN")
    assert position["amount"] == "0.0059925"
    forced = [o for o in world.evidence().orders.values() if o.role == "forced"]
    assert [(o.amount, o.state) for o in forced] == [(D("0.004"), OrderState.FILLED)]
    world.expect_truth()


def test_a_dry_run_tells_and_changes_nothing(world: AccountWorld) -> None:
    world.owner("trade", side="SELL", quantity="0.004", price="41000")
    before = world.evidence().book.account.balances

    reply = world.say("reconcile", is_dry_run=True)

    assert "would book what somebody else sold" in reply.text
    assert world.evidence().book.account.balances == before
    assert world.positions("OPEN")[0]["amount"] == HELD


def test_coins_that_were_there_before_are_never_sold(tmp_path: Path) -> None:
    with AccountWorld(tmp_path) as world:
        world.owner("deposit", coin="BTC", quantity="0.25")
        world.owner("trade", side="SELL", quantity="0.05", price="41000")
        world.hold()
        world.say("flatten")
        world.run_until(lambda: world.has_said("PositionClosed"))

        assert world.say("reconcile").text == "0 discrepancies, nothing changed"
        assert world.core.ledger.balances()["BTC"] == D("0.2") + D(DUST)
        world.expect_truth(BTC="0.2")


def test_coins_that_an_order_of_the_owner_s_locks_are_sold_once_it_is_gone(
    world: AccountWorld,
) -> None:
    locked = world.owner("order", side="SELL", quantity="0.00999", price="50000")
    world.say("flatten")
    world.run_until(lambda: world.has_said("OrderRejected"))
    world.run_until(lambda: world.has_said("DiscrepancyFound", kind="external"))
    world.owner("cancel", order_id=locked["order_id"])
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.expect_truth()


def test_coins_that_are_locked_are_told_with_what_locks_them_also_after_a_restart(
    world: AccountWorld,
) -> None:
    sale = world.owner("order", side="SELL", quantity="0.00999", price="50000")
    world.say("flatten")
    world.run_for(30)
    world.be_down(60)
    world.run_for(30)

    (found,) = world.status().unsold
    assert (found.wanted, found.locked_by) == ("flatten", (f"order {sale['order_id']}",))
    assert "INSUFFICIENT_AVAILABLE_BALANCE" in found.why
    first, *_ = to_settle(world.status(), is_silent=False)
    assert first.startswith("BTC/USDT is to be sold (flatten), and cannot be")
    (alarm,) = [each for each in world.said("AlarmRaised") if each.fields["check"] == "exits"]
    assert "INSUFFICIENT_AVAILABLE_BALANCE" in alarm.fields["text"]
    checks = {each.check: each for each in world.say("diagnose").checks}
    assert f"order {sale['order_id']}" in checks["exits"].details
    assert world.verified().problems == ()

    world.owner("cancel", order_id=sale["order_id"])
    world.run_until(lambda: world.has_said("PositionClosed"))
    assert world.status().unsold == ()


def test_a_person_waits_behind_no_runs_for_refused_exits_which_tell_it_once(
    world: AccountWorld,
) -> None:
    world.owner("withdraw", coin="BTC", quantity="0.0099")
    world.say("flatten")
    world.run_until(lambda: world.kinds() == ["phantom"])
    world.run_for(60)
    told = len(world.said("ReconciliationCompleted"))
    world.run_for(120)
    assert len(world.said("ReconciliationCompleted")) == told

    asked_at = world.now()
    assert "phantom" in world.say("reconcile").text
    assert world.now() - asked_at < 5 * NANOS_PER_SECOND


def test_a_balance_that_moves_between_two_looks_is_recorded_once_it_stands(
    world: AccountWorld,
) -> None:
    world.tell(names.RECONCILER, ReconcileNow(trigger="test"))
    for _ in range(30):
        world.owner("deposit", coin="USDT", quantity="1")
        world.run_for(0.5)
    assert world.kinds() == []
    assert not world.has_said("ExternalChangeSeen")

    assert world.say("reconcile").is_done

    assert world.said("ExternalChangeSeen")[0].fields["amount"] == "30"
    world.expect_truth()
