"""Each fault of the store, planted: found, mended where it can be, gone at the second look."""

# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aegis.store.inspection
import aegis.store.reserve
from aegis.domain.commands import CompleteDiagnosis
from aegis.domain.events import CheckResult, OrderIntended, PositionMarked
from aegis.domain.ids import EventId, Generation, Instant
from aegis.domain.judgement import Ask, Depth, Judgement
from aegis.domain.mends import (
    EmptyWal,
    FreeReserve,
    MakeReserve,
    Mend,
    RebuildRows,
    RewriteMark,
    SetAside,
)
from aegis.store.files import wal_path
from aegis.store.inspection import DAY_NS, KEPT_DAYS, QUARANTINE_MAX, Inspection, Places
from aegis.store.lock import lock_path
from aegis.store.mark import SLOT_BYTES, mark_path
from aegis.store.mending import mend
from aegis.store.reserve import FREE_BYTES_MIN, free_reserve, is_reserved
from aegis.store.verify import verify
from tests.store.histories import START, SYMBOLS, History, open_store
from tests.store.tampering import append_event, append_unheard, dump, empty_index, stranger, tamper

OUTBOX_AFTER_S = 300


class Patient:
    """An open store with a history, and the look at it."""

    def __init__(self, path: Path, seed: int = 5) -> None:
        self.path = path
        self.store = open_store(path, notice_of=lambda recorded, _book: str(recorded.event_id))
        self.history = History(seed, self.store.book, self.store.stamp(START))
        if self.store.last_event_id == 0:
            self.live(40)
        self.inspection = Inspection(
            Places(path=path, files=lambda: self.store.files, outbox_after_s=OUTBOX_AFTER_S)
        )

    def live(self, commands: int) -> None:
        records = (*self.history.open_position(), *self.history.happen(commands))
        if records:
            self.store.commit(records, self.history.book)

    def close(self) -> None:
        self.inspection.close()
        self.store.close()

    def look(
        self, depth: Depth = Depth.WHOLE, *, later_days: int = 0, least: int | None = None
    ) -> dict[str, Judgement]:
        now = Instant(self.history.now + later_days * DAY_NS)
        last = self.store.last_event_id if least is None else EventId(least)
        found = self.inspection.look(Ask(depth=depth, last_event_id=last, now=now))
        return {each.result.check: each for each in found}

    def status(self, check: str, depth: Depth = Depth.WHOLE) -> str:
        return self.look(depth)[check].result.status

    def mended(self, judgement: Judgement) -> None:
        """Do what a judgement asks for."""
        for remedy in judgement.remedies:
            assert isinstance(remedy, Mend)
            mend(self.store, remedy, self.history.now)

    def expect_cured(self, check: str, depth: Depth, *remedies: type[Mend]) -> None:
        """Find a check's fault, do its remedies, and find it gone."""
        found = self.look(depth)[check]
        assert found.result.status == "finding"
        assert tuple(map(type, found.remedies)) == remedies
        self.mended(found)
        assert self.status(check, depth) == "ok"


@pytest.fixture
def patient(path: Path) -> Iterator[Patient]:
    made = Patient(path)
    yield made
    made.close()


def spoil(patient: Patient, statement: str) -> None:
    with stranger(patient.path) as db:
        db.execute("PRAGMA foreign_keys = OFF").fetchall()
        db.execute(statement).fetchall()


# Without a fault -----------------------------------------------------------------------------


@pytest.mark.parametrize("depth", list(Depth))
@pytest.mark.parametrize("seed", range(3))
def test_a_lawful_store_is_well_in_every_check(path: Path, seed: int, depth: Depth) -> None:
    patient = Patient(path, seed)
    looks = []
    for commands in (0, 5, 30):
        patient.live(commands)
        looks.append(patient.look(depth))
    patient.close()
    well = [
        judgement.result.status
        for look in looks
        for check, judgement in look.items()
        if check != "trades"  # a random life has its gaps over a stop
    ]
    assert set(well) == {"ok"}


def test_a_light_look_leaves_out_what_takes_long(patient: Patient) -> None:
    assert patient.look(Depth.DEEP).keys() - patient.look(Depth.LIGHT).keys() == {
        "indices",
        "foreign_keys",
    }


def test_a_look_changes_nothing(patient: Patient) -> None:
    spoil(patient, "UPDATE orders SET reason = 'x'")
    free_reserve(patient.path)
    mark_path(patient.path).unlink()
    before = dump(patient.path)
    for depth in Depth:
        patient.look(depth)
    assert dump(patient.path) == before
    assert not is_reserved(patient.path)
    assert not mark_path(patient.path).exists()


