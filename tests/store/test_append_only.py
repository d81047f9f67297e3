from __future__ import annotations

import apsw
import pytest

from aegis.store.chain import GENESIS
from aegis.store.journal import Store
from aegis.store.records import stored_events
from tests.store.histories import History

UPSERT = """
INSERT INTO position_events SELECT * FROM position_events WHERE true
ON CONFLICT DO UPDATE SET actor = 'nobody'
"""

REWRITES = (
    "UPDATE position_events SET actor = 'nobody'",
    "DELETE FROM position_events",
    "DELETE FROM position_events WHERE event_id = 1",
    "REPLACE INTO position_events SELECT * FROM position_events WHERE event_id = 1",
    "INSERT OR REPLACE INTO position_events SELECT * FROM position_events WHERE event_id = 1",
    UPSERT,
    "UPDATE store_identity SET mode = 'live'",
    "DELETE FROM store_identity",
    "REPLACE INTO store_identity SELECT * FROM store_identity",
)

WAYS_ROUND = (
    "DROP TRIGGER position_events_are_never_updated",
    "CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
    "DROP TABLE position_events",
    "ALTER TABLE position_events RENAME TO old_events",
    "ALTER TABLE position_events DROP COLUMN hash",
    "CREATE TABLE t (a)",
    "CREATE TEMP TABLE t (a)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE INDEX i ON orders (side)",
    "PRAGMA writable_schema = ON",
    "PRAGMA recursive_triggers = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA synchronous = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "UPDATE sqlite_schema SET sql = ''",
    "DELETE FROM sqlite_schema",
    "DELETE FROM positions",
    "DELETE FROM quarantine",
    "UPDATE fills SET price = 0",
    "ATTACH ':memory:' AS other",
    "VACUUM",
    "REINDEX",
    "SAVEPOINT s",
    "SELECT randomblob(9)",
)


@pytest.fixture
def written(store: Store) -> Store:
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    return store


@pytest.mark.parametrize("statement", REWRITES)
def test_the_writer_cannot_rewrite(written: Store, statement: str) -> None:
    with pytest.raises((apsw.AuthError, apsw.ConstraintError)):
        written._db.execute(statement).fetchall()


@pytest.mark.parametrize("statement", WAYS_ROUND)
def test_the_writer_is_not_allowed_to(written: Store, statement: str) -> None:
    said = "authoriz|may not be modified"
    with pytest.raises((apsw.AuthError, apsw.SQLError), match=said):
        written._db.execute(statement).fetchall()


@pytest.mark.parametrize("statement", REWRITES)
def test_the_triggers_alone_keep_the_log(written: Store, statement: str) -> None:
    written._db.set_authorizer(None)
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        written._db.execute(statement).fetchall()


def test_the_list_is_back_after_a_rebuild(written: Store) -> None:
    written.rebuild()
    with pytest.raises(apsw.AuthError):
        written._db.execute("DELETE FROM positions").fetchall()


INSERT = "INSERT INTO position_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def test_an_event_without_its_position_cannot_be_inserted(written: Store) -> None:
    number, before = written.last_event_id + 1, written.head_hash
    row = (number, "nobody", "PositionMarked", "{}", "x", "t", 1, "h", before)
    with pytest.raises(apsw.ConstraintError, match="FOREIGN KEY"):
        written._db.execute(INSERT, row).fetchall()


@pytest.mark.parametrize(
    ("steps", "follows"),
    [(1, -2), (1, 1), (2, -1), (1, 0), (99, 0)],
    ids=["the last but one", "the first", "past a gap", "nothing", "nothing, past a gap"],
)
def test_an_event_follows_the_last_one_or_is_not_inserted(
    written: Store, steps: int, follows: int
) -> None:
    before = [GENESIS, *(row.hash for row in stored_events(written._db))][follows]
    number = written.last_event_id + steps
    row = (number, "system", "AlarmRaised", "{}", "x", "t", 99, "h", before)
    with pytest.raises(apsw.ConstraintError, match="is a chain: prev_hash"):
        written._db.execute(INSERT, row).fetchall()


def test_the_event_that_follows_the_last_one_is_inserted(written: Store) -> None:
    number, before = written.last_event_id + 1, written.head_hash
    row = (number, "system", "AlarmRaised", "{}", "x", "t", 99, "h", before)
    written._db.execute(INSERT, row).fetchall()
    assert written._db.execute("SELECT max(event_id) FROM position_events").get == number
