"""The same rows without the system: what the disk, SQLite and Python allow.

Raw is given each event, and its position after it, as values. It encodes and hashes the event,
makes the rows by the product's own functions, writes them with SQLite set as the product sets it,
writes the mark after each commit and moves the WAL when the product would. It decides nothing,
folds nothing, checks nothing, and has no messages.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from aegis.domain.codec import encode
from aegis.domain.events import (
    name_of,
)
from aegis.domain.instants import text_of
from aegis.store.chain import GENESIS
from aegis.store.connection import CHECKPOINT_PAGES, open_writer
from aegis.store.mark import Mark, MarkFile
from aegis.store.migrations import migrations
from aegis.store.projections import Row, order_row, position_row
from aegis.store.records import INSERT_EVENT, rows_of
from aegis.store.statements import UPSERT_ORDER, UPSERT_POSITION
from tests.bench.store.workload import WARM_UP, Opened, Timing, Written, record, timed

PAGES = bytes(range(256)) * 32
"""Two of SQLite's pages: what the smallest commit appends to the WAL."""

UNHASHED_TABLE = """
CREATE TABLE unhashed_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    position_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL,
    actor TEXT DEFAULT 'system',
    timestamp TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (position_id, version),
    FOREIGN KEY (position_id) REFERENCES positions (position_id)
)
"""

INSERT_UNHASHED = """
INSERT INTO unhashed_events (
    event_id, position_id, event_type, event_data, actor, timestamp, version
) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

T = TypeVar("T")


class Writer(Protocol):
    """Takes groups of what is to be written, and commits each."""

    def commit(self, group: Sequence[Written]) -> None: ...

    def close(self) -> None: ...


MakeWriter = Callable[[Path, Opened], Writer]


class Raw:
    """apsw, with the chain and the mark."""

    def __init__(self, folder: Path, begun: Opened) -> None:
        path = folder / "raw.db"
        self._db, self._wal = open_writer(path)
        self._mark = MarkFile(path, None)
        for migration in migrations():
            self._db.execute(migration.text).fetchall()
        events = rows_of(begun.records, GENESIS)
        with self._db:
            self._db.executemany(UPSERT_POSITION, _position_rows(begun)).fetchall()
            self._db.executemany(INSERT_EVENT, events).fetchall()
            self._db.executemany(UPSERT_ORDER, _order_rows(begun)).fetchall()
        self._head = events[-1][-2]

    def commit(self, group: Sequence[Written]) -> None:
        self._db.execute("BEGIN IMMEDIATE").fetchall()
        self._db.executemany(UPSERT_POSITION, _touched_rows(group)).fetchall()
        self._append(group)
        self._db.execute("COMMIT").fetchall()
        self._sign(group)
        if self._wal.pages >= CHECKPOINT_PAGES:
            self._db.wal_checkpoint()

    def close(self) -> None:
        self._db.close()
        self._mark.close()

    def _append(self, group: Sequence[Written]) -> None:
        events = rows_of([each.recorded for each in group], self._head)
        self._db.executemany(INSERT_EVENT, events).fetchall()
        self._head = events[-1][-2]

    def _sign(self, group: Sequence[Written]) -> None:
        self._mark.write(Mark(group[-1].recorded.event_id, self._head))


class Unhashed(Raw):
    """apsw, with neither hashes, nor the columns and the index for them, nor the mark."""

    def __init__(self, folder: Path, begun: Opened) -> None:
        super().__init__(folder, begun)
        self._db.execute(UNHASHED_TABLE).fetchall()

    def _append(self, group: Sequence[Written]) -> None:
        self._db.executemany(INSERT_UNHASHED, map(_unhashed_row, group)).fetchall()

    def _sign(self, group: Sequence[Written]) -> None:
        pass


class Deciding(Raw):
    """Raw that is given commands: it decides and folds them, as the store's actor does."""

    def __init__(self, folder: Path, begun: Opened) -> None:
        super().__init__(folder, begun)
        self._book, self._at = begun.book.copy(), begun.at

    def commit(self, group: Sequence[Written]) -> None:
        made = []
        for each in group:
            (recorded,) = record(self._book, each.command, self._at)
            position = self._book.positions[recorded.position_id]
            made.append(Written(recorded, position, each.command))
        super().commit(made)


class Stdlib:
    """The standard library's sqlite3 (another SQLite, without checksums), with chain and mark."""

    def __init__(self, folder: Path, begun: Opened) -> None:
        path = folder / "stdlib.db"
        self._db = sqlite3.connect(path, isolation_level=None)
        self._mark = MarkFile(path, None)
        events = rows_of(begun.records, GENESIS)
        self._head = events[-1][-2]
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {setting}").fetchall()
        self._db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
        for migration in migrations():
            self._db.executescript(migration.text)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(UPSERT_POSITION, _position_rows(begun))
        self._db.executemany(INSERT_EVENT, events)
        self._db.executemany(UPSERT_ORDER, _order_rows(begun))
        self._db.execute("COMMIT")

    def commit(self, group: Sequence[Written]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(UPSERT_POSITION, _touched_rows(group))
        events = rows_of([each.recorded for each in group], self._head)
        self._db.executemany(INSERT_EVENT, events)
        self._db.execute("COMMIT")
        self._head = events[-1][-2]
        self._mark.write(Mark(group[-1].recorded.event_id, self._head))

    def close(self) -> None:
        self._db.close()
        self._mark.close()


def run_writer(
    kind: MakeWriter,
    folder: Path,
    begun: Opened,
    made: Sequence[Written],
    batch: int,
) -> Timing:
    """Write all that was made, so many events a commit; a first part is not timed."""
    writer = kind(folder, begun)
    groups = list(grouped(made, batch))
    first, rest = groups[: len(groups) // WARM_UP], groups[len(groups) // WARM_UP :]
    _commit_all(writer, first)
    timing = timed(sum(map(len, rest)), partial(_commit_all, writer, rest))
    writer.close()
    return timing


def run_fdatasync(folder: Path, count: int) -> Timing:
    """Append two pages and wait for the disk, again and again; nothing that commits is quicker."""
    descriptor = os.open(folder / "pages", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append() -> None:
        for _ in range(count):
            os.write(descriptor, PAGES)
            os.fdatasync(descriptor)

    timing = timed(count, append)
    os.close(descriptor)
    return timing


def grouped(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield items by so many."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _commit_all(writer: Writer, groups: Sequence[Sequence[Written]]) -> None:
    for group in groups:
        writer.commit(group)


def _position_rows(begun: Opened) -> list[Row]:
    book = begun.book
    accepted = {each.position_id: each.exchange_order_id for each in book.orders.values()}
    return [position_row(each, accepted[key]) for key, each in book.positions.items()]


def _order_rows(begun: Opened) -> list[Row]:
    return [order_row(each) for each in begun.book.orders.values()]


def _touched_rows(group: Sequence[Written]) -> list[Row]:
    touched = {each.position.position_id: each.position for each in group}
    return [position_row(each, None) for each in touched.values()]


def _unhashed_row(each: Written) -> tuple[int, str, str, str, str, str, int]:
    recorded = each.recorded
    return (
        recorded.event_id,
        recorded.position_id,
        name_of(recorded.event),
        encode(recorded.event).decode(),
        recorded.actor,
        text_of(recorded.at),
        recorded.version,
    )
