"""Files that are taken away from under a store that is open: what it had promised is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aegis.store.connection import open_reader
from aegis.store.errors import StoreCorrupt, StoreFailed
from aegis.store.files import shm_path, wal_path
from aegis.store.verify import verify
from tests.power.lives import folder_in_memory
from tests.store.histories import History, open_store
from tests.store.tampering import contents


class Living:
    """A store in use, with a promise given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = open_store(path)
        self.history = History(1, self.store.book)
        self.store.commit(self.history.open_position(), self.history.book)
        self.promised = contents(self.store)

    def commit(self) -> None:
        """Commit one event more."""
        position = self.history.book.alive_positions()[0]
        self.store.commit(self.history.mark(position.position_id), self.history.book)
        self.promised = contents(self.store)

    def fail(self) -> None:
        """Meet the loss at the next commit, and let go."""
        with pytest.raises(StoreFailed, match=r"removed (or replaced )?while in use"):
            self.commit()
        self.store.close()

    def begin_anew(self) -> None:
        """Open it again, and go on from there."""
        self.store = open_store(self.path)
        self.history.book = self.store.book

    def found_again(self) -> str:
        """Return what the next opening finds."""
        with closing(open_store(self.path)) as again:
            return contents(again)


@pytest.fixture
def living() -> Iterator[Living]:
    with folder_in_memory() as folder:
        made = Living(folder / "aegis.db")
        yield made
        made.store.close()


def test_a_wal_that_is_removed_under_its_writer_is_saved(living: Living) -> None:
    wal_path(living.path).unlink()
    with pytest.raises(StoreFailed, match="removed while in use; all that it held is in the data"):
        living.commit()
    living.store.close()
    assert living.found_again() == living.promised
    assert verify(living.path).ok


def test_it_is_saved_while_somebody_reads(living: Living) -> None:
    with closing(open_reader(living.path)) as reader:
        reader.execute("SELECT count(*) FROM orders").fetchall()
        wal_path(living.path).unlink()
        living.fail()
        assert living.found_again() == living.promised


def test_it_is_saved_by_a_clean_stop(living: Living) -> None:
    wal_path(living.path).unlink()
    living.store.close()
    assert living.found_again() == living.promised


def test_a_reader_that_stays_keeps_it_from_being_saved_and_the_loss_is_told(
    living: Living,
) -> None:
    living.store._db.set_busy_timeout(1)
    with closing(open_reader(living.path)) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        living.commit()
        wal_path(living.path).unlink()
        with pytest.raises(StoreFailed, match="locked"):
            living.commit()
        living.store.close()
        reader.execute("COMMIT").fetchall()
    with pytest.raises(StoreCorrupt):  # by the mark, or by pages of two ages
        open_store(living.path)


def test_a_wal_that_somebody_replaced_is_not_written_over_his_database(living: Living) -> None:
    wal = wal_path(living.path)
    wal.unlink()
    wal.touch()
    before = living.path.read_bytes()
    living.fail()
    assert living.path.read_bytes() == before


@pytest.mark.parametrize("lost", [wal_path, shm_path], ids=["wal", "shm"])
def test_a_store_goes_on_after_a_loss(living: Living, lost: Callable[[Path], Path]) -> None:
    lost(living.path).unlink()
    living.fail()
    living.begin_anew()
    living.commit()
    living.store.close()
    assert living.found_again() == living.promised


def test_memory_that_only_we_still_share_is_not_opened_upon(living: Living) -> None:
    """Others would share another memory, and nobody would see their locks."""
    with closing(open_reader(living.path)) as reader:
        reader.execute("SELECT count(*) FROM orders").fetchall()
        shm_path(living.path).unlink()
        living.fail()
        with pytest.raises(StoreFailed, match="-shm was removed while in use"):
            open_store(living.path)
    assert living.found_again() == living.promised
