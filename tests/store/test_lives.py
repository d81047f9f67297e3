"""Whole lives of a store: random lawful histories, restarts, kills and a disk that fills up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.domain.book import Book
from aegis.store.mark import read_mark
from aegis.store.verify import verify
from tests.store.histories import START, History, open_store
from tests.store.tampering import all_rows

ROOT = Path(__file__).parents[2]

COMMITTING = """
import resource, sys
from pathlib import Path
from aegis.store.errors import StoreFailed
from tests.store.histories import History, open_store
store = open_store(Path(sys.argv[1]))
history = History(1, store.book)
store.commit(history.open_position(), history.book)
key = next(iter(history.book.positions))
if len(sys.argv) > 2:
    size = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
while True:
    records = history.mark(key)
    if not records:
        continue
    try:
        store.commit(records, history.book)
    except StoreFailed as failed:
        print("failed", flush=True)
        break
    print(records[-1].event_id, flush=True)
try:
    store.commit(history.mark(key), history.book)
except StoreFailed as failed:
    print("refused" if "refused" in str(failed) else failed, flush=True)
"""


def _values(book: Book) -> tuple[object, ...]:
    alive = {position.position_id for position in book.alive_positions()}
    positions = sorted(repr(held) for held in book.alive_positions())
    orders = sorted(
        repr(held)
        for held in book.orders.values()
        if held.position_id in alive or not held.is_ended
    )
    return repr(book.account), positions, orders, book.last_event_id


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    lives=st.lists(st.lists(st.integers(1, 25), max_size=4), min_size=1, max_size=4),
    is_clean=st.booleans(),
)
def test_any_lawful_life_is_the_same_after_a_restart(
    *, seed: int, lives: list[list[int]], is_clean: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "aegis.db"
        for life, commits in enumerate(lives):
            store = open_store(path)
            history = History(seed + life, store.book, store.stamp(START))
            for commands in commits:
                records = history.happen(commands)
                if records:
                    store.commit(records, history.book)
                    history.book.forget_ended()
            before = _values(history.book)
            store.close() if is_clean else store.abandon()
            again = open_store(path)
            after = _values(again.book)
            again.close()
            assert after == before
        assert verify(path).problems == ()


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_makes_the_very_same_rows(path: Path, seed: int) -> None:
    store = open_store(path)
    history = History(seed, store.book)
    for _ in range(20):
        records = history.happen(12)
        if records:
            store.commit(records, history.book)
            history.book.forget_ended()
    before = all_rows(path)
    store.rebuild()
    assert all_rows(path) == before
    store.close()


def test_equal_histories_have_equal_hashes_however_they_were_grouped(tmp_path: Path) -> None:
    hashes = []
    for group in (1, 7, 1_000):
        store = open_store(tmp_path / f"{group}.db", incarnation=f"i{group}")
        records = History(4).happen(80)
        book = store.book
        for start in range(0, len(records), group):
            part = records[start : start + group]
            for recorded in part:
                book.apply(recorded)
            store.commit(part, book)
        hashes.append(store.head_hash)
        store.close()
    assert len(set(hashes)) == 1


def test_nothing_acknowledged_is_lost_by_a_kill(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMITTING, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(40)]
        process.kill()
        rest = [int(line) for line in process.stdout.read().splitlines()]
    last = [*told, *rest][-1]
    store = open_store(path)
    store.close()
    assert store.recovered_events in (last, last + 1)
    assert verify(path).ok


def test_a_disk_that_fills_up_stops_the_store_and_loses_nothing(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMITTING, str(path), "400000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    *told, failed, refused = done.stdout.splitlines()
    assert (failed, refused) == ("failed", "refused"), done.stderr
    mark = read_mark(path).mark
    assert mark is not None
    assert mark.event_id == int(told[-1])
    store = open_store(path)
    store.close()
    assert store.recovered_events in (int(told[-1]), int(told[-1]) + 1)
    assert verify(path).ok
