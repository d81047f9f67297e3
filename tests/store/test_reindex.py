"""Damaged indices are made anew at an opening, on a copy that is proved before it counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import aegis.store.opening
import aegis.store.reindex
from aegis.store.connection import open_reader
from aegis.store.errors import StoreCorrupt, StoreError
from aegis.store.journal import Store
from aegis.store.opening import open_parts
from aegis.store.reindex import damage_of, is_mendable, mend_indices
from aegis.store.verify import verify
from tests.store.histories import IDENTITY, START, History
from tests.store.tampering import dump, empty_index, tamper

Filled = Callable[..., Path]


def damage(path: Path) -> tuple[str, ...]:
    with closing(open_reader(path)) as db:
        return damage_of(db)


def start(path: Path, *, may_mend: bool = True) -> Store:
    """Open a store as a process does at its start."""
    parts = open_parts(path, IDENTITY, lambda: "first", START, may_mend=may_mend)
    return Store(path, parts, ("log",), lambda _recorded, _book: None)


def names(path: Path) -> set[str]:
    return {each.name.removeprefix(path.name) for each in path.parent.iterdir()}


@pytest.fixture
def damaged(filled: Filled) -> Path:
    path = filled()
    empty_index(path)
    assert is_mendable(damage(path))
    return path


def test_a_damaged_index_is_made_anew_at_the_start(damaged: Path) -> None:
    before = dump(damaged)
    store = start(damaged)
    store.close()
    assert verify(damaged).problems == ()
    assert dump(damaged) == before
    assert "made anew" in store.findings[0]


def test_the_damaged_file_stays_beside_the_store(damaged: Path) -> None:
    was = damaged.read_bytes()
    start(damaged).close()
    assert damaged.with_name("aegis.db.damaged-1").read_bytes() == was


def test_a_second_damage_keeps_both_files(damaged: Path) -> None:
    start(damaged).close()
    empty_index(damaged)
    start(damaged).close()
    assert {".damaged-1", ".damaged-2"} <= names(damaged)


def test_a_mended_store_goes_on(damaged: Path) -> None:
    store = start(damaged)
    history = History(2, store.book, store.stamp(START))
    store.commit(history.happen(20), history.book)
    store.close()
    assert verify(damaged).ok


def test_the_file_is_as_private_as_it_was(damaged: Path) -> None:
    start(damaged).close()
    assert damaged.stat().st_mode & 0o777 == 0o600


def test_only_a_process_that_starts_mends(damaged: Path) -> None:
    store = start(damaged, may_mend=False)
    assert store.findings == ()
    store.close()
    assert damage(damaged)


def test_what_an_attempt_left_behind_is_not_in_the_way(damaged: Path) -> None:
    damaged.with_name("aegis.db.reindexed").write_bytes(b"half a page of nothing")
    start(damaged).close()
    assert damage(damaged) == ()


def test_what_is_in_the_wal_is_in_the_copy(filled: Filled) -> None:
    path = filled()
    empty_index(path, "fills_by_order", "client_order_id")  # a row of it is never updated
    store = start(path, may_mend=False)
    history = History(2, store.book, store.stamp(START))
    store.commit(history.happen(20), history.book)
    head = store.head_hash
    store.abandon()  # as a kill leaves it: the WAL holds the last commit
    assert path.with_name("aegis.db-wal").stat().st_size

    store = start(path)
    assert (store.head_hash, damage(path)) == (head, ())
    store.close()


def test_a_store_that_is_well_is_left_alone(filled: Filled) -> None:
    path = filled()
    before = path.stat().st_ino
    start(path).close()
    assert path.stat().st_ino == before
    assert not any("damaged" in name for name in names(path))


def test_more_than_an_index_is_not_mended(filled: Filled) -> None:
    path = filled()
    tamper(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'reduce_only INTEGER', "
        "'reduce_only INTEGER CHECK (reduce_only > 1)') WHERE name = 'orders'",
    )
    with pytest.raises(StoreCorrupt, match="CHECK constraint failed"):
        start(path)
    assert not any("damaged" in name for name in names(path))


def test_rows_that_are_no_longer_unique_are_not_mended_and_said(damaged: Path) -> None:
    before = damaged.read_bytes()

    def refuse(_copy: Path) -> None:
        raise StoreError("UNIQUE constraint failed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aegis.store.reindex, "_reindex", refuse)
        store = start(damaged)
    assert "could not be made anew: UNIQUE constraint failed" in store.findings[0]
    store.close()
    assert damaged.read_bytes() == before


def test_a_copy_with_a_fault_of_its_own_is_thrown_away(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reindex = aegis.store.reindex._reindex

    def spoil(copy: Path) -> None:
        reindex(copy)
        tamper(copy, "UPDATE position_events SET actor = 'nobody' WHERE event_id = 2")

    monkeypatch.setattr(aegis.store.reindex, "_reindex", spoil)
    before = damaged.read_bytes()
    with pytest.raises(StoreError, match="not the store"):
        mend_indices(damaged)
    assert damaged.read_bytes() == before
    assert not damaged.with_name("aegis.db.reindexed").exists()


def test_a_copy_that_is_damaged_still_is_thrown_away(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.reindex, "_reindex", lambda _copy: None)
    with pytest.raises(StoreError, match="damaged as well"):
        mend_indices(damaged)
    assert not any("damaged-" in name for name in names(damaged))


def test_a_reader_of_another_process_keeps_the_files_as_they_are(damaged: Path) -> None:
    with closing(open_reader(damaged)) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        with pytest.raises(StoreError, match="somebody reads the store"):
            mend_indices(damaged)
    assert damage(damaged)


class Killed(BaseException):
    """The process ends here, whatever the code wants."""


STEPS = ("_copy", "_reindex", "_prove", "_lay_to_rest", "sync_path", "os.link", "os.replace")


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_a_store_that_starts(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, step: str, *, is_done: bool
) -> None:
    """The process dies before or after a step; `finally` is not for the dead."""
    before = dump(damaged)
    place = os if step.startswith("os.") else aegis.store.reindex
    name = step.removeprefix("os.")
    real = getattr(place, name)

    def die(*arguments: object) -> None:
        if is_done:
            real(*arguments)
        raise Killed

    monkeypatch.setattr(place, name, die)
    if step != "_copy":
        monkeypatch.setattr(aegis.store.reindex, "_remove", lambda _copy: None)
    with pytest.raises(Killed):
        mend_indices(damaged)
    monkeypatch.undo()

    store = start(damaged)
    store.close()
    assert verify(damaged).ok
    assert dump(damaged) == before
    assert not damaged.with_name("aegis.db.reindexed").exists()


def test_a_large_store_is_proved_by_row_only_in_doubt(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled()
    monkeypatch.setattr(aegis.store.opening, "INTEGRITY_BYTES_MAX", 0)
    asked: list[str] = []
    real = aegis.store.reindex.damage_of

    def noted(db: apsw.Connection) -> tuple[str, ...]:
        asked.append("row by row")
        return real(db)

    monkeypatch.setattr(aegis.store.opening, "damage_of", noted)
    start(path).close()
    assert asked == []

    found = "INSERT INTO system_health (timestamp, check_type, status) VALUES ('', 'indices', ?)"
    tamper(path, found.replace("?", "'finding'"))
    start(path).close()
    assert asked == ["row by row"]
