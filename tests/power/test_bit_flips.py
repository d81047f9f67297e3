"""A bit that turns is found, or is where nobody looks: it never makes a good but wrong figure.

Each flip is met by what people and the process read with: the views of the command line, which
read what they show, and the opening, which reads every page. Who answers must answer the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from aegis.store.connection import CHECKPOINT_PAGES
from aegis.store.errors import StoreCorrupt
from aegis.store.files import wal_path
from aegis.store.journal import Store
from aegis.store.reading import (
    read_fills,
    read_positions,
    read_status,
    read_totals,
)
from tests.power.cuts import STORE, lay
from tests.power.disk import Image
from tests.power.lives import folder_in_memory, small_disk
from tests.store.histories import History, open_store
from tests.store.looking import read_history
from tests.store.tampering import contents

WAL = wal_path(Path(STORE)).name

FLIPS = 1_000
VIEW_EACH = 3  # flips; the opening meets all of them
COMMITS = 6  # a store of 100 KB, a WAL of 300 KB

LOOKS: tuple[Callable[[Path], object], ...] = (
    read_status,
    read_positions,
    read_fills,
    read_history,
    read_totals,
)


def _opened(store: Path) -> object:
    """Open as a process does, which reads every page; return all rows of all tables."""
    opened = open_store(store)
    found = contents(opened)
    opened.abandon()
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with small_disk(CHECKPOINT_PAGES), folder_in_memory() as made:
        yield made


@pytest.fixture
def at_rest(folder: Path) -> Image:
    """Return the files of a store that ended cleanly: all is in the database."""
    store = open_store(folder / STORE)
    _live(store)
    store.close()
    return _image(folder)


@pytest.fixture
def killed(folder: Path) -> Image:
    """Return the files of a store that died: most is in the WAL, all of which counts."""
    store = open_store(folder / STORE)
    store.empty_wal()
    _live(store)
    store.abandon()
    return _image(folder)


def _live(store: Store) -> None:
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    for _ in range(COMMITS):
        records = history.happen(6)
        if records:
            store.commit(records, history.book)


def _image(folder: Path) -> Image:
    files = [each for each in folder.iterdir() if each.suffix != ".lock"]
    return {each.name: each.read_bytes() for each in files if not each.name.endswith("-shm")}


def flipped(content: bytes, choose: Random) -> bytes:
    """Return the content with one bit turned."""
    data = bytearray(content)
    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return bytes(data)


class Flips:
    """Looks at a store again and again, each time with another bit turned in one of its files."""

    def __init__(self, folder: Path, image: Image) -> None:
        self._folder, self._image = folder, image
        lay(folder, image)
        self._truth = {look: look(folder / STORE) for look in (*LOOKS, _opened)}

    def met(self, name: str, count: int) -> Counter[str]:
        """Return how many flips were found, made no difference, or gave a wrong answer."""
        choose = Random(1)
        return Counter(self._meet(name, choose) for _ in range(count))

    def _meet(self, name: str, choose: Random) -> str:
        lay(self._folder, {**self._image, name: flipped(self._image[name], choose)})
        looks = [_opened] if choose.randrange(VIEW_EACH) else [choose.choice(LOOKS), _opened]
        answers = [self._answer(look) for look in looks]
        if "wrong" in answers:
            return "wrong"
        return "found" if "found" in answers else "made no difference"

    def _answer(self, look: Callable[[Path], object]) -> str:
        try:
            answer = look(self._folder / STORE)
        except StoreCorrupt:
            return "found"
        return "true" if answer == self._truth[look] else "wrong"


def test_a_bit_of_the_database_that_turns_is_found(folder: Path, at_rest: Image) -> None:
    met = Flips(folder, at_rest).met(STORE, FLIPS)
    assert met["wrong"] == 0
    assert met["found"] == FLIPS


def test_a_bit_of_the_wal_that_turns_is_found(folder: Path, killed: Image) -> None:
    met = Flips(folder, killed).met(WAL, FLIPS)
    assert met["wrong"] == 0
    assert met["found"] == FLIPS


def test_a_bit_of_a_wal_that_is_in_the_database_already_is_found_where_it_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.store.wal.CHECKPOINT_PAGES", 50)
    store = open_store(folder / STORE)
    _live(store)
    assert store.wal.last_checkpoint.moved_pages > 0
    store.abandon()
    met = Flips(folder, _image(folder)).met(WAL, FLIPS // 5)
    assert met["wrong"] == 0
    assert met["found"] > 0
    assert met["made no difference"] > 0


def test_a_lost_tail_of_the_wal_is_noticed(folder: Path, killed: Image) -> None:
    choose = Random(1)
    for length in choose.sample(range(len(killed[WAL])), 100):
        lay(folder, {**killed, WAL: killed[WAL][:length]})
        with pytest.raises(StoreCorrupt, match=r"\(mark\)"):
            open_store(folder / STORE)
