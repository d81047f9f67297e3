"""What the account's owner does by hand beside AEGIS: each kind of difference, found and healed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from aegis.dialogue import PlaceOrder
from aegis.domain.ids import Coin
from aegis.domain.money import minus
from aegis.domain.order import Side
from supervisors.settings import ledger_path
from tests.simulation.candles import flat
from tests.simulation.conftest import SPEEDS, MakeWorld
from tests.simulation.faults import REQUEST_LOST, on
from tests.simulation.test_reconciliation import balances, runs
from tests.simulation.world import FREE, NO_STOPS, World

BTC = "BTC/USDT"
HOLDS = {"enters": [2]}
IN_TIME_ON_THREADS = 12
"""A candle lasts a tenth of a second there, and a start on a busy machine may take several."""


@pytest.fixture(params=list(SPEEDS))
def holding(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    """A world that holds one coin, bought at 100; at rest, on either runtime."""
    speed = SPEEDS[request.param]
    settings = {**NO_STOPS, **FREE}
    script = HOLDS if speed == 0 else {"enters": [IN_TIME_ON_THREADS]}
    world = make_world(flat(400), script=script, settings=settings, speed=speed).start()
    world.run_until(lambda: bool(world.positions("OPEN")))
    world.run_for(60)
    return world


def sold(world: World, amount: str = "1", price: str = "110") -> None:
    world.hand().trade(Side.SELL, BTC, Decimal(amount), Decimal(price))


def test_a_position_sold_by_hand_closes_at_the_price_of_that_trade(holding: World) -> None:
    sold(holding)

    reply = holding.say("reconcile")

    assert reply.is_done, reply.text
    assert "phantom" in reply.text
    (position,) = holding.positions("CLOSED")
    assert (position["pnl"], position["notes"]) == ("10", "closed_by_hand")
    assert balances(holding) == holding.ledger().balances
    assert holding.say("reconcile").text == "0 discrepancies, nothing changed"


def test_half_of_a_position_sold_by_hand_leaves_the_other_half_guarded(holding: World) -> None:
    sold(holding, "0.5")

    reply = holding.say("reconcile")

    assert reply.is_done, reply.text
    assert "amount_mismatch" in reply.text
    (position,) = holding.positions("OPEN")
    assert (position["amount"], position["cost"]) == ("0.5", "50")
    assert balances(holding) == holding.ledger().balances


def test_coins_withdrawn_are_unresolved_and_close_nothing(holding: World) -> None:
    holding.hand().transfer("BTC", Decimal(-1))

    reply = holding.say("reconcile")

    assert not reply.is_done
    (position,) = holding.positions("OPEN")
    assert f"resolve {position['position_id']} --transferred" in reply.text
    account = holding.status().account
    assert account.blocked == (BTC,)
    assert account.unresolved == {position["position_id"]: Decimal(1)}


def test_a_deposit_by_hand_is_external_and_no_gain(holding: World) -> None:
    before = holding.status().account
    holding.hand().transfer("USDT", Decimal(500))

    assert holding.say("reconcile").is_done

    after = holding.status().account
    assert balances(holding) == holding.ledger().balances
    gained = minus(after.peak_equity, before.peak_equity)
    assert gained == minus(after.day_start_equity, before.day_start_equity) == 500


def test_coins_bought_by_hand_are_the_owner_s_and_never_sold(holding: World) -> None:
    holding.hand().trade(Side.BUY, BTC, Decimal(2), Decimal(100))
    reply = holding.say("reconcile")

    assert reply.is_done, reply.text
    assert reply.text.count("external") == 2
    holding.say("flatten")
    holding.run_until(lambda: bool(holding.positions("CLOSED")))
    assert holding.ledger().balances[Coin("BTC")] == 2


def test_the_owner_s_coins_go_before_the_position_s(holding: World) -> None:
    holding.hand().trade(Side.BUY, BTC, Decimal(2), Decimal(100))
    holding.say("reconcile")
    sold(holding, "1.5")

    reply = holding.say("reconcile")

    assert reply.is_done, reply.text
    assert "phantom" not in reply.text
    (position,) = holding.positions("OPEN")
    assert position["amount"] == "1"


def test_what_is_sold_beyond_the_owner_s_coins_is_of_the_position(make_world: MakeWorld) -> None:
    world = make_world(flat(40), script=HOLDS, settings={**NO_STOPS, **FREE}).start()
    world.run_until_candle(6)
    world.hand().trade(Side.BUY, BTC, Decimal(1), Decimal(100))
    world.say("reconcile")
    sold(world, "1.25", "120")

    reply = world.say("reconcile")

    assert reply.is_done, reply.text
    (position,) = world.positions("OPEN")
    assert (position["amount"], position["pnl"]) == ("0.75", "5")
    assert balances(world) == world.ledger().balances


def test_a_sale_that_an_earlier_look_has_seen_explains_no_later_withdrawal(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(40), script=HOLDS, settings={**NO_STOPS, **FREE}).start()
    world.run_until_candle(6)
    world.hand().transfer("BTC", Decimal(1))
    world.say("reconcile")
    sold(world, "1", "50")
    assert world.say("reconcile").is_done
    world.hand().transfer("BTC", Decimal(-1))

    assert not world.say("reconcile").is_done
    assert len(world.positions("OPEN")) == 1


def test_an_exit_that_finds_no_coins_has_the_sale_found(make_world: MakeWorld) -> None:
    world = make_world(flat(40), script={"enters": [2], "leaves": [8]}, settings=NO_STOPS).start()
    world.run_until_candle(6)
    sold(world)

    world.run_until(lambda: world.has_said("ReconciliationCompleted", trigger="exit refused"))

    (position,) = world.positions("CLOSED")
    assert position["notes"] == "closed_by_hand"


def test_trading_goes_on_after_a_sale_by_hand(make_world: MakeWorld) -> None:
    script = {"enters": [2, 12], "leaves": [20]}
    world = make_world(flat(40), script=script, settings={**NO_STOPS, **FREE}).start()
    world.run_until_candle(6)
    sold(world)
    assert world.say("reconcile").is_done
    world.run_to_the_end()
    world.end()

    assert [each["notes"] for each in world.positions("CLOSED")] == ["closed_by_hand", "strategy"]
    assert world.verified().ok


def test_an_own_order_cancelled_by_hand_is_over(make_world: MakeWorld) -> None:
    low = {"paper": {"volume_share_max": "0.000001"}}
    world = make_world(flat(40), script=HOLDS, settings={**NO_STOPS, **low}).start()
    world.run_until(lambda: bool(world.ledger().orders))
    (order,) = world.ledger().orders
    world.hand().cancel(order.exchange_order_id)

    world.run_until(lambda: bool(world.history("OrderCanceled")))
    world.run_for(60)
    world.expect_truth()


def test_with_healing_off_a_sale_by_hand_is_told_and_nothing_else(make_world: MakeWorld) -> None:
    settings = {**NO_STOPS, **FREE, "reconcile": {"heal": False}}
    world = make_world(flat(40), script=HOLDS, settings=settings).start()
    world.run_until_candle(6)
    sold(world)

    reply = world.say("reconcile")

    assert not reply.is_done
    assert "reconcile.heal is off" in reply.text
    assert len(world.positions("OPEN")) == 1
    assert runs(world)[-1] == "PARTIAL"


def test_what_was_told_only_is_healed_once_healing_is_on(make_world: MakeWorld) -> None:
    settings = {**NO_STOPS, **FREE, "reconcile": {"heal": False}}
    world = make_world(flat(400), script=HOLDS, settings=settings).start()
    world.run_until_candle(6)
    sold(world)
    world.say("reconcile")
    world.run_for(5 * 3600)  # long past the window in which trades are read again
    world.say("reconcile")
    world.end()
    world.config = world.config.model_copy(
        update={"reconcile": world.config.reconcile.model_copy(update={"heal": True})}
    )

    world.start().run_until(lambda: bool(world.positions("CLOSED")))

    (position,) = world.positions("CLOSED")
    assert position["notes"] == "closed_by_hand"


def test_a_sale_by_hand_while_aegis_is_down_is_found_at_the_start(make_world: MakeWorld) -> None:
    world = make_world(flat(60), script=HOLDS, settings={**NO_STOPS, **FREE}).start()
    world.run_until_candle(6)
    world.end()
    world.hand().trade(Side.SELL, BTC, Decimal(1), Decimal(90))

    world.start().run_until(lambda: len(world.said("StrategyArmed")) == 2)

    (position,) = world.positions("CLOSED")
    assert position["pnl"] == "-10"


def test_a_ghost_is_a_position_again_with_its_stop(make_world: MakeWorld) -> None:
    faults = on(PlaceOrder, REQUEST_LOST, times=1)
    world = make_world(flat(40), script=HOLDS, settings=FREE, faults=faults).start()
    world.run_until(lambda: world.has_said("OrderNotPlaced"))
    (order,) = world.evidence().orders.values()
    world.place_at_exchange(order.client_order_id, Side.BUY, str(order.amount))

    reply = world.say("reconcile")

    assert reply.is_done, reply.text
    assert "ghost BTC/USDT" in reply.text
    (position,) = world.positions("OPEN")
    assert position["stop_price"] == "98"
    world.expect_truth()


def test_a_trade_that_the_exchange_tells_otherwise_holds_its_symbol_back(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(40), script=HOLDS, settings={**NO_STOPS, **FREE}).start()
    world.run_until_candle(6)
    with closing(sqlite3.connect(ledger_path(world.config))) as ledger:
        ledger.execute("UPDATE trades SET price = '101'")
        ledger.commit()

    reply = world.say("reconcile")

    assert not reply.is_done
    assert "price_mismatch BTC/USDT trade t-1: expected 1 at 100" in reply.text
    assert world.status().account.blocked == (BTC,)
    assert world.positions("OPEN")[0]["cost"] == "100"
