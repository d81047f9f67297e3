from __future__ import annotations

from pathlib import Path

import pytest

from aegis.store.mark import SLOT_BYTES, START, Mark, MarkFile, mark_path, read_mark

FIRST, SECOND = Mark(1, "a" * 64), Mark(2, "b" * 64)


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "aegis.db"


def _written(store: Path, *marks: Mark) -> bytearray:
    file = MarkFile(store, None)
    file.fill(START)
    for mark in marks:
        file.write(mark)
    file.close()
    return bytearray(mark_path(store).read_bytes())


def test_the_furthest_mark_is_read(store_path: Path) -> None:
    _written(store_path, FIRST, SECOND)
    assert read_mark(store_path).mark == SECOND


def test_a_file_that_is_not_there_is_missing(store_path: Path) -> None:
    assert read_mark(store_path).is_missing


def test_a_torn_slot_leaves_the_mark_before(store_path: Path) -> None:
    data = _written(store_path, FIRST, SECOND)
    slot = read_mark(store_path).slot
    assert slot is not None
    data[slot * SLOT_BYTES + 20 : (slot + 1) * SLOT_BYTES] = bytes(SLOT_BYTES - 20)
    mark_path(store_path).write_bytes(data)
    assert read_mark(store_path).mark == FIRST


@pytest.mark.parametrize("offset", range(0, 120, 7))
def test_a_flipped_bit_is_never_believed(store_path: Path, offset: int) -> None:
    data = _written(store_path, FIRST, SECOND)
    for slot in (0, 1):
        data[slot * SLOT_BYTES + offset] ^= 1
    mark_path(store_path).write_bytes(data)
    assert read_mark(store_path).mark in (None, FIRST, SECOND)
    if offset < 110:
        assert read_mark(store_path).mark is None


@pytest.mark.parametrize("content", [b"", b"x" * 1024, b"aegis-mark 9 ff", bytes(4096)])
def test_nonsense_is_no_mark_and_not_missing(store_path: Path, content: bytes) -> None:
    mark_path(store_path).write_bytes(content)
    reading = read_mark(store_path)
    assert (reading.mark, reading.is_missing) == (None, False)


def test_a_writer_goes_on_in_the_elder_slot(store_path: Path) -> None:
    _written(store_path, FIRST, SECOND)
    reading = read_mark(store_path)
    file = MarkFile(store_path, reading.slot)
    file.write(Mark(3, "c" * 64))
    file.close()
    assert SECOND.hash.encode() in mark_path(store_path).read_bytes()
