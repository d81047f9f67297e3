"""What the diagnosis asks of tables that are no projections, and of trades that are over.

Read-only questions for the inspector's connection, how calls to the exchange fared, and the one
deletion that a store knows.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import apsw
import msgspec

from aegis.domain.ids import Instant
from aegis.domain.instants import text_of
from aegis.domain.position import Position
from aegis.store.statements import INSERT_HEALTH, SELECT_POSITION
from aegis.store.values import position_of
from aegis.vitals import NoteCalls

TRIM_ROWS_MAX = 10_000
"""Deleted at once of one table: 30 ms, for which commits wait."""

PEERS_MAX = 500

CALLS = "calls"
"""The `check_type` of rows that tell how calls fared; a diagnosis has no check of that name."""

CALLS_ROWS_MAX = 1_000
"""So many rows from the end are looked through for the last note of calls."""

_LAST_CALLS = """
SELECT timestamp, details FROM system_health
WHERE check_type = ? AND check_id > (SELECT max(check_id) FROM system_health) - ?
ORDER BY check_id DESC LIMIT 1
"""

_FOREIGN_KEYS = "PRAGMA foreign_key_check"

_ELDEST_HEALTH = "SELECT timestamp FROM system_health ORDER BY check_id LIMIT 1"

_ELDEST_NOTICE = """
SELECT timestamp FROM position_events WHERE event_id = (
    SELECT event_id FROM notifications WHERE state <> 'pending' ORDER BY event_id LIMIT 1
)
"""

_TRIM_HEALTH = """
DELETE FROM system_health WHERE check_id IN (
    SELECT check_id FROM system_health WHERE timestamp < ? ORDER BY check_id LIMIT ?
)
"""

_TRIM_NOTICES = """
DELETE FROM notifications WHERE rowid IN (
    SELECT notices.rowid FROM notifications AS notices JOIN position_events AS events
    USING (event_id) WHERE notices.state <> 'pending' AND events.timestamp < ?
    ORDER BY notices.rowid LIMIT ?
)
"""

_CLOSED_SINCE = """
SELECT position_id FROM positions WHERE status = 'CLOSED' AND closed_at >= ?
ORDER BY closed_at, position_id
"""

_PEERS = """
SELECT pnl_pct_exact FROM positions WHERE status = 'CLOSED' AND pnl_pct_exact IS NOT NULL
ORDER BY closed_at DESC LIMIT ?
"""


_NOTE = msgspec.json.Decoder(NoteCalls)


class CallsNoted(msgspec.Struct, frozen=True, kw_only=True):
    """How calls fared in the interval that ended at a timestamp."""

    at: str
    note: NoteCalls


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A row that refers to one that is not there."""

    table: str
    row_id: int | None
    parent: str

    @property
    def text(self) -> str:
        """The sentence for a person."""
        return f"row {self.row_id} of {self.table} belongs to no row of {self.parent}"


def strays(db: apsw.Connection, set_aside: Collection[int]) -> tuple[Stray, ...]:
    """Return the rows without what they refer to, but for events that were set aside.

    75 ms on 100,000 events.
    """
    found = (
        Stray(table=str(table), row_id=row_id, parent=str(parent))
        for table, row_id, parent, _ in db.execute(_FOREIGN_KEYS)
    )
    return tuple(
        each for each in found if not (each.table == "position_events" and each.row_id in set_aside)
    )


def is_trim_due(db: apsw.Connection, before: Instant) -> bool:
    """Say whether something is kept that is older than an instant."""
    eldest = (db.execute(question).get for question in (_ELDEST_HEALTH, _ELDEST_NOTICE))
    return any(each is not None and str(each) < text_of(before) for each in eldest)


def trim(db: apsw.Connection, before: Instant) -> None:
    """Delete checks' rows and sent notices from before an instant, a bounded number of each."""
    for statement in (_TRIM_HEALTH, _TRIM_NOTICES):
        db.execute(statement, (text_of(before), TRIM_ROWS_MAX)).fetchall()


def note_calls(db: apsw.Connection, note: NoteCalls, at: Instant) -> None:
    """Write a row of how calls fared; it belongs to no event."""
    status = "warning" if any(each.failed for each in note.calls) else "ok"
    details = msgspec.json.encode({"interval_s": note.interval_s, "calls": note.calls}).decode()
    db.execute(INSERT_HEALTH, (text_of(at), CALLS, status, details, 0, None)).fetchall()


def last_calls(db: apsw.Connection) -> CallsNoted | None:
    """Return the last note of how calls fared, None where there is none among the last rows."""
    row = db.execute(_LAST_CALLS, (CALLS, CALLS_ROWS_MAX)).fetchone()
    if row is None:
        return None
    return CallsNoted(at=str(row[0]), note=_NOTE.decode(str(row[1])))


def closed_since(db: apsw.Connection, at: Instant) -> tuple[Position, ...]:
    """Return the trades that were closed at or after an instant."""
    keys = db.execute(_CLOSED_SINCE, (text_of(at),)).fetchall()
    rows = (db.execute(SELECT_POSITION, key).fetchone() for key in keys)
    return tuple(position_of(row) for row in rows if row is not None)


def peers_pct(db: apsw.Connection) -> tuple[Decimal, ...]:
    """Return the results of the last closed trades, in per cent of what was paid."""
    rows = db.execute(_PEERS, (PEERS_MAX,)).fetchall()
    return msgspec.convert([row[0] for row in rows], tuple[Decimal, ...])
