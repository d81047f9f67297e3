"""The store's files on the disk: whether the names still mean the files that are open.

A WAL that is unlinked under a writer takes commits and loses them all; SQLite does not notice.
Only `stat` asks: opening and closing them here would drop SQLite's locks.
"""

from __future__ import annotations

from pathlib import Path

from aegis.store.connection import wal_path
from aegis.store.errors import StoreFailed


class FileWatch:
    """Remembers which files the database and its WAL are."""

    def __init__(self, store: Path) -> None:
        self._wal = wal_path(store)
        self._expected = {path: _identity(path) for path in (store, self._wal)}

    def check(self) -> None:
        """Raise `StoreFailed` when one of them was removed or replaced."""
        for path, expected in self._expected.items():
            if _identity(path) != expected:
                raise StoreFailed("files", f"{path} was removed or replaced while in use")

    def wal_bytes(self) -> int:
        """Return how large the WAL is."""
        return self._wal.stat().st_size


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