# The log and its mark ------------------------------------------------------------------------


def test_a_changed_event_is_found_and_nothing_is_built_on_it(patient: Patient) -> None:
    patient.close()
    tamper(patient.path, "UPDATE position_events SET actor = 'nobody' WHERE event_id = 2",
           "UPDATE orders SET reason = 'x'")  # fmt: skip
    sick = Patient(patient.path)
    found = sick.look()
    sick.close()
    assert found["chain"].result.status == "finding"
    assert found["projections"].result.status == "finding"
    assert [each for judgement in found.values() for each in judgement.remedies] == []


def test_a_missing_mark_is_written_anew(patient: Patient) -> None:
    mark_path(patient.path).unlink()
    patient.expect_cured("mark", Depth.LIGHT, RewriteMark)


def test_a_torn_slot_is_written_anew(patient: Patient) -> None:
    data = bytearray(mark_path(patient.path).read_bytes())
    data[SLOT_BYTES : SLOT_BYTES + 40] = bytes(40)
    mark_path(patient.path).write_bytes(data)
    patient.expect_cured("mark", Depth.LIGHT, RewriteMark)


def test_a_mark_that_lags_is_written_anew(patient: Patient) -> None:
    before = mark_path(patient.path).read_bytes()
    patient.live(5)
    mark_path(patient.path).write_bytes(before)
    patient.expect_cured("mark", Depth.LIGHT, RewriteMark)


def test_a_mark_that_is_rewritten_goes_on_with_the_log(patient: Patient) -> None:
    mark_path(patient.path).unlink()
    patient.mended(patient.look(Depth.LIGHT)["mark"])
    patient.live(5)
    assert patient.status("mark", Depth.LIGHT) == "ok"


def test_a_mark_ahead_of_the_question_is_no_fault(patient: Patient) -> None:
    """What is committed between question and look is in the mark already."""
    assert patient.look(Depth.LIGHT, least=3)["mark"].result.status == "ok"


def test_a_log_shorter_than_its_mark_is_not_mended(patient: Patient) -> None:
    with stranger(patient.path) as db:
        db.execute("DROP TRIGGER position_events_are_never_deleted").fetchall()
        db.execute("PRAGMA foreign_keys = OFF").fetchall()
        db.execute("DELETE FROM position_events WHERE event_id > 10").fetchall()
    found = patient.look(Depth.LIGHT)["mark"]
    assert (found.result.status, found.remedies) == ("finding", ())
    assert "the log ends at event 10" in found.result.details


# Events and rows -----------------------------------------------------------------------------


def orphaned(patient: Patient, count: int = 1) -> Patient:
    """Let the log end in events that follow from nothing."""
    patient.close()
    event = PositionMarked(price=patient.history.price())
    for number in range(count):
        append_event(patient.path, f"nobody-{number}", event)
    return Patient(patient.path)


@pytest.mark.parametrize("depth", list(Depth))
def test_an_event_of_no_position_is_put_into_quarantine(patient: Patient, depth: Depth) -> None:
    sick = orphaned(patient)
    sick.expect_cured("events", depth, SetAside, RebuildRows)
    assert {each.result.status for each in sick.look(Depth.WHOLE).values()} == {"ok"}
    sick.close()
    assert verify(patient.path).ok


def test_an_event_stays_in_the_log_when_it_is_set_aside(patient: Patient) -> None:
    sick = orphaned(patient)
    events = list(sick.store.events())
    sick.mended(sick.look()["events"])
    assert list(sick.store.events()) == events
    sick.close()


def test_a_store_lives_on_after_a_quarantine(patient: Patient) -> None:
    sick = orphaned(patient)
    sick.mended(sick.look()["events"])
    sick.live(20)
    assert {each.result.status for each in sick.look(Depth.WHOLE).values()} == {"ok"}
    sick.close()


def test_an_event_that_no_fold_can_take_is_found_though_its_position_is_there(
    patient: Patient,
) -> None:
    held = patient.history.book.alive_positions()[0].position_id
    patient.close()
    opening = History(9).open_position(SYMBOLS[2])[0].event
    assert isinstance(opening, OrderIntended)
    append_event(patient.path, held, opening)
    sick = Patient(patient.path)
    sick.expect_cured("events", Depth.LIGHT, SetAside, RebuildRows)
    sick.close()
    assert verify(patient.path).ok


