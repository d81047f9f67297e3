"""Making the projections anew from the log: the repair for a bug in them.

It happens with foreign keys off: events point at positions, and rows that belonged to nothing
before make SQLite's count of deferred faults come out wrong. What is made here belongs together
by construction, and verify looks.

Events are never edited. What is not a projection (notices, health, identity, quarantine) stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from aegis.domain.events import Recorded
from aegis.store.folding import Fold
from aegis.store.loading import quarantined_events
from aegis.store.records import PAGE_ROWS, recorded_of, stored_events
from aegis.store.rows import write_rows
from aegis.store.statements import EMPTY_PROJECTIONS, UPSERT_ORDER, UPSERT_POSITION
from aegis.store.writing import write_facts


@contextmanager
def without_foreign_keys(db: apsw.Connection) -> Iterator[None]:
    """Let a transaction that rebuilds begin and end inside; they are on again afterwards."""
    db.execute("PRAGMA foreign_keys = OFF").fetchall()
    try:
        yield
    finally:
        db.execute("PRAGMA foreign_keys = ON").fetchall()


def rebuild_projections(db: apsw.Connection) -> None:
    """Replace the projections by what the events add up to, inside the caller's transaction."""
    for statement in EMPTY_PROJECTIONS:
        db.execute(statement).fetchall()
    fold = Fold(quarantined_events(db))
    page: list[Recorded] = []
    for stored in stored_events(db):
        recorded = recorded_of(stored)
        fold.apply(recorded)
        if not fold.is_skipped(recorded):
            page.append(recorded)
        if len(page) >= PAGE_ROWS:
            write_facts(db, page)
            page.clear()
    write_facts(db, page)
    write_rows(db, UPSERT_POSITION, list(fold.position_rows().values()))
    write_rows(db, UPSERT_ORDER, list(fold.order_rows().values()))
