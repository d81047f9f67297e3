"""What the exchange shows and the store does not know: found twice, healed or left to a person."""

from __future__ import annotations

from decimal import Decimal

from aegis.dialogue import FetchAccount, OrderPlaced, PlaceOrder
from aegis.domain.ids import account_tag
from aegis.domain.order import Side
from aegis.store.snapshot import snapshot_of
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.faults import REQUEST_LOST, UNREADABLE, on
from tests.simulation.world import NO_STOPS, World

HOLDS = {"enters": [2]}
TAG = account_tag("paper", "cryptocom", "main")
ORPHAN = TAG + "f" * 24


def holding(make_world: MakeWorld, count: int = 40, **settings: dict[str, object]) -> World:
    world = make_world(flat(count), script=HOLDS, settings={**NO_STOPS, **settings}).start()
    world.run_until_candle(6)
    return world


def runs(world: World) -> list[str]:
    """Return the status of each reconciliation's row."""
    with snapshot_of(world.store_path, "look") as snapshot:
        rows = snapshot.db.execute("SELECT status FROM reconciliations ORDER BY rowid")
        return [str(row[0]) for row in rows]


def balances(world: World) -> dict[str, Decimal]:
    return {str(coin): held for coin, held in world.status().account.balances.items()}


def test_nothing_differs_in_peace(make_world: MakeWorld) -> None:
    world = holding(make_world)

    assert world.say("reconcile").text == "0 discrepancies, nothing changed"


