# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from aegis.domain.events import PositionMarked, Recorded
from aegis.domain.ids import EventId, PositionId
from aegis.store.errors import NoStore, StoreCorrupt, StoreTooNew
from aegis.store.folding import Fold
from aegis.store.journal import Store
from aegis.store.mark import mark_path
from aegis.store.records import stored_events
from aegis.store.statements import POSITION_COLUMNS
from aegis.store.verify import PROBLEMS_MAX, Verification, verify
from tests.domain.kit import START
from tests.store.histories import History, open_store
from tests.store.tampering import flip, page_checksum, stranger, tamper

Filled = Callable[..., Path]


def _checks(found: Verification) -> set[str]:
    assert found.ok == (not found.problems)
    return {problem.check for problem in found.problems}


def _texts(found: Verification, check: str) -> str:
    return "\n".join(problem.text for problem in found.problems if problem.check == check)


def test_a_lawful_store_is_proved_to_its_head(path: Path) -> None:
    store = open_store(path)
    history = History(3, store.book)
    records = (*history.open_position(), *history.happen(100))
    store.commit(records, history.book)
    store.close()
    found = verify(path)
    assert (found.ok, found.events, found.head_hash) == (True, len(records), store.head_hash)


def test_a_running_store_can_be_verified(store: Store) -> None:
    history = History(3, store.book)
    store.commit(history.open_position(), history.book)
    assert verify(store.path).ok


def test_an_empty_store_is_whole(path: Path) -> None:
    open_store(path).close()
    assert verify(path).ok


def test_verifying_changes_nothing(filled: Filled) -> None:
    path = filled()
    before = path.read_bytes()
    verify(path)
    assert path.read_bytes() == before


def test_progress_ends_at_the_whole(filled: Filled) -> None:
    path = filled()
    seen: list[tuple[int, int]] = []
    found = verify(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (found.events, found.events)


def test_no_store_is_not_a_problem_but_an_absence(path: Path) -> None:
    with pytest.raises(NoStore):
        verify(path)


def test_a_newer_schema_is_not_judged(filled: Filled) -> None:
    path = filled()
    with stranger(path) as db:
        db.execute("PRAGMA user_version = 99").fetchall()
    with pytest.raises(StoreTooNew):
        verify(path)


@pytest.mark.parametrize("page", range(1, 12))
def test_a_flipped_bit_in_any_page_is_found(filled: Filled, page: int) -> None:
    path = filled()
    assert path.stat().st_size > 12 * 4096
    flip(path, page * 4096 + 2_345)
    assert "pages" in _checks(verify(path))


def _place_in_the_file(path: Path, event_id: int) -> int:
    """Return the offset in the file of the hashes in an event's row."""
    with stranger(path) as db:
        stored = next(stored_events(db, after=event_id - 1))
    return path.read_bytes().index((stored.hash + stored.prev_hash).encode())


def test_a_flipped_bit_in_an_event_names_page_and_event(filled: Filled) -> None:
    path = filled(commands=200)
    offset = _place_in_the_file(path, 60)
    flip(path, offset)
    found = verify(path)
    number = offset // 4096 + 1
    assert _texts(found, "pages") == f"page {number} is damaged: it does not match its checksum"
    assert "event 60: its hash does not cover it" in _texts(found, "chain")
    assert found.events == 59


def test_a_page_that_is_no_page_any_more_ends_the_proof_and_not_before(filled: Filled) -> None:
    path = filled(commands=200)
    page = _place_in_the_file(path, 60) // 4096
    data = bytearray(path.read_bytes())
    data[page * 4096 : page * 4096 + 8] = b"nonsense"
    path.write_bytes(data)
    found = verify(path)
    assert 20 < found.events < 60
    assert _texts(found, "events").startswith(f"event {found.events + 1} cannot be read")


def test_damage_is_told_without_the_words_of_sqlite(filled: Filled) -> None:
    path = filled(commands=200)
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 8] = b"nonsense"
    path.write_bytes(data)
    told = "\n".join(problem.text for problem in verify(path).problems)
    assert "pages are damaged, they do not match their checksums: 3, 6, 9, 12, 15 and " in told
    for word in ("***", "Tree", "error code", "malformed", "disk image", "Error"):
        assert word not in told


