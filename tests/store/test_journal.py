# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec
import pytest

from aegis.domain.book import Book
from aegis.domain.events import OrderFilled, Recorded
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    ClientOrderId,
    EventId,
    Instant,
    PositionId,
    Symbol,
)
from aegis.store.chain import GENESIS
from aegis.store.connection import CHECKPOINT_PAGES
from aegis.store.errors import StoreCorrupt, StoreFailed, StoreForeign, StoreForked
from aegis.store.files import wal_path
from aegis.store.journal import Store
from aegis.store.mark import Mark, MarkFile, mark_path, read_mark
from aegis.store.verify import verify
from tests.store.histories import IDENTITY, START, STEP_NS, History, open_store
from tests.store.tampering import all_rows, stranger, tamper


def _filled(store: Store) -> tuple[History, tuple[Recorded, ...]]:
    history = History(1, store.book)
    records = history.open_position()
    store.commit(records, history.book)
    return history, records


def test_a_new_store_is_empty_and_ours(store: Store) -> None:
    assert (store.recovered_events, store.head_hash, store.incarnation) == (0, GENESIS, "first")


def test_a_commit_is_there_after_reopening(path: Path) -> None:
    store = open_store(path)
    history, records = _filled(store)
    store.close()
    again = open_store(path)
    found = (tuple(again.events()), again.book.positions, again.recovered_events)
    again.close()
    assert found == (records, history.book.positions, len(records))


def test_a_commit_needs_no_clean_stop(path: Path) -> None:
    store = open_store(path)
    _, records = _filled(store)
    store.abandon()
    again = open_store(path)
    found = tuple(again.events())
    again.close()
    assert found == records


def test_the_incarnation_is_drawn_once(path: Path) -> None:
    open_store(path, incarnation="one").close()
    again = open_store(path, incarnation="two")
    again.close()
    assert again.incarnation == "one"


@pytest.mark.parametrize("key", ["mode", "exchange", "account", "market"])
def test_a_store_opens_only_for_what_it_was_made_for(path: Path, key: str) -> None:
    open_store(path).close()
    other = msgspec.structs.replace(IDENTITY, **{key: "other"})
    with pytest.raises(StoreForeign) as refused:
        open_store(path, identity=other)
    assert (refused.value.key, refused.value.expected) == (key, "other")


def test_a_refused_opening_leaves_the_store_free(path: Path) -> None:
    open_store(path).close()
    with pytest.raises(StoreForeign):
        open_store(path, identity=msgspec.structs.replace(IDENTITY, mode="live"))
    again = open_store(path)
    again.close()
    assert again.findings == ()


def test_a_stamp_never_goes_back(store: Store) -> None:
    _, records = _filled(store)
    last = records[-1].at
    assert store.stamp(Instant(last - 5)) == last
    assert store.stamp(Instant(last + 5)) == last + 5


def test_the_stamps_floor_survives_a_restart(path: Path) -> None:
    store = open_store(path)
    _, records = _filled(store)
    store.close()
    again = open_store(path)
    again.close()
    assert again.stamp(Instant(0)) == records[-1].at


def test_records_that_do_not_follow_are_a_bug(store: Store) -> None:
    _, records = _filled(store)
    with pytest.raises(AssertionError, match="Expected event"):
        store.commit(records, store.book)


def test_an_instant_before_the_last_is_a_bug(store: Store) -> None:
    history, _ = _filled(store)
    history.now = Instant(START - 10 * STEP_NS)
    late = history.mark(history.book.alive_positions()[0].position_id)
    with pytest.raises(AssertionError, match="or later"):
        store.commit(late, history.book)


def test_a_forgotten_order_and_position_are_read_back(store: Store) -> None:
    history, records = _filled(store)
    order = next(iter(history.book.orders.values()))
    position = history.book.alive_positions()[0]
    assert store.find_order(order.client_order_id) == order
    assert store.find_position(position.position_id) == position
    assert store.orders_of(position.position_id) == (order,)
    assert records


def test_what_never_was_is_not_found(store: Store) -> None:
    assert store.find_order(ClientOrderId("none")) is None
    assert store.find_position(PositionId("none")) is None


def test_the_reserved_position_is_hidden(store: Store) -> None:
    assert store.find_position(PositionId("system")) is None


def test_a_trade_is_known_once_it_is_booked(store: Store) -> None:
    _, records = _filled(store)
    filled = next(r.event for r in records if isinstance(r.event, OrderFilled))
    assert store.is_known_trade(filled.symbol, filled.fill.trade_id)
    assert not store.is_known_trade(Symbol("ETH/USDT"), filled.fill.trade_id)


