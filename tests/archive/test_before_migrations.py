"""Before a newer AEGIS changes an older one's store, it is kept as it was: the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

import aegis.archive.making
from aegis.archive.proving import prove_backup
from aegis.archive.shelf import Archive, Backup, backups_in
from aegis.store.copying import look_at
from aegis.store.errors import StoreFailed
from aegis.store.migrations import migrations
from aegis.store.verify import verify
from tests.archive.conftest import Make, Say
from tests.simulation.world import World
from tests.store.tampering import BACK_TO_2, tamper


@pytest.fixture
def older(life: World) -> World:
    """Return a life at rest, its store as an AEGIS of the second schema had left it."""
    life.end()
    tamper(life.store_path, *BACK_TO_2)
    return life


def kept(archive: Archive) -> tuple[Backup, ...]:
    return backups_in(Path(archive.folder), "aegis.db")


def test_the_store_is_kept_as_the_older_program_left_it(older: World, archive: Archive) -> None:
    before = look_at(older.store_path)
    older.start()
    (backup,) = kept(archive)
    assert (backup.manifest.trigger, backup.manifest.schema) == ("migration", 2)
    assert not backup.manifest.is_whole
    assert prove_backup(backup) == before
    assert look_at(older.store_path).schema == len(migrations())


def test_what_was_kept_can_be_put_back_and_is_brought_up_then(
    older: World, archive: Archive, say: Say
) -> None:
    head = look_at(older.store_path).head
    older.start().run_to_the_end().end()
    (backup,) = kept(archive)
    say("restore", backup=backup.folder.name)
    found = verify(older.store_path)
    assert found.ok, found.problems
    assert found.events == head.event_id + 2


def test_without_a_backup_nothing_is_changed(
    older: World, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.archive.making, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(StoreFailed, match="nothing was changed"):
        older.start()
    assert kept(archive) == ()
    assert look_at(older.store_path).schema == 2


def test_an_errand_keeps_it_too(older: World, archive: Archive, say: Say) -> None:
    say("halt")
    assert [each.manifest.trigger for each in kept(archive)] == ["migration"]


def test_a_store_of_todays_tables_is_not_kept_for_that(life: World, archive: Archive) -> None:
    life.restart()
    assert kept(archive) == ()


def test_the_way_back_outlives_the_days_after(older: World, archive: Archive, make: Make) -> None:
    older.start()
    for candle in range(13, 23):
        older.run_until_candle(candle)
        make()
    schemas = [each.manifest.schema for each in kept(archive)]
    assert schemas[-1] == 2
    assert len(schemas) == archive.keep + 1