@pytest.mark.parametrize("table", ["orders", "fills", "position_events", "states"])
def test_a_page_that_makes_no_sense_is_told_in_our_words(filled: Filled, table: str) -> None:
    path = filled(commands=200)
    with stranger(path) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    assert isinstance(root, int)
    data = bytearray(path.read_bytes())
    begin, end = (root - 1) * 4096, root * 4096
    data[begin : begin + 8] = b"nonsense"
    data[end - 8 : end] = page_checksum(data[begin : end - 8])
    path.write_bytes(data)
    found = verify(path)
    told = "\n".join(problem.text for problem in found.problems)
    assert f"page {root}: it contradicts itself" in told
    for word in ("***", "Tree", "btree", "error code", "malformed"):
        assert word not in told


def test_an_edit_without_checksums_leaves_the_chain_proved(filled: Filled) -> None:
    path = filled()
    whole = verify(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE orders SET reason = 'x'")
        db.commit()
    found = verify(path)
    assert "damaged" in _texts(found, "pages")
    assert "the row says 'x'" in _texts(found, "orders")
    assert (found.events, found.head_hash) == (whole.events, whole.head_hash)


def test_a_table_of_somebody_else_is_found(filled: Filled) -> None:
    path = filled()
    with stranger(path) as db:
        db.execute("CREATE TABLE notes (text TEXT)").fetchall()
    assert _texts(verify(path), "schema") == "the table notes is not of AEGIS"


def test_a_trigger_that_was_dropped_is_found(filled: Filled) -> None:
    path = filled()
    with stranger(path) as db:
        db.execute("DROP TRIGGER position_events_are_never_deleted").fetchall()
    text = "the trigger position_events_are_never_deleted is missing"
    assert _texts(verify(path), "schema") == text


@pytest.mark.parametrize("offset", [0, 18, 20, 24, 60, 100, 105, 4095])
def test_a_flipped_bit_in_the_header_is_found_or_refused(filled: Filled, offset: int) -> None:
    path = filled()
    flip(path, offset)
    try:
        assert not verify(path).ok
    except (NoStore, StoreTooNew):
        pytest.fail("the store is there, and no newer")


@pytest.mark.parametrize("size", [0, 100, 4096, 5000, 40_000])
def test_a_database_that_was_cut_off_is_found(filled: Filled, size: int) -> None:
    path = filled()
    path.write_bytes(path.read_bytes()[:size])
    assert not verify(path).ok


def test_a_file_of_another_kind_is_a_problem(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 9_000)
    assert not verify(path).ok


def test_the_first_edited_event_is_named(filled: Filled) -> None:
    path = filled()
    tamper(
        path,
        "UPDATE position_events SET event_data = replace(event_data, '1', '2') WHERE event_id > 6",
    )
    found = verify(path)
    assert "event 7: its hash does not cover it" in _texts(found, "chain")
    assert found.events == 6


@pytest.mark.parametrize(
    "column", ["position_id", "event_type", "actor", "timestamp", "version", "hash", "prev_hash"]
)
def test_an_edit_of_any_column_breaks_the_chain(filled: Filled, column: str) -> None:
    path = filled()
    value = "77" if column == "version" else "'x' || " + column
    tamper(path, f"UPDATE position_events SET {column} = {value} WHERE event_id = 5")
    assert "event 5" in _texts(verify(path), "chain")


def test_an_event_whose_hash_was_made_anew_is_found_by_the_next(filled: Filled) -> None:
    path = filled()
    with stranger(path) as db:
        true = next(stored_events(db, after=4))
    forged_hash = msgspec.structs.replace(true, actor="Forger").computed_hash()
    tamper(
        path,
        f"UPDATE position_events SET actor = 'Forger', hash = '{forged_hash}' WHERE event_id = 5",
    )
    assert "event 6: it does not follow" in _texts(verify(path), "chain")


def test_a_deleted_event_is_found(filled: Filled) -> None:
    path = filled()
    tamper(path, "DELETE FROM position_events WHERE event_id = 5")
    assert "expected event 5" in _texts(verify(path), "chain")


def test_a_deleted_last_event_is_found_by_the_mark(filled: Filled) -> None:
    path = filled()
    tamper(
        path,
        "DELETE FROM position_events WHERE event_id = (SELECT max(event_id) FROM position_events)",
    )
    assert "the log ends at event" in _texts(verify(path), "mark")


def test_a_deleted_last_event_is_found_without_the_mark(filled: Filled) -> None:
    path = filled()
    mark_path(path).unlink()
    tamper(
        path,
        "DELETE FROM position_events WHERE event_id = (SELECT max(event_id) FROM position_events)",
    )
    found = verify(path)
    assert "were written" in _texts(found, "chain")
    assert "is missing" in _texts(found, "mark")


def test_a_mark_that_cannot_be_read_is_a_problem(filled: Filled) -> None:
    path = filled()
    mark_path(path).write_bytes(b"torn twice")
    assert "cannot be read" in _texts(verify(path), "mark")


def test_a_time_that_goes_back_is_found(filled: Filled) -> None:
    path = filled()
    tamper(
        path,
        "UPDATE position_events SET timestamp = '1999' || substr(timestamp, 5) WHERE event_id = 9",
    )
    assert "event 9" in _texts(verify(path), "chain")


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE positions SET amount_exact = '9' WHERE symbol = 'BTC/USDT'", "positions"),
        ("UPDATE positions SET pnl = 1000000.0 WHERE symbol = 'BTC/USDT'", "positions"),
        ("UPDATE positions SET metadata = '{}' WHERE position_id = 'system'", "positions"),
        ("INSERT INTO positions SELECT 'p2', COLUMNS FROM positions LIMIT 1", "positions"),
        ("UPDATE orders SET state = 'FILLED'", "orders"),
        ("UPDATE fills SET price_exact = '1'", "fills"),
        ("DELETE FROM fills WHERE event_id = (SELECT min(event_id) FROM fills)", "fills"),
        ("UPDATE reconciliations SET status = 'SUCCESS?'", "reconciliations"),
        ("INSERT INTO reconciliations (timestamp) VALUES ('now')", "reconciliations"),
    ],
)
def test_a_changed_projection_is_found(filled: Filled, statement: str, table: str) -> None:
    path = filled()
    tamper(path, statement.replace("COLUMNS", ", ".join(POSITION_COLUMNS[1:])))
    assert table in _checks(verify(path))


