"""A cheap look that goes on: what was proved once is not proved again.

For the diagnosis of a running system, on a read-only connection of its own. At the first look
the alive positions and their orders are folded from their own events, and the account's row is
taken as it stands. From then on every new event is folded, and the rows of all that is alive or
was touched are compared, the account's too. When nothing was written, nothing is read. A whole
look folds the log from its beginning, and so does one that meets an event that does not follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from aegis.domain.ids import SYSTEM_POSITION, EventId, PositionId
from aegis.domain.mends import Orphan
from aegis.domain.position import Position, PositionStatus
from aegis.store.connection import close_quietly, closed_on_failure, failing, open_reader
from aegis.store.errors import StoreCorrupt, StoreError
from aegis.store.folding import Fold
from aegis.store.following import follow_page, take_up
from aegis.store.loading import find_account, quarantined_events
from aegis.store.orphans import has_strays, whole_fold
from aegis.store.projections import Row, account_row, order_row
from aegis.store.records import hash_at, head_of, logged_pages, stored_events
from aegis.store.rowcheck import difference
from aegis.store.snapshot import refuse_other_schema
from aegis.store.statements import SELECT_ORDER, SELECT_POSITION, SELECT_WORKING_POSITIONS
from aegis.store.verify import ChainCursor, Problem


class ChainLook(msgspec.Struct, frozen=True, kw_only=True):
    """How far the chain is proved now, how many events that took, and what stood in the way."""

    event_id: int
    hash: str
    events: int
    problem: Problem | None


class FoldLook(msgspec.Struct, frozen=True, kw_only=True):
    """The events that no fold can take, and how rows differ from what the others make.

    `closed` are the trades that ended since the look before; `is_anew` where that is not known.
    """

    orphans: tuple[Orphan, ...] = ()
    problems: tuple[Problem, ...] = ()
    closed: tuple[Position, ...] = ()
    is_anew: bool = False


class Inspector:
    """A view on a store that remembers what it has proved. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the store read-only; raises what a reader raises."""
        self._path = path
        self._db = open_reader(path)
        self._fold: Fold | None = None
        self._quarantined: frozenset[int] = frozenset()
        self._data_version: object = None
        with failing("inspect"), closed_on_failure(self._db):
            refuse_other_schema(path, self._db)

    def close(self) -> None:
        close_quietly(self._db)

    @property
    def quarantined(self) -> frozenset[int]:
        """The events that were set aside, as of the last look at the rows."""
        return self._quarantined

    @property
    def db(self) -> apsw.Connection:
        """The read-only connection, for questions of one statement."""
        return self._db

    def chain_from(self, event_id: int, head_hash: str) -> ChainLook:
        """Prove the chain from a point proved before; `(0, GENESIS)` proves all of it."""
        cursor = ChainCursor(event_id, head_hash)
        problem: Problem | None = None
        try:
            with failing("chain"), self._snapshot():
                if hash_at(self._db, event_id) != head_hash:
                    raise StoreCorrupt("chain", f"event {event_id} is not what it was")
                for stored in stored_events(self._db, event_id):
                    cursor.step(stored)
        except StoreError as error:
            problem = _problem("chain", error)
        proved = cursor.event_id - event_id
        return ChainLook(event_id=cursor.event_id, hash=cursor.hash, events=proved, problem=problem)

    def fold_of_open(self, *, is_whole: bool = False) -> FoldLook:
        """Compare the rows of what is alive, and of what was touched since, with the events.

        A whole look compares the rows of everything there ever was.
        """
        try:
            with failing("fold"):
                version = self._db.execute("PRAGMA data_version").get
                is_known = self._fold is not None and version == self._data_version
                if is_known and not is_whole:
                    return FoldLook()
                with self._snapshot():
                    look = self._compared(is_whole=is_whole)
        except StoreError as error:
            self._fold = None
            return FoldLook(problems=(_problem("fold", error),), is_anew=True)
        # What is found is told again next time, so it must be looked at again.
        self._data_version = None if look.problems or look.orphans else version
        if look.orphans:
            self._fold = None
        return look

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self._db.execute("BEGIN").fetchall()
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK").fetchall()

    def _compared(self, *, is_whole: bool) -> FoldLook:
        self._quarantined, before = quarantined_events(self._db), self._quarantined
        orphans: Sequence[Orphan] = ()
        fold = self._fold if self._quarantined == before else None
        if not is_whole:
            fold = self._brought_up(fold)
        if is_whole or fold is None:
            fold, orphans = whole_fold(self._db, self._quarantined)
            fold.book.last_event_id = EventId(head_of(self._db).event_id)
        problems = tuple(self._differing(fold))
        ended = (each for each in fold.book.positions.values() if not each.is_alive)
        closed = tuple(each for each in ended if each.status is PositionStatus.CLOSED)
        fold.forget_ended()
        is_anew, self._fold = fold is not self._fold, fold
        return FoldLook(orphans=tuple(orphans), problems=problems, closed=closed, is_anew=is_anew)

    def _brought_up(self, fold: Fold | None) -> Fold | None:
        """Return a fold of what is alive or new, or None where an event does not follow."""
        try:
            if fold is None:
                is_astray = has_strays(self._db, self._quarantined)
                return None if is_astray else self._first_fold()
            self._catch_up(fold)
        except StoreCorrupt as error:
            if error.check != "fold":
                raise
            return None
        return fold

    def _first_fold(self) -> Fold:
        fold = Fold(self._quarantined)
        fold.book.account = find_account(self._db)
        for row in self._db.execute(SELECT_WORKING_POSITIONS).fetchall():
            position = PositionId(str(row[0]))
            if position != SYSTEM_POSITION:
                take_up(self._db, fold, position)
        fold.book.last_event_id = EventId(head_of(self._db).event_id)
        return fold

    def _catch_up(self, fold: Fold) -> None:
        """Fold what is new; what ended meanwhile stays until it was compared."""
        for page in logged_pages(self._db, fold.book.last_event_id):
            follow_page(self._db, fold, page)

    def _differing(self, fold: Fold) -> Iterator[Problem]:
        book = fold.book
        made: dict[str, Row] = fold.position_rows(book.positions)
        made[SYSTEM_POSITION] = account_row(book.account)
        yield from self._compared_rows("positions", SELECT_POSITION, made)
        orders: dict[str, Row] = {key: order_row(order) for key, order in book.orders.items()}
        yield from self._compared_rows("orders", SELECT_ORDER, orders)
        working = {str(row[0]) for row in self._db.execute(SELECT_WORKING_POSITIONS).fetchall()}
        for key in working - made.keys():
            yield Problem("positions", f"{key} is alive in its row, and not in the events")

    def _compared_rows(
        self, table: str, question: str, made: Mapping[str, Row]
    ) -> Iterator[Problem]:
        for key, row in made.items():
            text = difference(key, row, self._db.execute(question, (key,)).fetchone())
            if text is not None:
                yield Problem(table, text)


def _problem(check: str, error: StoreError) -> Problem:
    return Problem(error.check if isinstance(error, StoreCorrupt) else check, str(error))
