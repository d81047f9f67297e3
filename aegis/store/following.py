"""Going along with the log while letting go of what has ended.

Invariant: whoever follows folds each event onto the same values as one who never let go of any.
"""

from __future__ import annotations

import apsw

from aegis.domain.events import Recorded
from aegis.domain.fold import is_beginning
from aegis.domain.ids import SYSTEM_POSITION, EventId, PositionId
from aegis.store.folding import Fold
from aegis.store.records import recorded_of, stored_events_of


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
