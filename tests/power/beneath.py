"""A file system of ours beneath the store's checksums: all that SQLite asks of its files.

SQLite knows its file systems by name, for the whole process, and the checksums stand on what was
the default when they were loaded. So they are loaded once more on ours, and on the system's again
when it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import apsw.sqlite_extra

CHECKSUMS = "cksmvfs"
BASE = "unix"


@contextmanager
def beneath_checksums(system: apsw.VFS, name: str) -> Iterator[None]:
    """Let each connection that is opened in this block stand on `system`, a default by `name`."""
    if CHECKSUMS in apsw.vfs_names():
        apsw.unregister_vfs(CHECKSUMS)
    assert apsw.vfs_names()[0] == name, f"Expected {name} first, was {apsw.vfs_names()}"
    _load_checksums()
    try:
        yield
    finally:
        apsw.unregister_vfs(CHECKSUMS)
        system.unregister()
        _load_checksums()


def _load_checksums() -> None:
    host = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(host, "cksumvfs")
    host.close()


def base_name(name: str | apsw.URIFilename | None) -> str:
    """Return the last part of the name by which SQLite opens a file."""
    path = name.filename() if isinstance(name, apsw.URIFilename) else name
    return Path(path or "").name
