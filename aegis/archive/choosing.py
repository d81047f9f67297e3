"""Which backup a person means, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from aegis.archive.errors import ArchiveError
from aegis.archive.manifest import MANIFEST
from aegis.archive.proving import prove_backup
from aegis.archive.shelf import Archive, Backup, backups_in, read_backup, unreadable_in
from aegis.exchange.paper_ledger import LedgerError, ledger_beside
from aegis.store.copying import Contents, look_at
from aegis.store.errors import StoreCorrupt, StoreError, StoreTooNew
from aegis.store.verify import Progress, verify

LATEST = "latest"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A store to put back, proved. `passed_over` says which newer backups could not be trusted.

    `account` is the paper account that was kept with it, None without one.
    """

    name: str
    database: Path
    account: Path | None
    contents: Contents
    passed_over: tuple[str, ...] = ()


def choose(archive: Archive, word: str, progress: Progress | None = None) -> Chosen:
    """Return what a person names: "latest", a backup's folder or name, or a store's own file.

    Raises `ArchiveError`, or what the proof raises. `progress` hears of events.
    """
    if word == LATEST:
        return _latest(archive)
    try:
        return _by_name(archive, word, progress)
    except StoreCorrupt as corrupt:
        text = f"{word} cannot be put back ({corrupt.check}): {corrupt.text}"
        raise ArchiveError(text) from corrupt


def _by_name(archive: Archive, word: str, progress: Progress | None) -> Chosen:
    backup = next(_named(archive, word), None)
    if backup is not None:
        return _chosen(backup)
    path = Path(word)
    if not path.is_file():
        folders = " or ".join(map(str, archive.folders))
        raise ArchiveError(f"Expected {LATEST}, a backup in {folders}, or a store, was {word!r}")
    if archive.store_path.exists() and path.samefile(archive.store_path):
        raise ArchiveError(f"{word} is the store itself; expected a backup of it, or another store")
    return _bare(path, progress)


def _latest(archive: Archive) -> Chosen:
    name = archive.store_path.name
    passed_over = [each for folder in archive.folders for each in unreadable_in(folder, name)]
    for backup in _all(archive):
        try:
            chosen = _chosen(backup)
        except StoreTooNew:
            raise  # an older one would be no answer: this program is
        except (ArchiveError, LedgerError, StoreError) as error:
            passed_over.append(f"{backup.folder.name}: {error}")
        else:
            return msgspec.structs.replace(chosen, passed_over=tuple(passed_over))
    if passed_over:
        raise ArchiveError(f"No backup can be trusted: {'; '.join(passed_over)}")
    folders = " or ".join(map(str, archive.folders))
    raise ArchiveError(f"Expected a backup of {name} in {folders}, found none")


def _all(archive: Archive) -> list[Backup]:
    """Return all backups, newest first, of two alike the nearer one."""
    name = archive.store_path.name
    found = [backup for folder in archive.folders for backup in backups_in(folder, name)]
    return sorted(found, key=lambda each: each.manifest.made_at, reverse=True)


def _named(archive: Archive, word: str) -> Iterator[Backup]:
    path = Path(word)
    for folder in (path, path.parent, *(each / word for each in archive.folders)):
        if (folder / MANIFEST).is_file() and (folder != path.parent or path.is_file()):
            yield read_backup(folder)


def _chosen(backup: Backup) -> Chosen:
    contents = prove_backup(backup)
    account = ledger_beside(backup.database)
    return Chosen(
        name=backup.folder.name,
        database=backup.database,
        account=account if account.exists() else None,
        contents=contents,
    )


def _bare(database: Path, progress: Progress | None) -> Chosen:
    """Return a store that is no backup of ours, such as one that was put aside, proved wholly.

    Its mark may be elsewhere.
    """
    contents = look_at(database)
    for problem in verify(database, progress=progress).problems:
        if problem.check != "mark":
            raise StoreCorrupt(problem.check, problem.text)
    account = ledger_beside(database)
    return Chosen(
        name=str(database),
        database=database,
        account=account if account.exists() else None,
        contents=contents,
    )
