"""Making the projections anew from the log: the repair for a bug in them.

It happens with foreign keys off: events point at positions, and rows that belonged to nothing
before make SQLite's count of deferred faults come out wrong. What is made here belongs together
by construction, and verify looks.

Events are never edited. What is not a projection (notices, health, identity, quarantine) stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import apsw

from aegis.domain.ids import PositionId
from aegis.store.folding import Fold
from aegis.store.following import follow_page
from aegis.store.loading import quarantined_events
from aegis.store.projections import account_row, order_row
from aegis.store.records import hash_at, logged_pages, recorded_of
from aegis.store.rows import write_rows
from aegis.store.statements import EMPTY_PROJECTIONS, UPSERT_ORDER, UPSERT_POSITION
from aegis.store.states import States
from aegis.store.writing import FACTS, write_facts


@contextmanager
def without_foreign_keys(db: apsw.Connection) -> Iterator[None]:
    """Let a transaction that rebuilds begin and end inside; they are on again afterwards."""
    db.execute("PRAGMA foreign_keys = OFF").fetchall()
    try:
        yield
    finally:
        db.execute("PRAGMA foreign_keys = ON").fetchall()


def rebuild_projections(db: apsw.Connection) -> None:
    """Replace rows and states by what the events add up to, inside the caller's transaction.

    What has ended is written and let go a page at a time: memory does not grow with the log.
    """
    for statement in EMPTY_PROJECTIONS:
        db.execute(statement).fetchall()
    fold, states = Fold(quarantined_events(db)), States(db)
    states.empty()
    for page in logged_pages(db):
        follow_page(db, fold, page)
        telling = [recorded_of(each) for each in page if each.event_type in FACTS]
        write_facts(db, [each for each in telling if not fold.is_skipped(each)])
        settled = fold.book.settled_positions()
        _write_positions(db, fold, settled)
        for position in settled:
            fold.forget(position)
        if page and states.is_due(fold.book):
            states.keep(fold.book, str(hash_at(db, page[-1].event_id)))
    _write_positions(db, fold, fold.book.positions)
    write_rows(db, UPSERT_POSITION, [account_row(fold.book.account)])


def _write_positions(db: apsw.Connection, fold: Fold, positions: Iterable[PositionId]) -> None:
    book = fold.book
    keys = list(positions)
    write_rows(db, UPSERT_POSITION, list(fold.position_rows(keys).values()))
    orders = [order_row(order) for key in keys for order in book.orders_of(key)]
    write_rows(db, UPSERT_ORDER, orders)
