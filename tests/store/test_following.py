"""Going along with the log a page at a time: to the same book as one by one, to the same fault."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec
import pytest

from aegis.domain.events import Recorded
from aegis.store.chain import GENESIS, LoggedEvent
from aegis.store.errors import StoreCorrupt
from aegis.store.folding import Fold
from aegis.store.following import follow, follow_page
from aegis.store.records import recorded_of, rows_of
from tests.store.histories import SYMBOLS, History

COLUMNS = 7
NO_MARK = b'{"schema":2,"price":"NaN!"}'


def lived(seed: int) -> list[LoggedEvent]:
    """Return a log with marks in rows: of one position, of several, and cut off by other events."""
    history = History(seed)
    records: list[Recorded] = [each for symbol in SYMBOLS for each in history.open_position(symbol)]
    for _ in range(60):
        records.extend(history.happen(2))
        alive = history.book.alive_positions()
        for _ in range(history.choose.randrange(12) if alive else 0):
            records.extend(history.mark(history.choose.choice(alive).position_id))
    rows = rows_of(records, GENESIS)
    return [
        msgspec.convert((*row[:3], row[3].encode(), *row[4:COLUMNS]), LoggedEvent) for row in rows
    ]


def one_by_one(log: Sequence[LoggedEvent], set_aside: frozenset[int] = frozenset()) -> Fold:
    db, fold = apsw.Connection(":memory:"), Fold(set_aside)
    for logged in log:
        follow(db, fold, recorded_of(logged))
    return fold


def by_pages(
    log: Sequence[LoggedEvent], rows: int, set_aside: frozenset[int] = frozenset()
) -> Fold:
    db, fold = apsw.Connection(":memory:"), Fold(set_aside)
    for begin in range(0, len(log), rows):
        follow_page(db, fold, log[begin : begin + rows])
    return fold


def written(fold: Fold) -> bytes:
    """Return all that a fold holds, to the last digit."""
    return msgspec.json.encode([vars(fold.book), fold.entry_ids])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_a_page_at_a_time_leaves_what_is_left_one_by_one(seed: int, rows: int) -> None:
    log = lived(seed)
    assert written(by_pages(log, rows)) == written(one_by_one(log))


def test_a_mark_that_was_set_aside_only_counts() -> None:
    log = lived(1)
    marks = [each.event_id for each in log if each.event_type == "PositionMarked"]
    set_aside = frozenset(marks[::3])
    assert written(by_pages(log, 50, set_aside)) == written(one_by_one(log, set_aside))
    assert written(by_pages(log, 50, set_aside)) != written(by_pages(log, 50))


def spoilt(log: Sequence[LoggedEvent], **changes: object) -> tuple[int, list[LoggedEvent]]:
    """Return a log in which a mark in the middle of a row of them is another; and its number."""
    kinds = [each.event_type for each in log]
    at = next(n for n in range(20, len(log)) if set(kinds[n - 2 : n + 3]) == {"PositionMarked"})
    changed = msgspec.structs.replace(log[at], **changes)
    return changed.event_id, [*log[:at], changed, *log[at + 1 :]]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": NO_MARK},
        {"data": b'{"schema":2,'},
        {"data": b'{"schema":3,"price":"100"}'},
        {"data": b'{"schema":2,"price":"100","high":"sNaN"}'},
        {"position_id": "system"},
    ],
)
def test_the_mark_that_does_not_fit_is_named_and_those_before_it_are_held(
    changes: dict[str, object],
) -> None:
    number, log = spoilt(lived(2), **changes)
    fold = Fold()
    with pytest.raises(StoreCorrupt, match=f"event {number} "):
        follow_page(apsw.Connection(":memory:"), fold, log)
    assert written(fold) == written(one_by_one(log[: number - 1]))


def test_a_mark_of_an_older_shape_is_taken_with_the_others() -> None:
    _, log = spoilt(lived(3), data=b'{"schema":1,"price":"104.5"}')
    assert written(by_pages(log, 1_000)) == written(one_by_one(log))
