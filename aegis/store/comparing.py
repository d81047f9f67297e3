"""Two stores beside each other, and what a comparison needs of one. Read-only.

The chain makes it quick: logs whose hashes are equal at an event are equal up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import msgspec

from aegis.domain.contrast import Intent
from aegis.domain.events import OrderIntended, Recorded
from aegis.domain.position import Position
from aegis.store.reading import trusted
from aegis.store.records import hash_at, head_of, logged_events, recorded_of
from aegis.store.statements import SELECT_ALIVE_POSITIONS, SELECT_CLOSED_POSITIONS
from aegis.store.values import position_of


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first event at which two logs part; None where a log has ended before it."""

    event_id: int
    original: Recorded | None
    other: Recorded | None


PEOPLE = ("operator", "PositionStateManager")
"""Who writes events that are a person's word, and no decision of AEGIS's."""


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """A store's trades and decisions, and where its log ends; `words` are people's events."""

    closed: tuple[Position, ...]
    alive: tuple[Position, ...]
    intents: tuple[Intent, ...]
    words: tuple[Recorded, ...]
    events: int
    head_hash: str


def read_lived(path: Path) -> Lived:
    """Return what a comparison of decisions and trades needs; unpriced trades are in it."""
    with trusted(path) as db:
        head = head_of(db)
        found = tuple(_telling(db))
        return Lived(
            closed=tuple(map(position_of, db.execute(SELECT_CLOSED_POSITIONS, ("",)))),
            alive=tuple(map(position_of, db.execute(SELECT_ALIVE_POSITIONS))),
            intents=tuple(_intents(found)),
            words=tuple(each for each in found if each.actor in PEOPLE),
            events=head.event_id,
            head_hash=head.hash,
        )


def first_difference(original: Path, other: Path) -> Difference | None:
    """Return where two logs part; None where they are one and the same to the last event."""
    with trusted(original) as ours, trusted(other) as theirs:
        ends = head_of(ours).event_id, head_of(theirs).event_id
        equal, unequal = 0, min(ends) + 1  # equal at 0, as all logs begin alike
        while unequal - equal > 1:
            middle = (equal + unequal) // 2
            if hash_at(ours, middle) == hash_at(theirs, middle):
                equal = middle
            else:
                unequal = middle
        if equal == max(ends):
            return None
        return Difference(
            event_id=unequal, original=_event(ours, unequal), other=_event(theirs, unequal)
        )


def _event(db: apsw.Connection, event_id: int) -> Recorded | None:
    logged = next(logged_events(db, event_id - 1), None)
    return None if logged is None else recorded_of(logged)


def _telling(db: apsw.Connection) -> Iterator[Recorded]:
    """Yield the decisions of a log, and people's words."""
    for logged in logged_events(db):
        if logged.event_type == OrderIntended.__name__ or logged.actor in PEOPLE:
            yield recorded_of(logged)


def _intents(records: Iterable[Recorded]) -> Iterator[Intent]:
    for recorded in records:
        event = recorded.event
        if isinstance(event, OrderIntended):
            yield Intent(
                event_id=recorded.event_id,
                position_id=recorded.position_id,
                client_order_id=event.client_order_id,
                symbol=event.symbol,
                role=event.role,
                amount=event.amount,
                reason=event.reason,
                at=recorded.at,
            )
