"""A copy of a store: one snapshot, checksums on each page, a mark of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import aegis.store.copying
from aegis.domain.ids import Incarnation
from aegis.store.connection import open_unlogged
from aegis.store.copying import begin_life, copy_store, look_at, prove_log, prove_whole
from aegis.store.errors import StoreCorrupt
from aegis.store.files import make_private
from aegis.store.journal import Store
from aegis.store.mark import mark_path, read_mark
from aegis.store.verify import verify
from tests.store.histories import History, open_store
from tests.store.tampering import tamper

Filled = Callable[..., Path]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def test_the_first_page_asks_for_checksums_before_another_is_written(target: Path) -> None:
    """Else a page that comes out of a WAL, where it needs none, would have none."""
    make_private(target)
    with closing(open_unlogged(target)):
        assert target.read_bytes()[20] == 8  # the bytes that each page reserves


def test_a_copy_ends_where_the_log_did_when_it_began(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    head, copy_pages = store.head_hash, aegis.store.copying._copy_pages

    def later(*arguments: Any) -> None:
        store.commit(history.happen(30), history.book)
        copy_pages(*arguments)

    monkeypatch.setattr(aegis.store.copying, "_copy_pages", later)
    contents = copy_store(store.path, target)
    assert contents.head.hash == head != store.head_hash
    prove_whole(target, contents)
    assert read_mark(target).mark == contents.head


def test_a_log_that_does_not_reach_its_mark_is_not_copied(filled: Filled, target: Path) -> None:
    path = filled()
    ahead = mark_path(path).read_bytes()
    tamper(path, "DELETE FROM position_events WHERE event_id > 20")
    mark_path(path).write_bytes(ahead)
    with pytest.raises(StoreCorrupt, match="mark"):
        copy_store(path, target)
    assert not target.exists()


def test_a_changed_event_is_found_by_the_proof_of_the_log(filled: Filled, target: Path) -> None:
    path = filled()
    tamper(path, "UPDATE position_events SET actor = 'me' WHERE event_id = 5")
    contents = copy_store(path, target)
    with pytest.raises(StoreCorrupt, match="event 5"):
        prove_log(target, contents.head)


def test_a_changed_row_is_found_by_the_whole_proof(filled: Filled, target: Path) -> None:
    path = filled()
    tamper(path, "UPDATE orders SET filled_exact = '7' WHERE rowid = 1")
    contents = copy_store(path, target)
    prove_log(target, contents.head)
    with pytest.raises(StoreCorrupt, match="orders"):
        prove_whole(target, contents)


def test_a_new_life_keeps_the_birth_and_changes_the_incarnation(
    filled: Filled, target: Path
) -> None:
    before = copy_store(filled(), target)
    begin_life(target, Incarnation("second"))
    after = look_at(target)
    assert (after.birth, after.identity.incarnation) == (before.birth, "second")
    assert after.head == before.head
    with closing(open_store(target)) as opened:
        assert (opened.incarnation, opened.birth) == ("second", before.birth)
    assert verify(target).ok