def test_an_orphan_event_is_found(filled: Filled) -> None:
    path = filled()
    tamper(
        path,
        "INSERT INTO position_events SELECT max(event_id) + 1, 'nobody', event_type, event_data,"
        " actor, timestamp, 1, 'h', 'p' FROM position_events",
    )
    found = verify(path)
    assert "position_events belongs to no row of positions" in _texts(found, "foreign keys")


def test_an_event_that_follows_from_nothing_is_told_in_our_words() -> None:
    stray = Recorded(
        event_id=EventId(1),
        position_id=PositionId("nobody"),
        version=1,
        actor="",
        at=START,
        event=PositionMarked(price=Decimal(1), high=None, low=None),
    )
    with pytest.raises(StoreCorrupt) as raised:
        Fold().apply(stray)
    said = "event 1 (PositionMarked) does not follow: No position nobody"
    assert raised.value.text == said


def test_a_broken_index_is_found(filled: Filled) -> None:
    path = filled()
    with stranger(path) as db:
        db.execute("PRAGMA writable_schema = ON").fetchall()
        db.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'position_id)', 'client_order_id)') "
            "WHERE name = 'orders_by_position'"
        ).fetchall()
    assert "orders_by_position" in _texts(verify(path), "pages")


@pytest.mark.parametrize(
    "value",
    [
        "X'FFFE41'",
        "CAST(X'FFFE41' AS TEXT)",
        "'{\"schema\":1}'",
        "'[1,2'",
        '\'{"schema":1,"price":"NaN"}\'',
        "''",
        "zeroblob(100000)",
    ],
)
@pytest.mark.parametrize("column", ["event_data", "actor", "position_id", "timestamp"])
def test_nonsense_in_an_event_is_a_problem_and_not_an_exception(
    filled: Filled, column: str, value: str
) -> None:
    path = filled()
    tamper(path, f"UPDATE position_events SET {column} = {value} WHERE event_id = 8")
    found = verify(path)
    assert {"chain", "events", "pages", "foreign keys"} & _checks(found)
    assert found.events <= 7


def test_a_thousand_faults_are_told_in_a_few_lines(filled: Filled) -> None:
    path = filled(commands=400)
    tamper(path, "UPDATE orders SET reason = 'x'")
    found = verify(path)
    assert len([p for p in found.problems if p.check == "orders"]) == PROBLEMS_MAX + 1


def test_a_flip_in_the_wal_is_found_by_the_mark(path: Path) -> None:
    store = open_store(path)
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    store.commit(history.mark(next(iter(history.book.positions))), history.book)
    store.abandon()
    wal = path.with_name(path.name + "-wal")
    flip(wal, wal.stat().st_size - 100)
    assert "mark" in _checks(verify(path))
