"""Positions that no order of ours opened, on disk: rows, proofs and restarts know them too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.domain.commands import BookEntry, Command, ImportPosition
from aegis.domain.ids import Instant
from aegis.domain.lives import Life
from aegis.store.inspector import Inspector
from aegis.store.journal import Store
from aegis.store.reading import read_positions
from aegis.store.verify import verify
from tests.domain.kit import BTC_USDT, seconds
from tests.domain.test_told import HELD, brought, told_entry
from tests.store.histories import START, History, open_store
from tests.store.tampering import all_rows

EARLIER = Instant(START - seconds(86_400))


@pytest.fixture(params=["told", "brought"])
def command(request: pytest.FixtureRequest) -> BookEntry | ImportPosition:
    return told_entry() if request.param == "told" else brought(opened_at=EARLIER)


def committed(store: Store, *commands: Command) -> History:
    history = History(1, store.book, START)
    for command in commands:
        records = history.execute(command)
        assert records, f"Expected {command} to be taken"
        store.commit(records, store.book)
    return history


def test_the_rows_are_what_the_events_make(store: Store, path: Path, command: Command) -> None:
    committed(store, command)
    store.close()
    found = verify(path)
    assert found.ok, found.problems


def test_a_restart_reads_the_position_back_to_the_digit(
    store: Store, path: Path, command: Command
) -> None:
    committed(store, command)
    before = store.book.positions[HELD]
    store.close()
    again = open_store(path)
    assert again.book.positions[HELD] == before
    again.close()


def test_rows_made_anew_from_the_events_are_the_same(
    store: Store, path: Path, command: Command
) -> None:
    committed(store, command)
    before = read_positions(path)
    store.rebuild()
    assert read_positions(path) == before


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_happens_to_it_later_follows_from_the_log(
    store: Store, path: Path, command: BookEntry | ImportPosition, seed: int
) -> None:
    committed(store, command)
    history = History(seed, store.book, START)
    store.commit(history.happen(150), store.book)
    before = all_rows(path)
    store.rebuild()
    assert all_rows(path) == before
    store.close()
    found = verify(path)
    assert found.ok, found.problems


def test_an_import_lived_from_its_arrival_on(store: Store) -> None:
    history = committed(store, brought(opened_at=EARLIER))
    life = Life(position_id=HELD, symbol=BTC_USDT, began_at=history.now)
    assert store.lives([BTC_USDT]) == (life,)
    assert store.book.positions[HELD].opened_at == EARLIER


def test_what_is_told_is_no_trade_that_an_exchange_has_a_record_of(store: Store) -> None:
    committed(store, told_entry())
    assert not store.has_fills()


def test_a_trade_of_the_exchange_is_one_that_it_has_a_record_of(store: Store) -> None:
    history = History(1, store.book)
    store.commit(history.open_position(), store.book)
    assert store.has_fills()


def test_a_look_that_goes_on_takes_up_an_import(store: Store, path: Path) -> None:
    history = History(1, store.book, START)
    store.commit(history.execute(history.reconciliation()), store.book)
    inspector = Inspector(path)
    assert not inspector.fold_of_open().problems
    store.commit(history.execute(brought()), store.book)
    look = inspector.fold_of_open()
    inspector.close()
    assert (look.problems, look.orphans) == ((), ())


def test_rows_of_positions_opened_here_are_as_older_programs_wrote_them(
    filled: Callable[..., Path],
) -> None:
    path = filled()
    store = open_store(path)
    alive = store.book.alive_positions()
    store.close()
    assert alive
    assert b"imported_at" not in path.read_bytes()