def test_events_of_one_position_are_its_own(store: Store) -> None:
    history, records = _filled(store)
    more = history.open_position(Symbol("ETH/USDT"))
    store.commit(more, history.book)
    wanted = records[0].position_id
    assert tuple(store.events(wanted)) == records
    assert tuple(store.events(after=len(records))) == more
    assert tuple(store.events(wanted, after=2)) == records[2:]


def test_other_calls_may_come_between_two_events(store: Store) -> None:
    history, records = _filled(store)
    seen = []
    for recorded in store.events():
        seen.append(recorded)
        if len(seen) == 1:
            store.commit(history.mark(recorded.position_id), history.book)
    assert seen == list(records)


def test_the_entrys_exchange_id_is_in_the_positions_row(store: Store) -> None:
    history, _ = _filled(store)
    order = next(iter(history.book.orders.values()))
    found = store._db.execute("SELECT exchange_order_id FROM positions WHERE symbol <> ''").get
    assert found == order.exchange_order_id


# The head, the lock, the files --------------------------------------------------------------


def test_a_zombies_commit_is_refused(path: Path) -> None:
    zombie, heir = open_store(path), open_store(path)
    late = History(1, zombie.book)
    _filled(heir)
    with pytest.raises(StoreForked):
        zombie.commit(late.open_position(), late.book)
    zombie.close()
    heir.close()
    assert verify(path).ok


def test_the_heir_of_a_zombie_that_was_first_notices(path: Path) -> None:
    zombie, heir = open_store(path), open_store(path)
    _filled(zombie)
    with pytest.raises(StoreForked):
        _filled(heir)
    zombie.close()
    heir.close()
    assert verify(path).ok


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE position_events SET hash = 'other' WHERE event_id = 5",
        "DELETE FROM position_events WHERE event_id = 5",
    ],
)
def test_a_head_that_was_changed_under_the_writer_is_not_built_upon(
    path: Path, tampering: str
) -> None:
    store = open_store(path)
    history, records = _filled(store)
    assert len(records) == 5
    with stranger(path) as db:
        db.execute("DROP TRIGGER position_events_are_never_updated").fetchall()
        db.execute("DROP TRIGGER position_events_are_never_deleted").fetchall()
        db.execute(tampering).fetchall()
    with pytest.raises(StoreForked):
        store.commit(history.mark(records[0].position_id), history.book)
    store.close()


@pytest.mark.parametrize("is_undisturbed", [False, True])
@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_a_file_that_is_taken_away_stops_the_next_commit(
    path: Path, suffix: str, *, is_undisturbed: bool
) -> None:
    store = open_store(path)
    history, records = _filled(store)
    if is_undisturbed:
        later_ns = path.parent.stat().st_ctime_ns + NANOS_PER_SECOND
        os.utime(wal_path(path), ns=(later_ns, later_ns))
        store.check_files()
        assert store._files.is_undisturbed()
    path.with_name(path.name + suffix).rename(path.with_name("elsewhere"))
    with pytest.raises(StoreFailed, match="was removed"):
        store.commit(history.mark(records[0].position_id), history.book)
    store.close()


# Failing ------------------------------------------------------------------------------------


def _broken(store: Store) -> tuple[History, tuple[Recorded, ...]]:
    history, records = _filled(store)
    store._db.set_commit_hook(lambda: True)  # COMMIT is refused, as by a full disk
    with pytest.raises(StoreFailed, match="commit"):
        store.commit(history.mark(records[0].position_id), history.book)
    store._db.set_commit_hook(None)
    return history, records


def test_a_failed_commit_stops_the_store_for_good(store: Store) -> None:
    history, records = _broken(store)
    for call in (
        lambda: store.commit(history.mark(records[0].position_id), history.book),
        lambda: store.find_order(ClientOrderId("x")),
        lambda: store.pending_notices("log", 1),
        lambda: list(store.events()),
        store.rebuild,
        store.check_files,
    ):
        with pytest.raises(StoreFailed, match="refused"):
            call()


def test_a_failed_commit_leaves_the_state_before(path: Path) -> None:
    store = open_store(path)
    _, records = _broken(store)
    store.close()
    again = open_store(path)
    found = tuple(again.events())
    again.close()
    assert found == records
    assert verify(path).ok


