"""Rows that are written by few statements are the rows that were given."""

from __future__ import annotations

import apsw
from hypothesis import given
from hypothesis import strategies as st

from aegis.store.records import INSERT_EVENT
from aegis.store.rows import ROWS_MAX, _of_rows, write_rows
from aegis.store.statements import UPSERT_ORDER, UPSERT_POSITION

INSERT = "INSERT INTO kept (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ''"
ALL = "SELECT key, value FROM kept ORDER BY rowid"


def made() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    db.execute("CREATE TABLE kept (key INTEGER UNIQUE, value TEXT)").fetchall()
    return db


@given(st.integers(0, 3 * ROWS_MAX))
def test_any_number_of_rows_is_written_in_order(count: int) -> None:
    db, rows = made(), [(count - number, f"v{number}") for number in range(count)]
    write_rows(db, INSERT, rows)
    assert db.execute(ALL).fetchall() == rows


def test_what_follows_the_values_holds_for_each_row() -> None:
    db, rows = made(), [(number, "first") for number in range(5)]
    write_rows(db, INSERT, rows)
    write_rows(db, INSERT, rows[1:4])
    assert [value for _, value in db.execute(ALL).fetchall()] == ["first", "", "", "", "first"]


def test_a_statement_of_all_rows_stays_compiled() -> None:
    """apsw compiles a text of more than 16 kB each time, and asks the list of the allowed."""
    texts = [_of_rows(each, ROWS_MAX) for each in (INSERT_EVENT, UPSERT_ORDER, UPSERT_POSITION)]
    assert max(map(len, texts)) < 16_000
