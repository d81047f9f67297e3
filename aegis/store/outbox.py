"""The outbox: what people are to be told, written with the event that they are told about.

Invariants:
1. A notice and its event are committed together: none is lost, none is told of nothing.
2. An event is told once a channel (`UNIQUE`), though a send whose answer was lost is repeated.
3. A row goes from pending to sent or given_up, and never back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import apsw
import msgspec

from aegis.domain.book import Book
from aegis.domain.delivery import Failed, Notice
from aegis.domain.events import Recorded
from aegis.domain.ids import EventId, Instant
from aegis.domain.instants import instant_of, text_of
from aegis.store.rows import write_rows
from aegis.store.statements import INSERT_NOTICE

NoticeOf = Callable[[Recorded, Book], str | None]

NOT_IN_USE = "the channel is not in the settings any more"

_PENDING = """
SELECT n.event_id, n.channel, n.text, n.attempts, e.event_type, e.timestamp,
       CASE WHEN n.asked_to_wait THEN n.next_attempt_at END
FROM notifications n JOIN position_events e ON e.event_id = n.event_id
WHERE n.state = 'pending' AND n.channel = ? ORDER BY n.event_id LIMIT ?
"""

_SENT = """
UPDATE notifications
SET state = 'sent', attempts = attempts + 1, sent_at = ?, next_attempt_at = NULL, error = NULL
WHERE event_id = ? AND channel = ? AND state = 'pending'
"""

_FAILED = """
UPDATE notifications
SET attempts = attempts + 1, next_attempt_at = ?, error = ?, state = ?, asked_to_wait = ?
WHERE event_id = ? AND channel = ? AND state = 'pending'
"""

_WAITING_CHANNELS = "SELECT DISTINCT channel FROM notifications WHERE state = 'pending'"

_GIVE_UP_CHANNEL = """
UPDATE notifications SET state = 'given_up', next_attempt_at = NULL, error = ?
WHERE channel = ? AND state = 'pending' RETURNING event_id
"""

_BACKLOGS = """
SELECT w.channel, w.pending, e.timestamp, n.attempts, n.next_attempt_at, n.error
FROM (SELECT channel, count(*) AS pending, min(event_id) AS eldest FROM notifications
      WHERE state = 'pending' GROUP BY channel) w
JOIN notifications n ON n.event_id = w.eldest AND n.channel = w.channel
JOIN position_events e ON e.event_id = w.eldest
ORDER BY w.channel
"""


class Backlog(msgspec.Struct, frozen=True, array_like=True):
    """What waits for one channel; times and tries are those of its eldest notice."""

    channel: str
    pending: int
    eldest_at: str
    attempts: int
    next_attempt_at: str | None
    error: str | None


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
    write_rows(db, INSERT_NOTICE, rows)
    return len(rows)


def pending(db: apsw.Connection, channel: str, limit: int) -> tuple[Notice, ...]:
    """Return the eldest notices that wait for a channel."""
    rows = db.execute(_PENDING, (channel, limit)).fetchall()
    return tuple(_notice(row) for row in rows)


def note_sent(db: apsw.Connection, told: Iterable[tuple[EventId, str]], at: Instant) -> None:
    """Record that notices (event, channel) went out; a second time changes nothing."""
    sent_at = text_of(at)
    db.executemany(_SENT, [(sent_at, *notice) for notice in told]).fetchall()


def note_failed(db: apsw.Connection, failed: Failed) -> None:
    """Record a failed try."""
    is_over = failed.next_attempt_at is None
    due = None if failed.next_attempt_at is None else text_of(failed.next_attempt_at)
    state = "given_up" if is_over else "pending"
    row = (due, failed.error, state, failed.is_asked, failed.event_id, failed.channel)
    db.execute(_FAILED, row).fetchall()


def give_up_others(db: apsw.Connection, channels: Sequence[str]) -> dict[str, int]:
    """Give up what waits for channels that are not among these; return how many, by channel."""
    waiting = [str(channel) for (channel,) in db.execute(_WAITING_CHANNELS).fetchall()]
    return {
        channel: len(db.execute(_GIVE_UP_CHANNEL, (NOT_IN_USE, channel)).fetchall())
        for channel in waiting
        if channel not in channels
    }


def backlogs(db: apsw.Connection) -> tuple[Backlog, ...]:
    """Return what waits, by channel; channels for which nothing waits are not told."""
    return msgspec.convert(db.execute(_BACKLOGS).fetchall(), tuple[Backlog, ...])


def _notice(row: Sequence[object]) -> Notice:
    event_id, channel, text, attempts, event, at, wait_until = row
    return Notice(
        EventId(int(str(event_id))),
        str(channel),
        str(text),
        int(str(attempts)),
        str(event),
        instant_of(str(at)),
        None if wait_until is None else instant_of(str(wait_until)),
    )
