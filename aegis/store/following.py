"""Going along with the log while letting go of what has ended.

Invariant: whoever follows folds each event onto the same values as one who never let go of any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import apsw

from aegis.domain.codec import decode_marks
from aegis.domain.events import PositionMarked, Recorded
from aegis.domain.fold import MarkRun, is_beginning
from aegis.domain.ids import SYSTEM_POSITION, EventId, PositionId
from aegis.store.chain import LoggedEvent
from aegis.store.folding import FOLD_FAULTS, Fold
from aegis.store.records import recorded_of, stored_events_of

_MARKED = PositionMarked.__name__


def follow_page(db: apsw.Connection, fold: Fold, page: Iterable[LoggedEvent]) -> None:
    """Fold some rows of the log in order, to what `follow` makes of them one by one.

    Half of its time, where marks come in a row; `StoreCorrupt`.
    """
    for kind, rows in groupby(page, attrgetter("event_type")):
        if kind == _MARKED and not fold.quarantined:
            _follow_marks(db, fold, tuple(rows))
        else:
            for logged in rows:
                follow(db, fold, recorded_of(logged))


def follow(db: apsw.Connection, fold: Fold, recorded: Recorded) -> bool:
    """Fold the next event, and say whether it begins a position; `StoreCorrupt`.

    A position that was let go and is spoken of again is folded anew from its own events first.
    """
    positions, position = fold.book.positions, recorded.position_id
    if fold.quarantined and fold.is_skipped(recorded):
        fold.apply(recorded)
        return False
    is_held = position in positions or position == SYSTEM_POSITION
    if not is_held and (recorded.version > 1 or not is_beginning(recorded.event)):
        take_up(db, fold, position, before=recorded.event_id)
        is_held = position in positions
    fold.apply(recorded)
    return not is_held


def _follow_marks(db: apsw.Connection, fold: Fold, rows: Sequence[LoggedEvent]) -> None:
    """Fold marks in a row by position; what that does not take goes one by one, and is named."""
    try:
        fold.book.apply_marks(_runs(rows), rows[-1].event_id)
    except FOLD_FAULTS:
        for logged in rows:
            follow(db, fold, recorded_of(logged))


def _runs(rows: Sequence[LoggedEvent]) -> list[MarkRun]:
    """Return marks by position; when and by whom is not read, since nothing follows from it."""
    marks_of: dict[PositionId, list[PositionMarked]] = defaultdict(list)
    for logged, mark in zip(rows, decode_marks([each.data for each in rows]), strict=True):
        marks_of[logged.position_id].append(mark)
    versions = {logged.position_id: logged.version for logged in rows}  # the last one's
    return [
        MarkRun(position_id=position, marks=marks, version=versions[position])
        for position, marks in marks_of.items()
    ]


def take_up(
    db: apsw.Connection, fold: Fold, position: PositionId, before: EventId | None = None
) -> None:
    """Fold one position's own events into a book aside, and hold what they make."""
    aside = Fold(fold.quarantined)
    for stored in stored_events_of(db, position):
        if before is not None and stored.event_id >= before:
            break
        aside.apply(recorded_of(stored))
    for held in aside.book.positions.values():
        fold.book.keep_position(held)
    for order in aside.book.orders.values():
        fold.book.keep_order(order)
    fold.entry_ids.update(aside.entry_ids)
