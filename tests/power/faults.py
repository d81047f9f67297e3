"""A file system that refuses: each single call that SQLite and the mark make can fail.

Calls are counted in the order in which they come; a plan says from which on they fail, and
whether that one alone or all after it. A write that fails may have happened by half.
"""

# ruff: noqa: N802  methods that override those of SQLite's names

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

import aegis.store.files
import aegis.store.mark
from tests.power.beneath import BASE, beneath_checksums

_NAME = "refusing"

OWN = tuple(
    f"{what} {name}"
    for what in ("mark", "file")
    for name in ("open", "read", "write", "truncate", "sync")
)

SHARED_MEMORY = tuple(
    f"shm {name}" for name in ("open", "fcntl", "fstat", "ftruncate", "pwrite64", "mmap")
)

CODES: Mapping[str, int] = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "size": apsw.SQLITE_IOERR_FSTAT,
    "lock": apsw.SQLITE_IOERR_LOCK,
    "unlock": apsw.SQLITE_IOERR_UNLOCK,
    "delete": apsw.SQLITE_IOERR_DELETE,
    "access": apsw.SQLITE_IOERR_ACCESS,
    "open": apsw.SQLITE_CANTOPEN,
    "reserved": apsw.SQLITE_IOERR_CHECKRESERVEDLOCK,
    **dict.fromkeys(OWN, apsw.SQLITE_IOERR),
    **dict.fromkeys(SHARED_MEMORY, apsw.SQLITE_IOERR),
}
"""Each call that can fail, and what SQLite is told when it is one of its own."""

FULL = {"write": apsw.SQLITE_FULL}
"""The same where a write finds no room."""


def _never(_number: int) -> bool:
    return False


class Plan:
    """Which calls fail: none until some are chosen."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._codes = CODES
        self._is_due: Callable[[int], bool] = _never

    def fail(
        self, at: int | None, *, stays: bool = False, codes: Mapping[str, int] = CODES
    ) -> None:
        """Let the call of this number fail, or none, and with `stays` all after; count anew."""
        self.calls, self._codes = [], codes
        if at is None:
            self._is_due = _never
        else:
            self._is_due = lambda number: number == at or (stays and number > at)

    def fail_while(self, is_due: Callable[[], bool], codes: Mapping[str, int] = CODES) -> None:
        """Let calls fail that come while something holds."""
        self._codes, self._is_due = codes, lambda _number: is_due()

    def relent(self) -> None:
        """Let nothing fail any more."""
        self._is_due = _never

    def does_fail(self, name: str) -> bool:
        """Count a call, and say whether it is to fail."""
        self.calls.append(name)
        return name in self._codes and self._is_due(len(self.calls) - 1)

    def call(self, name: str) -> None:
        """Count a call of SQLite's, and raise what it is to be told."""
        if self.does_fail(name):
            raise apsw.exception_for(self._codes[name])

    def call_of_os(self, name: str) -> None:
        """Count a call that the store makes itself, and raise what the system would."""
        if self.does_fail(name):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class _RefusingSystem(apsw.VFS):
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        super().__init__(_NAME, base=BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        self._plan.call("open")
        return _RefusingFile(self._plan, name, flags)

    def xDelete(self, filename: str, _syncdir: bool) -> None:  # noqa: FBT001  SQLite's
        self._plan.call("delete")
        Path(filename).unlink(missing_ok=True)  # SQLite takes it well, an exception comes out

    def xAccess(self, pathname: str, flags: int) -> bool:
        self._plan.call("access")
        return super().xAccess(pathname, flags)


class _RefusingFile(apsw.VFSFile):
    def __init__(self, plan: Plan, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._plan = plan
        super().__init__(BASE, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._plan.call("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        try:
            self._plan.call("write")
        except apsw.Error:
            super().xWrite(data[: len(data) // 2], offset)
            raise
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._plan.call("sync")
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:
        self._plan.call("truncate")
        super().xTruncate(newsize)

    def xFileSize(self) -> int:
        self._plan.call("size")
        return super().xFileSize()

    def xLock(self, level: int) -> None:
        self._plan.call("lock")
        super().xLock(level)

    def xUnlock(self, level: int) -> None:
        super().xUnlock(level)
        self._plan.call("unlock")

    def xCheckReservedLock(self) -> bool:
        self._plan.call("reserved")
        return super().xCheckReservedLock()


class _RefusingOs:
    """What a module of the store asks of `os`; what is not here never fails."""

    def __init__(self, plan: Plan, what: str) -> None:
        self._plan, self._what = plan, what

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        self._plan.call_of_os(f"{self._what} open")
        return os.open(path, flags, mode)

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        self._plan.call_of_os(f"{self._what} read")
        return os.pread(descriptor, length, offset)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self._plan.does_fail(f"{self._what} write"):
            return os.pwrite(descriptor, data[: len(data) // 2], offset)
        return os.pwrite(descriptor, data, offset)

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._plan.call_of_os(f"{self._what} truncate")
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        self._plan.call_of_os(f"{self._what} sync")
        os.fsync(descriptor)


@contextmanager
def refusing() -> Iterator[Plan]:
    """Yield the plan by which calls fail while a store is used in this block."""
    plan = Plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aegis.store.mark, "os", _RefusingOs(plan, "mark"))
        patch.setattr(aegis.store.files, "os", _RefusingOs(plan, "file"))
        with beneath_checksums(_RefusingSystem(plan), _NAME):
            yield plan
