"""Power cuts over the store's own code: what was acknowledged is there, and nothing else is.

Each cut starts the store anew on what a forgetful disk kept, by its own opening. All rows of all
tables must be as after the last promise or as after what was under way; some are proved by the
store's own `verify` besides, for pages, chain, mark and fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from aegis.store import connection
from aegis.store.mark import Mark, MarkFile
from tests.power.cuts import STORE, Judge, Verdict, cuts, recorded_life
from tests.power.disk import Image
from tests.power.lives import Life, folder_in_memory, small_disk
from tests.store.histories import History, open_store
from tests.store.tampering import BACK_TO_2, empty_index, tamper
from tests.store.test_schema import OLDER

CUTS = 2_000
CUTS_LONG = 25_000
LIVES_LONG = 10

FIRST_OF_COMMITS = 2

ENOUGH = 150  # to see a store fail that does not wait for its disk


@pytest.fixture
def folder() -> Iterator[Path]:
    with small_disk(), folder_in_memory() as made:
        yield made


def _kept(count: int) -> Counter[Verdict]:
    return Counter({Verdict.KEPT: count})


def test_no_power_cut_loses_what_was_acknowledged(folder: Path) -> None:
    life = recorded_life(folder, 1, {}, Life.live)
    judge = Judge(folder, verify_every=10)
    assert judge.verdicts(life, cuts(life, CUTS, Random(1))) == _kept(CUTS)
    assert judge.images > CUTS // 3


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(LIVES_LONG))
def test_no_power_cut_loses_it_in_many_lives(folder: Path, seed: int) -> None:
    life = recorded_life(folder, 100 + seed, {}, Life.live)
    judge = Judge(folder, verify_every=3)
    count = CUTS_LONG // LIVES_LONG
    assert judge.verdicts(life, cuts(life, count, Random(seed))) == _kept(count)


def test_no_power_cut_during_the_recovery_from_another_loses_it(folder: Path) -> None:
    """The second cut finds a disk that the first one left, and a start half done."""
    first = recorded_life(folder, 2, {}, Life.live)
    choose = Random(2)
    judge = Judge(folder, verify_every=10)
    for cut in cuts(first, 12, choose):
        second = recorded_life(folder, 3, cut.image, Life.live_on)
        assert judge.verdicts(second, cuts(second, 10, choose)) == _kept(10)


def test_no_power_cut_while_an_older_store_is_brought_up_loses_it(folder: Path) -> None:
    life = recorded_life(folder, 3, older_store(folder), Life.live_on)
    count = 100
    judge = Judge(folder, verify_every=10)
    assert judge.verdicts(life, cuts(life, count, Random(3))) == _kept(count)


def test_no_power_cut_while_indices_are_made_anew_loses_it(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    life = recorded_life(folder, 4, damaged_store(folder), lambda life: life.commit(1))
    count = 1_000 if request.config.getoption("--long") else 30
    judge = Judge(folder, verify_every=1, may_mend=True)
    assert judge.verdicts(life, cuts(life, count, Random(4))) == _kept(count)


def test_no_power_cut_after_a_sync_that_failed_loses_it(folder: Path) -> None:
    """What the system could not write is read as if it were there, and is gone with the power."""
    open_store(folder / STORE).close()
    made = files(folder)
    judge, choose = Judge(folder, verify_every=10), Random(5)
    whole = recorded_life(folder, 5, made, Life.live_on)
    for sync in range(FIRST_OF_COMMITS, whole.trace.syncs):
        life = recorded_life(folder, 5, made, Life.live_on, failing_sync=sync)
        assert judge.verdicts(life, cuts(life, 20, choose)) == _kept(20), f"sync {sync} failed"


def older_store(folder: Path) -> Image:
    """Return the files of a store that an older program left."""
    lived(folder)
    tamper(folder / STORE, OLDER, *BACK_TO_2)
    return files(folder)


def damaged_store(folder: Path) -> Image:
    """Return the files of a store with an index that its next opening makes anew."""
    lived(folder)
    empty_index(folder / STORE)
    return files(folder)


def lived(folder: Path) -> None:
    store = open_store(folder / STORE)
    history = History(5, store.book)
    store.commit((*history.open_position(), *history.happen(40)), history.book)
    store.close()


def files(folder: Path) -> Image:
    """Return what the disk holds of a store at rest."""
    kept = [each for each in folder.iterdir() if each.suffix != ".lock"]
    return {each.name: each.read_bytes() for each in kept}


# What shows that a store can fail here ------------------------------------------------------


def _sync_at_checkpoints(patch: pytest.MonkeyPatch) -> None:
    weak = ("PRAGMA synchronous = NORMAL", "PRAGMA synchronous", 1)
    settings = [weak if each[1] == weak[1] else each for each in connection._SETTINGS]
    patch.setattr(connection, "_SETTINGS", tuple(settings))


def test_a_store_that_syncs_at_checkpoints_alone_loses_what_was_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sync_at_checkpoints(monkeypatch)
    life = recorded_life(folder, 1, {}, Life.live)
    found = Judge(folder, verify_every=10).verdicts(life, cuts(life, ENOUGH, Random(1)))
    assert found[Verdict.LOST] > 0
    # Where the mark was kept, the loss is told, and not traded on.
    assert found[Verdict.REFUSED] > 0


def test_a_mark_that_leads_its_log_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = MarkFile.write

    def write_ahead(file: MarkFile, mark: Mark) -> None:
        write(file, Mark(mark.event_id + 1, mark.hash))

    with monkeypatch.context() as patch:
        patch.setattr(MarkFile, "write", write_ahead)
        life = recorded_life(folder, 1, {}, lambda life: life.commit(3))
    found = Judge(folder, verify_every=10).verdicts(life, cuts(life, ENOUGH, Random(1)))
    assert found[Verdict.REFUSED] > 0
    assert found[Verdict.MARK_LEADS] == 0
