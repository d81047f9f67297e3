"""Hands of a stranger: changes that the store itself would never let through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

import aegis.store.connection
from aegis.store.connection import open_reader

ALL_ROWS = (
    "SELECT * FROM positions ORDER BY 1",
    "SELECT * FROM orders ORDER BY 1",
    "SELECT * FROM fills ORDER BY 1, 2",
    "SELECT * FROM reconciliations ORDER BY 1",
    "SELECT * FROM system_health ORDER BY 1",
    "SELECT * FROM notifications ORDER BY 1, 2",
)

_DROPS = (
    "DROP TRIGGER position_events_are_never_updated",
    "DROP TRIGGER position_events_are_never_deleted",
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
