"""Start-up is recovery, in one order, each step one line."""

from __future__ import annotations

from tests.simulation.candles import flat
from tests.simulation.conftest import MakeWorld

STEPS = [
    "StoreOpened",
    "GatewayStarted",
    "ReconciliationCompleted",
    "DiagnosisCompleted",
    "StrategyArmed",
]


def test_a_first_start_says_its_steps_in_order(make_world: MakeWorld) -> None:
    world = make_world(flat(5)).live()

    assert [line.event for line in world.said(*STEPS)] == STEPS


def test_a_start_over_an_old_store_says_its_steps_in_order(make_world: MakeWorld) -> None:
    world = make_world(flat(20)).start()
    world.run_until_candle(8)
    world.restart()
    world.run_until_candle(12)

    assert [line.event for line in world.said(*STEPS)] == [*STEPS, *STEPS]


def test_each_step_says_what_it_found(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script={"enters": [2]}).start()
    world.run_until_candle(8)
    events = world.status().events
    world.restart()
    world.run_until_candle(12)

    _, opened = world.said("StoreOpened")
    assert opened.fields["events"] == events
    assert opened.fields["positions"] == 1
    _, reconciled = world.said("ReconciliationCompleted")
    assert (reconciled.fields["discrepancies"], reconciled.fields["healed"]) == (0, 0)


def test_the_first_heartbeat_comes_with_the_arming(make_world: MakeWorld) -> None:
    world = make_world(flat(5), settings={"supervisor": {"heartbeat_s": 60}}, speed=600).start()
    world.run_until(lambda: world.has_said("Heartbeat"))

    assert world.has_said("Heartbeat", is_first=True)
    assert world.place_of("StrategyArmed") < world.place_of("Heartbeat")


def test_whoever_watches_from_outside_sees_the_arming_and_the_work(make_world: MakeWorld) -> None:
    world = make_world(flat(10)).start()
    assert not world.system.pulse.is_up
    world.run_until(lambda: world.has_said("StrategyArmed"))
    world.run_for(120)

    assert world.system.pulse.is_armed
    assert world.system.pulse.cycles > 0
