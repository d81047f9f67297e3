"""Proof that a store is what it says: pages, chain, mark, keys, and projections = fold.

Reads through a connection of its own, beside a running writer or without one. What is found
is returned, never raised: a damaged store is the very thing this is for.

Checks, in order:
1. pages: each page's checksum, and SQLite's `integrity_check`, which covers the indices, NOT
   NULL and UNIQUE too; schema: the tables, indices and triggers are ours, and all of ours.
2. foreign keys: an event, order or fill without what it belongs to; not for an event that was
   set aside for just that.
3. chain, events, fold: in one pass over the log.
4. mark: the log reaches it and says the same there.
5. states: each kept state is what the fold makes up to its event.
6. positions, orders, fills, reconciliations: the stored rows are what the fold makes.

Pages that are damaged are told, and read all the same: each event proves itself by its hash, so
the log is proved up to the first event that is not what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from aegis.store.chain import GENESIS
from aegis.store.connection import failing
from aegis.store.errors import NoStore, StoreCorrupt, StoreError, StoreTooNew
from aegis.store.folding import Fold
from aegis.store.housekeeping import strays
from aegis.store.loading import quarantined_events
from aegis.store.mark import MarkReading
from aegis.store.migrations import objects_made, objects_of
from aegis.store.pages import damaged_pages, told
from aegis.store.recording import faults_of
from aegis.store.records import StoredEvent, head_of, recorded_of, stored_pages
from aegis.store.rowcheck import RowCheck
from aegis.store.snapshot import Snapshot, check_mark, snapshot_of
from aegis.store.states import OutdatedError, encoded, proved_text, state_numbers

PROBLEMS_MAX = 20
"""Of one kind; one fault can spoil every row, and a person reads the first few."""

_TREE = re.compile(r"Tree \d+ page (\d+)")
_HEADLINE = "*** in database "

Progress = Callable[[int, int], None]

# SQLite's own count for AUTOINCREMENT; it stays when rows are deleted.
_COUNTED = "SELECT seq FROM sqlite_sequence WHERE name = 'position_events'"


class Problem(msgspec.Struct, frozen=True):
    """What one check found, for a person."""

    check: str
    text: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """`events` and `head_hash` are how far the log could be proved."""

    ok: bool
    events: int
    head_hash: str
    problems: tuple[Problem, ...]
    positions: int = 0
    orders: int = 0
    fills: int = 0


def verify(path: Path, *, progress: Progress | None = None) -> Verification:
    """Prove a store; `NoStore`, `StoreTooNew`, and `StoreFailed` where it may not be read."""
    look = _Look(progress or (lambda _done, _total: None))
    with look.noting("pages"):
        look.prove_pages(path)
    with (
        look.noting("open"),
        snapshot_of(path, "verify", is_lenient=look.is_damaged) as snapshot,
    ):
        look.at(snapshot)
    return look.result()


class ChainCursor:
    """Walks the chain from a point that is proved already."""

    def __init__(self, event_id: int, head_hash: str) -> None:
        self.event_id, self.hash = event_id, head_hash
        self._timestamp = ""

    def step(self, stored: StoredEvent) -> None:
        """Take the next event, or raise `StoreCorrupt` with what is wrong with it."""
        fault = self._fault(stored)
        if fault is not None:
            raise StoreCorrupt("chain", f"event {stored.event_id}: {fault}")
        self.event_id, self.hash = stored.event_id, stored.hash
        self._timestamp = stored.timestamp

    def _fault(self, stored: StoredEvent) -> str | None:
        if stored.event_id != self.event_id + 1:
            return f"expected event {self.event_id + 1} here, something was removed"
        if stored.prev_hash != self.hash:
            return "it does not follow the event before"
        if stored.hash != stored.computed_hash():
            return "its hash does not cover it, it was changed"
        if stored.timestamp < self._timestamp:
            return f"its time {stored.timestamp} is before that of the event before"
        return None


class _Look:
    """One verification as it goes on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._problems: list[Problem] = []
        self._cursor = ChainCursor(0, GENESIS)
        self._check: RowCheck | None = None
        self._is_chain_whole = self._is_fold_whole = True
        self._is_log_read = False
        self.is_damaged = False

    def prove_pages(self, path: Path) -> None:
        """Prove the checksum of each page in the file, of those that nothing uses too."""
        damaged = damaged_pages(path)
        if damaged:
            self.is_damaged = True
            self._note("pages", told(damaged))

    def at(self, snapshot: Snapshot) -> None:
        """Run all checks; what one finds does not keep the others from looking."""
        db = snapshot.db
        with self.noting("pages"):
            self._pages(db)
        with self.noting("schema"):
            self._schema(db)
        with self.noting("foreign keys"):
            self._foreign_keys(db)
        with self.noting("events"):
            self._log(db)
        with self.noting("recording"):
            for fault in faults_of(db):
                self._note("recording", fault)
        with self.noting("mark"):
            self._mark(db, snapshot.mark)
        if self._check is not None and self._is_log_read and self._is_fold_whole:
            with self.noting("rows"):
                for table, text in self._check.differences():
                    self._note(table, text)

    def result(self) -> Verification:
        made = {} if self._check is None else self._check.made
        return Verification(
            ok=not self._problems,
            events=self._cursor.event_id,
            head_hash=self._cursor.hash,
            problems=tuple(self._problems),
            positions=made.get("positions", 0),
            orders=made.get("orders", 0),
            fills=made.get("fills", 0),
        )

    @contextmanager
    def noting(self, check: str) -> Iterator[None]:
        """Make a problem of whatever keeps a check from its end."""
        try:
            with failing(check):
                yield
        except (NoStore, StoreTooNew):
            if not self.is_damaged:
                raise
            self._note(check, "the first page is damaged, so nothing after it could be read")
        except StoreCorrupt as corrupt:
            if corrupt.check == "pages" and self.is_damaged:
                self._note(check, "a damaged page kept this from being proved to its end")
            else:
                self._note(corrupt.check, corrupt.text)
        except StoreError as error:
            if isinstance(error.__cause__, PermissionError | apsw.CantOpenError):
                raise  # nothing was read, so nothing was found to be wrong
            self._note(check, str(error))

    def _note(self, check: str, text: str) -> None:
        known = sum(problem.check == check for problem in self._problems)
        if known < PROBLEMS_MAX:
            self._problems.append(Problem(check, text))
        elif known == PROBLEMS_MAX:
            self._problems.append(Problem(check, "and more"))

    def _pages(self, db: apsw.Connection) -> None:
        """Ask SQLite; beside damaged pages it can only say again that they are."""
        if self.is_damaged:
            return
        seen = {"ok"}
        for (text,) in db.execute("PRAGMA integrity_check"):  # it may break off after some
            for line in map(_in_words, str(text).splitlines()):
                if line not in seen:
                    seen.add(line)
                    self._note("pages", line)

    def _schema(self, db: apsw.Connection) -> None:
        ours, found = objects_made(), objects_of(db)
        for kind, name in sorted(found - ours):
            self._note("schema", f"the {kind} {name} is not of AEGIS")
        for kind, name in sorted(ours - found):
            self._note("schema", f"the {kind} {name} is missing")

    def _foreign_keys(self, db: apsw.Connection) -> None:
        for stray in strays(db, quarantined_events(db)):
            self._note("foreign keys", stray.text)

    def _log(self, db: apsw.Connection) -> None:
        quarantined, states, total = self._around(db)
        self._check = check = RowCheck(db, Fold(quarantined))
        done = 0
        for page in stored_pages(db):
            for stored in page:
                if self._is_chain_whole:
                    self._link(stored)
                if self._is_fold_whole:
                    self._add(check, stored)
                if stored.event_id in states and self._is_fold_whole:
                    self._state(db, check.fold, stored.event_id)
            check.settle()
            done += len(page)
            self._progress(done, total)
        self._is_log_read = True
        for number in sorted(each for each in states if each > total):
            self._note("states", f"the state at event {number} is past the log's end")
        counted = db.execute(_COUNTED).get
        if self._is_chain_whole and (counted or 0) != self._cursor.event_id:
            text = f"the log ends at event {self._cursor.event_id}, {counted} were written"
            self._note("chain", text)

    def _around(self, db: apsw.Connection) -> tuple[frozenset[int], frozenset[int], int]:
        """Return what was set aside, the kept states, and the head, as far as they can be read."""
        quarantined, states, total = frozenset[int](), frozenset[int](), 0
        with self.noting("quarantine"):
            quarantined = quarantined_events(db)
        with self.noting("states"):
            states = frozenset(state_numbers(db))
        with self.noting("chain"):
            total = head_of(db).event_id
        return quarantined, states, total

    def _link(self, stored: StoredEvent) -> None:
        try:
            self._cursor.step(stored)
        except StoreCorrupt as corrupt:
            self._is_chain_whole = False
            self._note(corrupt.check, corrupt.text)

    def _add(self, check: RowCheck, stored: StoredEvent) -> None:
        self._is_fold_whole = False
        with self.noting("fold"):
            check.add(recorded_of(stored))
            self._is_fold_whole = True

    def _state(self, db: apsw.Connection, fold: Fold, event_id: int) -> None:
        try:
            is_own = proved_text(db, event_id) == encoded(fold.book)
        except OutdatedError:
            return
        except ValueError as error:
            self._note("states", f"the state at event {event_id} is not used: {error}")
        else:
            if not is_own:
                self._note("states", f"the state at event {event_id} is not what the events make")

    def _mark(self, db: apsw.Connection, reading: MarkReading) -> None:
        if reading.mark is not None:
            check_mark(db, reading.mark)
        elif head_of(db).event_id > 0:
            what = "is missing" if reading.is_missing else "cannot be read"
            self._note("mark", f"the mark {what}: a log that lost its end could not be told")


def _in_words(line: str) -> str:
    """Return what SQLite says of a page without its words for it; "ok" of a mere headline."""
    of_page = _TREE.match(line)
    if of_page is not None:
        return f"page {of_page[1]}: it contradicts itself"
    return "ok" if line.startswith(_HEADLINE) else line
