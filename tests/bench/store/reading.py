"""What a store costs to read back, to open, and to keep."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import apsw

from aegis.domain.commands import MarkPosition
from aegis.domain.ids import Instant
from aegis.domain.points import Point
from aegis.store.connection import open_reader
from aegis.store.folding import Fold
from aegis.store.following import follow_page
from aegis.store.journal import Store
from aegis.store.past import read_past
from aegis.store.records import logged_pages
from tests.bench.store.plain import grouped
from tests.bench.store.workload import Opened, Timing, marks, record, store_of, timed
from tests.store.histories import open_store

PAGE_ROWS = 1_000
BATCH = 1_000

SCAN = """
SELECT event_id, position_id, event_type, event_data, actor, timestamp, version, hash, prev_hash
FROM position_events WHERE event_id > ? ORDER BY event_id LIMIT ?
"""


def make_log(folder: Path, begun: Opened, count: int) -> Path:
    """Make a store with so many marks in it; return its path."""
    store = store_of(folder, begun)
    append_marks(store, marks(begun.positions, count), begun.at, batch=BATCH)
    store.close()
    return store.path


def append_marks(
    store: Store, commands: Sequence[MarkPosition], at: Instant, *, batch: int
) -> None:
    """Decide marks and commit them, so many at once."""
    for group in grouped(commands, batch):
        made = [recorded for mark in group for recorded in record(store.book, mark, at)]
        store.commit(made, store.book)


def run_scan(path: Path, count: int) -> Timing:
    """Fetch every row of the log, and decode none."""
    db = open_reader(path)
    timing = timed(count, partial(_scan, db))
    db.close()
    return timing


def run_replay(path: Path, count: int) -> Timing:
    """Read, decode and fold every event of the log."""
    db = open_reader(path)
    timing = timed(count, partial(_replay, db))
    db.close()
    return timing


def run_restart(path: Path, event_id: int) -> Timing:
    """Return to what was so after an event, from the kept state before it."""
    return timed(1, lambda: read_past(path, Point(event_id, is_time=False)))


def run_opening(path: Path) -> Timing:
    """Open a store for its writer, up to its book in memory."""
    stores: list[Store] = []
    timing = timed(1, lambda: stores.append(open_store(path)))
    stores[0].close()
    return timing


def bytes_an_event(path: Path, begun: Opened, count: int) -> float:
    """Return how much a mark adds to a closed store's file."""
    before = path.stat().st_size
    store = open_store(path)
    append_marks(store, marks(begun.positions, count), begun.at, batch=BATCH)
    store.close()
    return (path.stat().st_size - before) / count


def _scan(db: apsw.Connection) -> None:
    last = 0
    while rows := db.execute(SCAN, (last, PAGE_ROWS)).fetchall():
        last = int(str(rows[-1][0]))


def _replay(db: apsw.Connection) -> None:
    fold = Fold()
    for page in logged_pages(db):
        follow_page(db, fold, page)
