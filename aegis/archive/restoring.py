"""A store is put back: made ready beside the present one, then put in its place.

The exchange does not go back when a store does. So on paper the account that is there stays, where
it is whole and this store's; one that is lost, damaged or older than the store is put back too.

Invariants:
1. Nothing is done to a store that somebody has, and nothing before all is proved and ready.
2. What was there is kept aside, whole: nothing of it is deleted, nor ever read into the new one.
3. A kill between any two steps leaves the store as it was, the restored one, or one that no start
   takes (its database is gone, or does not reach its mark); the same command then ends it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from aegis.archive.choosing import Chosen
from aegis.archive.errors import ArchiveError
from aegis.archive.proving import prove_account
from aegis.archive.shelf import Archive
from aegis.config.paths import ASIDE
from aegis.exchange.paper_ledger import LedgerError, copy_ledger
from aegis.store.copying import Progress, copy_store
from aegis.store.files import PRIVATE_FOLDER, sync_path
from aegis.store.identity import Identity, refuse_foreign
from aegis.store.lock import take_lock
from aegis.store.mark import mark_path, read_mark

ASIDE_MAX = 1_000
"""More than anybody keeps; past that a person has to look."""

_DATABASE_ENDINGS = ("", "-wal", "-shm")


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """What goes: where it will be kept, "" where there was nothing, and how far it had come."""

    folder: str
    events: int | None


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `is_account_kept` when the exchange's record stayed; None without one."""

    name: str
    events: int
    head_hash: str
    replaced: Replaced
    is_account_kept: bool | None
    passed_over: tuple[str, ...]


Sign = Callable[[Path, Chosen, Replaced], None]


def restore(
    archive: Archive,
    identity: Identity,
    choose: Callable[[], Chosen],
    sign: Sign,
    progress: Progress | None = None,
) -> Restored:
    """Put a store back; raises `StoreBusy` where somebody has it, and what choosing raises.

    It is chosen first: where there is nothing to put back, not even a folder is made. `sign` opens
    the copy that is made ready, and writes down in it what is being done.
    """
    store, chosen = archive.store_path, choose()
    store.parent.mkdir(parents=True, exist_ok=True)
    lock = take_lock(store)
    room = store.with_name(store.name + ".restoring")
    try:
        _clear(room)
        refuse_foreign(chosen.contents.identity, identity)
        is_account_kept = _is_account_kept(archive, chosen)
        aside = _free_name(store)
        replaced = _replaced(archive, aside)
        room.mkdir(mode=PRIVATE_FOLDER)
        copy_store(chosen.database, room / store.name, progress)
        sign(room / store.name, chosen, replaced)
        account = _ready_account(archive, chosen, room, is_kept=is_account_kept)
        _put_in_place(archive, room, aside, account)
    finally:
        _clear(room)
        lock.release()
    return Restored(
        name=chosen.name,
        events=chosen.contents.head.event_id,
        head_hash=chosen.contents.head.hash,
        replaced=replaced,
        is_account_kept=is_account_kept,
        passed_over=chosen.passed_over,
    )


def _clear(room: Path) -> None:
    if room.exists():
        shutil.rmtree(room)


def _is_account_kept(archive: Archive, chosen: Chosen) -> bool | None:
    """Say whether the account that is there knows all that the store will; None without any."""
    present = Path(archive.account) if archive.account else None
    if present is None or not (present.exists() or chosen.account):
        return None
    try:
        prove_account(present, chosen.database, chosen.contents)
    except LedgerError as error:
        if chosen.account is None:
            raise ArchiveError(f"{error}; and {chosen.name} has no account with it") from error
        prove_account(chosen.account, chosen.database, chosen.contents)
        return False
    return True


def _free_name(store: Path) -> Path:
    for number in range(1, ASIDE_MAX):
        name = store.with_name(f"{store.name}{ASIDE}{number}")
        if not name.exists():
            return name
    raise ArchiveError(f"{ASIDE_MAX} replaced stores are beside {store}; look at them, remove some")


def _replaced(archive: Archive, aside: Path) -> Replaced:
    store = archive.store_path
    reading = read_mark(store)
    is_there = store.exists() or not reading.is_missing
    events = None if reading.mark is None else reading.mark.event_id
    return Replaced(folder=aside.name if is_there else "", events=events)


def _ready_account(
    archive: Archive, chosen: Chosen, room: Path, *, is_kept: bool | None
) -> Path | None:
    """Return a copy of the account to be put back, None where the present one stays."""
    if is_kept is not False or chosen.account is None:
        return None
    copy = room / Path(archive.account).name
    copy_ledger(chosen.account, copy)
    return copy


def _put_in_place(archive: Archive, room: Path, aside: Path, account: Path | None) -> None:
    """Keep what is there aside, and put in its place what is ready.

    The mark that was goes last: while it is there, nobody takes an older store for a whole one.
    """
    store, ready = archive.store_path, room / archive.store_path.name
    for each in (*room.iterdir(), room):
        sync_path(each)
    _put_aside(store, aside)
    if account is not None:
        _put_aside(Path(archive.account), aside)
        account.replace(archive.account)
    if mark_path(store).exists():
        aside.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        os.link(mark_path(store), mark_path(aside / store.name))
    ready.rename(store)
    mark_path(ready).replace(mark_path(store))
    for folder in (aside, store.parent):
        if folder.exists():
            sync_path(folder)


def _put_aside(database: Path, aside: Path) -> None:
    for ending in _DATABASE_ENDINGS:
        file = database.with_name(database.name + ending)
        if file.exists():
            aside.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
            file.rename(aside / file.name)
