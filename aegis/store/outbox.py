"""The outbox: what people are to be told, written with the event that they are told about.

Invariants:
1. A notice and its event are committed together: none is lost, none is told of nothing.
2. An event is told once a channel (`UNIQUE`), though a send whose answer was lost is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import apsw
import msgspec

from aegis.domain.book import Book
from aegis.domain.events import Recorded
from aegis.domain.ids import EventId, Instant
from aegis.domain.instants import text_of
from aegis.store.statements import INSERT_NOTICE

NoticeOf = Callable[[Recorded, Book], str | None]

_PENDING = """
SELECT event_id, channel, text, attempts FROM notifications
WHERE state = 'pending' AND (next_attempt_at IS NULL OR next_attempt_at <= ?)
ORDER BY event_id, channel LIMIT ?
"""

_SENT = """
UPDATE notifications
SET state = 'sent', attempts = attempts + 1, sent_at = ?, next_attempt_at = NULL, error = NULL
WHERE event_id = ? AND channel = ? AND state = 'pending'
"""

_FAILED = """
UPDATE notifications SET attempts = attempts + 1, next_attempt_at = ?, error = ?, state = ?
WHERE event_id = ? AND channel = ? AND state = 'pending'
"""

_AFTER_ALL_TIME = "9999"  # sorts after every instant


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """One text for one channel. `attempts` were made already and failed."""

    event_id: EventId
    channel: str
    text: str
    attempts: int


def write_notices(
    db: apsw.Connection,
    records: Iterable[Recorded],
    book: Book,
    channels: Sequence[str],
    notice_of: NoticeOf,
) -> int:
    """Put down what is to be told of new records, inside their transaction; return how many."""
    rows = [
        (recorded.event_id, channel, text)
        for recorded in records
        if (text := notice_of(recorded, book)) is not None
        for channel in channels
    ]
    if rows:
        db.executemany(INSERT_NOTICE, rows).fetchall()
    return len(rows)


def pending(db: apsw.Connection, limit: int, now: Instant | None) -> tuple[Notice, ...]:
    """Return the eldest notices that are due at `now`; without it, all that are not sent."""
    due_by = _AFTER_ALL_TIME if now is None else text_of(now)
    rows = db.execute(_PENDING, (due_by, limit)).fetchall()
    return msgspec.convert(rows, tuple[Notice, ...])


def note_sent(db: apsw.Connection, told: Iterable[tuple[EventId, str]], at: Instant) -> None:
    """Record that notices (event, channel) went out; a second time changes nothing."""
    sent_at = text_of(at)
    db.executemany(_SENT, [(sent_at, *notice) for notice in told]).fetchall()


def note_failed(
    db: apsw.Connection,
    event_id: EventId,
    channel: str,
    error: str,
    next_attempt_at: Instant | None,
) -> None:
    """Record a failed attempt; without a next one the notice is given up."""
    state = "given_up" if next_attempt_at is None else "pending"
    due = None if next_attempt_at is None else text_of(next_attempt_at)
    db.execute(_FAILED, (due, error, state, event_id, channel)).fetchall()
