"""A copy of a store that may be in use: its pages by SQLite's backup API, and its mark.

The copy is a store of its own: looked at, verified and opened like any other. What is copied is
one snapshot, so whoever writes meanwhile is neither waited for nor held up.

Invariants:
1. The copy has every event that was committed when it began, and nothing after.
2. Each page of it carries its own checksum. Pages in a WAL have none that holds: they get theirs
   when they are written to a database whose first page asks for it, so that one is written first.
   (Without that each page that came out of the WAL was refused as damaged.)
3. The disk has the copy and its mark when `copy_store` returns.

Measured beside a writer on 100,000 events (65 MB): the longest commit took 50 ms where the copy
was left to the system's cache, and 19 ms where it went to the disk every 4 MiB.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from aegis.domain.ids import Incarnation, Instant
from aegis.domain.instants import instant_of
from aegis.store.chain import GENESIS
from aegis.store.connection import failing, open_reader, open_unlogged, open_writer
from aegis.store.errors import StoreCorrupt
from aegis.store.files import make_private, wal_path
from aegis.store.identity import (
    StoredIdentity,
    read_birth,
    read_stored_identity,
    write_identity,
)
from aegis.store.mark import Mark, MarkFile, read_mark
from aegis.store.migrations import migrations, refuse_newer, schema_version
from aegis.store.records import head_of, stored_events, timestamp_at
from aegis.store.reindex import damage_of
from aegis.store.snapshot import check_mark
from aegis.store.verify import ChainCursor, verify

STEP_PAGES = 256
SYNC_STEPS = 4
"""4 MiB: more that waits to be written holds up the sync of a commit beside it."""

# Trades that a person told of are in no exchange's record.
_BOOKED = """
SELECT fills.symbol, fills.trade_id
FROM fills JOIN orders ON orders.client_order_id = fills.client_order_id
WHERE orders.exchange_order_id IS NOT NULL AND fills.liquidity <> 'told'
"""

_MET = "SELECT 1 FROM position_events WHERE event_type = 'BalancesStarted' LIMIT 1"

Progress = Callable[[int, int], None]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds, in a few words. `birth` is its first incarnation."""

    schema: int
    head: Mark
    last_at: Instant
    identity: StoredIdentity
    birth: Incarnation


def copy_store(store: Path, target: Path, progress: Progress | None = None) -> Contents:
    """Copy what is committed into a new file; `NoStore` without one, `StoreCorrupt` where it shows.

    `progress` hears of pages.
    """
    with failing("copy"):
        mark = read_mark(store).mark
        with closing(open_reader(store)) as source:
            refuse_newer(store, schema_version(source))
            source.execute("BEGIN").fetchall()
            contents = contents_of(source)
            if mark is not None:
                check_mark(source, mark)  # what has lost its end must not pass for a backup
            make_private(target)
            _copy_pages(source, target, progress)
        _write_mark(target, contents.head)
    return contents


def look_at(store: Path) -> Contents:
    """Return what a store holds now; `NoStore`, `StoreTooNew`, and what a reader raises."""
    with failing("look"), closing(open_reader(store)) as db:
        refuse_newer(store, schema_version(db))
        return contents_of(db)


def booked_trades(store: Path) -> frozenset[tuple[str, str]]:
    """Return the trades that an exchange has told of, by symbol and its own number."""
    with failing("look"), closing(open_reader(store)) as db:
        return frozenset((str(symbol), str(trade)) for symbol, trade in db.execute(_BOOKED))


def has_met_exchange(store: Path) -> bool:
    """Say whether a store has ever seen its exchange's account."""
    with failing("look"), closing(open_reader(store)) as db:
        return db.execute(_MET).fetchone() is not None


def contents_of(db: apsw.Connection) -> Contents:
    """Return what a database holds; `StoreCorrupt` where it does not say whose it is."""
    identity, head = read_stored_identity(db), head_of(db)
    if identity is None:
        raise StoreCorrupt("identity", "nothing says whose store it is")
    written = timestamp_at(db, head.event_id)
    return Contents(
        schema=schema_version(db),
        head=head,
        last_at=Instant(0) if written is None else instant_of(written),
        identity=identity,
        birth=read_birth(db),
    )


def _copy_pages(source: apsw.Connection, target: Path, progress: Progress | None) -> None:
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with (
            closing(open_unlogged(target)) as db,
            db.backup("main", source, "main") as backup,
        ):
            steps = 0
            while not backup.step(STEP_PAGES):
                steps += 1
                if steps % SYNC_STEPS == 0:
                    os.fdatasync(descriptor)
                if progress is not None:
                    progress(backup.page_count - backup.remaining, backup.page_count)
            if progress is not None:
                progress(backup.page_count, backup.page_count)
        os.fsync(descriptor)  # no connection is open any more, so no lock is lost by closing it
    finally:
        os.close(descriptor)


def _write_mark(target: Path, head: Mark) -> None:
    mark = MarkFile(target, None)
    try:
        mark.fill(head)
    finally:
        mark.close()


def begin_life(copy: Path, incarnation: Incarnation) -> None:
    """Give a copy that is to take its store's place a life of its own, before anybody opens it.

    It begins with the last event: no order from then on is one of the lives before.
    """
    with failing("begin"), closing(open_writer(copy)[0]) as db:
        contents = contents_of(db)
        with db:
            write_identity(db, contents.identity.identity, lambda: incarnation, contents.last_at)


# Proof ----------------------------------------------------------------------------------------


def prove_whole(copy: Path, contents: Contents, progress: Progress | None = None) -> None:
    """Raise `StoreCorrupt` unless everything about a copy is as it should be.

    Pages, keys, chain, mark, and rows = events. Of an older schema the rows are not asked for:
    the program that made them is not this one.
    """
    if contents.schema != len(migrations()):
        prove_log(copy, contents.head)
        return
    found = verify(copy, progress=progress)
    if not found.ok:
        raise StoreCorrupt(found.problems[0].check, found.problems[0].text)
    _expect_head(contents.head, Mark(found.events, found.head_hash))
    rest(copy)


def prove_log(copy: Path, head: Mark) -> None:
    """Raise `StoreCorrupt` unless pages and chain are whole, up to a head. 1 s at 100,000 events.

    The rest follows from the log.
    """
    with failing("prove"), closing(open_reader(copy)) as db:
        damage = damage_of(db)
        if damage:
            raise StoreCorrupt("pages", damage[0])
        cursor = ChainCursor(0, GENESIS)
        for stored in stored_events(db):
            cursor.step(stored)
    _expect_head(head, Mark(cursor.event_id, cursor.hash))
    rest(copy)


def _expect_head(expected: Mark, found: Mark) -> None:
    if expected != found:
        text = f"expected the log to end with event {expected.event_id}, it ends at"
        raise StoreCorrupt("chain", f"{text} {found.event_id} ({found.hash[:16]}...)")


def rest(copy: Path) -> None:
    """Take away what a look leaves beside a database that nobody has open."""
    wal = wal_path(copy)
    if wal.exists() and wal.stat().st_size:
        raise StoreCorrupt("files", f"somebody writes to {copy}")
    for path in (wal, copy.with_name(copy.name + "-shm")):
        path.unlink(missing_ok=True)
