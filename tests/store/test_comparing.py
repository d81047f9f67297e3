"""Where two logs part: found by their chains, wherever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.store.comparing import Difference, first_difference, read_lived
from tests.store.histories import History, open_store
from tests.store.looking import read_history


def lived(path: Path, alike: int, otherwise: int, seed: int = 1) -> Path:
    """Make a store of some events that all such stores share, and some of its own."""
    store = open_store(path)
    history = History(1, store.book)
    shared = [*history.open_position()]
    while len(shared) < alike:
        shared.extend(history.happen(1))
    history.choose.seed(seed)
    own = history.happen(otherwise)
    store.commit((*shared, *own), history.book)
    store.close()
    return path


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return lived(tmp_path / "original.db", 40, 60)


def test_equal_logs_do_not_part(original: Path, tmp_path: Path) -> None:
    assert first_difference(original, lived(tmp_path / "other.db", 40, 60)) is None


@pytest.mark.parametrize("alike", [9, 20, 60])
def test_logs_part_at_the_first_event_that_differs(tmp_path: Path, alike: int) -> None:
    paths = [lived(tmp_path / f"{seed}.db", alike, 60, seed=seed) for seed in (1, 2)]
    found = first_difference(*paths)
    assert isinstance(found, Difference)
    assert found.event_id > alike
    hashes = [[event["hash"] for event in read_history(path)] for path in paths]
    assert hashes[0][: found.event_id - 1] == hashes[1][: found.event_id - 1]
    assert hashes[0][found.event_id - 1] != hashes[1][found.event_id - 1]
    assert found.original is not None
    assert found.original.event_id == found.event_id


def test_a_log_that_goes_on_parts_where_the_other_ends(original: Path, tmp_path: Path) -> None:
    shorter = lived(tmp_path / "shorter.db", 40, 30)
    found = first_difference(original, shorter)
    assert found is not None
    assert found.original is not None
    assert found.other is None
    assert found.event_id == read_lived(shorter).events + 1


def test_what_was_decided_is_read_in_order(original: Path) -> None:
    found = read_lived(original)
    numbers = [intent.event_id for intent in found.intents]
    kinds = [event["event_type"] for event in read_history(original)]
    assert numbers == sorted(numbers)
    assert len(numbers) == kinds.count("OrderIntended") > 2
