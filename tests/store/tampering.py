"""Hands of a stranger: changes that the store itself would never let through."""

# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

import aegis.store.connection
from aegis.domain.events import Event, Recorded
from aegis.domain.ids import SYSTEM_POSITION, EventId, PositionId
from aegis.domain.instants import instant_of
from aegis.store.chain import LoggedEvent, link
from aegis.store.connection import open_reader
from aegis.store.journal import Store
from aegis.store.records import INSERT_EVENT, head_of, rows_of

ALL_ROWS = (
    "SELECT * FROM positions ORDER BY 1",
    "SELECT * FROM orders ORDER BY 1",
    "SELECT * FROM fills ORDER BY 1, 2",
    "SELECT * FROM reconciliations ORDER BY 1",
    "SELECT * FROM system_health ORDER BY 1",
    "SELECT * FROM notifications ORDER BY 1, 2",
)

BACK_TO_2 = (
    "DROP TABLE recorded_candles",
    "DROP TABLE recorded_runs",
    "DROP TABLE states",
    "DROP INDEX notifications_pending",
    "ALTER TABLE notifications DROP COLUMN asked_to_wait",
    "CREATE INDEX notifications_pending ON notifications (event_id) WHERE state = 'pending'",
    "PRAGMA user_version = 2",
)
"""Undoes every migration past the second."""

_DROPS = (
    "DROP TRIGGER position_events_are_never_updated",
    "DROP TRIGGER position_events_are_never_deleted",
    "DROP TRIGGER position_events_follow_one_another",
    "DROP TRIGGER store_identity_is_never_updated",
    "DROP TRIGGER store_identity_is_never_deleted",
)


@contextmanager
def stranger(store: Path) -> Iterator[apsw.Connection]:
    """Yield a connection without list, triggers or foreign keys, that writes good checksums."""
    open_reader(store).close()  # loads what makes checksums
    db = apsw.Connection(str(store), vfs=aegis.store.connection._CHECKSUM_VFS)
    try:
        yield db
    finally:
        db.close()


def tamper(store: Path, *statements: str) -> None:
    """Run statements on a closed store, past its triggers, and leave the triggers as they were."""
    with stranger(store) as db:
        db.execute("PRAGMA foreign_keys = OFF").fetchall()
        triggers = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for statement in (*_DROPS, *statements):
            db.execute(statement).fetchall()
        for (text,) in triggers:
            db.execute(str(text)).fetchall()


def all_rows(store: Path) -> list[list[tuple[object, ...]]]:
    """Return the rows of everything that is not the log."""
    with stranger(store) as db:
        return [db.execute(question).fetchall() for question in ALL_ROWS]


def flip(store: Path, offset: int) -> None:
    """Turn one bit of a closed store."""
    data = bytearray(store.read_bytes())
    data[offset] ^= 0b100
    store.write_bytes(data)


def page_checksum(page: bytes | bytearray) -> bytes:
    """Return what `cksumvfs` keeps in the last 8 bytes of a page, of all the bytes before."""
    first = second = 0
    for even, odd in struct.iter_unpack("<II", page):
        first = (first + even + second) % 2**32
        second = (second + odd + first) % 2**32
    return struct.pack("<II", first, second)


def empty_index(
    store: Path, index: str = "orders_by_position", column: str = "position_id"
) -> None:
    """Let an index have none of its table's rows, everything else being as it was."""
    table = index.partition("_")[0]
    with stranger(store) as db:
        db.execute(f"CREATE INDEX hollow ON {table} ({column}) WHERE {column} IS NULL").fetchall()
        roots = {
            name: db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).get
            for name in (index, "hollow")
        }
        db.execute("PRAGMA writable_schema = ON").fetchall()
        for name, other in ((index, "hollow"), ("hollow", index)):
            db.execute(
                "UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", (str(roots[other]), name)
            ).fetchall()
    with stranger(store) as db:  # the schema is read anew
        db.execute("DROP INDEX hollow").fetchall()


def append_event(store: Path, position: str, event: Event) -> int:
    """Append an event to a closed store's log, well chained, and nothing that follows from it."""
    with stranger(store) as db:
        db.execute("PRAGMA foreign_keys = OFF").fetchall()
        head = head_of(db)
        at = db.execute("SELECT max(timestamp) FROM position_events").get
        version = db.execute(
            "SELECT coalesce(max(version), 0) FROM position_events WHERE position_id = ?",
            (position,),
        ).get
        assert isinstance(version, int)
        recorded = Recorded(
            event_id=EventId(head.event_id + 1),
            position_id=PositionId(position),
            version=version + 1,
            actor="nobody",
            at=instant_of(str(at)),
            event=event,
        )
        db.execute(INSERT_EVENT, rows_of((recorded,), head.hash)[0]).fetchall()
        return recorded.event_id


def append_unheard(store: Path) -> None:
    """Append an event, well chained, of a type that this program does not know."""
    with stranger(store) as db:
        head = head_of(db)
        at = str(db.execute("SELECT max(timestamp) FROM position_events").get)
        counted = db.execute(
            "SELECT max(version) FROM position_events WHERE position_id = 'system'"
        ).get
        number = head.event_id + 1
        version = 1 + (counted if isinstance(counted, int) else 0)
        unheard = LoggedEvent(
            EventId(number), SYSTEM_POSITION, "Unheard", b"{}", "nobody", at, version
        )
        new = link(head.hash, unheard)
        row = (number, "system", "Unheard", "{}", "nobody", at, version, new, head.hash)
        db.execute(INSERT_EVENT, row).fetchall()


def dump(store: Path) -> str:
    """Return every row of every table of a closed store, as text."""
    with stranger(store) as db:
        return every_row(db)


def contents(store: Store) -> str:
    """Return every row of every table as an open store has them, as text."""
    return every_row(store._db)


def every_row(db: apsw.Connection) -> str:
    """Return every row of every table that a connection sees, as text."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    rows = {
        str(name): db.execute(f"SELECT rowid, * FROM {name} ORDER BY 1").fetchall()
        for (name,) in tables.fetchall()
    }
    return repr(rows)
