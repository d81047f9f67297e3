from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from aegis.store.connection import open_writer
from aegis.store.errors import StoreCorrupt, StoreTooNew
from aegis.store.journal import Store
from aegis.store.mark import mark_path
from aegis.store.migrations import migrate, migrations, schema_version
from aegis.store.verify import verify
from tests.store.histories import IDENTITY, START, History, no_notice, open_store
from tests.store.tampering import ALL_ROWS, BACK_TO_2, all_rows, stranger, tamper

BLUEPRINT = {
    "positions": (
        "position_id symbol side entry_price amount current_price stop_price take_profit_price "
        "trailing_stop_pct opened_at closed_at status pnl pnl_pct fees exchange_order_id "
        "created_by notes metadata"
    ),
    "position_events": "event_id position_id event_type event_data actor timestamp",
    "reconciliations": (
        "reconciliation_id timestamp exchange_positions local_positions discrepancies "
        "actions_taken status"
    ),
    "system_health": "check_id timestamp check_type status details auto_fixed",
}

TABLES = (
    *(*BLUEPRINT, "orders", "fills", "notifications", "quarantine", "store_identity"),
    *("recorded_candles", "recorded_runs", "states"),
)


def _schema(db: apsw.Connection) -> list[tuple[object, ...]]:
    question = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    return db.execute(question).fetchall()


def _columns(db: apsw.Connection, table: str) -> list[tuple[str, str]]:
    rows = db.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    return [(str(name), str(kind)) for name, kind in rows]


@pytest.fixture
def bare() -> apsw.Connection:
    """Every migration, in order, and nothing else."""
    db = apsw.Connection(":memory:")
    for migration in migrations():
        db.execute(migration.text).fetchall()
    return db


def test_the_schema_is_the_sum_of_the_migrations(store: Store, bare: apsw.Connection) -> None:
    assert _schema(store._db) == _schema(bare)


@pytest.mark.parametrize("version", range(len(migrations()) + 1))
def test_every_older_schema_is_brought_up(path: Path, version: int, bare: apsw.Connection) -> None:
    path.parent.mkdir()
    db, _ = open_writer(path)
    for migration in migrations()[:version]:
        db.execute(migration.text).fetchall()
    migrate(db)
    found = (_schema(db), schema_version(db))
    db.close()
    assert found == (_schema(bare), len(migrations()))


def test_a_store_that_stopped_between_two_migrations_is_finished(path: Path) -> None:
    path.parent.mkdir()
    db, _ = open_writer(path)
    db.execute(migrations()[0].text).fetchall()
    db.close()
    open_store(path).close()
    assert verify(path).ok


OLDER = """
UPDATE positions SET metadata = json_remove(
    metadata, '$.stop_first', '$.price_high', '$.price_low'
) WHERE position_id <> 'system'
"""


def test_an_older_program_s_rows_are_made_anew(filled: Callable[..., Path]) -> None:
    path = filled()
    before = all_rows(path)
    tamper(path, OLDER, *BACK_TO_2)
    assert all_rows(path) != before
    open_store(path).close()
    assert all_rows(path) == before
    assert verify(path).ok


def test_a_lost_end_is_told_after_the_log_was_moved(filled: Callable[..., Path]) -> None:
    path = filled()
    tamper(path, "UPDATE sqlite_sequence SET seq = seq + 1", *BACK_TO_2)
    mark_path(path).unlink()
    open_store(path).close()
    (problem,) = verify(path).problems
    assert "were written" in problem.text


def test_an_old_log_that_does_not_fold_stays_below_the_newest_schema(
    filled: Callable[..., Path],
) -> None:
    path = filled()
    tamper(path, "UPDATE position_events SET event_data = '{}' WHERE event_id = 5")
    tamper(path, *BACK_TO_2)
    with pytest.raises(StoreCorrupt):
        open_store(path)
    with stranger(path) as db:
        assert schema_version(db) < len(migrations())


def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    db, _ = open_writer(path)
    first = migrations()[0]
    broken = type(first)(2, "0002_broken.sql", "CREATE TABLE half (a); NONSENSE;")
    monkeypatch.setattr("aegis.store.migrations.migrations", lambda: (first, broken))
    with pytest.raises(apsw.SQLError):
        migrate(db)
    found = (schema_version(db), db.table_exists("main", "half"))
    db.close()
    assert found == (1, False)


def test_a_newer_schema_is_refused_in_one_line(path: Path) -> None:
    open_store(path).close()
    with stranger(path) as db:
        db.execute("PRAGMA user_version = 99").fetchall()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew) as refused:
        open_store(path)
    assert path.read_bytes() == before
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("table", BLUEPRINT)
def test_the_blueprints_columns_come_first_by_their_names(
    bare: apsw.Connection, table: str
) -> None:
    named = BLUEPRINT[table].split()
    assert [name for name, _ in _columns(bare, table)][: len(named)] == named


@pytest.mark.parametrize("table", TABLES)
def test_every_rounded_column_has_an_exact_twin(bare: apsw.Connection, table: str) -> None:
    columns = dict(_columns(bare, table))
    reals = [name for name, kind in columns.items() if kind == "REAL"]
    assert [columns.get(f"{name}_exact") for name in reals] == ["TEXT"] * len(reals)


def test_twins_are_equal_in_every_row(path: Path) -> None:
    store = open_store(path)
    history = History(5, store.book)
    store.commit((*history.open_position(), *history.happen(60)), history.book)
    store.close()
    compared = 0
    with stranger(path) as db:
        for question in ALL_ROWS:
            cursor = db.execute(question)
            for row in cursor:
                cells = {
                    name: cell for (name, *_), cell in zip(cursor.description, row, strict=True)
                }
                for name in [name for name in cells if f"{name}_exact" in cells]:
                    twin = cells[f"{name}_exact"]
                    assert cells[name] == (None if twin is None else float(str(twin)))
                    compared += 1
    assert compared > 100


def test_a_store_left_in_its_making_is_made_to_its_end_without_a_backup(path: Path) -> None:
    path.parent.mkdir()
    db, _ = open_writer(path)
    for migration in migrations()[:3]:
        for _ in db.execute(migration.text):
            pass
    db.close()

    def backup() -> None:
        raise AssertionError("There is nothing to keep")

    Store.open(
        path,
        IDENTITY,
        draw_incarnation=lambda: "first",
        now=START,
        notice_of=no_notice,
        backup=backup,
    ).close()
    assert verify(path).ok
