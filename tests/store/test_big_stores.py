"""What the maker of big stores promises to those who measure with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.book import Book
from aegis.store.reading import read_status
from aegis.store.verify import verify
from tests.store.big_stores import big_history, make_big_store


@pytest.mark.parametrize(("events", "positions"), [(1_003, 100), (500, 0), (52, 10)])
def test_a_big_store_has_what_was_ordered_and_proves_whole(
    path: Path, events: int, positions: int
) -> None:
    made = make_big_store(path, events=events, positions=positions)
    status = read_status(made)
    assert (status.events, len(status.positions)) == (events, positions)
    assert verify(made).ok


def test_equal_orders_give_equal_histories() -> None:
    first, second = (list(big_history(Book(), events=600, positions=20)) for _ in range(2))
    assert first == second


def test_records_come_by_commits_of_the_wanted_size() -> None:
    sizes = [
        len(records) for records in big_history(Book(), events=250, positions=3, commit_events=100)
    ]
    assert sizes == [100, 100, 50]