def test_too_many_orphans_at_once_are_told_and_left(patient: Patient) -> None:
    sick = orphaned(patient, QUARANTINE_MAX + 1)
    found = sick.look()
    sick.close()
    assert found["events"].result.status == "finding"
    assert found["events"].result.details.endswith("and 1 more")
    assert [each for judgement in found.values() for each in judgement.remedies] == []


def test_a_changed_row_is_made_anew(patient: Patient) -> None:
    spoil(patient, "UPDATE positions SET amount_exact = '9' WHERE position_id <> 'system'")
    patient.expect_cured("projections", Depth.LIGHT, RebuildRows)


OVER = "status NOT IN ('OPENING', 'OPEN', 'CLOSING') AND position_id <> 'system'"


def test_a_row_of_what_is_long_over_is_looked_at_on_demand(patient: Patient) -> None:
    with stranger(patient.path) as db:
        found = db.execute(f"SELECT position_id FROM positions WHERE {OVER}").fetchone()
    assert found is not None
    patient.look(Depth.DEEP)
    spoil(patient, f"UPDATE positions SET notes = 'x' WHERE {OVER}")
    assert patient.status("projections", Depth.DEEP) == "ok"
    patient.expect_cured("projections", Depth.WHOLE, RebuildRows)


def test_a_log_too_long_to_fold_while_a_person_waits_is_looked_at_as_always(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.inspection, "WHOLE_EVENTS_MAX", 10)
    patient.look(Depth.DEEP)
    spoil(patient, f"UPDATE positions SET notes = 'x' WHERE {OVER}")
    assert patient.status("projections", Depth.WHOLE) == "ok"


def test_rows_are_not_made_from_events_that_cannot_be_read(patient: Patient) -> None:
    """A later program wrote it, say: the log is whole, and a rebuild would end the store."""
    patient.close()
    append_unheard(patient.path)
    sick = Patient(patient.path)
    found = sick.look()
    sick.close()
    assert found["chain"].result.status == "ok"
    assert (found["projections"].result.status, found["projections"].remedies) == ("finding", ())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM positions WHERE status = 'VOID' AND position_id <> 'system'",
        "UPDATE orders SET position_id = 'nobody' WHERE state = 'FILLED'",
        "UPDATE fills SET client_order_id = 'nobody'",
    ],
)
def test_rows_that_belong_to_nothing_are_made_anew(patient: Patient, statement: str) -> None:
    spoil(patient, statement)
    patient.expect_cured("foreign_keys", Depth.DEEP, RebuildRows)


def test_a_notice_of_no_event_is_only_told(patient: Patient) -> None:
    spoil(patient, "UPDATE notifications SET event_id = 99999 WHERE event_id = 3")
    found = patient.look(Depth.DEEP)["foreign_keys"]
    assert (found.result.status, found.remedies) == ("finding", ())
    assert "of notifications belongs to no row of position_events" in found.result.details


# Files ---------------------------------------------------------------------------------------


def test_a_damaged_index_is_told_for_the_next_start(patient: Patient) -> None:
    empty_index(patient.path)
    found = patient.look(Depth.DEEP)["indices"]
    assert (found.result.status, found.remedies) == ("finding", ())
    assert "orders_by_position" in found.result.details


def test_indices_that_the_opening_proved_are_not_proved_again(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.inspection, "damage_of", lambda _db: ("damaged",))
    inspection = Inspection(Places(path=patient.path, files=dict, outbox_after_s=1, is_proved=True))
    ask = Ask(depth=Depth.DEEP, last_event_id=EventId(0), now=START)
    looks = [
        next(each.result.status for each in inspection.look(ask) if each.result.check == "indices")
        for _ in range(2)
    ]
    inspection.close()
    assert looks == ["ok", "finding"]


@pytest.mark.parametrize("path_of", [wal_path, lock_path, lambda store: store])
def test_a_file_that_is_gone_is_told(patient: Patient, path_of: object) -> None:
    gone = path_of(patient.path)  # type: ignore[operator]
    gone.rename(gone.with_name("elsewhere"))
    found = patient.look(Depth.LIGHT)["files"]
    gone.with_name("elsewhere").rename(gone)
    assert (found.result.status, found.remedies) == ("finding", ())
    assert str(gone) in found.result.details


def test_a_file_that_was_replaced_is_told(patient: Patient) -> None:
    wal = wal_path(patient.path)
    kept = wal.with_name("kept")
    wal.rename(kept)
    wal.write_bytes(kept.read_bytes())
    assert patient.status("files", Depth.LIGHT) == "finding"
    kept.rename(wal)
    assert patient.status("files", Depth.LIGHT) == "ok"


