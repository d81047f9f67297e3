# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.store.chain import GENESIS
from aegis.store.inspector import Inspector
from aegis.store.journal import Store
from aegis.store.statements import POSITION_COLUMNS
from tests.store.histories import START, History, open_store
from tests.store.tampering import stranger, tamper


@pytest.fixture
def history(store: Store) -> History:
    made = History(1, store.book)
    store.commit((*made.open_position(), *made.happen(30)), made.book)
    return made


@pytest.fixture
def inspector(store: Store, history: History) -> Iterator[Inspector]:
    assert history.book.last_event_id
    made = Inspector(store.path)
    yield made
    made.close()


def _spoil(store: Store, statement: str) -> None:
    with stranger(store.path) as db:
        db.execute("PRAGMA foreign_keys = OFF").fetchall()
        db.execute(statement).fetchall()


def test_the_whole_chain_is_proved_at_first(store: Store, inspector: Inspector) -> None:
    look = inspector.chain_from(0, GENESIS)
    assert (look.hash, look.problem) == (store.head_hash, None)


def test_only_what_is_new_is_proved_then(
    store: Store, history: History, inspector: Inspector
) -> None:
    first = inspector.chain_from(0, GENESIS)
    records = history.happen(20)
    store.commit(records, history.book)
    second = inspector.chain_from(first.event_id, first.hash)
    assert (second.events, second.hash) == (len(records), store.head_hash)


def test_a_chain_that_changed_behind_is_noticed(inspector: Inspector) -> None:
    look = inspector.chain_from(3, "0" * 64)
    assert look.problem is not None
    assert "event 3 is not what it was" in look.problem.text


def test_a_lawful_store_has_nothing_to_tell(inspector: Inspector) -> None:
    assert inspector.fold_of_open().problems == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_lawful_life_has_nothing_to_tell_at_any_look(path: Path, seed: int) -> None:
    store = open_store(path)
    history = History(seed, store.book)
    inspector = Inspector(path)
    told = []
    for commands in (0, 3, 20, 1, 60, 5, 40):
        records = history.happen(commands)
        if records:
            store.commit(records, history.book)
            history.book.forget_ended()
        told.append(inspector.fold_of_open().problems)
    inspector.close()
    store.close()
    assert told == [()] * len(told)


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE positions SET amount_exact = '9' WHERE position_id <> 'system'", "positions"),
        ("UPDATE positions SET status = 'VOID'", "positions"),
        ("DELETE FROM positions WHERE position_id <> 'system'", "positions"),
        ("UPDATE orders SET filled = 0", "orders"),
        ("DELETE FROM orders", "orders"),
    ],
)
def test_a_row_that_was_changed_is_told_at_every_look(
    store: Store, inspector: Inspector, statement: str, check: str
) -> None:
    inspector.fold_of_open()
    _spoil(store, statement)
    for _ in range(2):
        assert check in {problem.check for problem in inspector.fold_of_open().problems}


def test_a_row_that_was_changed_before_the_first_look_is_told(
    store: Store, inspector: Inspector
) -> None:
    _spoil(store, "UPDATE positions SET amount_exact = '9' WHERE position_id <> 'system'")
    assert inspector.fold_of_open().problems


def test_an_account_that_was_changed_is_told(store: Store, inspector: Inspector) -> None:
    inspector.fold_of_open()
    _spoil(store, "UPDATE positions SET version = 99 WHERE position_id = 'system'")
    assert "system" in inspector.fold_of_open().problems[0].text


def test_a_position_out_of_nowhere_is_told(store: Store, inspector: Inspector) -> None:
    inspector.fold_of_open()
    columns = ", ".join(POSITION_COLUMNS[1:])
    alive = "status IN ('OPENING', 'OPEN', 'CLOSING')"
    _spoil(
        store, f"INSERT INTO positions SELECT 'p-9', {columns} FROM positions WHERE {alive} LIMIT 1"
    )
    assert any("p-9" in problem.text for problem in inspector.fold_of_open().problems)


def test_a_mended_row_is_not_told_again(store: Store, inspector: Inspector) -> None:
    inspector.fold_of_open()
    _spoil(store, "UPDATE orders SET reason = 'x'")
    assert inspector.fold_of_open().problems
    store.rebuild()
    assert inspector.fold_of_open().problems == ()


def test_an_event_set_aside_is_followed(
    store: Store, history: History, inspector: Inspector
) -> None:
    inspector.fold_of_open()
    marked = history.mark(history.book.alive_positions()[0].position_id)
    store.commit(marked, history.book)
    inspector.fold_of_open()
    store.quarantine(marked[-1].event_id, "odd", START)
    store.rebuild()
    assert inspector.fold_of_open().problems == ()


def test_an_event_that_cannot_be_read_is_told(path: Path) -> None:
    store = open_store(path)
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    store.close()
    tamper(path, "UPDATE position_events SET event_data = 'x' WHERE event_id = 3")
    inspector = Inspector(path)
    told = inspector.fold_of_open().problems
    look = inspector.chain_from(0, GENESIS)
    inspector.close()
    assert "event 3" in told[0].text
    assert look.problem is not None
