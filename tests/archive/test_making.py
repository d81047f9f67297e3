"""A backup is made beside whoever writes, and has its name only when everything in it is proved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import aegis.archive.making
from aegis.archive.errors import ArchiveError
from aegis.archive.making import make_backup
from aegis.archive.manifest import MANIFEST, encode, proof_of
from aegis.archive.proving import prove_backup
from aegis.archive.shelf import MAKING, Archive, Backup, backups_in, read_backup
from aegis.exchange.paper_ledger import LedgerError, copy_ledger, read_ledger
from aegis.store import PositionStateManager
from aegis.store.copying import booked_trades
from aegis.store.errors import NoStore, StoreCorrupt
from aegis.store.verify import verify
from tests.archive.conftest import Make
from tests.simulation.world import World
from tests.store.tampering import tamper


def listed(archive: Archive) -> tuple[Backup, ...]:
    return backups_in(Path(archive.folder), archive.store_path.name)


def names_in(folder: str) -> set[str]:
    return {each.name for each in Path(folder).iterdir() if each.is_dir()}


def test_a_backup_of_a_store_in_use_is_a_whole_store_of_its_own(
    life: World, archive: Archive, make: Make
) -> None:
    before = life.status()
    make()
    life.run_to_the_end()

    (backup,) = listed(archive)
    proved = verify(backup.database)
    assert proved.ok, proved.problems
    assert (proved.events, proved.head_hash) == (before.events, before.head_hash)
    assert backup.manifest.is_whole


def test_the_account_of_a_backup_knows_every_trade_that_its_store_knows(
    life: World, archive: Archive, make: Make
) -> None:
    make()
    life.run_to_the_end()
    (backup,) = listed(archive)
    known = {trade.trade_id for trade in read_ledger(backup.folder / "aegis.db.paper").trades}
    booked = {order.client_order_id for order in life.ledger().orders}
    assert known
    assert len(booked) > len(known)


def test_the_account_is_copied_after_the_store_whatever_happens_between(
    life: World, archive: Archive, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AEGIS trades on before each of the two copies: the later one is the exchange's."""
    before = [trade.trade_id for trade in life.ledger().trades]
    candles = iter((16, 21))

    def later(copy: Callable[..., Any]) -> Callable[..., Any]:
        def copied(*arguments: Any) -> Any:
            life.run_until_candle(next(candles))
            return copy(*arguments)

        return copied

    for name in ("copy_store", "copy_ledger"):
        monkeypatch.setattr(aegis.archive.making, name, later(getattr(aegis.archive.making, name)))
    make()
    (backup,) = listed(archive)
    kept = read_ledger(backup.folder / "aegis.db.paper").trades
    assert [trade.trade_id for trade in kept] == [t.trade_id for t in life.ledger().trades]
    assert len(kept) > len(booked_trades(backup.database)) > len(before)


def test_an_account_that_is_older_than_the_store_is_no_backup(
    life: World, archive: Archive, make: Make, tmp_path: Path
) -> None:
    ledger = Path(archive.account)
    elder = tmp_path / "elder.paper"
    copy_ledger(ledger, elder)
    life.run_to_the_end().end()
    elder.replace(ledger)
    ledger.with_name(ledger.name + "-wal").unlink(missing_ok=True)

    with pytest.raises(LedgerError, match="older than the store"):
        make()
    assert names_in(archive.folder) == set()


def test_a_store_that_has_lost_its_account_is_no_backup(
    rested: World, archive: Archive, make: Make
) -> None:
    Path(archive.account).unlink()
    with pytest.raises(ArchiveError, match="Expected the paper account"):
        make()
    assert rested.positions()
    assert names_in(archive.folder) == set()


def test_a_store_that_never_met_its_exchange_is_kept_without_an_account(
    archive: Archive, make: Make
) -> None:
    with PositionStateManager(archive.store_path) as manager:
        manager.open_position("BTC/USDT", "long", "100", "2")
    make()
    (backup,) = listed(archive)
    assert not (backup.folder / "aegis.db.paper").exists()


