"""The write-ahead log under its writer's control: when it moves into the database, and how far.

SQLite's own checkpoints are off: their errors are easily lost. A commit that is on the disk when
a checkpoint fails is on the disk all the same; the store stops, and it is looked up.

Invariants:
1. Each checkpoint's result is kept, and an error of one is the store's.
2. What is read from it at an opening is on the disk before the opening ends.
3. No commit waits for a reader; what readers hold back is tried again, and told when it is much.
"""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec

from aegis.store.connection import CHECKPOINT_PAGES, WalWatch, empty_wal
from aegis.store.files import write_again

HELD_BACK_PAGES_MAX = 4_000
"""16 MiB, four checkpoints' worth: more is a reader that forgot to end."""


class Checkpoint(msgspec.Struct, frozen=True):
    """How many pages the WAL held, and how many of them are in the database now.

    Fewer moved than held means that a reader is in the way.
    """

    wal_pages: int
    moved_pages: int


class Wal:
    """The WAL of the one writer. Raises what SQLite raises."""

    def __init__(self, db: apsw.Connection, watch: WalWatch) -> None:
        self._db, self._watch = db, watch
        self._due_pages = CHECKPOINT_PAGES
        self.last_checkpoint = Checkpoint(0, 0)

    @property
    def pages(self) -> int:
        """How many pages it held after the last commit."""
        return self._watch.pages

    @property
    def is_held_back(self) -> bool:
        """Whether readers kept much of it from the database at the last checkpoint."""
        found = self.last_checkpoint
        return found.wal_pages - found.moved_pages > HELD_BACK_PAGES_MAX

    def secure(self, path: Path) -> None:
        """Have what an opening found in it on the disk, before anybody relies on it.

        After a sync that failed the system takes pages for written that it has dropped: they are
        read as if they were there, no later sync writes them, and when the power goes they are
        gone with all that was appended behind them. Nobody else appends meanwhile. 10 ms for 4 MB.
        """
        self._db.execute("BEGIN IMMEDIATE").fetchall()
        write_again(path)
        self._db.execute("ROLLBACK").fetchall()

    def checkpoint_when_due(self) -> bool:
        """Move the pages into the database when there are many; say whether it was tried.

        While a reader holds them back, each attempt is `CHECKPOINT_PAGES` after the one before.
        """
        if self.pages < min(self._due_pages, CHECKPOINT_PAGES):
            self._due_pages = CHECKPOINT_PAGES
        if self.pages < self._due_pages:
            return False
        self.last_checkpoint = Checkpoint(*self._db.wal_checkpoint())
        self._due_pages = self.pages + CHECKPOINT_PAGES
        return True

    def empty(self) -> None:
        """Move the whole WAL into the database and cut it short, unless a reader is in the way."""
        empty_wal(self._db)

    def save(self) -> None:
        """Move all of it into the database, waiting for readers: for a WAL that has lost its name.

        It is still open here, and gone for good when it is closed.
        """
        self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
