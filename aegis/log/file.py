"""The log's file: whole lines, set aside when it is full, and found again from its end.

Invariants:
1. A line is one `write` in append mode; what a crash or a full disk left of one is ended first.
2. A line is lost only by an `OSError` that the caller hears.
3. A reader takes only whole lines, and reads no more than it was allowed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

BYTES_PER_MB = 1024 * 1024
READ_BYTES_MAX = 8 * BYTES_PER_MB
_READ_BYTES_FIRST = 64 * 1024
_MODE = 0o600  # balances and orders are nobody else's


class LogFile:
    """One file that is written by this object, and may be set aside by anybody.

    `tell` hears, in a person's words, when the file cannot be set aside; lines go on into it.
    """

    def __init__(
        self, path: Path, *, rotate_bytes: int, keep: int, tell: Callable[[str], None]
    ) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._limit_bytes = rotate_bytes
        self._keep = keep
        self._tell = tell
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._size = 0
        self._is_torn = False

    def write(self, line: str) -> None:
        """Append a line, or raise `OSError` when it is not whole on its way to the disk."""
        try:
            self._append(line.encode("utf-8", "backslashreplace") + b"\n")
        except OSError:
            self._let_go()
            raise

    def close(self) -> None:
        """Hand everything to the disk and let go of the file; a later write opens it again."""
        if self._descriptor is not None:
            with suppress(OSError):  # a pipe or a terminal has no disk
                os.fsync(self._descriptor)
        self._let_go()

    def _append(self, content: bytes) -> None:
        descriptor = self._ready_for(len(content))
        content = b"\n" + content if self._is_torn else content
        count = os.write(descriptor, content)
        self._size += count
        self._is_torn = False
        if count < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _let_go(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _ready_for(self, count: int) -> int:
        if self._descriptor is None or self._is_gone():
            self._reopen()
        if self._size and self._size + count > self._limit_bytes:
            self._set_aside()
        assert self._descriptor is not None, "Expected an open log file"
        return self._descriptor

    def _is_gone(self) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def _reopen(self) -> None:
        self._let_go()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, _MODE)
        status = os.fstat(self._descriptor)
        self._identity = (status.st_dev, status.st_ino)
        self._size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        last = os.pread(self._descriptor, 1, self._size - 1) if self._size else b"\n"
        self._is_torn = last != b"\n"

    def _set_aside(self) -> None:
        try:
            for number in range(self._keep, 0, -1):
                with suppress(FileNotFoundError):
                    _numbered(self._path, number - 1).replace(_numbered(self._path, number))
            self._limit_bytes = self._rotate_bytes
        except OSError as error:
            self._limit_bytes = self._size + self._rotate_bytes
            self._tell(f"the log cannot be set aside ({error.strerror}) and grows")
        self._reopen()


def last_of(path: Path, event: str, *, bytes_max: int = READ_BYTES_MAX) -> dict[str, object] | None:
    """Return the latest line with an event, or None where the last `bytes_max` have none.

    The files that were set aside are read after the current one. A file that is not there has
    no lines; any other reason not to read is an `OSError`.
    """
    number = 0
    while bytes_max > 0:
        try:
            descriptor = os.open(_numbered(path, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if number:
                return None
        else:
            with os.fdopen(descriptor, "rb", buffering=0):
                size = os.fstat(descriptor).st_size
                if found := _last_in(descriptor, size, event, bytes_max):
                    return found
            bytes_max -= size
        number += 1
    return None


def _last_in(descriptor: int, size: int, event: str, bytes_max: int) -> dict[str, object] | None:
    wanted = b'"event":' + msgspec.json.encode(event)
    for start, end in _windows(size, bytes_max):
        tail = os.pread(descriptor, end - start, start)
        for line in reversed(tail.split(b"\n")[:-1]):
            if wanted in line and (record := _record_of(line)) and record.get("event") == event:
                return record
    return None


def _windows(size: int, bytes_max: int) -> Iterator[tuple[int, int]]:
    """Yield ever longer tails: a line that is cut by one stands whole in the next."""
    length = _READ_BYTES_FIRST
    while True:
        length = min(length, size, bytes_max)
        yield size - length, size
        if length in {size, bytes_max}:
            return
        length *= 4


def _record_of(line: bytes) -> dict[str, object] | None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path
