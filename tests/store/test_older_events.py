"""A log that an older program wrote: read, proved, folded and told as if it were ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import aegis.store.records
from aegis.domain.codec import encode
from aegis.domain.events import (
    Event,
    StopRaised,
)
from aegis.domain.money import text
from aegis.domain.points import Point
from aegis.domain.upcasting import UPCASTS
from aegis.store.journal import Store
from aegis.store.past import Past, read_past
from aegis.store.verify import verify
from tests.store.histories import History, open_store

LEVEL = b'{"schema":0,"level":"%b"}'


def as_before(event: Event) -> bytes:
    """Return the bytes of an event as a program before schema 1 would have stored them."""
    if isinstance(event, StopRaised):
        return LEVEL % text(event.stop_price).encode()
    return encode(event)


@pytest.fixture
def older(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Make a closed store in which stops were raised in an older shape."""

    def make() -> Path:
        store = open_store(path, is_kept=False)
        history = History(1, store.book)
        with monkeypatch.context() as patch:
            patch.setattr(aegis.store.records, "encode", as_before)
            store.commit((*history.open_position(), *history.happen(200)), history.book)
        store.close()
        return path

    return make


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stop be read whose price was not told: it is the stop's own."""
    way = {("StopRaised", 0): lambda old: {"stop_price": old["level"], "price": old["level"]}}
    for key, each in way.items():
        monkeypatch.setitem(UPCASTS, key, each)


def stops(store: Store) -> list[StopRaised]:
    events = (recorded.event for recorded in store.events())
    return [event for event in events if isinstance(event, StopRaised)]


@pytest.mark.usefixtures("way")
def test_an_older_log_is_proved_and_folded(older: Callable[[], Path]) -> None:
    path = older()
    found = verify(path)
    assert found.problems == ()
    store = open_store(path)
    read = stops(store)
    assert read
    assert {event.schema for event in read} == {1}
    store.rebuild()
    store.close()
    assert verify(path).head_hash == found.head_hash


@pytest.mark.usefixtures("way")
def test_what_was_stored_stays_as_it_was(older: Callable[[], Path]) -> None:
    store = open_store(older())
    question = "SELECT event_data FROM position_events WHERE event_type = 'StopRaised'"
    stored = [str(data) for (data,) in store._db.execute(question)]
    store.close()
    assert stored
    assert all(data.startswith('{"schema":0,"level":') for data in stored)


@pytest.mark.usefixtures("way")
def test_the_past_of_an_older_log_can_be_had(older: Callable[[], Path]) -> None:
    path = older()
    assert isinstance(read_past(path, Point(50, is_time=False)), Past)


def test_without_a_way_the_first_event_that_cannot_be_read_is_named(
    older: Callable[[], Path],
) -> None:
    found = verify(older())
    assert found.problems[0].check == "events"
    assert "(StopRaised) cannot be read" in found.problems[0].text