def test_an_exception_within_a_commit_writes_nothing_and_stops_the_store(path: Path) -> None:
    def fail(_recorded: Recorded, _book: Book) -> str | None:
        raise LookupError("a bug in the words")

    store = open_store(path, notice_of=fail)
    with pytest.raises(LookupError):
        _filled(store)
    with pytest.raises(StoreFailed, match="refused"):
        store.find_order(ClientOrderId("x"))
    store.close()
    again = open_store(path)
    again.close()
    assert again.recovered_events == 0


def test_a_figure_that_cannot_be_stored_is_refused_whole(store: Store) -> None:
    history, records = _filled(store)
    position = history.book.positions[records[0].position_id]
    spoilt = msgspec.structs.replace(position, amount=Decimal("NaN"))
    marked = history.mark(position.position_id)
    history.book.positions[position.position_id] = spoilt
    with pytest.raises(AssertionError, match="finite"):
        store.commit(marked, history.book)


def test_a_trade_that_is_booked_twice_is_refused_whole(path: Path) -> None:
    store = open_store(path)
    history, records = _filled(store)
    filled = next(r for r in records if isinstance(r.event, OrderFilled))
    again = msgspec.structs.replace(
        filled, event_id=EventId(len(records) + 1), version=len(records) + 1, at=history.now
    )
    history.book.last_event_id = again.event_id
    with pytest.raises(StoreFailed, match="UNIQUE"):
        store.commit((again,), history.book)
    store.close()
    assert verify(path).ok


def test_closing_twice_is_closing_once(path: Path) -> None:
    store = open_store(path)
    store.close()
    store.close()
    assert not wal_path(path).exists()


def test_a_closed_store_refuses(path: Path) -> None:
    store = open_store(path)
    store.close()
    with pytest.raises(StoreFailed, match="closed"):
        store.find_order(ClientOrderId("x"))


# The mark -----------------------------------------------------------------------------------


def test_the_mark_is_at_the_head_after_each_commit(store: Store) -> None:
    _, records = _filled(store)
    mark = read_mark(store.path).mark
    assert mark is not None
    assert (mark.event_id, mark.hash) == (len(records), store.head_hash)


def test_a_log_that_lost_its_end_is_not_opened(path: Path) -> None:
    store = open_store(path)
    _, records = _filled(store)
    store.close()
    tamper(path, f"DELETE FROM position_events WHERE event_id = {len(records)}")
    with pytest.raises(StoreCorrupt, match=f"it had reached {len(records)}"):
        open_store(path)


