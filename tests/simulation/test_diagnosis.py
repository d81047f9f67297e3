"""Planted faults are found, mended where there is a remedy, and written down."""

from __future__ import annotations

import pytest

from aegis.messages import ControlReply
from aegis.store.snapshot import snapshot_of
from tests.simulation.candles import flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, NO_STOPS, World

HOLDS = {"enters": [2]}
WRONG_AMOUNT = "UPDATE positions SET amount = 7, amount_exact = '7' WHERE status = 'OPEN'"
WRONG_STOP = "UPDATE positions SET stop_price = 1, stop_price_exact = '1' WHERE status = 'OPEN'"
A_DAY = 24 * 60


def health(world: World, check: str) -> list[tuple[str, bool]]:
    """Return status and auto_fixed of a check's rows, eldest first."""
    with snapshot_of(world.store_path, "look") as snapshot:
        rows = snapshot.db.execute(
            "SELECT status, auto_fixed FROM system_health WHERE check_type = ? ORDER BY check_id",
            (check,),
        )
        return [(str(status), bool(auto_fixed)) for status, auto_fixed in rows]


def status_of(reply: ControlReply, check: str) -> str:
    """Return what a reply says of a check."""
    return {each.check: each.status for each in reply.checks}[check]


def holding(make_world: MakeWorld, count: int = 30) -> World:
    world = make_world(flat(count), script=HOLDS, settings=FREE).start()
    world.run_until_candle(6)
    return world


def test_a_changed_row_is_made_anew_from_the_events(make_world: MakeWorld) -> None:
    world = holding(make_world)
    before = world.positions("OPEN")
    world.change_row(WRONG_AMOUNT)
    assert world.positions("OPEN") != before

    reply = world.say("diagnose")

    assert reply.is_done
    assert status_of(reply, "projections") == "fixed"
    assert world.positions("OPEN") == before
    assert health(world, "projections")[-1] == ("fixed", True)
    assert world.verified().ok


def test_a_row_changed_while_nothing_ran_does_not_move_the_stop(make_world: MakeWorld) -> None:
    world = holding(make_world)
    before = world.positions("OPEN")
    world.drop()
    world.change_row(WRONG_STOP)
    world.start()
    world.run_until(lambda: world.has_said("DiagnosisCompleted", fixed=1))
    world.run_to_the_end()

    assert [position["stop_price"] for position in world.positions("OPEN")] == [
        position["stop_price"] for position in before
    ]
    world.end()
    world.expect_truth()


def test_everybody_starts_over_when_the_book_was_read_from_wrong_rows(
    make_world: MakeWorld,
) -> None:
    world = holding(make_world)
    world.drop()
    world.change_row(WRONG_STOP)
    world.start()
    world.run_until(lambda: world.has_said("StoreMended", mend="RebuildRows"))
    world.run_until(lambda: world.has_said("StrategyArmed", generation=2))

    guarded = [line.fields["positions"] for line in world.said("GuardStarted")]
    assert len(guarded) == 3
    assert world.verified().ok


def test_a_dry_run_finds_and_changes_nothing(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.change_row(WRONG_AMOUNT)
    changed, rows = world.positions("OPEN"), health(world, "projections")

    reply = world.say("diagnose", is_dry_run=True)

    assert not reply.is_done
    assert status_of(reply, "projections") == "finding"
    assert (world.positions("OPEN"), health(world, "projections")) == (changed, rows)


@pytest.fixture
def _forgetful_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let entries open positions without the stop that their policy asks for."""
    monkeypatch.setattr("aegis.domain.fills.opening_stops", lambda _position, _price: (None, None))


@pytest.mark.usefixtures("_forgetful_entries")
def test_a_position_without_the_stop_of_its_policy_gets_it(make_world: MakeWorld) -> None:
    world = holding(make_world)
    (bare,) = world.positions("OPEN")
    assert bare["stop_price"] is None

    reply = world.say("diagnose")

    assert status_of(reply, "stops") == "fixed"
    (position,) = world.positions("OPEN")
    assert position["stop_price"] == "98"
    assert health(world, "stops")[-1] == ("fixed", True)
    assert world.verified().ok


@pytest.mark.usefixtures("_forgetful_entries")
def test_a_missing_stop_that_is_passed_already_is_told_and_then_executed(
    make_world: MakeWorld,
) -> None:
    market = [*flat(10), *flat(20, price="90", first=10)]
    world = make_world(market, script=HOLDS, settings=FREE).start()
    world.run_until_candle(15)
    assert world.positions("OPEN")

    world.say("diagnose")
    world.run_to_the_end().end()

    assert world.place_of("DiagnosisFinding", check="stops") < world.place_of("ExitTriggered")
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


def test_no_stop_is_missed_where_the_policy_is_none(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=HOLDS, settings=NO_STOPS).start()
    world.run_until_candle(6)

    assert status_of(world.say("diagnose"), "stops") == "ok"


def test_a_position_open_for_too_long_is_flagged_and_left_alone(make_world: MakeWorld) -> None:
    market = [*flat(5), *flat(5, first=2 * A_DAY)]
    settings = {"diagnose": {"stuck_after_days": 1}}
    world = make_world(market, script=HOLDS, settings=settings).start()
    world.run_until_candle(2 * A_DAY)

    reply = world.say("diagnose")

    (position,) = world.positions("OPEN")
    assert status_of(reply, "stuck") == "finding"
    assert f"open for over 1 day: {position['position_id']}" in reply.text
    assert health(world, "stuck")[-1] == ("finding", False)


def test_a_finding_is_a_notice_to_people(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.change_row(WRONG_AMOUNT)
    world.say("diagnose")
    world.run_for(1)

    texts = [line.fields["text"] for line in world.said("Notified")]
    assert "[PAPER] \U0001f527 Self-healing: 1 fix applied (projections)" in texts


def test_it_diagnoses_again_each_interval(make_world: MakeWorld) -> None:
    world = make_world(flat(130)).live()

    triggers = [line.fields["trigger"] for line in world.said("DiagnosisCompleted")]
    assert triggers == ["start", "interval", "interval"]


def test_a_broken_chain_is_found_and_the_rows_are_left_as_they_are(
    make_world: MakeWorld,
) -> None:
    world = holding(make_world)
    world.drop()
    world.change_row(WRONG_AMOUNT)
    world.change_row("DROP TRIGGER position_events_are_never_updated")
    world.change_row("UPDATE position_events SET actor = 'nobody' WHERE event_id = 2")
    world.start()
    world.run_until(lambda: world.has_said("DiagnosisCompleted", findings=3))  # and a difference

    assert health(world, "chain")[-1] == ("finding", False)
    assert health(world, "projections")[-1] == ("finding", False)
    assert not world.has_said("StoreMended", mend="RebuildRows")


def test_a_broken_chain_halts_entries_until_a_person_resumes(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.drop()
    world.change_row("DROP TRIGGER position_events_are_never_updated")
    world.change_row("UPDATE position_events SET actor = 'nobody' WHERE event_id = 2")
    world.start()
    world.run_until(lambda: world.has_said("TradingStateChanged", cause="store"))

    assert world.has_said("TradingStateChanged", state="REDUCING", cause="store")


def test_nobody_starts_over_when_only_the_rows_were_wrong(make_world: MakeWorld) -> None:
    world = holding(make_world)
    world.change_row(WRONG_AMOUNT)
    world.say("diagnose")

    assert world.has_said("StoreMended", mend="RebuildRows")
    assert not world.said("ActorDied")
