"""The store's files on the disk: whether the names still mean the files that are open.

A WAL that is unlinked under a writer takes commits and loses them all; SQLite does not notice.
Only `stat` asks: opening and closing them here would drop SQLite's locks. The WAL alone has none.

A commit asks their folder first: no name in it is removed or replaced without the folder getting a
new time. To ask each file took 60 of 400 us: Linux gives a file whose times were asked for new ones
at its next write, and those are the file system's work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aegis.domain.ids import NANOS_PER_SECOND
from aegis.store.errors import StoreFailed

FileIdentity = tuple[int, int]
"""Device and inode."""

FolderState = tuple[int, int, int]
"""Device, inode, and when a name in it was last made, removed or given to another file, in ns."""

CHUNK_BYTES = 1024 * 1024

TICK_NS = 20_000_000
"""Two changes within this may get one time: twice the longest tick of Linux's clock of files."""

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
"""Whose files these are: nobody else's. SQLite gives the WAL the mode of its database."""


def wal_path(store: Path) -> Path:
    """Return the path of a store's write-ahead log."""
    return store.with_name(store.name + "-wal")


def shm_path(store: Path) -> Path:
    """Return the path of the memory that those who have a store open share."""
    return store.with_name(store.name + "-shm")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where there are none: on the disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_path(folder.parent)


def make_private(store: Path) -> None:
    """Make an empty file for a new database; nothing where there is one, which is not opened."""
    with suppress(FileExistsError):
        os.close(os.open(store, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))


def write_again(path: Path) -> None:
    """Write what a file holds once more, in place, and wait until the disk has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        done = 0
        while chunk := os.pread(descriptor, CHUNK_BYTES, done):
            done += os.pwrite(descriptor, chunk, done)  # less than all of it is read again
        if done:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_path(path: Path) -> None:
    """Wait until the disk has a file or a folder; no connection to it may be open here."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileWatch:
    """Remembers which files the database, its WAL, their shared memory and the lock are."""

    def __init__(self, store: Path, lock: Mapping[str, FileIdentity | None]) -> None:
        """Raise `StoreFailed` when one that is open has lost its name already."""
        self._folder = str(store.parent)
        self._database, self._wal = str(store), str(wal_path(store))
        names = (self._database, self._wal, str(shm_path(store)))
        self.expected = {**{name: identity_of(name) for name in names}, **lock}
        for name, identity in self.expected.items():
            if identity is None:
                raise StoreFailed("files", f"{name} was removed while in use")
        self._proved: FolderState | None = None

    def is_undisturbed(self) -> bool:
        """Whether no name in the folder has changed its meaning since `check` found all well."""
        return self._proved is not None and _state_of(self._folder) == self._proved

    def check(self) -> None:
        """Raise `StoreFailed` when one of them was removed or replaced."""
        folder = _state_of(self._folder)
        for name in changed(self.expected):
            raise StoreFailed("files", f"{name} was removed or replaced while in use")
        is_telling = folder is not None and self._shows_changes(folder)
        self._proved = folder if is_telling else None

    def has_lost_wal(self) -> bool:
        """Whether the WAL has no name any more, while its database is the one that is open.

        A WAL that was replaced is somebody else's, who may have written to the database.
        """
        if identity_of(self._wal) is not None:
            return False
        return identity_of(self._database) == self.expected[self._database]

    def _shows_changes(self, folder: FolderState) -> bool:
        """Whether a change of the folder from here on would get another time than its last one.

        The file system's own clock says so, by the last write to the WAL. Not where that clock
        counts whole seconds.
        """
        _, _, changed_at_ns = folder
        written_at_ns = Path(self._wal).stat().st_mtime_ns
        is_fine = changed_at_ns % NANOS_PER_SECOND != 0
        return is_fine and written_at_ns > changed_at_ns + TICK_NS


def changed(expected: Mapping[str, FileIdentity | None]) -> Iterator[str]:
    """Yield the names that mean another file now, or none."""
    return (name for name, identity in expected.items() if identity_of(name) != identity)


def identity_of(name: str) -> FileIdentity | None:
    """Return which file a name means now. By a Path it takes 3 us instead of 1."""
    try:
        found = os.stat(name)  # noqa: PTH116  measured
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _state_of(folder: str) -> FolderState | None:
    """Return what tells a folder from itself at another time; None when it is gone."""
    try:
        found = os.stat(folder)  # noqa: PTH116  measured, at each commit
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
