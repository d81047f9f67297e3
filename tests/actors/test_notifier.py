"""The Notifier: tells, then marks, and asks on until the outbox is empty."""

from __future__ import annotations

import pytest

from actors import names
from actors.notifier import Notifier
from aegis.domain.ids import EventId
from aegis.messages import MarkNotified, Notice, NoticesAdded, NoticesRead, ReadNotices
from tests.actors.ensemble import Ensemble
from tests.stage import Stage

ME = names.NOTIFIER
STORE = names.POSITION_STORE


@pytest.fixture
def scene(stage: Stage) -> Ensemble:
    made = Ensemble(stage)
    stage.launch(ME, Notifier)
    made.wait_heard(STORE, ReadNotices)
    return made


def outbox(*event_ids: int) -> NoticesRead:
    return NoticesRead(
        notices=tuple(
            Notice(event_id=EventId(each), channel="log", text=f"news {each}") for each in event_ids
        )
    )


def told(scene: Ensemble) -> list[object]:
    return [fields["text"] for event, fields in scene.stage.logged if event == "Notified"]


def test_what_waits_in_the_outbox_is_told_and_marked(scene: Ensemble) -> None:
    scene.tell(ME, outbox(1, 2))

    (marked,) = scene.wait_heard(STORE, MarkNotified)
    assert told(scene) == ["news 1", "news 2"]
    assert marked.told == ((1, "log"), (2, "log"))


def test_after_a_page_it_asks_for_the_next(scene: Ensemble) -> None:
    scene.tell(ME, outbox(1))

    scene.wait_heard(STORE, ReadNotices, 2)


def test_an_empty_outbox_ends_the_asking(scene: Ensemble) -> None:
    scene.tell(ME, outbox())
    scene.settle(ME)

    assert len(scene.heard(STORE, ReadNotices)) == 1
    assert scene.heard(STORE, MarkNotified) == []


def test_news_of_more_asks_again(scene: Ensemble) -> None:
    scene.tell(ME, outbox())
    scene.tell(ME, NoticesAdded())

    scene.wait_heard(STORE, ReadNotices, 2)


def test_it_asks_once_at_a_time(scene: Ensemble) -> None:
    for _ in range(3):
        scene.tell(ME, NoticesAdded())
    scene.settle(ME)

    assert len(scene.heard(STORE, ReadNotices)) == 1
