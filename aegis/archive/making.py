"""A backup, from a store in use to a proved folder of its own.

The order is the promise. The store is copied first and the account afterwards: the exchange books
before we do, so an account that is read later knows everything that the store knows, and what it
knows beyond is what `recover` finds. The other way round a restored store would hold coins that
its exchange has never sold it.

Invariants:
1. A backup's name appears when everything in it is proved and on the disk, in one step; a kill
   before leaves a folder that the next maker sweeps away.
2. One maker at a time works in a folder.
3. A backup never takes the last room of a disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from aegis import __version__
from aegis.archive.errors import ArchiveBusyError, ArchiveError
from aegis.archive.manifest import MANIFEST, Manifest, encode, proof_of
from aegis.archive.proving import prove_account
from aegis.archive.shelf import (
    MAKING,
    Archive,
    Backup,
    backups_in,
    expect_same_bytes,
    read_backup,
    sweep,
    tidy,
)
from aegis.domain.ids import Instant
from aegis.domain.instants import text_of
from aegis.exchange.paper_ledger import copy_ledger
from aegis.store.copying import Contents, copy_store, has_met_exchange, look_at, prove_whole
from aegis.store.errors import NoStore, StoreBusy
from aegis.store.files import PRIVATE_FOLDER, make_private, sync_path
from aegis.store.lock import Lock, take_lock
from aegis.store.mark import mark_path
from aegis.store.migrations import migrations
from aegis.store.reserve import FREE_BYTES_MIN, free_bytes

HASH_DIGITS = 8

Progress = Callable[[int, int], None]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Not `is_new` when the last backup has all that there is.

    `copy_fault` says why the second folder has no copy; the first one's backup stands.
    """

    name: str
    is_new: bool
    events: int
    head_hash: str
    size: int
    removed: tuple[str, ...] = ()
    copy_fault: str = ""


def make_backup(
    archive: Archive, trigger: str, made_at: str, progress: Progress | None = None
) -> Made:
    """Make a backup unless the last one has all that there is; raises what copies and proofs raise.

    `made_at` is the wall's time. `progress` hears of pages, and then of events.
    """
    folder = Path(archive.folder)
    if not archive.store_path.exists():
        raise NoStore(archive.store_path)
    _make_folder(folder)
    lock = _lock(folder, archive.store_path.name)
    try:
        sweep(folder, archive.store_path.name)
        backup = _present(archive)
        is_new = backup is None
        if backup is None:
            backup = _made(archive, trigger, made_at, progress)
        removed = tidy(folder, archive, backup.manifest.birth)
        copy_fault = _copied(archive, backup)
    finally:
        lock.release()
    manifest = backup.manifest
    return Made(
        name=backup.folder.name,
        is_new=is_new,
        events=manifest.events,
        head_hash=manifest.head_hash,
        size=manifest.size,
        removed=removed,
        copy_fault=copy_fault,
    )


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)


def _lock(folder: Path, store_name: str) -> Lock:
    try:
        return take_lock(folder / store_name)
    except StoreBusy as busy:
        who = "somebody" if busy.pid is None else f"pid {busy.pid}"
        text = f"A backup is being made in {folder} already, by {who}; wait"
        raise ArchiveBusyError(text) from busy


def _present(archive: Archive) -> Backup | None:
    """Return the backup that has all that there is, where the newest one does."""
    contents = look_at(archive.store_path)
    newest = next(iter(backups_in(Path(archive.folder), archive.store_path.name)), None)
    if newest is None or newest.fault:
        return None
    manifest = newest.manifest
    has_all = (manifest.head_hash, manifest.schema) == (contents.head.hash, contents.schema)
    return newest if has_all and manifest.birth == contents.birth else None


def _made(archive: Archive, trigger: str, made_at: str, progress: Progress | None) -> Backup:
    folder, store = Path(archive.folder), archive.store_path
    _expect_room(archive)
    making = folder / f"{MAKING}{store.name}-{os.getpid()}"
    making.mkdir(mode=PRIVATE_FOLDER)
    try:
        contents = copy_store(store, making / store.name, progress)
        account = _copy_account(archive, making)
        prove_whole(making / store.name, contents, progress)
        if account is not None:
            prove_account(account, making / store.name, contents)
        manifest = _manifest(making, archive, contents, trigger, made_at)
        _write_private(making / MANIFEST, encode(manifest))
        return _shown(making, folder / _name_of(manifest))
    finally:
        if making.exists():
            shutil.rmtree(making)


