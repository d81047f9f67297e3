from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.book import Book
from aegis.domain.delivery import Failed, Notice
from aegis.domain.events import PositionOpened, Recorded
from aegis.domain.ids import EventId, Instant
from aegis.domain.instants import text_of
from aegis.store import outbox
from aegis.store.journal import Store
from aegis.store.outbox import NOT_IN_USE, Backlog, backlogs
from tests.store.histories import START, SYMBOLS, History, open_store
from tests.store.tampering import stranger

BOTH = ("log", "telegram:1")
DUE = Instant(START + 60)


def _told(recorded: Recorded, _book: Book) -> str | None:
    return "Opened" if isinstance(recorded.event, PositionOpened) else None


def reopened(store: Store, channels: tuple[str, ...]) -> Store:
    store.abandon()
    return open_store(store.path, notice_of=_told, channels=channels)


def waiting(store: Store, channel: str) -> list[EventId]:
    return [notice.event_id for notice in store.pending_notices(channel, 10)]


def failed(event_id: EventId, due: Instant | None = DUE, *, is_asked: bool = False) -> Failed:
    return Failed(
        event_id=event_id,
        channel="telegram:1",
        error="no network",
        next_attempt_at=due,
        is_asked=is_asked,
    )


@pytest.fixture
def telling(path: Path) -> Iterator[Store]:
    store = open_store(path, notice_of=_told, channels=BOTH)
    yield store
    store.close()


@pytest.fixture
def opened(telling: Store) -> Recorded:
    """The event that is told of."""
    history = History(1, telling.book)
    records = history.open_position()
    assert telling.commit(records, history.book) == 2
    return next(r for r in records if isinstance(r.event, PositionOpened))


def test_what_is_told_waits_once_a_channel(telling: Store, opened: Recorded) -> None:
    for channel in BOTH:
        assert telling.pending_notices(channel, 10) == (
            Notice(opened.event_id, channel, "Opened", 0, "PositionOpened", opened.at, None),
        )


def test_no_more_than_asked_for_are_given_and_the_eldest_first(telling: Store) -> None:
    history = History(1, telling.book)
    opened = []
    for symbol in SYMBOLS[:2]:
        records = history.open_position(symbol)
        opened += [r.event_id for r in records if isinstance(r.event, PositionOpened)]
        telling.commit(records, history.book)
    assert len(opened) == 2
    assert waiting(telling, "log") == opened
    assert [n.event_id for n in telling.pending_notices("log", 1)] == opened[:1]


def test_what_went_out_waits_for_the_other_channels_alone(telling: Store, opened: Recorded) -> None:
    telling.mark_notified([(opened.event_id, "log")], START)
    assert waiting(telling, "log") == []
    assert waiting(telling, "telegram:1") == [opened.event_id]


def test_a_failed_try_is_counted_and_waits_on(telling: Store, opened: Recorded) -> None:
    telling.mark_notify_failed(failed(opened.event_id))
    telling.mark_notify_failed(failed(opened.event_id))
    (notice,) = telling.pending_notices("telegram:1", 10)
    assert (notice.attempts, notice.wait_until) == (2, None)


def test_what_the_other_side_asked_for_is_kept_over_a_restart(
    telling: Store, opened: Recorded
) -> None:
    telling.mark_notify_failed(failed(opened.event_id, is_asked=True))
    again = reopened(telling, BOTH)
    (notice,) = again.pending_notices("telegram:1", 10)
    again.close()
    assert (notice.attempts, notice.wait_until) == (1, DUE)


def test_what_is_given_up_does_not_wait(telling: Store, opened: Recorded) -> None:
    telling.mark_notify_failed(failed(opened.event_id, None))
    assert waiting(telling, "telegram:1") == []
    assert waiting(telling, "log") == [opened.event_id]


def test_a_late_failure_does_not_undo_a_success(telling: Store, opened: Recorded) -> None:
    telling.mark_notified([(opened.event_id, channel) for channel in BOTH], START)
    telling.mark_notify_failed(failed(opened.event_id))
    assert waiting(telling, "telegram:1") == []


def test_notices_survive_a_restart(telling: Store, opened: Recorded) -> None:
    again = reopened(telling, BOTH)
    found = waiting(again, "telegram:1")
    again.close()
    assert found == [opened.event_id]


def test_what_waits_for_a_channel_that_is_no_more_is_given_up_with_its_reason(
    telling: Store, opened: Recorded
) -> None:
    again = reopened(telling, ("log",))
    assert again.give_up_other_channels() == {"telegram:1": 1}
    assert again.give_up_other_channels() == {}
    row = again._db.execute(
        "SELECT state, error FROM notifications WHERE channel = 'telegram:1'"
    ).get
    assert row == ("given_up", NOT_IN_USE)
    assert waiting(again, "log") == [opened.event_id]
    again.close()


def test_a_channel_that_is_new_or_back_gets_nothing_of_what_was_before(
    telling: Store, opened: Recorded
) -> None:
    without = reopened(telling, ("log",))
    without.give_up_other_channels()
    again = reopened(without, (*BOTH, "webhook"))
    again.give_up_other_channels()
    assert opened
    assert waiting(again, "telegram:1") == waiting(again, "webhook") == []
    again.close()


def test_a_backlog_is_told_by_channel_with_its_eldest(telling: Store, opened: Recorded) -> None:
    telling.mark_notified([(opened.event_id, "log")], START)
    telling.mark_notify_failed(failed(opened.event_id))
    at = text_of(opened.at)
    expected = Backlog("telegram:1", 1, at, 1, text_of(DUE), "no network")
    assert backlogs(telling._db) == (expected,)


def test_reading_one_channel_does_not_walk_the_backlog_of_another(telling: Store) -> None:
    with stranger(telling.path) as db:
        plan = db.execute("EXPLAIN QUERY PLAN " + outbox._PENDING, ("log", 1)).fetchall()
    assert "USING INDEX notifications_pending (channel=?)" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