def test_a_damaged_page_is_never_kept_as_a_backup(
    life: World, archive: Archive, make: Make
) -> None:
    life.end()
    data = bytearray(archive.store_path.read_bytes())
    data[len(data) // 2] ^= 0x10
    archive.store_path.write_bytes(data)

    with pytest.raises(StoreCorrupt):
        make()
    assert names_in(archive.folder) == set()


def test_a_log_that_has_lost_its_end_is_never_kept_as_a_backup(
    life: World, archive: Archive, make: Make
) -> None:
    life.end()
    life.start().run_until_candle(16)
    life.drop()
    archive.store_path.with_name("aegis.db-wal").unlink()

    with pytest.raises(StoreCorrupt, match="mark"):
        make()
    assert names_in(archive.folder) == set()


@pytest.mark.usefixtures("rested")
def test_a_forged_event_is_found_even_where_the_manifest_was_forged_along(
    archive: Archive, make: Make
) -> None:
    made = make()
    (backup,) = listed(archive)
    tamper(backup.database, "UPDATE position_events SET actor = 'me' WHERE event_id = 5")
    files = tuple(proof_of(backup.folder / each.name) for each in backup.manifest.files)
    forged = replace(backup.manifest, files=files)
    (backup.folder / MANIFEST).write_bytes(encode(forged))
    with pytest.raises(StoreCorrupt, match="event 5"):
        prove_backup(read_backup(Path(archive.folder) / made.name))


def test_another_life_under_the_same_name_is_not_thinned_out(
    life: World, archive: Archive, make: Make
) -> None:
    """Two machines may share the second folder."""
    one = replace(archive, keep=1)
    made = make(at=one)
    other = Path(archive.folder) / "of-another-life"
    shutil.copytree(Path(archive.folder) / made.name, other)
    theirs = replace(listed(archive)[0].manifest, birth="another", made_at="2001-01-01")
    (other / MANIFEST).write_bytes(encode(theirs))
    life.run_until_candle(16)
    make(at=one)
    assert other.exists()
    assert not (Path(archive.folder) / made.name).exists()


@pytest.mark.usefixtures("rested")
def test_what_has_all_that_there_is_is_not_made_again(archive: Archive, make: Make) -> None:
    first, second = make(), make()
    assert (first.is_new, second.is_new) == (True, False)
    assert first.name == second.name
    assert len(listed(archive)) == 1


@pytest.mark.usefixtures("rested")
def test_a_kill_in_the_making_leaves_no_backup_and_is_swept_away(
    archive: Archive, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """Nothing after it is done."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(aegis.archive.making, "prove_whole", killed)
        patch.setattr(shutil, "rmtree", lambda _path: None)  # `finally` is not for the dead
        with pytest.raises(KilledError):
            make()
    assert listed(archive) == ()
    assert any(name.startswith(MAKING) for name in names_in(archive.folder))

    made = make()
    assert names_in(archive.folder) == {made.name}


@pytest.mark.usefixtures("rested")
def test_a_backup_never_takes_the_last_room(
    archive: Archive, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.archive.making, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(ArchiveError, match="make room"):
        make()
    assert names_in(archive.folder) == set()


@pytest.mark.usefixtures("rested")
def test_a_backup_is_nobody_elses_to_read(archive: Archive, make: Make) -> None:
    make()
    (backup,) = listed(archive)
    assert backup.folder.stat().st_mode & 0o077 == 0
    assert all(each.stat().st_mode & 0o077 == 0 for each in backup.folder.iterdir())


@pytest.mark.usefixtures("rested")
@pytest.mark.parametrize("name", ["aegis.db", "aegis.db.paper", "aegis.db.mark"])
def test_one_changed_bit_in_any_file_of_a_backup_is_found(
    archive: Archive, make: Make, name: str
) -> None:
    make()
    (backup,) = listed(archive)
    data = bytearray((backup.folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (backup.folder / name).write_bytes(data)
    with pytest.raises(ArchiveError, match="changed since"):
        prove_backup(backup)


@pytest.mark.usefixtures("rested")
def test_a_backup_that_lost_a_file_says_so(archive: Archive, make: Make) -> None:
    make()
    (backup,) = listed(archive)
    (backup.folder / "aegis.db.paper").unlink()
    (faulty,) = listed(archive)
    assert "aegis.db.paper" in faulty.fault


@pytest.mark.usefixtures("rested")
def test_another_stores_backups_are_left_alone(archive: Archive, make: Make) -> None:
    made = make()
    other = Path(archive.folder) / "other.db-1"
    other.mkdir()
    text = (Path(archive.folder) / made.name / MANIFEST).read_text()
    (other / MANIFEST).write_text(text.replace('"store": "aegis.db"', '"store": "other.db"'))
    assert [each.folder.name for each in listed(archive)] == [made.name]


# The second folder ----------------------------------------------------------------------------


@pytest.fixture
def twice(archive: Archive, tmp_path: Path) -> Archive:
    """Return an archive with a second folder."""
    (tmp_path / "elsewhere").mkdir()
    return replace(archive, copies=str(tmp_path / "elsewhere"))


@pytest.mark.usefixtures("rested")
def test_the_second_folder_gets_the_same_bytes(twice: Archive, make: Make) -> None:
    made = make(at=twice)
    assert made.copy_fault == ""
    near, far = (folder / made.name for folder in twice.folders)
    assert {each.name: each.read_bytes() for each in near.iterdir()} == {
        each.name: each.read_bytes() for each in far.iterdir()
    }


@pytest.mark.usefixtures("rested")
def test_a_second_folder_that_is_away_is_told_and_the_backup_stands(
    twice: Archive, make: Make
) -> None:
    away = replace(twice, copies=twice.copies + "/unmounted")
    made = make(at=away)
    assert "expected a folder that is there" in made.copy_fault
    assert len(listed(twice)) == 1
    assert not Path(away.copies).exists()


@pytest.mark.usefixtures("rested")
def test_a_copy_that_is_missing_is_brought_with_the_next_one(twice: Archive, make: Make) -> None:
    make()
    again = make(at=twice)
    assert (again.is_new, again.copy_fault) == (False, "")
    assert names_in(twice.copies) == {again.name}


@pytest.mark.usefixtures("rested")
def test_a_second_folder_without_room_is_told_in_words_and_left_clean(
    twice: Archive, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.copytree

    def short(source: Path, target: Path) -> None:
        whole(source, target)
        why = "[Errno 28] No space left on device"
        raise shutil.Error([(str(source / name), str(target / name), why) for name in "ab"])

    monkeypatch.setattr(shutil, "copytree", short)
    assert make(at=twice).copy_fault == "[Errno 28] No space left on device"
    assert names_in(twice.copies) == set()


@pytest.mark.usefixtures("rested")
def test_a_copy_that_arrived_with_another_bit_gets_no_name(
    twice: Archive, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.copytree

    def lying(source: Path, target: Path) -> None:
        whole(source, target)
        data = bytearray((target / "aegis.db").read_bytes())
        data[-1] ^= 1
        (target / "aegis.db").write_bytes(data)

    monkeypatch.setattr(shutil, "copytree", lying)
    assert "changed since" in make(at=twice).copy_fault
    assert all(name.startswith(MAKING) for name in names_in(twice.copies))


@pytest.mark.usefixtures("rested")
def test_a_store_that_is_not_there_has_no_backup(archive: Archive) -> None:
    with pytest.raises(NoStore):
        make_backup(replace(archive, store=archive.store + "-none"), "operator", "2026")
