"""Settings that change under a running AEGIS: from there on, for what is new; deaths included."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from actors import names
from aegis.config.changes import applied
from tests.simulation.candles import flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, World, config_of, merged

TWO_TRADES = {"enters": [2, 12], "leaves": [8, 18]}
BETWEEN = 10
"""The candle between them."""


def retuned(world: World, **sections: dict[str, Any]) -> None:
    """Let changed settings apply, as SIGHUP does."""
    new = config_of(world.folder, merged(FREE, sections))
    world.system.reconfigure(applied(world.config, new))


def trades(world: World) -> list[dict[str, Any]]:
    return [dict(view) for view in world.positions() if view["status"] == "CLOSED"]


def stops(world: World) -> list[Decimal]:
    return [Decimal(line.fields["stop_price"]) for line in world.said("PositionOpened")]


def between(make_world: MakeWorld) -> World:
    """Return a world after its first trade."""
    world = make_world(flat(30), script=TWO_TRADES, settings=FREE).start()
    world.run_until_candle(BETWEEN)
    assert len(world.said("PositionClosed")) == 1
    return world


def ended(world: World) -> World:
    world.run_to_the_end()
    assert world.end().exit_code == 0
    world.expect_truth()
    return world


def test_a_new_stop_policy_is_that_of_new_positions(make_world: MakeWorld) -> None:
    world = between(make_world)
    retuned(world, risk={"stop_loss_pct": 5})
    assert stops(ended(world)) == [Decimal(98), Decimal(95)]


def test_a_position_keeps_the_policy_that_it_was_opened_with(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=TWO_TRADES, settings=FREE).start()
    world.run_until(lambda: world.has_said("PositionOpened"))
    retuned(world, risk={"stop_loss_pct": 5})
    world.run_for(120)
    (view,) = world.status().positions
    assert view["stop_price"] == "98"


def test_a_new_size_is_that_of_the_next_entry(make_world: MakeWorld) -> None:
    world = between(make_world)
    retuned(world, sizing={"value": 300})
    amounts = [
        event["data"]["amount"]  # type: ignore[index]
        for event in ended(world).history("OrderIntended")
        if event["data"]["role"] == "entry"  # type: ignore[index]
    ]
    assert [Decimal(amount) for amount in amounts] == [Decimal(1), Decimal(3)]


def test_a_smaller_limit_refuses_the_next_entry(make_world: MakeWorld) -> None:
    world = between(make_world)
    retuned(world, risk={"order_notional_max": 50}, sizing={"value": 100})
    assert len(trades(ended(world))) == 1
    (refused,) = world.history("OrderRejected")
    assert "expected at most 50" in str(refused["data"])


def test_a_smaller_limit_stops_nobody_from_leaving(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=TWO_TRADES, settings=FREE).start()
    world.run_until(lambda: world.has_said("PositionOpened"))
    retuned(world, risk={"order_notional_max": 1, "exposure_max": 1, "orders_per_minute_max": 1})
    assert len(trades(ended(world))) == 1


@pytest.mark.parametrize("name", [names.POSITION_STORE, names.GUARD, names.STRATEGY])
@pytest.mark.parametrize("dies", ["before", "after"])
def test_who_starts_again_is_built_from_the_new_settings(
    make_world: MakeWorld, name: str, dies: str
) -> None:
    world = between(make_world)
    if dies == "before":
        world.kill(name)
    retuned(world, risk={"stop_loss_pct": 5, "order_notional_max": 250}, sizing={"value": 200})
    if dies == "after":
        world.kill(name)
    world.run_for(30)
    ended(world)
    assert world.has_said("ActorDied", name=name)
    assert stops(world) == [Decimal(98), Decimal(95)]
    assert len(trades(world)) == 2


def test_a_limit_survives_the_death_of_the_store(make_world: MakeWorld) -> None:
    world = between(make_world)
    retuned(world, risk={"order_notional_max": 50})
    world.kill(names.POSITION_STORE)
    assert len(trades(ended(world))) == 1


def test_a_lower_loss_limit_halts_at_the_next_candle(make_world: MakeWorld) -> None:
    falling = [*flat(6), *flat(24, price="99", first=6)]
    world = make_world(falling, script={"enters": [2]}, settings=FREE).start()
    world.run_until_candle(8)
    assert not world.has_said("TradingStateChanged")
    retuned(world, risk={"daily_loss_max": "0.5"})
    world.run_for(120)
    account = world.status().account
    assert (account.trading_state, account.cause) == ("REDUCING", "daily_loss")


def test_reconciliation_and_diagnosis_go_at_their_new_pace(make_world: MakeWorld) -> None:
    world = make_world(flat(60), script={}, settings=FREE).start()
    world.run_until_candle(5)
    retuned(world, reconcile={"interval_s": 300}, diagnose={"interval_s": 120})
    world.run_until_candle(5 + 20)
    runs = [line.fields["trigger"] for line in world.said("ReconciliationCompleted")]
    looks = [line.fields["trigger"] for line in world.said("DiagnosisCompleted")]
    assert runs.count("interval") in {3, 4}
    assert looks.count("interval") in {9, 10}


def test_an_interval_that_did_not_change_is_not_begun_anew(make_world: MakeWorld) -> None:
    settings = merged(FREE, {"reconcile": {"interval_s": 600}})
    world = make_world(flat(60), script={}, settings=settings).start()
    for candle in range(1, 12):
        world.run_until_candle(candle)
        retuned(world, reconcile={"interval_s": 600}, risk={"stop_loss_pct": candle})
    assert world.has_said("ReconciliationCompleted", trigger="interval")


def test_healing_can_be_switched_off(make_world: MakeWorld) -> None:
    world = make_world(flat(60), script={}, settings=FREE).start()
    world.run_until_candle(3)
    retuned(world, reconcile={"heal": False})
    world.move_balance("USDT", Decimal(-7))
    world.say("reconcile")
    assert world.said("DiscrepancyFound")
    assert not any(line.fields["healed"] for line in world.said("DiscrepancyFound"))
    retuned(world, reconcile={"heal": True})
    world.say("reconcile")
    assert world.said("DiscrepancyFound")[-1].fields["healed"]


def test_what_was_stuck_is_judged_by_the_new_patience(make_world: MakeWorld) -> None:
    world = make_world(flat(2000), script={"enters": [2]}, settings=merged(FREE, {
        "risk": {"stop_loss_pct": 5}, "diagnose": {"stuck_after_days": 3}})).start()  # fmt: skip
    world.run_until_candle(1500)
    assert not world.has_said("DiagnosisFinding", check="stuck")
    retuned(world, diagnose={"stuck_after_days": 1})
    world.say("diagnose")
    assert any("stuck" in line.fields["check"] for line in world.said("DiagnosisFinding"))
