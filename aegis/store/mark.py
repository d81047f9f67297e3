"""The high-water mark: how far the log had come, in a file beside the store.

SQLite cannot tell a log that lost its end from one that never had it; this file can. Two slots
are written in turn, so that a torn write leaves the one before.

Invariants:
1. The mark may lag the log, never lead it: it is written after COMMIT.
2. A slot with a wrong checksum is as good as absent.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from aegis.store.chain import GENESIS
from aegis.store.files import PRIVATE

SLOT_BYTES = 512  # a sector: written whole or not at all on most disks
SLOTS = 2

_WORD = b"aegis-mark"
_FIELDS = 4


class Mark(msgspec.Struct, frozen=True):
    """The number and hash of the last event known to be in the log."""

    event_id: int
    hash: str


class MarkReading(msgspec.Struct, frozen=True):
    """What the file said. `mark` is None when it is missing or neither slot can be trusted.

    `is_torn` when a slot is there that cannot be trusted.
    """

    mark: Mark | None
    slot: int | None
    is_missing: bool
    is_torn: bool


START = Mark(0, GENESIS)


def mark_path(store: Path) -> Path:
    """Return the path of a store's mark."""
    return store.with_name(store.name + ".mark")


def read_mark(store: Path) -> MarkReading:
    """Return the furthest trustworthy mark of a store; `OSError` when the disk says no."""
    try:
        data = mark_path(store).read_bytes()
    except FileNotFoundError:
        return MarkReading(mark=None, slot=None, is_missing=True, is_torn=False)
    slots = (data[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] for slot in range(SLOTS))
    marks = [_decode(slot) for slot in slots]
    best: tuple[Mark, int] | None = None
    for slot, mark in enumerate(marks):
        if mark is not None and (best is None or mark.event_id > best[0].event_id):
            best = (mark, slot)
    is_torn = None in marks
    if best is None:
        return MarkReading(mark=None, slot=None, is_missing=False, is_torn=is_torn)
    return MarkReading(mark=best[0], slot=best[1], is_missing=False, is_torn=is_torn)


class MarkFile:
    """The mark as its one writer holds it. Raises `OSError` when the disk says no."""

    def __init__(self, store: Path, slot: int | None, *, is_kept: bool = True) -> None:
        path = mark_path(store)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        self._slot = 0 if slot is None else slot
        self._is_kept = is_kept

    def write(self, mark: Mark) -> None:
        """Put the mark into the older slot; it reaches the disk when the system likes."""
        self._slot = (self._slot + 1) % SLOTS
        written = os.pwrite(self._descriptor, _encode(mark), self._slot * SLOT_BYTES)
        if written != SLOT_BYTES:
            raise OSError(f"Expected to write {SLOT_BYTES} bytes of the mark, wrote {written}")

    def fill(self, mark: Mark) -> None:
        """Put one mark into both slots and onto the disk; for a new or a distrusted file."""
        for _ in range(SLOTS):
            self.write(mark)
        os.ftruncate(self._descriptor, SLOTS * SLOT_BYTES)
        self.sync()

    def sync(self) -> None:
        """Wait until the disk has it, unless it goes with its store when the process ends."""
        if self._is_kept:
            os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _encode(mark: Mark) -> bytes:
    text = b"%b %d %b" % (_WORD, mark.event_id, mark.hash.encode())
    return (text + b" " + _checksum(text) + b"\n").ljust(SLOT_BYTES)


def _decode(slot: bytes) -> Mark | None:
    text, _, checksum = slot.strip().rpartition(b" ")
    fields = slot.split()
    if len(slot) != SLOT_BYTES or len(fields) != _FIELDS or checksum != _checksum(text):
        return None
    return Mark(int(fields[1]), fields[2].decode())


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:32].encode()
