"""The reserve: room on the disk that is given back when there is none left."""

from __future__ import annotations

from pathlib import Path

import pytest

import aegis.store.reserve
from aegis.store.reserve import (
    FREE_BYTES_MIN,
    RESERVE_BYTES,
    free_reserve,
    is_reserved,
    make_reserve,
    reserve_path,
    settle_reserve,
)
from tests.store.histories import open_store

ENOUGH = FREE_BYTES_MIN + RESERVE_BYTES


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "aegis.db"


def room(patch: pytest.MonkeyPatch, free: int) -> None:
    """Let the disk have so many bytes free."""
    patch.setattr(aegis.store.reserve, "free_bytes", lambda _store: free)


def test_the_reserve_takes_the_room_it_stands_for(store: Path) -> None:
    make_reserve(store)
    assert reserve_path(store).stat().st_blocks * 512 >= RESERVE_BYTES
    assert reserve_path(store).stat().st_mode & 0o777 == 0o600


def test_an_opening_makes_it(path: Path) -> None:
    open_store(path).close()
    assert is_reserved(path)


@pytest.mark.parametrize(("free", "is_made"), [(ENOUGH, True), (ENOUGH - 1, False)])
def test_it_is_made_only_where_enough_is_left_besides(
    store: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, is_made: bool
) -> None:
    room(monkeypatch, free)
    make_reserve(store)
    assert is_reserved(store) is is_made


@pytest.mark.parametrize(("free", "is_kept"), [(FREE_BYTES_MIN, True), (FREE_BYTES_MIN - 1, False)])
def test_an_opening_frees_it_where_room_is_short(
    store: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, is_kept: bool
) -> None:
    make_reserve(store)
    room(monkeypatch, free)
    assert bool(settle_reserve(store)) is not is_kept
    assert is_reserved(store) is is_kept


def test_a_reserve_cut_short_is_none(store: Path) -> None:
    make_reserve(store)
    reserve_path(store).write_bytes(b"")
    assert not is_reserved(store)
    make_reserve(store)
    assert is_reserved(store)


def test_a_disk_that_says_no_leaves_nothing_behind(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    make_reserve(store)
    assert not reserve_path(store).exists()


def test_freeing_twice_is_once(store: Path) -> None:
    make_reserve(store)
    free_reserve(store)
    free_reserve(store)
    assert not reserve_path(store).exists()
