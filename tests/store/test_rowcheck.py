"""Rows beside the events that make them: nothing is missed for being let go early."""

# ruff: noqa: S608  a stranger's statements, made from names that stand here

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.commands import AcceptOrder, EndOrder, LoseSight
from aegis.domain.ids import ExchangeOrderId
from aegis.domain.money import ZERO
from aegis.domain.order import OrderStep
from aegis.store.connection import open_reader
from aegis.store.folding import Fold
from aegis.store.records import recorded_of, stored_events
from aegis.store.rowcheck import RowCheck
from aegis.store.statements import ORDER_COLUMNS, POSITION_COLUMNS, SELECT_ORDERS, SELECT_POSITIONS
from tests.store.histories import SYMBOLS, History, open_store
from tests.store.tampering import stranger, tamper

SEEDS = range(6)
TABLES = (("positions", "orders"), (POSITION_COLUMNS, ORDER_COLUMNS))
REPLACE = "REPLACE INTO {} ({}) VALUES ({})"


def columns(names: tuple[str, ...]) -> tuple[str, str]:
    return ", ".join(names), ", ".join("?" for _ in names)


def lived(path: Path, seed: int, commands: int = 400) -> History:
    """Make a closed store with a random, lawful history in it."""
    store = open_store(path)
    history = History(seed, store.book)
    store.commit(history.open_position(), history.book)
    store.commit(history.happen(commands), history.book)
    store.close()
    return history


def checked(path: Path) -> RowCheck:
    """Go through a log, letting go after each single event."""
    db = open_reader(path)
    check = RowCheck(db, Fold())
    for stored in stored_events(db):
        check.add(recorded_of(stored))
        check.settle()
    return check


@pytest.mark.parametrize("seed", SEEDS)
def test_what_ended_as_its_rows_say_is_let_go(path: Path, seed: int) -> None:
    history = lived(path, seed)
    check = checked(path)
    history.book.forget_ended()
    assert list(check.differences()) == []
    assert set(check.fold.book.positions) == set(history.book.positions)
    assert check.made["positions"] > len(history.book.positions)


def test_rows_that_were_true_once_are_found(path: Path) -> None:
    """A position was let go as it had ended, and then its tombstone spoke."""
    store = open_store(path)
    history = History(1, store.book)
    intent = history.entry(SYMBOLS[0])
    order = intent.order
    key = order.client_order_id
    absent = EndOrder(client_order_id=key, step=OrderStep.PROVE_ABSENT, filled=ZERO, reason="")
    lost = (intent, history.submit(order), LoseSight(client_order_id=key, reason=""), absent)
    for command in lost:
        store.commit(history.execute(command), history.book)
    assert not history.book.alive_positions()
    with stranger(path) as db:
        before = [db.execute(each).fetchall() for each in (SELECT_POSITIONS, SELECT_ORDERS)]
    found = AcceptOrder(client_order_id=key, exchange_order_id=ExchangeOrderId("x1"))
    store.commit(history.execute(found), history.book)
    store.close()
    with stranger(path) as db:
        for table, names, rows in zip(*TABLES, before, strict=True):
            db.executemany(REPLACE.format(table, *columns(names)), rows).fetchall()
    texts = [text for table, text in checked(path).differences() if table == "positions"]
    assert len(texts) == 1
    assert texts[0].startswith(order.position_id)


def test_what_differs_is_held_until_all_is_known(path: Path) -> None:
    history = lived(path, seed=1)
    ended = next(key for key, each in history.book.positions.items() if not each.is_alive)
    tamper(path, f"UPDATE positions SET version = 99 WHERE position_id = '{ended}'")
    (difference,) = checked(path).differences()
    assert difference[0] == "positions"
    assert difference[1].startswith(ended)


@pytest.mark.parametrize("table", ["fills", "orders", "reconciliations"])
def test_a_row_too_many_is_named_even_where_another_is_missing(path: Path, table: str) -> None:
    """Their number is as it should be."""
    lived(path, seed=2)
    key = {"fills": "trade_id", "orders": "client_order_id"}.get(table, "reconciliation_id")
    value = "'999999'" if table == "reconciliations" else "'nobody'"
    tamper(
        path,
        f"UPDATE {table} SET {key} = {value} WHERE rowid = (SELECT max(rowid) FROM {table})",
    )
    texts = [text for found, text in checked(path).differences() if found == table]
    assert any(text.endswith("is missing") for text in texts)
    assert any(text.endswith("is in no event") for text in texts)
