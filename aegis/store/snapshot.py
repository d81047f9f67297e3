"""One consistent look at a store: the mark first, then a snapshot that cannot change any more.

The order matters: the log only grows, so a snapshot taken after the mark must reach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from aegis.store.connection import close_quietly, failing, open_reader
from aegis.store.errors import NoStore, StoreCorrupt, StoreFailed
from aegis.store.mark import Mark, MarkReading, read_mark
from aegis.store.migrations import migrations, refuse_newer, schema_version
from aegis.store.records import hash_at, head_of


class Snapshot(msgspec.Struct, frozen=True):
    db: apsw.Connection
    mark: MarkReading


@contextmanager
def snapshot_of(store: Path, operation: str, *, is_lenient: bool = False) -> Iterator[Snapshot]:
    """Yield a read-only view of a store as of now; `NoStore`, `StoreTooNew` or `StoreFailed`.

    A database that is gone or empty while its mark says that it had events is `StoreCorrupt`.
    """
    with failing(operation):
        mark = read_mark(store)
        try:
            db = open_reader(store, is_lenient=is_lenient)
        except NoStore:
            refuse_lost(store, mark)
            raise
        try:
            refuse_other_schema(store, db)
            db.execute("BEGIN").fetchall()
            yield Snapshot(db, mark)
        finally:
            close_quietly(db)


def refuse_lost(store: Path, reading: MarkReading) -> None:
    """Raise when there must have been a log where there is none."""
    if reading.mark is not None and reading.mark.event_id > 0:
        what = "empty" if store.exists() else "gone"
        text = f"the log had reached event {reading.mark.event_id}, the database is {what}"
        raise StoreCorrupt("mark", text)


def check_mark(db: apsw.Connection, mark: Mark) -> None:
    """Raise `StoreCorrupt` when the log does not reach its mark, or says something else there."""
    found = hash_at(db, mark.event_id)
    if found is None:
        last = head_of(db).event_id
        raise StoreCorrupt("mark", f"the log ends at event {last}, it had reached {mark.event_id}")
    if found != mark.hash:
        text = f"event {mark.event_id} had the hash {mark.hash[:16]}..., has {found[:16]}..."
        raise StoreCorrupt("mark", text)


def refuse_other_schema(store: Path, db: apsw.Connection) -> None:
    """Raise when a reader, which cannot migrate, does not know the schema."""
    found = schema_version(db)
    refuse_newer(store, found)
    if found < len(migrations()):
        text = (
            f"expected schema {len(migrations())} in {store}, was {found}: start AEGIS once, which"
        )
        raise StoreFailed("read", f"{text} keeps a backup and brings it up")
