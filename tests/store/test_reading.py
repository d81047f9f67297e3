from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest

from aegis.domain.commands import AskForHuman, CompleteDiagnosis, LoseSight
from aegis.domain.events import CheckResult
from aegis.domain.ids import Generation, Instant
from aegis.store.errors import NoStore, StoreCorrupt, StoreError, StoreTooNew
from aegis.store.journal import Store
from aegis.store.measuring import read_measures
from aegis.store.reading import (
    read_calls,
    read_fills,
    read_identity,
    read_outbox,
    read_positions,
    read_status,
)
from aegis.store.verify import verify
from aegis.vitals import CallFigures, NoteCalls
from tests.store.histories import IDENTITY, START, SYMBOLS, USDT, History, open_store
from tests.store.looking import read_history
from tests.store.tampering import flip, stranger, tamper

READERS: tuple[Callable[[Path], object], ...] = (
    read_status,
    read_identity,
    read_positions,
    read_fills,
    read_history,
    read_outbox,
    read_calls,
    partial(read_measures, quote=USDT),
)


@pytest.fixture
def history(store: Store) -> History:
    made = History(1, store.book)
    store.commit(made.open_position(), made.book)
    return made


@pytest.mark.parametrize("read", READERS)
def test_there_is_nothing_to_read_where_no_store_is(
    path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(NoStore):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_what_is_read_can_be_written_as_json(
    store: Store, history: History, read: Callable[[Path], object]
) -> None:
    assert history.book.positions
    assert msgspec.json.encode(read(store.path), enc_hook=str)


@pytest.mark.parametrize("read", READERS)
def test_a_log_that_lost_its_end_answers_nothing(
    filled: Callable[..., Path], read: Callable[[Path], object]
) -> None:
    path = filled()
    tamper(path, "DELETE FROM position_events WHERE event_id > 3")
    with pytest.raises(StoreCorrupt, match="mark"):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_a_newer_schema_is_not_read(
    filled: Callable[..., Path], read: Callable[[Path], object]
) -> None:
    path = filled()
    with stranger(path) as db:
        db.execute("PRAGMA user_version = 99").fetchall()
    with pytest.raises(StoreTooNew):
        read(path)


@pytest.mark.parametrize("offset", [0, 100, 5_000, 20_000])
def test_a_damaged_store_raises_only_our_exceptions(
    filled: Callable[..., Path], offset: int
) -> None:
    path = filled()
    flip(path, offset)
    for read in READERS:
        try:
            read(path)
        except StoreError:
            continue
        assert offset >= 5_000


def test_the_identity_is_read(store: Store) -> None:
    found = read_identity(store.path)
    assert (found.identity, found.incarnation, found.created_at) == (IDENTITY, "first", START)


def test_positions_carry_exact_figures_and_not_the_reserved_one(
    store: Store, history: History
) -> None:
    position = history.book.alive_positions()[0]
    (view,) = read_positions(store.path)
    assert view["position_id"] == position.position_id
    assert Decimal(str(view["amount"])) == position.amount
    assert not any(isinstance(cell, float) for cell in view.values())


def test_positions_of_one_status(store: Store, history: History) -> None:
    assert history.book.positions
    assert len(read_positions(store.path, "OPEN")) == 1
    assert read_positions(store.path, "CLOSED") == ()


def test_figures_are_written_without_idle_zeros(store: Store, history: History) -> None:
    assert history.book.positions
    (view,) = read_fills(store.path)
    assert not str(view["price"]).endswith("0") or "." not in str(view["price"])


def test_history_is_the_last_events_eldest_first(store: Store, history: History) -> None:
    last = history.book.last_event_id
    views = read_history(store.path, limit=2)
    assert [view["event_id"] for view in views] == [last - 1, last]
    assert isinstance(views[0]["data"], dict)


def test_history_of_a_position_is_its_own(store: Store, history: History) -> None:
    key = history.book.alive_positions()[0].position_id
    assert {view["position_id"] for view in read_history(store.path, key)} == {key}
    assert read_history(store.path, "nobody") == ()


def test_the_status_says_how_things_are(store: Store, history: History) -> None:
    status = read_status(store.path)
    assert (status.events, status.head_hash) == (history.book.last_event_id, store.head_hash)
    assert status.writer_pid is not None
    assert [view["symbol"] for view in status.positions] == ["BTC/USDT"]


def test_orders_under_way_come_with_the_doubtful_first(store: Store) -> None:
    made = History(1, store.book)
    written = []
    for symbol in SYMBOLS:
        entry = made.entry(symbol)
        written += [*made.execute(entry), *made.execute(made.submit(entry.order))]
    waits, unknown, doubtful = (order.client_order_id for order in made.book.active_orders())
    for order_id in (unknown, doubtful):
        written += made.execute(LoseSight(client_order_id=order_id, reason="time-out"))
    written += made.execute(AskForHuman(client_order_id=doubtful, reason="no barrier"))
    store.commit(tuple(written), made.book)

    told = [view["client_order_id"] for view in read_status(store.path).orders]
    assert told == [doubtful, unknown, waits]


def test_nobody_runs_after_the_stop(path: Path) -> None:
    open_store(path).close()
    assert read_status(path).writer_pid is None


def test_a_reader_sees_what_is_committed_while_it_runs(store: Store, history: History) -> None:
    before = read_status(store.path).events
    store.commit(history.mark(next(iter(history.book.positions))), history.book)
    assert read_status(store.path).events == before + 1


# How calls fared ------------------------------------------------------------------------------

CALLS = NoteCalls(
    interval_s=300,
    calls=(
        CallFigures(
            call="ReadOrder",
            count=7,
            failed=1,
            ms_p50=40,
            ms_p99=310,
            ms_max=310,
            last_error="Lost",
            http_status=502,
        ),
    ),
)


def test_how_calls_fared_is_read_as_it_was_noted(store: Store, history: History) -> None:
    store.note_calls(NoteCalls(interval_s=300, calls=()), START)
    store.note_calls(CALLS, store.stamp(START))
    noted = read_calls(store.path)
    assert noted is not None
    assert noted.note == CALLS
    assert history.book.positions


def test_a_note_of_calls_does_not_hide_the_last_diagnosis(store: Store, history: History) -> None:
    found = CompleteDiagnosis(
        generation=Generation(1),
        trigger="start",
        checks=(CheckResult(check="chain", status="ok", details=""),),
    )
    store.commit(history.execute(found), history.book)
    store.note_calls(CALLS, store.stamp(START))
    status = read_status(store.path)
    assert [view["check_type"] for view in status.last_diagnosis] == ["chain"]
    assert status.last_calls is not None


def test_a_note_of_calls_is_no_event(store: Store, history: History) -> None:
    before = store.head_hash
    store.note_calls(CALLS, store.stamp(START))
    assert store.head_hash == before
    assert verify(store.path).ok
    assert history.book.positions


def test_a_note_of_calls_goes_when_it_is_old(store: Store) -> None:
    store.note_calls(CALLS, START)
    store.trim(Instant(store.stamp(START) + 10**9))
    assert read_calls(store.path) is None