def test_a_deposit_is_recorded_and_never_traded(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.move_balance("ETH", Decimal("3.5"))

    reply = world.say("reconcile")

    assert reply.is_done
    assert "1 discrepancy, 1 healed" in reply.text
    assert balances(world)["ETH"] == Decimal("3.5")
    (seen,) = world.history("ExternalChangeSeen")
    assert seen["data"]["amount"] == "3.5"  # type: ignore[index]
    world.run_to_the_end().end()
    assert len(world.ledger().orders) == 1


def test_a_withdrawal_is_recorded(make_world: MakeWorld) -> None:
    world = holding(make_world)
    before = balances(world)["USDT"]
    world.move_balance("USDT", Decimal(-250))

    assert world.say("reconcile").is_done
    assert balances(world)["USDT"] == before - 250


def test_a_change_is_recorded_once(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.move_balance("USDT", Decimal(-250))
    world.say("reconcile")

    assert world.say("reconcile").text == "0 discrepancies, nothing changed"


def test_what_only_one_look_saw_is_not_recorded(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.move_balance("USDT", Decimal(-250))
    token = world.people.say("reconcile")
    world.run_for(0.5)
    world.move_balance("USDT", Decimal(250))
    world.run_until(lambda: token in world.people.replies)

    assert world.people.replies[token].text == "0 discrepancies, nothing changed"


def test_a_dry_run_reports_and_changes_nothing(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.move_balance("ETH", Decimal(1))
    before = world.status().account

    reply = world.say("reconcile", is_dry_run=True)

    assert "external ETH: expected 0, found 1" in reply.text
    account = world.status().account
    assert (account.balances, account.blocked) == (before.balances, before.blocked)
    assert not world.history("ExternalChangeSeen")
    assert "1 healed" in world.say("reconcile").text


def test_without_healing_differences_are_only_reported(make_world: MakeWorld) -> None:
    world = holding(make_world, reconcile={"heal": False})
    world.move_balance("ETH", Decimal(1))

    reply = world.say("reconcile")

    assert not reply.is_done
    assert not world.history("ExternalChangeSeen")


def test_an_order_with_our_tag_and_no_intent_halts_entries(make_world: MakeWorld) -> None:
    world = holding(make_world)
    assert isinstance(world.place_at_exchange(ORPHAN, Side.BUY, "0.5"), OrderPlaced)

    reply = world.say("reconcile")

    assert not reply.is_done
    account = world.status().account
    assert (account.trading_state, account.cause) == ("REDUCING", "orphan")
    assert not world.say("resume").is_done


def test_an_orphan_halts_once_though_each_reconciliation_finds_it(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.place_at_exchange(ORPHAN, Side.BUY, "0.5")
    world.say("reconcile")
    world.say("reconcile")

    assert len(world.history("TradingStateChanged")) == 1


def test_a_foreign_order_is_told_and_left_alone(make_world: MakeWorld) -> None:
    world = holding(make_world)
    held = world.positions("OPEN")
    world.place_at_exchange("somebody-elses", Side.BUY, "0.5")

    assert world.say("reconcile").is_done
    assert world.positions("OPEN") == held
    assert world.status().account.trading_state == "ACTIVE"


def test_an_own_position_that_is_not_covered_blocks_its_symbol_and_is_not_closed(
    make_world: MakeWorld,
) -> None:
    world = holding(make_world)
    world.move_balance("BTC", Decimal("-0.5"))

    reply = world.say("reconcile")

    assert not reply.is_done
    assert "amount_mismatch BTC/USDT position" in reply.text
    assert world.status().account.blocked == ("BTC/USDT",)
    assert len(world.positions("OPEN")) == 1


def test_a_block_ends_when_the_coins_are_back(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.move_balance("BTC", Decimal("-0.5"))
    world.say("reconcile")
    world.move_balance("BTC", Decimal("0.5"))

    assert world.say("reconcile").is_done
    assert world.status().account.blocked == ()


def test_a_blocked_symbol_takes_no_entries(make_world: MakeWorld) -> None:
    script = {"enters": [2, 12], "leaves": [8]}
    world = make_world(flat(30), script=script, settings=NO_STOPS).start()
    world.run_until_candle(6)
    world.move_balance("BTC", Decimal("-0.5"))
    world.say("reconcile")
    world.run_until_candle(7)
    world.move_balance("BTC", Decimal("0.5"))
    world.run_to_the_end()

    (rejected,) = world.history("OrderRejected")
    assert "unresolved" in str(rejected["data"])
    assert world.bought() == 1


def test_an_order_given_up_for_absent_that_appears_is_adopted_and_guarded(
    make_world: MakeWorld,
) -> None:
    market = [*flat(20), candle(20, "100", "100", "95", "95"), *flat(9, price="95", first=21)]
    world = make_world(market, script=HOLDS, faults=on(PlaceOrder, REQUEST_LOST, times=1)).start()
    world.run_until(lambda: world.has_said("OrderNotPlaced"))
    (order,) = world.evidence().orders.values()
    world.place_at_exchange(order.client_order_id, Side.BUY, str(order.amount))

    reply = world.say("reconcile")

    assert reply.is_done
    assert len(world.positions("OPEN")) == 1
    world.run_to_the_end().end()
    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "stop_loss"
    world.expect_truth()


def test_every_run_is_a_row(make_world: MakeWorld) -> None:
    world = holding(make_world)
    before = runs(world)
    world.move_balance("ETH", Decimal(1))
    world.say("reconcile")
    world.say("reconcile")

    assert len(runs(world)) == len(before) + 2


def test_it_reconciles_again_each_interval(make_world: MakeWorld) -> None:
    world = make_world(flat(40), settings={"reconcile": {"interval_s": 900}}).live()

    triggers = [line.fields["trigger"] for line in world.said("ReconciliationCompleted")]
    assert triggers == ["start", "interval", "interval"]


def test_an_exchange_out_of_reach_is_waited_for_and_told_once(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script={"enters": [20]}, faults=on(FetchAccount, UNREADABLE))
    world.start().run_until_candle(5)
    assert not world.has_said("StrategyArmed")
    assert len(world.said("ReconciliationWaiting")) == 1

    world.faults = lambda _request: None
    world.run_to_the_end()

    assert world.has_said("StrategyArmed")
    assert world.bought() == 1
