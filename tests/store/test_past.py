"""What was so at any event or time: what a store that had ended there would say."""

# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import aegis.store.states
from aegis.domain.book import Book
from aegis.domain.events import StopRaised
from aegis.domain.ids import Instant
from aegis.domain.points import Point
from aegis.store.errors import StoreCorrupt
from aegis.store.past import NotInLog, Past, read_past
from tests.store.histories import START, History, open_store
from tests.store.tampering import append_event, tamper

SPACING = 50


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aegis.store.states, "EVENTS_MIN", SPACING)


def lived(path: Path, seed: int) -> History:
    """Make a closed store with states in it, that forgot what ended."""
    store = open_store(path, is_kept=False)
    history = History(seed, store.book)
    while history.book.last_event_id < 4 * SPACING:
        made = history.happen(4)
        if made:
            store.commit(made, history.book)
            history.book.forget_ended()
    store.close()
    return history


def at(path: Path, event_id: int) -> Past:
    found = read_past(path, Point(event_id, is_time=False))
    assert isinstance(found, Past), found
    return found


def plain(book: Book) -> tuple[object, ...]:
    return (
        book.account,
        {each.position_id: each for each in book.alive_positions()},
        {each.client_order_id: each for each in book.active_orders()},
    )


def of_past(past: Past) -> tuple[object, ...]:
    return (
        past.account,
        {each.position_id: each for each in past.positions},
        {each.client_order_id: each for each in past.orders},
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_past_is_what_the_events_up_to_there_add_up_to(path: Path, seed: int) -> None:
    lived(path, seed)
    store = open_store(path)
    book = Book()
    for recorded in store.events():
        book.apply(recorded)
        if recorded.event_id % 7 == 0 or recorded.event_id % SPACING in {0, 1}:
            past = at(path, recorded.event_id)
            assert of_past(past) == plain(book)
            assert past.folded <= recorded.event_id
    store.close()
    assert past.folded < SPACING + 10


def test_the_past_needs_neither_rows_nor_states(path: Path) -> None:
    history = lived(path, seed=1)
    last = history.book.last_event_id
    before = at(path, last)
    tamper(path, "DELETE FROM states", "UPDATE positions SET amount_exact = '1'")
    after = at(path, last)
    assert of_past(after) == of_past(before)
    assert (after.folded, after.faults) == (last, ())


def test_a_state_that_cannot_be_used_is_told_and_costs_only_time(path: Path) -> None:
    last = lived(path, seed=1).book.last_event_id
    before = at(path, last)
    tamper(path, "UPDATE states SET checksum = ''")
    after = at(path, last)
    assert of_past(after) == of_past(before)
    assert len(after.faults) >= 3


def test_a_time_means_the_last_event_that_is_not_after_it(path: Path) -> None:
    lived(path, seed=2)
    store = open_store(path)
    records = list(store.events())
    store.close()
    some = records[100]
    together = max(each.event_id for each in records if each.at == some.at)
    assert found_at(path, some.at) == together
    later = next(each for each in records if each.at > some.at)
    assert found_at(path, Instant(later.at - 1)) == together


def found_at(path: Path, at_time: Instant) -> int:
    found = read_past(path, Point(at_time, is_time=True))
    assert isinstance(found, Past), found
    return found.event.event_id


@pytest.mark.parametrize("point", [0, -3, 10**6])
def test_an_event_that_is_not_in_the_log_is_answered_with_its_ends(path: Path, point: int) -> None:
    last = lived(path, seed=1).book.last_event_id
    found = read_past(path, Point(point, is_time=False))
    assert isinstance(found, NotInLog)
    assert found.first is not None
    assert found.last is not None
    assert (found.first.event_id, found.last.event_id) == (1, last)


@pytest.mark.parametrize("moment", [START, 10**19])
def test_a_time_before_the_log_or_after_it_is_answered_with_its_ends(
    path: Path, moment: int
) -> None:
    lived(path, seed=1)
    found = read_past(path, Point(moment, is_time=True))
    assert isinstance(found, NotInLog)


def test_an_empty_log_has_no_ends(path: Path) -> None:
    open_store(path).close()
    assert read_past(path, Point(1, is_time=False)) == NotInLog(None, None)


def test_the_past_beside_a_running_store_is_the_past(path: Path) -> None:
    lived(path, seed=3)
    store = open_store(path)
    before = at(path, 60)
    history = History(5, store.book, now=store.stamp(Instant(0)))
    store.commit(history.happen(20), history.book)
    assert at(path, 60) == before
    assert at(path, store.last_event_id).hash == store.head_hash
    store.close()


def test_an_event_that_was_set_aside_is_skipped_in_the_past_too(path: Path) -> None:
    last = lived(path, seed=1).book.last_event_id
    before = at(path, last)
    orphan = append_event(path, "nobody", StopRaised(stop_price=Decimal(1), price=Decimal(1)))
    with pytest.raises(StoreCorrupt):
        at(path, orphan)
    tamper(path, f"INSERT INTO quarantine VALUES ({orphan}, 'odd', '')")
    assert of_past(at(path, orphan)) == of_past(before)


def test_a_past_that_the_chain_does_not_prove_is_not_told(path: Path) -> None:
    last = lived(path, seed=1).book.last_event_id
    tamper(path, f"UPDATE position_events SET actor = 'x' WHERE event_id = {last - 1}")
    with pytest.raises(StoreCorrupt, match="its hash does not cover it"):
        at(path, last)
    assert at(path, SPACING)
