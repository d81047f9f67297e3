"""Records what a store's own code does to its files, in order, for the disk that forgets.

The databases and their WALs pass through a file system of ours; what the store does by itself, to
its mark and to names, through a stand-in for `os` in its modules. Lock and reserve hold no content.
"""

# ruff: noqa: N802  methods that override those of SQLite's names

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

import aegis.store.files
import aegis.store.mark
import aegis.store.reindex
from tests.power.beneath import BASE, base_name, beneath_checksums
from tests.power.disk import (
    Create,
    Delete,
    Image,
    Link,
    Operation,
    Rename,
    Sync,
    SyncFailed,
    SyncFolder,
    Truncate,
    Write,
)

_NAME = "recording"

# SQLite's own file system syncs the folder at the first sync of a file that it opened as these.
_FOLDER_SYNCED = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class Trace:
    """Operations in order, and after how many of them each promise was given."""

    def __init__(self, image: Image, failing_sync: int | None) -> None:
        self.image = image
        self.operations: list[Operation] = []
        self.promised_at: list[int] = []
        self.syncs = 0
        self._failing_sync = failing_sync
        self._names = {name: number for number, name in enumerate(image)}
        self._next = len(image)

    def opened(self, name: str) -> int:
        """Return the number of the file with a name, new where there is none."""
        if name not in self._names:
            self._names[name], self._next = self._next, self._next + 1
            self.operations.append(Create(name, self._names[name]))
        return self._names[name]

    def linked(self, name: str, new_name: str) -> None:
        self._names[new_name] = self._names[name]
        self.operations.append(Link(new_name, self._names[name]))

    def renamed(self, name: str, new_name: str) -> None:
        self._names[new_name] = self._names.pop(name)
        self.operations.append(Rename(name, new_name, self._names[new_name]))

    def deleted(self, name: str) -> None:
        if self._names.pop(name, None) is not None:
            self.operations.append(Delete(name))

    def did(self, operation: Operation) -> None:
        self.operations.append(operation)

    def sync(self, number: int, refusal: Exception) -> None:
        """Note that a file is synced, or raise the refusal when it is this one's turn to fail."""
        self.syncs += 1
        if self.syncs == self._failing_sync:
            self.operations.append(SyncFailed(number))
            raise refusal
        self.operations.append(Sync(number))

    def promise(self) -> None:
        """Note that what was done so far has been acknowledged."""
        self.promised_at.append(len(self.operations))


class _RecordingSystem(apsw.VFS):
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        super().__init__(_NAME, base=BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        number = self.trace.opened(base_name(name))
        return _RecordingFile(self.trace, number, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001  SQLite's
        Path(filename).unlink(missing_ok=True)  # SQLite takes it well, an exception comes out
        self.trace.deleted(base_name(filename))
        if syncdir:
            self.trace.did(SyncFolder())


class _RecordingFile(apsw.VFSFile):
    def __init__(
        self, trace: Trace, number: int, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._trace, self._number = trace, number
        self._must_sync_folder = bool(flags[0] & _FOLDER_SYNCED)
        super().__init__(BASE, name, flags)

    def xLock(self, level: int) -> None:
        try:
            super().xLock(level)
        except apsw.IOError as error:  # a reader's last close asks for more than it may have
            raise apsw.BusyError from error

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._trace.did(Write(self._number, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._trace.did(Truncate(self._number, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._trace.sync(self._number, apsw.exception_for(apsw.SQLITE_IOERR_FSYNC))
        if self._must_sync_folder:
            self._must_sync_folder = False
            self._trace.did(SyncFolder())


class _RecordingOs:
    """What the store's modules ask of `os`; what is not here is the system's own."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._numbers: dict[int, int | None] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        descriptor = os.open(path, flags, mode)
        self._numbers[descriptor] = None if path.is_dir() else self._trace.opened(path.name)
        return descriptor

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self._trace.did(Write(self._number(descriptor), offset, data))
        return os.pwrite(descriptor, data, offset)

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._trace.did(Truncate(self._number(descriptor), size))
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        number = self._numbers[descriptor]
        if number is None:
            self._trace.did(SyncFolder())
        else:
            self._trace.sync(number, OSError(errno.EIO, os.strerror(errno.EIO)))
        os.fsync(descriptor)

    def link(self, path: Path, new_path: Path) -> None:
        os.link(path, new_path)
        self._trace.linked(path.name, new_path.name)

    def replace(self, path: Path, new_path: Path) -> None:
        path.replace(new_path)
        self._trace.renamed(path.name, new_path.name)

    def _number(self, descriptor: int) -> int:
        number = self._numbers[descriptor]
        assert number is not None, "Expected a file, was a folder"
        return number


@contextmanager
def recording(image: Image, *, failing_sync: int | None = None) -> Iterator[Trace]:
    """Record what is done to the files of a store whose folder holds `image` now.

    Of all syncs the one of that number fails.
    """
    trace = Trace(image, failing_sync)
    with pytest.MonkeyPatch.context() as patch:
        for module in (aegis.store.files, aegis.store.mark, aegis.store.reindex):
            patch.setattr(module, "os", _RecordingOs(trace))
        with beneath_checksums(_RecordingSystem(trace), _NAME):
            yield trace
