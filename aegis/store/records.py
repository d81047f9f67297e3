"""The log's rows: an event as it is stored, and the way there and back.

Whoever proves the log reads whole rows. Whoever only folds it leaves the hashes where they are: a
quarter of what a row costs to fetch.

Invariant: what is hashed is what is stored. Nothing is decoded and encoded again in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from types import GenericAlias
from typing import Any, TypeVar

import apsw
import msgspec

from aegis.domain.codec import decode, encode
from aegis.domain.events import (
    Recorded,
    name_of,
)
from aegis.domain.ids import PositionId
from aegis.domain.instants import instant_of, text_of
from aegis.store.chain import GENESIS, LoggedEvent, link
from aegis.store.errors import StoreCorrupt
from aegis.store.mark import Mark

PAGE_ROWS = 1_000
"""Rows read at a time, so that no read is left open between two of them."""

_ALL = -1  # as a LIMIT

INSERT_EVENT = """
INSERT INTO position_events (
    event_id, position_id, event_type, event_data, actor, timestamp, version, hash, prev_hash
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_HEAD = "SELECT event_id, hash FROM position_events ORDER BY event_id DESC LIMIT 1"

_HASH_OF = "SELECT hash FROM position_events WHERE event_id = ?"

_TIMESTAMP_OF = "SELECT timestamp FROM position_events WHERE event_id = ?"

_EVENTS = """
SELECT event_id, position_id, event_type, CAST(event_data AS BLOB), actor, timestamp, version,
       hash, prev_hash
FROM position_events WHERE event_id > ? ORDER BY event_id LIMIT ?
"""

_LOGGED = """
SELECT event_id, position_id, event_type, CAST(event_data AS BLOB), actor, timestamp, version
FROM position_events WHERE event_id > ? ORDER BY event_id LIMIT ?
"""

_EVENTS_OF = """
SELECT event_id, position_id, event_type, CAST(event_data AS BLOB), actor, timestamp, version,
       hash, prev_hash
FROM position_events WHERE position_id = ? AND version > ? ORDER BY version LIMIT ?
"""

# The account's own events are few, some thirty a day; their index leads there.
_ARMINGS = """
SELECT event_id, position_id, event_type, CAST(event_data AS BLOB), actor, timestamp, version,
       hash, prev_hash
FROM position_events WHERE position_id = 'system' AND event_type = 'StrategyArmed'
ORDER BY version
"""

EventRow = tuple[int, str, str, str, str, str, int, str, str]


class StoredEvent(LoggedEvent, frozen=True, array_like=True, gc=False):
    """A whole row of the log: what it says, and its place in the chain."""

    hash: str
    prev_hash: str

    def computed_hash(self) -> str:
        """Return what the hash must be for the row to be what was written."""
        return link(self.prev_hash, self)


RowT = TypeVar("RowT", bound=LoggedEvent)


_KNOWN = tuple(msgspec.json.Decoder(kind) for kind in (LoggedEvent, StoredEvent))
"""It makes both known to msgspec while there is one thread; two that come first would crash it."""


def rows_of(records: Iterable[Recorded], head_hash: str) -> list[EventRow]:
    """Return the rows that append records after a head."""
    rows: list[EventRow] = []
    for recorded in records:
        number, position, version = recorded.event_id, recorded.position_id, recorded.version
        name, data = name_of(recorded.event), encode(recorded.event)
        actor, timestamp = recorded.actor, text_of(recorded.at)
        logged = LoggedEvent(number, position, name, data, actor, timestamp, version)
        new = link(head_hash, logged)
        rows.append(
            (number, position, name, data.decode(), actor, timestamp, version, new, head_hash)
        )
        head_hash = new
    return rows


def head_of(db: apsw.Connection) -> Mark:
    """Return where the log ends."""
    row = db.execute(_HEAD).fetchone()
    return Mark(0, GENESIS) if row is None else Mark(int(row[0]), str(row[1]))


def hash_at(db: apsw.Connection, event_id: int) -> str | None:
    """Return the stored hash of an event; the genesis before the first, None for no event."""
    if event_id == 0:
        return GENESIS
    row = db.execute(_HASH_OF, (event_id,)).fetchone()
    return None if row is None else str(row[0])


def timestamp_at(db: apsw.Connection, event_id: int) -> str | None:
    """Return the stored time of an event, None for no event."""
    row = db.execute(_TIMESTAMP_OF, (event_id,)).fetchone()
    return None if row is None else str(row[0])


def stored_events(db: apsw.Connection, after: int = 0) -> Iterator[StoredEvent]:
    """Yield the log's rows past an event, in order; `StoreCorrupt` on one that is none."""
    return chain.from_iterable(stored_pages(db, after))


def stored_pages(db: apsw.Connection, after: int = 0) -> Iterator[Sequence[StoredEvent]]:
    """Yield the same rows, as many at once as are read at once."""
    return _pages(db, _EVENTS, StoredEvent, after)


def logged_events(db: apsw.Connection, after: int = 0) -> Iterator[LoggedEvent]:
    """Yield what the log's rows past an event say, in order; `StoreCorrupt` on one that is none."""
    return chain.from_iterable(logged_pages(db, after))


def logged_pages(db: apsw.Connection, after: int = 0) -> Iterator[Sequence[LoggedEvent]]:
    """Yield the same, as many at once as are read at once."""
    return _pages(db, _LOGGED, LoggedEvent, after)


def stored_events_of(
    db: apsw.Connection, position_id: PositionId, version: int = 0
) -> Iterator[StoredEvent]:
    """Yield the rows of one position past a version, in order."""
    while True:
        rows = _fetched(db, _EVENTS_OF, (position_id, version, PAGE_ROWS))
        for row in rows:
            stored = _row_of(StoredEvent, row, 0)
            version = stored.version
            yield stored
        if len(rows) < PAGE_ROWS:
            return


def stored_armings(db: apsw.Connection) -> list[StoredEvent]:
    """Return the rows of each `StrategyArmed`, in order."""
    return [_row_of(StoredEvent, row, 0) for row in _fetched(db, _ARMINGS, ())]


def recorded_of(stored: LoggedEvent) -> Recorded:
    """Return what a row says; `StoreCorrupt` when it is not an event that this program knows."""
    try:
        return Recorded(
            event_id=stored.event_id,
            position_id=stored.position_id,
            version=stored.version,
            actor=stored.actor,
            at=instant_of(stored.timestamp),
            event=decode(stored.event_type, stored.data),
        )
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        text = f"event {stored.event_id} ({stored.event_type}) cannot be read: {error}"
        raise StoreCorrupt("events", text) from error


def told_event(recorded: Recorded) -> dict[str, Any]:
    """Return an event for people's programs: its place in the log, then its own fields by name.

    Figures are Decimals; `timestamp` is text, RFC 3339 in UTC.
    """
    fields = msgspec.to_builtins(recorded.event, builtin_types=(Decimal,))
    return {
        **fields,
        "event_id": recorded.event_id,
        "position_id": recorded.position_id,
        "version": recorded.version,
        "event_type": name_of(recorded.event),
        "actor": recorded.actor,
        "timestamp": text_of(recorded.at),
    }


def _pages(
    db: apsw.Connection, question: str, kind: type[RowT], last: int
) -> Iterator[Sequence[RowT]]:
    while True:
        try:
            rows = db.execute(question, (last, PAGE_ROWS)).fetchall()
        except (apsw.Error, UnicodeDecodeError):
            yield from _pages_of_one(db, question, kind, last)
            return
        try:
            page: list[RowT] = msgspec.convert(rows, GenericAlias(list, kind))
        except msgspec.ValidationError:  # the good ones first, then what is wrong with the next
            for row in rows:
                stored = _row_of(kind, row, last)
                last = stored.event_id
                yield (stored,)
        else:
            yield page
            last = page[-1].event_id if page else last
        if len(rows) < PAGE_ROWS:
            return


def _pages_of_one(
    db: apsw.Connection, question: str, kind: type[RowT], last: int
) -> Iterator[Sequence[RowT]]:
    """Yield the rows past an event as far as they can be read; `StoreCorrupt` names the next."""
    try:
        for row in db.execute(question, (last, _ALL)):
            stored = _row_of(kind, row, last)
            last = stored.event_id
            yield (stored,)
    except (UnicodeDecodeError, apsw.CorruptError) as error:
        text = f"event {last + 1} cannot be read; nothing from there on is proved"
        raise StoreCorrupt("events", text) from error


def _fetched(
    db: apsw.Connection, question: str, bindings: tuple[str | int, ...]
) -> list[tuple[object, ...]]:
    try:
        return db.execute(question, bindings).fetchall()
    except UnicodeDecodeError as error:  # apsw found bytes in a text that are no UTF-8
        raise StoreCorrupt("events", f"an event is not text: {error}") from error


def _row_of(kind: type[RowT], row: tuple[object, ...], last: int) -> RowT:
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        text = f"the event after {last} ({row[0]!r}) is misshapen: {error}"
        raise StoreCorrupt("events", text) from error
