"""What a store does in its life, in small: all that it ever writes, each promise noted.

A life begins with what is on the disk, runs through commits, notices, checkpoints, a rebuild, a
death and a clean stop, and says after each of them: this is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest

from aegis.domain.book import Book
from aegis.domain.delivery import Failed
from aegis.domain.events import Recorded
from aegis.domain.ids import Instant
from aegis.domain.recorded import RunEnded
from aegis.store.errors import StoreFailed
from aegis.store.journal import Store
from aegis.store.recorder import Recorder
from tests.power.beneath import BASE
from tests.simulation.candles import flat
from tests.store.histories import START, History, open_store
from tests.store.tampering import contents, every_row

CHECKPOINT_PAGES = 60
"""As the product's own number, but for a life of a hundred events."""

Contents = str


@contextmanager
def small_disk(checkpoint_pages: int = CHECKPOINT_PAGES) -> Iterator[None]:
    """Let checkpoints come soon, and leave out the reserve, which has no content."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aegis.store.wal.CHECKPOINT_PAGES", checkpoint_pages)
        patch.setattr("aegis.store.reserve.free_bytes", lambda _store: 0)
        yield


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Yield an empty folder that no disk holds up, where the system has one."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder in it, removed at the end
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


class Life:
    """One process after another over a store; `promised` is what it holds after each promise."""

    def __init__(self, path: Path, seed: int, promise: Callable[[], None]) -> None:
        self._path, self._promise = path, promise
        self.promised: list[Contents] = []
        self._candles = iter(flat(1_000))
        self._store = self._open()
        self._history = History(seed, self._store.book, self._store.stamp(START))

    def live(self) -> None:
        """Live from the first opening to a clean stop."""
        self.commit(6)
        self.tell()
        self.commit(4)
        self.die()
        self.commit(4)
        self.rebuild()
        self.commit(3)
        self.stop()
        self.start()
        self.commit(3)
        self.tell()
        self.trim()
        self.stop()

    def live_on(self) -> None:
        """Live shortly, with all that a start and a stop do."""
        self.commit(3)
        self.die()
        self.commit(2)
        self.stop()

    def commit(self, times: int) -> None:
        """Commit groups of events, large and small."""
        for group in range(times):
            records = self._history.open_position() if group == 0 else ()
            while not records:
                records = self._history.happen(1 + group % 4)
            self._record(is_due=group % 2 == 0)
            try:
                self._store.commit(records, self._history.book)
            except StoreFailed:
                self.die()  # what became of it is what is found
            else:
                self._note()

    def tell(self) -> None:
        """Note that one notice was sent, and that one was not."""
        first, second, *_ = self._store.pending_notices("log", 2)
        self._store.mark_notified([(first.event_id, "log")], self._history.now)
        self._note()
        failed = Failed(
            event_id=second.event_id, channel="log", error="no", next_attempt_at=Instant(START)
        )
        self._store.mark_notify_failed(failed)
        self._note()

    def rebuild(self) -> None:
        """Make the rows anew; they are what they were."""
        self._store.rebuild()
        self._history.book = self._store.book
        self._note()

    def trim(self) -> None:
        """Delete what is old, and empty the WAL."""
        self._store.trim(self._history.now)
        self._note()
        self._store.empty_wal()
        self._note()

    def die(self) -> None:
        """Leave all as it is, and start again."""
        self._store.abandon()
        self.start()

    def stop(self) -> None:
        """End cleanly: what was still to be recorded is written, too."""
        self._record(is_due=False)
        try:
            self._store.close()
        except StoreFailed:
            self.start()
            self._store.close()
        self._promise()
        self.promised.append(_at_rest(self._path))

    def leave(self) -> None:
        """Let go of the store, wherever its life is."""
        self._store.abandon()

    def start(self) -> None:
        """Start again where the life before ended."""
        self._store = self._open()
        self._history.book = self._store.book

    def _open(self) -> Store:
        try:
            self._store = self._opened()
        except StoreFailed:
            self._store = self._opened()
        self._note()
        return self._store

    def _opened(self) -> Store:
        self._recorder = Recorder(60, _nothing_is_cut)
        return open_store(self._path, notice_of=_notice_of, may_mend=True, recorder=self._recorder)

    def _record(self, *, is_due: bool) -> None:
        """See candles, which go with the next commit when something is due."""
        for candle in islice(self._candles, 3):
            self._recorder.see(candle)
        if is_due:
            now = self._history.now
            self._recorder.note(now, self._store.last_event_id, RunEnded())

    def _note(self) -> None:
        self._promise()
        self.promised.append(contents(self._store))


def _at_rest(store: Path) -> Contents:
    """Return what a closed store holds; nothing of the look is recorded, and nothing is written."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with closing(apsw.Connection(f"file:{store}?immutable=1", flags=flags, vfs=BASE)) as db:
        return every_row(db)


def _nothing_is_cut(blocks: int) -> None:
    raise AssertionError(f"Expected little to be recorded, {blocks} blocks were cut")


def _notice_of(recorded: Recorded, _book: Book) -> str:
    return f"event {recorded.event_id}"
