"""What the store's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.store.journal import Store
from tests.store.histories import History, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "aegis.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_store(path)
    yield opened
    opened.close()


@pytest.fixture
def filled(path: Path) -> Callable[..., Path]:
    """Make a closed store with a lawful history in it; return its path."""

    def make(seed: int = 1, commands: int = 120) -> Path:
        store = open_store(path)
        history = History(seed, store.book)
        store.commit(history.open_position(), history.book)
        store.commit(history.happen(commands), history.book)
        store.commit(history.execute(history.reconciliation()), history.book)
        store.close()
        return path

    return make