def test_a_database_that_is_gone_is_not_begun_anew(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    path.unlink()
    with pytest.raises(StoreCorrupt, match="the database is gone"):
        open_store(path)


def test_a_database_cut_to_nothing_is_told_and_its_wal_left_as_evidence(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.abandon()
    kept = wal_path(path).read_bytes()
    path.write_bytes(b"")
    with pytest.raises(StoreCorrupt, match="the database is empty"):
        open_store(path)
    assert wal_path(path).read_bytes() == kept != b""


def test_a_wal_that_is_gone_is_noticed(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.abandon()
    wal_path(path).unlink()
    with pytest.raises(StoreCorrupt, match="mark"):
        open_store(path)


def test_a_log_that_says_something_else_at_its_mark_is_not_opened(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    mark = MarkFile(path, None)
    mark.fill(Mark(1, "f" * 64))
    mark.close()
    with pytest.raises(StoreCorrupt, match="event 1 had the hash ffff"):
        open_store(path)


@pytest.mark.parametrize("content", [None, b"torn"])
def test_a_mark_that_is_lost_is_set_anew_and_told(path: Path, content: bytes | None) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    mark_path(path).unlink()
    if content is not None:
        mark_path(path).write_bytes(content)
    again = open_store(path)
    again.close()
    assert "mark" in again.findings[0]
    assert verify(path).ok


# The WAL ------------------------------------------------------------------------------------


def test_a_long_wal_is_moved_into_the_database(store: Store) -> None:
    history, records = _filled(store)
    key = records[0].position_id
    while store.wal.pages < CHECKPOINT_PAGES and not store.wal.last_checkpoint.wal_pages:
        store.commit([r for _ in range(400) for r in history.mark(key)], history.book)
    moved = store.wal.last_checkpoint
    assert moved.moved_pages == moved.wal_pages >= CHECKPOINT_PAGES


def test_a_reader_that_holds_the_wal_back_is_seen(store: Store) -> None:
    history, records = _filled(store)
    key = records[0].position_id
    with stranger(store.path) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        while not store.wal.last_checkpoint.wal_pages:
            store.commit([r for _ in range(400) for r in history.mark(key)], history.book)
        reader.execute("COMMIT").fetchall()
    assert store.wal.last_checkpoint.moved_pages < store.wal.last_checkpoint.wal_pages


def test_a_reader_does_not_hold_up_a_stop(path: Path) -> None:
    store = open_store(path)
    _, records = _filled(store)
    with stranger(path) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        store.close()
        reader.execute("COMMIT").fetchall()
    again = open_store(path)
    again.close()
    assert again.recovered_events == len(records)


# Rebuilding and quarantine ------------------------------------------------------------------


def test_a_rebuild_mends_the_rows_and_the_book(path: Path) -> None:
    store = open_store(path)
    history, _ = _filled(store)
    store.close()
    before = all_rows(path)
    tamper(path, "UPDATE positions SET amount = 7, amount_exact = '7'", "DELETE FROM fills")
    assert all_rows(path) != before
    again = open_store(path)
    again.rebuild()
    book = again.book
    again.close()
    assert all_rows(path) == before
    assert book.positions == history.book.positions


def test_a_rebuild_that_fails_changes_nothing(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    tamper(path, "UPDATE position_events SET event_data = '{}' WHERE event_id = 2")
    before = all_rows(path)
    again = open_store(path)
    with pytest.raises(StoreCorrupt, match="event 2"):
        again.rebuild()
    again.close()
    assert all_rows(path) == before


def test_a_commit_follows_a_rebuild(path: Path) -> None:
    store = open_store(path)
    _, records = _filled(store)
    store.rebuild()
    history = History(2, store.book, records[-1].at)
    store.commit(history.mark(records[0].position_id), store.book)
    store.close()
    assert verify(path).ok


def test_a_quarantined_event_is_skipped_and_stays(path: Path) -> None:
    store = open_store(path)
    history, records = _filled(store)
    before = history.book.positions[records[0].position_id]
    marked = history.mark(before.position_id)
    store.commit(marked, history.book)
    store.quarantine(marked[0].event_id, "not to be believed", START)
    store.rebuild()
    after, found = store.find_position(before.position_id), tuple(store.events())
    store.close()
    assert after == msgspec.structs.replace(before, version=before.version + 1)
    assert found == (*records, *marked)
    assert verify(path).ok


def test_a_store_without_its_accounts_row_is_corrupt(path: Path) -> None:
    open_store(path).close()
    tamper(path, "DELETE FROM positions WHERE position_id = 'system'")
    with pytest.raises(StoreCorrupt, match="system"):
        open_store(path)


def test_events_without_an_identity_are_corrupt(path: Path) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    tamper(path, "DELETE FROM store_identity")
    with pytest.raises(StoreCorrupt, match="whose"):
        open_store(path)


@pytest.mark.parametrize("value", ["'yesterday'", "X'FFFE'", "CAST(X'FFFE' AS TEXT)"])
@pytest.mark.parametrize("column", ["timestamp", "actor", "event_data"])
def test_a_last_event_that_was_changed_is_not_built_upon(
    path: Path, column: str, value: str
) -> None:
    store = open_store(path)
    _, records = _filled(store)
    store.close()
    tamper(path, f"UPDATE position_events SET {column} = {value} WHERE event_id = {len(records)}")
    with pytest.raises(StoreCorrupt):
        open_store(path)


@pytest.mark.parametrize("value", ["'yesterday'", "X'FFFE'", "CAST(X'FFFE' AS TEXT)"])
def test_an_identity_that_was_changed_is_not_believed(path: Path, value: str) -> None:
    open_store(path).close()
    tamper(path, f"UPDATE store_identity SET created_at = {value}")
    with pytest.raises(StoreCorrupt):
        open_store(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE positions SET metadata = 'x'",
        "UPDATE positions SET version = 'x'",
        "UPDATE positions SET status = 'OPEN', side = CAST(X'FFFE' AS TEXT)",
        "UPDATE orders SET state = 'MAYBE'",
        "UPDATE orders SET fees = '[]'",
    ],
)
def test_a_spoilt_projection_raises_only_our_exceptions(path: Path, statement: str) -> None:
    store = open_store(path)
    _filled(store)
    store.close()
    tamper(path, statement)
    with pytest.raises(StoreCorrupt):
        open_store(path)


def test_sqlites_own_errors_never_come_out(store: Store) -> None:
    store._db.close()
    with pytest.raises(StoreFailed) as failed:
        store.find_order(ClientOrderId("x"))
    assert not isinstance(failed.value, apsw.Error)