def test_files_of_a_store_that_is_not_open_are_not_called_well(patient: Patient) -> None:
    patient.store.close()
    assert patient.status("files", Depth.LIGHT) == "failed"


def test_a_long_wal_is_moved_into_the_database(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.inspection, "WAL_BYTES_MAX", 1000)
    patient.live(5)
    patient.expect_cured("wal", Depth.LIGHT, EmptyWal)


def test_a_wal_that_a_reader_holds_is_a_finding_still(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.inspection, "WAL_BYTES_MAX", 1000)
    with stranger(patient.path) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        patient.live(5)
        patient.mended(patient.look(Depth.LIGHT)["wal"])
        assert patient.status("wal", Depth.LIGHT) == "finding"
    patient.live(5)
    assert patient.status("chain", Depth.LIGHT) == "ok"


def test_a_missing_reserve_is_made(patient: Patient) -> None:
    free_reserve(patient.path)
    patient.expect_cured("disk", Depth.LIGHT, MakeReserve)


def test_a_full_disk_frees_the_reserve_and_stays_a_finding(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (aegis.store.inspection, aegis.store.reserve):
        monkeypatch.setattr(module, "free_bytes", lambda _store: FREE_BYTES_MIN - 1)
    found = patient.look(Depth.LIGHT)["disk"]
    assert tuple(map(type, found.remedies)) == (FreeReserve,)
    patient.mended(found)
    assert not is_reserved(patient.path)
    second = patient.look(Depth.LIGHT)["disk"]
    assert (second.result.status, second.remedies) == ("finding", ())


# Notices and old rows ------------------------------------------------------------------------


def test_notices_that_wait_for_too_long_are_told_by_channel(patient: Patient) -> None:
    spoil(patient, "UPDATE notifications SET error = 'timed out'")
    found = patient.look(Depth.LIGHT, later_days=1)["outbox"].result
    assert found.status == "finding"
    assert "channel log: notices wait since" in found.details
    assert "timed out" in found.details


def test_notices_that_just_came_are_no_backlog(patient: Patient) -> None:
    assert patient.status("outbox", Depth.LIGHT) == "ok"


def old_rows(patient: Patient) -> tuple[object, object]:
    """Count checks' rows and notices."""
    with stranger(patient.path) as db:
        health = db.execute("SELECT count(*) FROM system_health").get
        return health, db.execute("SELECT count(*) FROM notifications").get


def diagnosed(patient: Patient) -> None:
    checks = (CheckResult(check="chain", status="ok", details=""),)
    done = CompleteDiagnosis(generation=Generation(1), trigger="start", checks=checks)
    records = patient.history.execute(done)
    patient.store.commit(records, patient.history.book)


def test_old_rows_are_trimmed_and_events_are_not(patient: Patient) -> None:
    diagnosed(patient)
    pending = patient.store.pending_notices("log", 1000)
    told = [(notice.event_id, "log") for notice in pending[:-3]]
    patient.store.mark_notified(told, patient.history.now)
    events = list(patient.store.events())
    found = patient.look(Depth.LIGHT, later_days=KEPT_DAYS + 2)["retention"]
    assert found.result.status == "finding"
    patient.mended(found)
    assert patient.look(Depth.LIGHT, later_days=KEPT_DAYS + 2)["retention"].result.status == "ok"
    assert old_rows(patient) == (0, 3)  # what is still to be told stays
    assert list(patient.store.events()) == events


def test_what_is_not_old_is_kept(patient: Patient) -> None:
    diagnosed(patient)
    before = old_rows(patient)
    found = patient.look(Depth.LIGHT, later_days=KEPT_DAYS)["retention"]
    patient.mended(found)
    assert found.result.status == "ok"
    assert old_rows(patient) == before


# What keeps a look from its end --------------------------------------------------------------


def test_a_part_that_cannot_be_looked_at_has_failed_and_the_others_go_on(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_store: Path) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(aegis.store.inspection, "free_bytes", broken)
    found = patient.look()
    assert found["disk"].result.status == "failed"
    assert {each.result.status for name, each in found.items() if name != "disk"} == {"ok"}


def test_a_store_that_cannot_be_opened_is_a_finding(tmp_path: Path) -> None:
    places = Places(path=tmp_path / "none.db", files=dict, outbox_after_s=1)
    ask = Ask(depth=Depth.LIGHT, last_event_id=EventId(0), now=START)
    (chain, files) = Inspection(places).look(ask)
    assert (chain.result.status, files.result.status) == ("finding", "failed")
