"""Marks in a row: many at once leave what they leave one by one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.book import Book
from aegis.domain.events import PositionMarked
from aegis.domain.fold import MarkRun, evolve_position, marked
from aegis.domain.ids import EventId, PositionId
from aegis.domain.position import Position, PositionStatus
from tests.domain.kit import BTC_USDT, ETH_USDT, START, Desk, decimals

PRICES = st.sampled_from(decimals("99", "99.0", "100", "100.00", "101.5", "101.50"))  # ties, too
EXTREMES = st.none() | PRICES
MARKS = st.lists(
    st.builds(PositionMarked, price=PRICES, high=EXTREMES, low=EXTREMES), min_size=1, max_size=6
)


HELD = Desk().holding()


def written(position: Position) -> bytes:
    """Return a position to the last digit: equal figures may be written in two ways."""
    return msgspec.json.encode(position)


@given(marks=MARKS, high=EXTREMES, low=EXTREMES)
def test_marks_at_once_leave_what_they_leave_one_by_one(
    marks: list[PositionMarked], high: Decimal | None, low: Decimal | None
) -> None:
    position = msgspec.structs.replace(HELD, price_high=high, price_low=low)
    at_once = marked(position, marks, version=50)
    for event in marks:
        position = evolve_position(position, event, START, None)
    assert written(at_once) == written(msgspec.structs.replace(position, version=50))


def two() -> tuple[Book, PositionId, PositionId]:
    desk = Desk()
    desk.holding(symbol=BTC_USDT)
    desk.holding(symbol=ETH_USDT)
    one, other = desk.book.positions
    return desk.book, one, other


def run(position: PositionId, *prices: str, version: int = 9) -> MarkRun:
    marks = [PositionMarked(price=price) for price in decimals(*prices)]
    return MarkRun(position_id=position, marks=marks, version=version)


def test_a_book_takes_runs_of_several_positions() -> None:
    book, one, other = two()
    end = EventId(book.last_event_id + 3)
    book.apply_marks([run(one, "101", "102"), run(other, "7", version=8)], end)
    seen = [(book.positions[each].mark, book.version_of(each)) for each in (one, other)]
    assert seen == [(Decimal(102), 9), (Decimal(7), 8)]
    assert book.last_event_id == end


def test_a_run_that_does_not_fit_leaves_the_book_as_it_was() -> None:
    book, one, other = two()
    closed = msgspec.structs.replace(book.positions[other], status=PositionStatus.CLOSED)
    book.positions[other] = closed
    before, last = dict(book.positions), book.last_event_id
    with pytest.raises(AssertionError, match="not alive"):
        book.apply_marks([run(one, "101"), run(other, "7")], EventId(last + 2))
    with pytest.raises(AssertionError, match="came twice"):
        book.apply_marks([run(one, "101")], last)
    assert (book.positions, book.last_event_id) == (before, last)
