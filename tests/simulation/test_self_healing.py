"""Faults planted in the whole of AEGIS: found, mended, told, and traded on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import aegis.store.inspection
import aegis.store.reserve
from aegis.domain.checks import CHECKS
from aegis.domain.events import PositionMarked
from aegis.exchange.paper_ledger import Change, LedgerFullError, PaperLedger
from aegis.messages import ControlReply
from aegis.store.files import wal_path
from aegis.store.mark import mark_path
from aegis.store.reserve import FREE_BYTES_MIN, free_reserve, is_reserved
from tests.domain.kit import decimals
from tests.simulation.candles import flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.test_diagnosis import HOLDS, WRONG_AMOUNT, health, holding, status_of
from tests.simulation.world import FREE, World
from tests.store.tampering import append_event, dump, empty_index

Plant = Callable[[World], None]

OF_REAL_TIME = {"data", "clock", "backup"}


def orphan(world: World) -> None:
    append_event(world.store_path, "nobody", PositionMarked(price=decimals("7")[0]))


def lose_mark(world: World) -> None:
    mark_path(world.store_path).unlink()


def lose_reserve(world: World) -> None:
    free_reserve(world.store_path)


def empty(world: World) -> None:
    empty_index(world.store_path)


def change(world: World) -> None:
    world.change_row(WRONG_AMOUNT)


def started_anew(world: World, *plants: Plant) -> World:
    """End in peace, let faults be planted, start again, and wait until it is armed."""
    generation = len(world.said("StrategyArmed"))
    world.end()
    for plant in plants:
        plant(world)
    world.start()
    world.run_until(lambda: len(world.said("StrategyArmed")) > generation)
    return world


def results(world: World) -> dict[str, str]:
    """Return the last status of each check."""
    return {check.name: found[-1][0] for check in CHECKS if (found := health(world, check.name))}


def test_many_faults_planted_together_are_all_mended_at_the_start(make_world: MakeWorld) -> None:
    world = started_anew(holding(make_world), orphan, change, empty, lose_mark)
    texts = [line.fields["text"] for line in world.said("StoreFinding")]
    assert any("indices were damaged and made anew" in str(text) for text in texts)
    assert any("high-water mark was missing" in str(text) for text in texts)
    found = [result for result in world.said("DiagnosisCompleted") if result.fields["fixed"]]
    assert found

    world.run_to_the_end().end()
    assert world.verified().problems == ()
    assert world.store_path.with_name("aegis.db.damaged-1").exists()
    assert set(results(world).values()) <= {"ok", "fixed"}


def test_an_orphan_is_set_aside_before_the_strategy_is_armed(make_world: MakeWorld) -> None:
    world = started_anew(holding(make_world), orphan)

    assert health(world, "events")[-1] == ("fixed", True)
    armed = len(world.lines) - 1
    assert world.place_of("StoreMended", mend="SetAside") < armed
    assert world.status().account.trading_state == "ACTIVE"


def test_positions_are_guarded_through_a_quarantine(make_world: MakeWorld) -> None:
    market = [*flat(15), *flat(10, price="90", first=15)]
    world = make_world(market, script=HOLDS, settings=FREE).start()
    world.run_until_candle(6)
    started_anew(world, orphan).run_to_the_end().end()

    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.expect_truth()


def test_a_full_disk_halts_entries_until_a_person_resumes(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = holding(make_world)
    room = iter_room(monkeypatch, FREE_BYTES_MIN - 1)
    next(room)
    reply = world.say("diagnose")
    assert (reply.is_done, status_of(reply, "disk")) == (False, "finding")
    assert not is_reserved(world.store_path)
    assert world.has_said("TradingStateChanged", state="REDUCING", cause="disk")
    early = world.say("resume")
    assert (early.is_done, "make room" in early.text) == (False, True)

    next(room)
    assert status_of(world.say("diagnose"), "disk") == "fixed"
    assert is_reserved(world.store_path)
    assert world.status().account.trading_state == "REDUCING"
    assert world.say("resume").is_done
    assert world.status().account.trading_state == "ACTIVE"


def test_an_exit_that_the_exchange_has_no_room_for_makes_room_and_goes_again(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = make_world(market, script=HOLDS, settings=FREE).start()
    world.run_until_candle(6)
    next(iter_room(monkeypatch, FREE_BYTES_MIN - 1))
    write = PaperLedger.write

    def write_beside_the_reserve(ledger: PaperLedger, change: Change) -> None:
        if is_reserved(world.store_path):
            raise LedgerFullError("database or disk is full")
        write(ledger, change)

    monkeypatch.setattr(PaperLedger, "write", write_beside_the_reserve)
    world.run_to_the_end()

    assert not is_reserved(world.store_path)
    assert world.has_said("OrderRejected")
    assert not world.has_said("OrderOutcomeUnknown")
    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.end()
    world.expect_truth()


def iter_room(patch: pytest.MonkeyPatch, short: int) -> Iterator[None]:
    """Let the disk be short of room, and then not."""
    for free in (short, 10 * FREE_BYTES_MIN):
        for module in (aegis.store.inspection, aegis.store.reserve):
            patch.setattr(module, "free_bytes", lambda _store, free=free: free)
        yield


def test_a_person_who_halted_is_not_overruled_by_a_full_disk(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = holding(make_world)
    world.say("halt")
    next(iter_room(monkeypatch, FREE_BYTES_MIN - 1))
    world.say("diagnose")

    assert not world.has_said("TradingStateChanged", cause="disk")


def test_an_index_damaged_while_it_runs_halts_entries_and_is_mended_by_the_next_start(
    make_world: MakeWorld,
) -> None:
    world = holding(make_world)
    empty_index(world.store_path, "fills_by_order", "client_order_id")

    reply = world.say("diagnose")
    assert (reply.is_done, status_of(reply, "indices")) == (False, "finding")
    assert world.has_said("TradingStateChanged", state="REDUCING", cause="store")

    started_anew(world)
    assert status_of(world.say("diagnose"), "indices") == "ok"
    assert world.say("resume").is_done


def test_a_file_that_is_replaced_is_told_and_takes_no_commit(make_world: MakeWorld) -> None:
    world = holding(make_world)
    wal = wal_path(world.store_path)
    wal.rename(wal.with_name("kept"))
    wal.write_bytes(b"")

    world.people.say("diagnose")
    world.run_until(lambda: world.has_said("DiagnosisFinding", check="files"))
    world.run_until(lambda: world.has_said("ActorDied"))
    assert "was removed or replaced" in str(world.said("ActorDied")[0].fields["error"])
    wal.with_name("kept").rename(wal)


SHOWN: dict[str, Plant] = {
    "mark": lose_mark,
    "projections": change,
    "disk": lose_reserve,
}


@pytest.mark.parametrize("check", list(SHOWN))
def test_a_dry_run_leaves_every_table_and_file_as_it_is(make_world: MakeWorld, check: str) -> None:
    world = holding(make_world)
    SHOWN[check](world)
    before, files = dump(world.store_path), names(world.store_path)

    reply = world.say("diagnose", is_dry_run=True)

    assert status_of(reply, check) == "finding"
    assert dump(world.store_path) == before
    assert names(world.store_path) == files
    assert status_of(world.say("diagnose"), check) == "fixed"


def names(store: Path) -> list[str]:
    return sorted(path.name for path in store.parent.iterdir())


def test_a_finding_is_told_once_and_not_each_hour(make_world: MakeWorld) -> None:
    settings = {**FREE, "diagnose": {"stuck_after_days": 1, "interval_s": 600}}
    market = [*flat(5), *flat(20, first=2 * 24 * 60)]
    world = make_world(market, script=HOLDS, settings=settings).start()
    world.run_to_the_end().end()

    found = health(world, "stuck")
    assert found.count(("finding", False)) > 5
    assert [line.fields["check"] for line in world.said("DiagnosisFinding")] == ["stuck"]
    told = [str(line.fields["text"]) for line in world.said("Notified")]
    assert len([text for text in told if "stuck" in text]) == 1


@pytest.fixture
def _forgetful_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let entries open positions without the stop that their policy asks for."""
    monkeypatch.setattr("aegis.domain.fills.opening_stops", lambda _position, _price: (None, None))


@pytest.mark.usefixtures("_forgetful_entries")
def test_a_lost_stop_that_is_passed_is_an_alarm_before_guard_leaves(make_world: MakeWorld) -> None:
    market = [*flat(10), *flat(20, price="90", first=10)]
    world = make_world(market, script=HOLDS, settings=FREE).start()
    world.run_until_candle(15)
    world.say("diagnose")
    world.run_to_the_end().end()

    alarm = world.place_of("AlarmRaised", check="stops")
    assert alarm < world.place_of("StopRaised") < world.place_of("ExitTriggered")
    told = [str(line.fields["text"]) for line in world.said("Notified")]
    assert any("has lost its stop of 98" in text for text in told)
    assert [event["event_type"] for event in world.history("AlarmRaised", "StopRaised")] == [
        "AlarmRaised",
        "StopRaised",
    ]
    world.expect_truth()


def test_at_full_speed_nothing_is_asked_of_real_time(make_world: MakeWorld) -> None:
    reply: ControlReply = holding(make_world).say("diagnose")
    every = {check.name for check in CHECKS}
    elsewhere = {"exchange", "symbols", "exchange_stop"}  # of live trading, and off
    assert {each.check for each in reply.checks} == every - OF_REAL_TIME - elsewhere
