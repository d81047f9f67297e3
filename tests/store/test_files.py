"""Which files a store's names mean, as its writer asks before each commit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.domain.ids import NANOS_PER_SECOND
from aegis.store.errors import StoreFailed
from aegis.store.files import TICK_NS, FileWatch, identity_of, shm_path, wal_path
from aegis.store.lock import lock_path

PARTS = (Path, wal_path, shm_path, lock_path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "own" / "aegis.db"
    path.parent.mkdir()
    for part in PARTS:
        part(path).touch()
    return path


def write_to_wal(store: Path, after_ns: int) -> None:
    """Let the WAL have been written to so long after the folder last changed."""
    at_ns = store.parent.stat().st_ctime_ns + after_ns
    os.utime(wal_path(store), ns=(at_ns, at_ns))


def watch_of(store: Path) -> FileWatch:
    lock = str(lock_path(store))
    return FileWatch(store, {lock: identity_of(lock)})


def proved(store: Path) -> FileWatch:
    """Return a watch that has found all well, some writes after the files were made."""
    write_to_wal(store, NANOS_PER_SECOND)
    watch = watch_of(store)
    watch.check()
    return watch


def test_files_in_a_folder_that_nobody_touched_are_the_same(store: Path) -> None:
    assert proved(store).is_undisturbed()


def test_writing_to_files_is_no_disturbance(store: Path) -> None:
    watch = proved(store)
    wal_path(store).write_bytes(b"pages")
    assert watch.is_undisturbed()


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    other.rename(path)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "disturb", [Path.unlink, replace, lambda path: path.rename(path.with_name("elsewhere"))]
)
def test_a_name_that_means_another_file_is_noticed(
    store: Path, part: Callable[[Path], Path], disturb: Callable[[Path], object]
) -> None:
    watch = proved(store)
    disturb(part(store))
    assert not watch.is_undisturbed()
    with pytest.raises(StoreFailed, match="was removed or replaced while in use"):
        watch.check()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_folder_that_was_moved_away_is_noticed(store: Path, *, is_replaced: bool) -> None:
    watch = proved(store)
    store.parent.rename(store.parent.with_name("elsewhere"))
    if is_replaced:
        store.parent.mkdir()
    assert not watch.is_undisturbed()
    with pytest.raises(StoreFailed):
        watch.check()


def test_a_file_of_somebody_elses_is_looked_past(store: Path) -> None:
    watch = proved(store)
    store.with_name("notes.txt").touch()
    assert not watch.is_undisturbed()
    write_to_wal(store, NANOS_PER_SECOND)
    watch.check()
    assert watch.is_undisturbed()


def test_a_folders_time_proves_nothing_before_its_clock_has_ticked(store: Path) -> None:
    write_to_wal(store, TICK_NS)
    watch = watch_of(store)
    watch.check()
    assert not watch.is_undisturbed()


def test_a_clock_of_whole_seconds_proves_nothing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse_ns = store.parent.stat().st_ctime_ns // NANOS_PER_SECOND * NANOS_PER_SECOND
    own = str(store.parent)

    def coarse(folder: str) -> tuple[int, int, int]:
        assert folder == own
        return 1, 1, coarse_ns

    monkeypatch.setattr("aegis.store.files._state_of", coarse)
    assert not proved(store).is_undisturbed()
