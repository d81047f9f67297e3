"""The disk that forgets keeps what was synced, and may lose, tear and reorder all else."""

from __future__ import annotations

from random import Random

import pytest

from tests.power.disk import (
    Create,
    Delete,
    Disk,
    Manner,
    Operation,
    Sync,
    SyncFailed,
    SyncFolder,
    Truncate,
    Write,
)

A, B = b"a" * 512, b"b" * 512


def left(manner: Manner, *operations: Operation, name: str = "f") -> set[bytes | None]:
    """Return what may be left of a file, which held AA; None when it has no name."""
    found = set()
    for seed in range(50):
        disk = Disk({"f": A + A})
        for each in operations:
            disk.do(each)
        found.add(disk.after_cut(manner, Random(seed)).get(name))
    return found


@pytest.mark.parametrize("manner", Manner)
def test_what_was_synced_is_kept(manner: Manner) -> None:
    assert left(manner, Write(0, 0, B), Sync(0)) == {B + A}


@pytest.mark.parametrize("manner", Manner)
def test_what_a_failed_sync_dropped_is_gone_and_no_later_sync_brings_it_back(
    manner: Manner,
) -> None:
    dropped = (Write(0, 0, B), SyncFailed(0))
    assert left(manner, *dropped) == {A + A}
    assert left(manner, *dropped, Write(0, 512, B), Sync(0)) == {A + B}


def test_what_was_not_synced_may_be_gone() -> None:
    assert left(Manner.DROPPED, Write(0, 0, B)) == {A + A}


def test_what_was_not_synced_may_be_there() -> None:
    assert left(Manner.KEPT, Write(0, 0, B)) == {B + A}


def test_a_later_write_may_be_there_without_an_earlier_one() -> None:
    found = left(Manner.PARTIAL, Write(0, 0, B), Write(0, 512, B))
    assert found == {A + A, A + B, B + A, B + B}


def test_a_torn_write_is_there_by_sectors() -> None:
    assert left(Manner.TORN, Write(0, 0, B + B)) == {A + A, A + B, B + A, B + B}


def test_a_torn_end_may_be_an_empty_sector() -> None:
    assert left(Manner.TORN, Write(0, 1024, B)) == {A + A, A + A + B, A + A + bytes(512)}


def test_a_file_that_was_cut_short_may_be_as_long_as_before() -> None:
    assert left(Manner.PARTIAL, Truncate(0, 0)) == {A + A, b""}


def test_a_deleted_name_may_be_back_until_its_folder_was_synced() -> None:
    assert left(Manner.PARTIAL, Delete("f")) == {A + A, None}
    assert left(Manner.PARTIAL, Delete("f"), SyncFolder()) == {None}


def test_a_new_name_may_be_gone_though_its_content_was_synced() -> None:
    new = (Create("g", 1), Write(1, 0, B), Sync(1))
    assert left(Manner.PARTIAL, *new, name="g") == {B, None}
    assert left(Manner.PARTIAL, *new, SyncFolder(), name="g") == {B}
