"""Stretches of the log, page by page, for whoever reads back over all of it. Read-only."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import apsw
import msgspec

from aegis.domain.ids import PositionId
from aegis.domain.points import Point
from aegis.store.past import event_up_to
from aegis.store.reading import View, trusted
from aegis.store.records import (
    StoredEvent,
    head_of,
    stored_events_of,
    stored_pages,
)

Page = Sequence[StoredEvent]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: of one position or of all, from a point on and up to one; the last `most`."""

    position: PositionId | None = None
    begin: Point | None = None
    end: Point | None = None
    most: int | None = None


def read_stretch(path: Path, stretch: Stretch) -> Generator[Page]:
    """Yield a stretch of the log in order; raises what a look at a store raises."""
    with trusted(path) as db:
        first, last = _first(db, stretch.begin), _last(db, stretch.end)
        if first > last:
            return
        if stretch.position is not None:
            own = [
                stored
                for stored in stored_events_of(db, stretch.position)
                if first <= stored.event_id <= last
            ]
            yield own if stretch.most is None else own[-stretch.most :]
            return
        if stretch.most is not None:
            first = max(first, last - stretch.most + 1)
        for page in stored_pages(db, first - 1):
            if not page or page[0].event_id > last:
                return
            yield [stored for stored in page if stored.event_id <= last]


def event_view(stored: StoredEvent) -> View:
    """Return an event with every field in full, as programs get it."""
    return {
        "event_id": stored.event_id,
        "position_id": stored.position_id,
        "version": stored.version,
        "event_type": stored.event_type,
        "actor": stored.actor,
        "timestamp": stored.timestamp,
        "hash": stored.hash,
        "data": msgspec.json.decode(stored.data),
    }


def _first(db: apsw.Connection, begin: Point | None) -> int:
    """Return the first event that is not before a point."""
    if begin is None:
        return 1
    if not begin.is_time:
        return max(1, begin.value)
    return event_up_to(db, Point(begin.value - 1, is_time=True)) + 1 if begin.value else 1


def _last(db: apsw.Connection, end: Point | None) -> int:
    return head_of(db).event_id if end is None else event_up_to(db, end)
