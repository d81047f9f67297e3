"""A load is borne or what it lost is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.store.load import Load, bear, faults_of
from tests.bench.store.reading import append_marks
from tests.bench.store.workload import marks, opened, store_of


@pytest.mark.parametrize(("answered", "words"), [(30, []), (31, ["expected 31 marks", "price"])])
def test_an_update_that_was_answered_and_is_not_there_is_told(
    answered: int, words: list[str], tmp_path: Path
) -> None:
    begun = opened(3)
    store = store_of(tmp_path, begun)
    append_marks(store, marks(begun.positions, 30), begun.at, batch=30)
    store.close()

    faults = faults_of(store.path, begun, marks(begun.positions, answered))

    assert [word in fault for word, fault in zip(words, faults, strict=True)] == [True] * len(words)


@pytest.mark.long
def test_nothing_is_lost_beside_a_backup_and_a_reader(tmp_path: Path) -> None:
    borne = bear(Load(rate=300, seconds=3, positions=100), is_alone=False, folder=tmp_path)
    assert borne.faults == ()
    assert borne.copies >= 1
    assert borne.reads >= 1
