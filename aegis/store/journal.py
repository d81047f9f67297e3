"""The journal: the one writer of a store. Plain and synchronous; an actor stands around it.

It never decides what is true; it makes durable what was decided, and says honestly when it
could not.

Invariants:
1. A commit is on the disk before `commit` returns: events, projections and notices together.
2. Events follow the head on disk, which is the head in memory, or nothing is written.
3. Timestamps never go back, and the mark never leads the log.
4. After anything unexpected the store refuses everything: it must be opened again, and what the
   last commit did is then looked up. A failed COMMIT may have been kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from aegis.domain.book import Book
from aegis.domain.delivery import Failed, Notice
from aegis.domain.events import Recorded
from aegis.domain.ids import ClientOrderId, Coin, EventId, Instant, PositionId, Symbol
from aegis.domain.instants import text_of
from aegis.domain.lives import Life
from aegis.domain.order import Fill, Order
from aegis.domain.position import Position
from aegis.store import housekeeping, loading, outbox
from aegis.store.authority import REBUILD, TRIM, WRITE, Authority, authorize
from aegis.store.connection import close_quietly, failing, finish_writing
from aegis.store.errors import StoreFailed, StoreForked
from aegis.store.files import FileIdentity
from aegis.store.identity import Identity
from aegis.store.mark import Mark, MarkFile
from aegis.store.opening import Parts, open_parts
from aegis.store.outbox import NoticeOf
from aegis.store.rebuilding import rebuild_projections, without_foreign_keys
from aegis.store.recorder import Recorder
from aegis.store.records import (
    head_of,
    recorded_of,
    stored_armings,
    stored_events,
    stored_events_of,
)
from aegis.store.statements import INSERT_QUARANTINE
from aegis.store.states import States
from aegis.store.writing import append
from aegis.vitals import NoteCalls


class Store:
    """One open store. Used by one thread at a time."""

    def __init__(
        self, path: Path, parts: Parts, channels: Sequence[str], notice_of: NoticeOf
    ) -> None:
        self.path = path
        self.book = parts.book
        self._account = parts.book.account  # as its row has it
        self.incarnation = parts.incarnation
        self.birth = parts.birth  # the first incarnation, by which others know the store
        self.recovered_events = parts.head.event_id
        self.findings = parts.findings
        self._db, self.wal = parts.db, parts.wal
        self._lock, self._files, self._mark = parts.lock, parts.files, parts.mark
        self._head, self._last_at = parts.head, parts.last_at
        self._channels, self._notice_of = tuple(channels), notice_of
        self._tape, self._states = parts.tape, parts.states
        self._refusal = ""
        self._is_let_go = False
        # An owner that was given up may close beside the one who opens it anew.
        self._ending = threading.RLock()

    @classmethod
    def open(
        cls,
        path: Path,
        identity: Identity,
        *,
        draw_incarnation: Callable[[], str],
        now: Instant,
        channels: Sequence[str] = ("log",),
        notice_of: NoticeOf,
        recorder: Recorder | None = None,
        may_mend: bool = False,
        is_kept: bool = True,
        backup: Callable[[], None] | None = None,
    ) -> Store:
        """Lock, check, migrate and load the store at `path`; create it when there is none.

        With `may_mend` indices are proved as well, and made anew where they are damaged: for a
        process that opens its store for the first time. A store that is not kept goes with its
        process, and so never waits for the disk; nobody may trade on it. What `recorder` has is
        kept along with the commits. `backup` is called before a store of older tables changes.
        """
        parts = open_parts(
            path,
            identity,
            draw_incarnation,
            now,
            may_mend=may_mend,
            is_kept=is_kept,
            backup=backup,
            recorder=recorder,
        )
        return cls(path, parts, channels, notice_of)

    @property
    def head_hash(self) -> str:
        """The hash of the last event."""
        return self._head.hash

    @property
    def last_event_id(self) -> EventId:
        """The number of the last event that is known to be on the disk."""
        return EventId(self._head.event_id)

    @property
    def is_usable(self) -> bool:
        """Whether it takes anything more; one that failed, or was closed, must be opened again."""
        return not self._refusal

    def stamp(self, now: Instant) -> Instant:
        """Return the instant for events that happen now: never before the last one's."""
        return max(now, self._last_at)

    # Writing ------------------------------------------------------------------------------

    def commit(self, records: Sequence[Recorded], book: Book) -> int:
        """Make records durable, all or none; return how many notices they added to the outbox.

        `book` is the book with them applied; it may be the one that the store was opened with.
        """
        with self._working("commit"):
            self._expect_next(records, book)
            self._expect_own_files()
            try:
                with self._transaction():
                    head_hash = append(self._db, records, book, self._head.hash, self._account)
                    notices = outbox.write_notices(
                        self._db, records, book, self._channels, self._notice_of
                    )
                    self._tape.write_due()
            except apsw.ConstraintError:
                # The log takes no second event of a number, and none that does not follow the one
                # before. So its head is not asked for at each commit, but for what a refusal means.
                self._expect_own_head()
                raise
            self._head = Mark(records[-1].event_id, head_hash)
            self._last_at = records[-1].at
            self.book, self._account = book, book.account
            self._mark.write(self._head)
            self._tape.settle()
            if self._states.is_due(book):
                self._keep_state(book)
            if self.wal.checkpoint_when_due():
                self._mark.sync()
        return notices

    def quarantine(self, event_id: EventId, reason: str, at: Instant) -> None:
        """Set an event aside: it stays where it is, and folds skip it from now on."""
        with self._working("quarantine"), self._transaction():
            self._db.execute(INSERT_QUARANTINE, (event_id, reason, text_of(at))).fetchall()

    def rebuild(self) -> None:
        """Make the projections anew from the events, in one transaction; load the book again."""
        with self._working("rebuild"):
            with self._allowed(REBUILD), without_foreign_keys(self._db), self._transaction():
                self._expect_own_head()
                rebuild_projections(self._db)
            self.book = loading.load_book(self._db, EventId(self._head.event_id))
            self._account = self.book.account
            self._states = States(self._db)

    def rewrite_mark(self) -> None:
        """Make the mark's file anew, both slots, from the head that the disk confirms."""
        with self._working("mark"):
            self._expect_own_head()
            self._mark.close()
            self._mark = MarkFile(self.path, None)
            self._mark.fill(self._head)

    def empty_wal(self) -> None:
        """Move the whole WAL into the database and cut it short, unless a reader is in the way."""
        with self._working("checkpoint"):
            self.wal.empty()

    def trim(self, before: Instant) -> None:
        """Delete checks' rows and sent notices from before an instant, a bounded number."""
        with self._working("trim"), self._allowed(TRIM), self._transaction():
            housekeeping.trim(self._db, before)

    def note_calls(self, note: NoteCalls, at: Instant) -> None:
        """Write down how calls to the exchange fared: one row, which goes when checks' rows go."""
        with self._working("calls"), self._transaction():
            housekeeping.note_calls(self._db, note, at)

    def mark_notified(self, told: Iterable[tuple[EventId, str]], at: Instant) -> None:
        """Record that notices went out, each named by its event and channel."""
        with self._working("notices"), self._transaction():
            outbox.note_sent(self._db, told, at)

    def mark_notify_failed(self, failed: Failed) -> None:
        """Record that a notice did not go out."""
        with self._working("notices"), self._transaction():
            outbox.note_failed(self._db, failed)

    def give_up_other_channels(self) -> dict[str, int]:
        """Give up what waits for channels that this store was not opened with; return how many."""
        with self._working("notices"), self._transaction():
            return outbox.give_up_others(self._db, self._channels)

    # Reading ------------------------------------------------------------------------------

    def find_order(self, client_order_id: ClientOrderId) -> Order | None:
        """Return an order from the rows, for what the book forgot."""
        with self._working("read"):
            return loading.find_order(self._db, client_order_id)

    def find_position(self, position_id: PositionId) -> Position | None:
        """Return a position from the rows, for what the book forgot."""
        with self._working("read"):
            return loading.find_position(self._db, position_id)

    def orders_of(self, position_id: PositionId) -> tuple[Order, ...]:
        """Return all orders that a position ever had."""
        with self._working("read"):
            return loading.orders_of(self._db, position_id)

    def is_known_trade(self, symbol: Symbol, trade_id: str) -> bool:
        """Whether a trade of the exchange is booked."""
        with self._working("read"):
            return loading.is_known_trade(self._db, symbol, trade_id)

    def find_fill(self, symbol: Symbol, trade_id: str) -> Fill | None:
        """Return a trade of the exchange as it is booked, or None when it is not."""
        with self._working("read"):
            return loading.find_fill(self._db, symbol, trade_id)

    def quote(self) -> Coin | None:
        """Return the one coin in which its positions are priced; None before the first."""
        with self._working("read"):
            return loading.quote_of(self._db)

    def has_fills(self) -> bool:
        """Whether any trade is booked."""
        with self._working("read"):
            return loading.has_fills(self._db)

    def entries_sent(self) -> int:
        """How many entries ever went out, or may have."""
        with self._working("read"):
            return loading.entries_sent(self._db)

    def lives(self, symbols: Iterable[Symbol]) -> tuple[Life, ...]:
        """Return when positions in some symbols lived, eldest first."""
        with self._working("read"):
            return loading.lives_of(self._db, symbols)

    def armings(self) -> tuple[Recorded, ...]:
        """Return each `StrategyArmed` of the log, in order."""
        with self._working("read"):
            return tuple(recorded_of(stored) for stored in stored_armings(self._db))

    def pending_notices(self, channel: str, limit: int) -> tuple[Notice, ...]:
        """Return the eldest notices that wait for a channel."""
        with self._working("read"):
            return outbox.pending(self._db, channel, limit)

    def events(self, position_id: PositionId | None = None, after: int = 0) -> Iterator[Recorded]:
        """Yield the log past an event, of one position or of all, in order."""
        source = (
            stored_events(self._db, after)
            if position_id is None
            else stored_events_of(self._db, position_id)
        )
        while True:
            with self._working("read"):
                stored = next(source, None)
                recorded = None if stored is None else recorded_of(stored)
            if recorded is None:
                return
            if recorded.event_id > after:
                yield recorded

    # Ending -------------------------------------------------------------------------------

    @property
    def files(self) -> Mapping[str, FileIdentity | None]:
        """Which files lock, database and WAL are, by name; none when it is closed."""
        return {} if self._is_let_go else dict(self._files.expected)

    def check_files(self) -> None:
        """Raise `StoreFailed` when lock, database or WAL are not the files that are open."""
        with self._working("files"):
            self._expect_own_files()

    def close(self) -> None:
        """Leave the database whole and its WAL empty, sync the mark, unlock. Twice is once.

        A store that failed is let go as it is; what the disk holds is for the next one to read.
        """
        with self._ending:
            if self._refusal:
                self.abandon()
                return
            self._refusal = "it is closed"
            try:
                with failing("close"):
                    self._record_rest()
                    finish_writing(self._db)
                    self._mark.sync()
            finally:
                self.abandon()

    def abandon(self) -> None:
        """Let go of the files and the lock at once, leaving everything as it is."""
        with self._ending:
            self._refusal = self._refusal or "it was abandoned"
            self._is_let_go = True
            close_quietly(self._db)
            self._mark.close()
            self._lock.release()

    # ----------------------------------------------------------------------------------------

    @contextmanager
    def _working(self, operation: str) -> Iterator[None]:
        """Refuse after a fault; whatever leaves this block unfinished is one."""
        if self._refusal:
            raise StoreFailed(operation, f"refused, since {self._refusal}")
        self._refusal = f"{operation} did not finish"
        with failing(operation):
            yield
        self._refusal = ""

    @contextmanager
    def _allowed(self, authority: Authority) -> Iterator[None]:
        """Widen what this connection may do; a fault inside closes the store anyway."""
        authorize(self._db, authority)
        yield
        authorize(self._db, WRITE)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE").fetchall()
        try:
            yield
            self._db.execute("COMMIT").fetchall()
        finally:
            if self._db.in_transaction:
                with suppress(apsw.Error):  # the fault that led here is the one to tell
                    self._db.execute("ROLLBACK").fetchall()

    def _keep_state(self, book: Book) -> None:
        """Keep what the log adds up to by now; where there is no room, a later time will do."""
        with suppress(apsw.FullError), self._transaction():
            self._states.keep(book, self._head.hash)

    def _record_rest(self) -> None:
        """Keep the tail of the recording; what finds no room, the market tells again."""
        if not self._tape.has_rest:
            return
        with suppress(apsw.FullError):
            with self._transaction():
                self._tape.write_rest()
            self._tape.settle()

    def _expect_next(self, records: Sequence[Recorded], book: Book) -> None:
        assert records, "Expected records to commit, was none"
        last = self._head.event_id
        for number, recorded in enumerate(records, start=last + 1):
            assert recorded.event_id == number, f"Expected event {number}, was {recorded}"
        assert book.last_event_id == last + len(records), f"Expected the book at {records[-1]}"
        instants = [self._last_at, *(recorded.at for recorded in records)]
        assert instants == sorted(instants), f"Expected {self._last_at} or later, was {instants}"

    def _expect_own_files(self) -> None:
        if self._files.is_undisturbed():
            return
        if self._files.has_lost_wal():
            self.wal.save()
            text = "the WAL was removed while in use; all that it held is in the database now"
            raise StoreFailed("files", text)
        self._files.check()

    def _expect_own_head(self) -> None:
        found = head_of(self._db)
        if found != self._head:
            raise StoreForked(_named(self._head), _named(found))


def _named(head: Mark) -> str:
    return f"event {head.event_id} ({head.hash[:16]}...)"
