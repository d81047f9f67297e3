from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.book import Book
from aegis.domain.events import PositionOpened, Recorded
from aegis.domain.ids import EventId, Instant
from aegis.store.journal import Store
from aegis.store.outbox import Notice
from tests.store.histories import START, History, open_store


def _told(recorded: Recorded, _book: Book) -> str | None:
    return "Opened" if isinstance(recorded.event, PositionOpened) else None


@pytest.fixture
def telling(path: Path) -> Iterator[Store]:
    store = open_store(path, notice_of=_told, channels=("log", "telegram"))
    yield store
    store.close()


@pytest.fixture
def event_id(telling: Store) -> EventId:
    """The event that is told of."""
    history = History(1, telling.book)
    records = history.open_position()
    assert telling.commit(records, history.book) == 2
    return next(r.event_id for r in records if isinstance(r.event, PositionOpened))


def test_what_is_told_waits_once_a_channel(telling: Store, event_id: EventId) -> None:
    assert telling.pending_notices(10) == (
        Notice(event_id, "log", "Opened", 0),
        Notice(event_id, "telegram", "Opened", 0),
    )


def test_no_more_than_asked_for_are_given(telling: Store, event_id: EventId) -> None:
    assert [notice.event_id for notice in telling.pending_notices(1)] == [event_id]


def test_what_went_out_does_not_wait(telling: Store, event_id: EventId) -> None:
    told = [(event_id, notice.channel) for notice in telling.pending_notices(10)]
    telling.mark_notified(told, START)
    assert telling.pending_notices(10) == ()


def test_a_failed_attempt_waits_until_it_is_due(telling: Store, event_id: EventId) -> None:
    telling.mark_notified([(event_id, "log")], START)
    due = Instant(START + 60)
    telling.mark_notify_failed(event_id, "telegram", "no network", due)
    assert telling.pending_notices(10, Instant(due - 1)) == ()
    assert telling.pending_notices(10, due) == (Notice(event_id, "telegram", "Opened", 1),)


def test_what_is_given_up_does_not_wait(telling: Store, event_id: EventId) -> None:
    telling.mark_notify_failed(event_id, "log", "bad text", None)
    assert [notice.channel for notice in telling.pending_notices(10)] == ["telegram"]


def test_a_late_failure_does_not_undo_a_success(telling: Store, event_id: EventId) -> None:
    telling.mark_notified([(event_id, "log"), (event_id, "telegram")], START)
    telling.mark_notify_failed(event_id, "log", "late", START)
    assert telling.pending_notices(10) == ()


def test_notices_survive_a_restart(telling: Store, event_id: EventId) -> None:
    before = telling.pending_notices(10)
    telling.abandon()
    again = open_store(telling.path)
    found = again.pending_notices(10)
    again.close()
    assert found == before
    assert event_id
