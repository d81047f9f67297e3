"""The store's files on the disk: whether the names still mean the files that are open.

A WAL that is unlinked under a writer takes commits and loses them all; SQLite does not notice.
Only `stat` asks: opening and closing them here would drop SQLite's locks. The WAL alone has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aegis.store.errors import StoreFailed

FileIdentity = tuple[int, int]
"""Device and inode."""

CHUNK_BYTES = 1024 * 1024

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
    """Remembers which files the database, its WAL and their shared memory are."""

    def __init__(self, store: Path) -> None:
        """Raise `StoreFailed` when one that is open has lost its name already."""
        self._database, self._wal = str(store), str(wal_path(store))
        names = (self._database, self._wal, str(shm_path(store)))
        self.expected = {name: identity_of(name) for name in names}
        for name, identity in self.expected.items():
            if identity is None:
                raise StoreFailed("files", f"{name} was removed while in use")

    def check(self) -> None:
        """Raise `StoreFailed` when one of them was removed or replaced."""
        for name in changed(self.expected):
            raise StoreFailed("files", f"{name} was removed or replaced while in use")

    def has_lost_wal(self) -> bool:
        """Whether the WAL has no name any more, while its database is the one that is open.

        A WAL that was replaced is somebody else's, who may have written to the database.
        """
        if identity_of(self._wal) is not None:
            return False
        return identity_of(self._database) == self.expected[self._database]


def changed(expected: Mapping[str, FileIdentity | None]) -> Iterator[str]:
    """Yield the names that mean another file now, or none."""
    return (name for name, identity in expected.items() if identity_of(name) != identity)


def identity_of(name: str) -> FileIdentity | None:
    """Return which file a name means now. Asked at each commit: 1 us, and 3 us by a Path."""
    try:
        found = os.stat(name)  # noqa: PTH116  measured
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
