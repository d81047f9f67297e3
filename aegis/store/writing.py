"""What one commit writes: events, and the rows of everything that they touched.

Runs inside the journal's transaction. The rows before the events: an event's position must be
there first.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.events import (
    DiagnosisCompleted,
    OrderFilled,
    PositionMarked,
    ReconciliationCompleted,
    Recorded,
)
from aegis.store.folding import accepted_entries, touched_orders, touched_positions
from aegis.store.projections import (
    Row,
    account_row,
    fill_row,
    health_rows,
    order_row,
    position_row,
    reconciliation_row,
)
from aegis.store.records import INSERT_EVENT, rows_of
from aegis.store.rows import write_rows
from aegis.store.statements import (
    INSERT_FILL,
    INSERT_HEALTH,
    INSERT_RECONCILIATION,
    UPSERT_ORDER,
    UPSERT_POSITION,
)

FACTS = frozenset({OrderFilled.__name__, ReconciliationCompleted.__name__})
"""The events that are a row of their own besides what they change."""


def append(
    db: apsw.Connection,
    records: Sequence[Recorded],
    book: Book,
    head_hash: str,
    account_before: Account,
) -> str:
    """Write records and what follows from them; return the new head's hash."""
    # Most events are marks, which touch nothing but their position's row.
    others = [each for each in records if not isinstance(each.event, PositionMarked)]
    accepted = accepted_entries(others, book)
    rows = [
        position_row(book.positions[key], accepted.get(key)) for key in touched_positions(records)
    ]
    if book.account is not account_before:
        rows.append(account_row(book.account))
    write_rows(db, UPSERT_POSITION, rows)
    events = rows_of(records, head_hash)
    write_rows(db, INSERT_EVENT, events)
    if others:
        _write_others(db, others, book)
    return events[-1][-2]


def write_facts(db: apsw.Connection, records: Sequence[Recorded]) -> None:
    """Write the rows that follow from one event alone: fills and reconciliations."""
    write_rows(db, INSERT_FILL, fill_rows(records))
    write_rows(db, INSERT_RECONCILIATION, reconciliation_rows(records))


def fill_rows(records: Sequence[Recorded]) -> list[Row]:
    """Return the row of each trade among records."""
    return [
        fill_row(recorded.event_id, recorded.event)
        for recorded in records
        if isinstance(recorded.event, OrderFilled)
    ]


def reconciliation_rows(records: Sequence[Recorded]) -> list[Row]:
    """Return the row of each reconciliation among records."""
    return [
        reconciliation_row(recorded, recorded.event)
        for recorded in records
        if isinstance(recorded.event, ReconciliationCompleted)
    ]


def _write_others(db: apsw.Connection, records: Sequence[Recorded], book: Book) -> None:
    """Write the rows of what is neither a position nor the log."""
    write_rows(db, UPSERT_ORDER, [order_row(book.orders[key]) for key in touched_orders(records)])
    write_facts(db, records)
    for recorded in records:
        if isinstance(recorded.event, DiagnosisCompleted):
            write_rows(db, INSERT_HEALTH, health_rows(recorded, recorded.event))
