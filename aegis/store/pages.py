"""The pages of a database, proved one by one, whatever else of it can be read.

SQLite itself stops at the first page that does not match its checksum; a person wants to know
which pages these are, and how much of the log is still true.

Invariant: the file is read through SQLite's own door, so that no lock of this process is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from aegis.store.connection import failing, proving
from aegis.store.files import wal_path

PAGE_BYTES = 4_096
"""What SQLite takes when nobody asks for another size; nobody does."""

READS_MAX = 3
"""A page that a running AEGIS is just writing is met in halves once, not three times."""

NAMED_MAX = 5

WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
SALTS = slice(16, 24)


def damaged_pages(store: Path) -> tuple[int, ...]:
    """Return the numbers, from 1, of the pages that do not match their checksum.

    None of a store that is not there. A page that the WAL has anew is not read from the file: one
    whose move there broke off is no damage. 3 us a page.
    """
    if not store.is_file():
        return ()
    flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY
    with failing("pages"), proving() as is_whole:
        file = apsw.VFSFile("unix", str(store.resolve()), [flags, 0])
        try:
            pages = range(1, file.xFileSize() // PAGE_BYTES + 1)
            found = tuple(page for page in pages if not _is_whole(file, page, is_whole))
        finally:
            file.xClose()
        anew = _pages_of_wal(store) if found else frozenset()
        return tuple(page for page in found if page not in anew)


def told(pages: tuple[int, ...]) -> str:
    """Return the sentence about pages that are damaged."""
    named = ", ".join(map(str, pages[:NAMED_MAX]))
    more = f" and {len(pages) - NAMED_MAX} more" if len(pages) > NAMED_MAX else ""
    if len(pages) == 1:
        return f"page {named} is damaged: it does not match its checksum"
    return f"{len(pages)} pages are damaged, they do not match their checksums: {named}{more}"


def _is_whole(file: apsw.VFSFile, page: int, is_whole: Callable[[bytes], bool]) -> bool:
    reads = (file.xRead(PAGE_BYTES, (page - 1) * PAGE_BYTES) for _ in range(READS_MAX))
    return any(map(is_whole, reads))


def _pages_of_wal(store: Path) -> frozenset[int]:
    """Return the pages that the WAL has, by its file format (sqlite.org/fileformat2.html, 4.1).

    Frames of a round before have other salts.
    """
    try:
        frames = memoryview(wal_path(store).read_bytes())
    except FileNotFoundError:
        return frozenset()
    salts = frames[SALTS]
    starts = range(WAL_HEADER_BYTES, len(frames) - FRAME_BYTES + 1, FRAME_BYTES)
    headers = (frames[start : start + FRAME_HEADER_BYTES] for start in starts)
    return frozenset(int.from_bytes(each[:4]) for each in headers if each[8:16] == salts)