def _copy_account(archive: Archive, making: Path) -> Path | None:
    if not archive.account:
        return None
    if not Path(archive.account).exists():
        _expect_no_account(archive, making / archive.store_path.name)
        return None
    target = making / Path(archive.account).name
    copy_ledger(Path(archive.account), target)
    return target


def _expect_no_account(archive: Archive, copied: Path) -> None:
    """Refuse half a life: no AEGIS would start with it, and `latest` would take it first."""
    if has_met_exchange(copied):
        expected = f"Expected the paper account of {archive.store} at {archive.account}"
        raise ArchiveError(f"{expected}, found none; put it back, backups hold earlier ones")


def _expect_room(archive: Archive) -> None:
    files = [Path(each) for each in (archive.store, archive.account) if each]
    wals = [each.with_name(each.name + "-wal") for each in files]
    needed = sum(each.stat().st_size for each in (*files, *wals) if each.exists())
    free = free_bytes(Path(archive.folder) / archive.store_path.name)
    if free < needed + FREE_BYTES_MIN:
        expected = (needed + FREE_BYTES_MIN) >> 20
        text = f"Expected {expected} MiB free in {archive.folder}, were {free >> 20}"
        raise ArchiveError(f"{text}; make room, or set backup.path to another disk")


def _manifest(
    making: Path, archive: Archive, contents: Contents, trigger: str, made_at: str
) -> Manifest:
    database = making / archive.store_path.name
    files = [database, mark_path(database)]
    if archive.account and (account := making / Path(archive.account).name).exists():
        files.append(account)
    return Manifest(
        store=database.name,
        made_at=made_at,
        trigger=trigger,
        program=__version__,
        schema=contents.schema,
        identity=contents.identity.identity,
        incarnation=contents.identity.incarnation,
        birth=contents.birth,
        events=contents.head.event_id,
        head_hash=contents.head.hash,
        last_event_at=contents.last_at,
        is_whole=contents.schema == len(migrations()),
        files=tuple(proof_of(each) for each in files),
    )


def _name_of(manifest: Manifest) -> str:
    """Return a name that sorts by the market's time: whose, until when, how far, which log."""
    until = text_of(Instant(manifest.last_event_at))[:19].replace(":", "").replace("-", "")
    head = manifest.head_hash[:HASH_DIGITS]
    return f"{manifest.store}-{until}Z-{manifest.events}-{head}-s{manifest.schema}"


def _write_private(path: Path, data: bytes) -> None:
    make_private(path)
    path.write_bytes(data)


def _shown(making: Path, final: Path) -> Backup:
    """Give a proved folder its name, when the disk has all of it."""
    for each in (*making.iterdir(), making):
        sync_path(each)
    if final.exists():  # one of the same name that has lost a file since
        final.rename(_name_aside(final))
    making.rename(final)
    sync_path(final.parent)
    return read_backup(final)


def _name_aside(final: Path) -> Path:
    number = 1
    while (aside := final.with_name(f"{final.name}.damaged-{number}")).exists():
        number += 1
    return aside


# The second folder ----------------------------------------------------------------------------


def _copied(archive: Archive, backup: Backup) -> str:
    """Bring a backup to the second folder, unless it is there; return why that failed, or nothing.

    What has arrived is read back before it gets its name: a share, or a disk, may lie.
    """
    if not archive.copies:
        return ""
    folder = Path(archive.copies)
    final, making = folder / backup.folder.name, folder / f"{MAKING}{backup.folder.name}"
    if final.exists():
        return ""
    try:
        if not folder.is_dir():  # a share that is not mounted must not become a folder of ours
            return f"{folder}: expected a folder that is there"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(backup.folder, making)
        for each in (*making.iterdir(), making):
            sync_path(each)
        expect_same_bytes(read_backup(making))
        making.rename(final)
        sync_path(folder)
        tidy(folder, archive, backup.manifest.birth)
    except (OSError, ArchiveError) as error:
        shutil.rmtree(making, ignore_errors=True)  # what is on a full disk keeps others off it
        return _told(error)
    return ""


def _told(error: Exception) -> str:
    """Return a failure's reason; shutil tells one for each file, as a list of tuples."""
    if not isinstance(error, shutil.Error):
        return str(error)
    return "; ".join(dict.fromkeys(str(why) for _source, _target, why in error.args[0]))
