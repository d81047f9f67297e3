"""States that are kept beside the log: a shorter way to the same values, and never another."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

import aegis.store.states
from aegis.domain.book import Book
from aegis.domain.events import Recorded
from aegis.domain.ids import ClientOrderId, EventId
from aegis.store.connection import open_reader
from aegis.store.journal import Store
from aegis.store.states import (
    HELD_MAX,
    State,
    encoded,
    nearest_state,
    spacing,
    state_numbers,
)
from aegis.store.verify import verify
from tests.store.histories import SYMBOLS, History, open_store
from tests.store.tampering import tamper

SPACING = 40
MOVE_STATE = "UPDATE states SET event_id = 9999 WHERE event_id = {}"
DELETE_STATE = "DELETE FROM states WHERE event_id = {}"
SEEDS = range(5)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aegis.store.states, "EVENTS_MIN", SPACING)


def lived(path: Path, seed: int = 1, commands: int = 300) -> tuple[Recorded, ...]:
    """Make a closed store with states in it; return its log."""
    store = open_store(path, is_kept=False)
    history = History(seed, store.book)
    records: list[Recorded] = []
    while len(records) < commands:
        made = history.happen(3)
        records += made
        if made:
            store.commit(made, history.book)
            history.book.forget_ended()
    store.close()
    return tuple(records)


def numbers(path: Path) -> tuple[int, ...]:
    return state_numbers(open_reader(path))


def folded(records: tuple[Recorded, ...], event_id: int) -> Book:
    book = Book()
    for recorded in records[:event_id]:
        book.apply(recorded)
    return book


@pytest.mark.parametrize("seed", SEEDS)
def test_a_state_is_what_the_events_alone_add_up_to(path: Path, seed: int) -> None:
    records = lived(path, seed)
    db = open_reader(path)
    kept = state_numbers(db)
    assert len(kept) >= 5
    for number in kept:
        found = nearest_state(db, number)
        book = folded(records, number)
        assert (found.event_id, found.faults) == (number, ())
        assert found.state == state_of(book)


def state_of(book: Book) -> State:
    return aegis.store.states._DECODER.decode(encoded(book))


def test_the_last_state_up_to_an_event_is_taken(path: Path) -> None:
    lived(path)
    db = open_reader(path)
    first, second, *_ = state_numbers(db)
    assert nearest_state(db, second - 1).event_id == first
    assert nearest_state(db, second).event_id == second
    assert nearest_state(db, first - 1).event_id == 0


def test_states_go_on_where_they_were_after_a_restart(path: Path) -> None:
    lived(path)
    before = numbers(path)
    store = open_store(path)
    history = History(9, store.book, now=store.stamp(History(1).now))
    store.commit(history.happen(SPACING // 2), history.book)
    assert len(numbers(path)) <= len(before) + 1
    store.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_states_are_made_anew_with_the_rows(path: Path, seed: int) -> None:
    lived(path, seed)
    tamper(path, "UPDATE states SET data = x'00'")
    store = open_store(path)
    store.rebuild()
    store.close()
    assert len(numbers(path)) >= 1
    assert verify(path).ok


DAMAGE = {
    "UPDATE states SET data = x'00' WHERE event_id = {}": "its checksum does not cover it",
    "UPDATE states SET checksum = 'x' WHERE event_id = {}": "its checksum does not cover it",
    "UPDATE states SET hash = 'x' WHERE event_id = {}": "its checksum does not cover it",
    "INSERT INTO quarantine VALUES ({} - 1, 'odd', '')": "an event before it was set aside",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_state_that_does_not_prove_itself_is_not_used_and_told(
    path: Path, statement: str
) -> None:
    lived(path)
    kept = numbers(path)
    tamper(path, statement.format(kept[-1]))
    found = nearest_state(open_reader(path), kept[-1] + 5)
    assert found.event_id == kept[-2]
    assert found.faults == (f"the state at event {kept[-1]} is not used: {DAMAGE[statement]}",)


def test_a_state_of_another_program_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(path)
    monkeypatch.setattr(aegis.store.states, "SHAPE", b"other")
    found = nearest_state(open_reader(path), 10**9)
    assert found.event_id == 0
    assert "another version of AEGIS made it" in found.faults[0]


def test_a_state_of_another_log_is_not_used(path: Path, tmp_path: Path) -> None:
    lived(path, seed=1)
    other = tmp_path / "other" / "aegis.db"
    lived(other, seed=2)
    tamper(
        path,
        "DELETE FROM states",
        f"ATTACH DATABASE '{other}' AS other",
        "INSERT INTO states SELECT * FROM other.states",
    )
    found = nearest_state(open_reader(path), 10**9)
    assert found.event_id == 0
    assert "it belongs to another log" in found.faults[0]


def test_verify_names_a_state_that_is_not_what_the_events_make(path: Path) -> None:
    records = lived(path)
    kept = numbers(path)
    wrong = folded(records, kept[2] - 1)
    wrong.last_event_id = records[kept[2] - 1].event_id
    tamper(path, DELETE_STATE.format(kept[2]))
    store = open_store(path)
    with store._transaction():
        store._states.keep(wrong, records_hash(store._db, kept[2]))
    store.close()
    (problem,) = verify(path).problems
    assert problem.check == "states"
    assert problem.text == f"the state at event {kept[2]} is not what the events make"


def test_verify_names_a_state_of_an_event_that_is_not_there(path: Path) -> None:
    lived(path)
    tamper(path, MOVE_STATE.format(numbers(path)[-1]))
    (problem,) = verify(path).problems
    assert problem.text == "the state at event 9999 is past the log's end"


def test_a_state_from_before_an_event_was_set_aside_is_outdated_and_no_fault(path: Path) -> None:
    lived(path)
    tamper(path, "INSERT INTO quarantine VALUES (0, 'odd', '')")  # of no event, but counted
    assert not [each for each in verify(path).problems if each.check == "states"]


def test_a_state_of_another_program_is_no_fault_of_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(path)
    monkeypatch.setattr(aegis.store.states, "SHAPE", b"other")
    assert verify(path).problems == ()


def records_hash(db: apsw.Connection, event_id: int) -> str:
    return str(db.execute("SELECT hash FROM position_events WHERE event_id = ?", (event_id,)).get)


def test_a_damaged_state_is_a_problem_and_the_log_is_proved(path: Path) -> None:
    records = lived(path)
    tamper(path, "UPDATE states SET data = x'00'")
    found = verify(path)
    assert {problem.check for problem in found.problems} == {"states"}
    assert found.events == len(records)


def test_a_full_disk_costs_a_state_and_no_event(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(1, store.book)
    records = history.happen(SPACING * 3)
    monkeypatch.setattr(store._states, "keep", raising)
    store.commit(records, history.book)
    assert store.last_event_id == records[-1].event_id
    assert numbers(store.path) == ()
    store.commit(history.happen(40), history.book)


def raising(_book: Book, _head_hash: str) -> None:
    raise apsw.FullError("database or disk is full")


def test_the_further_the_log_goes_the_rarer_states_become() -> None:
    assert spacing(1_000, held=10) == SPACING
    assert spacing(10_000_000, held=10) == 100_000


def test_what_is_much_is_kept_rarely_and_very_much_never(store: Store) -> None:
    assert spacing(100, held=20_000) == 20_000
    book = Book()
    book.last_event_id = EventId(10**9)
    assert store._states.is_due(book)
    held = History(1).entry(SYMBOLS[0]).order
    book.orders = {ClientOrderId(str(number)): held for number in range(HELD_MAX + 1)}
    assert not store._states.is_due(book)
