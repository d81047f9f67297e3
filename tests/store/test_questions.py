"""What is asked at each look, and at each start, is found by an index: never by a scan.

The planner has no statistics of a store, so its plan is the same for one of a million events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

import aegis.store.snapshot
from aegis.domain.ids import EventId
from aegis.store.connection import open_reader
from aegis.store.loading import load_book
from aegis.store.reading import (
    read_alive,
    read_fills,
    read_status,
    trusted,
)
from tests.store.looking import read_history
from tests.store.tampering import stranger

Look = Callable[[Path], object]

GROWS = ("positions", "orders", "fills", "position_events", "system_health", "reconciliations")
"""Tables that hold more with each year."""

LOOKS: dict[str, Look] = {
    "status": read_status,
    "positions": read_alive,
    "history of one": partial(read_history, position="p"),
    "fills of one": partial(read_fills, position_id="p"),
}


def load(path: Path) -> None:
    with trusted(path) as db:
        load_book(db, EventId(0))


LOOKS["start"] = load


def scans_of(path: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return each step of a look's plans that goes through all rows of a table that grows."""
    asked: dict[str, object] = {}

    def note(_cursor: apsw.Cursor, question: str, bindings: object) -> bool:
        asked[question] = bindings
        return True

    def opened(store: Path, *, is_lenient: bool) -> apsw.Connection:
        db = open_reader(store, is_lenient=is_lenient)
        db.exec_trace = note
        return db

    monkeypatch.setattr(aegis.store.snapshot, "open_reader", opened)
    look(path)
    with stranger(path) as db:
        return [
            step
            for question, bindings in asked.items()
            if question.split()[0] in {"SELECT", "WITH"} and question.split()[-2:] != ["LIMIT", "1"]
            for _, _, _, step in db.execute(f"EXPLAIN QUERY PLAN {question}", bindings)  # type: ignore[arg-type]
            if any(step == f"SCAN {table}" for table in GROWS)
        ]


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_scans_no_table_that_grows(
    filled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert scans_of(filled(), LOOKS[name], monkeypatch) == []


def test_a_scan_would_be_found(
    filled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = scans_of(filled(), read_fills, monkeypatch)
    assert "SCAN fills" in found
