"""Where backups stand: what is there, what is whole by its looks, and what may go.

Invariants:
1. What is not a backup of this store is left alone, whatever it is called.
2. A backup that is taken away loses its manifest first: what is left of it is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aegis.archive.errors import ArchiveError
from aegis.archive.manifest import FORMAT, MANIFEST, Manifest, proof_of, read_manifest
from aegis.domain.ids import Instant
from aegis.domain.retention import Kept, outlived
from aegis.store.files import sync_path

MAKING = ".making-"


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Whose backups are kept where. Paths are texts: an archive is told to another process.

    `account` is the paper exchange's record, "" without one; `copies` a second folder, "" for none.
    `interval_ns` is market time.
    """

    store: str
    account: str
    folder: str
    copies: str
    keep: int
    interval_ns: int

    @property
    def store_path(self) -> Path:
        return Path(self.store)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Both places, the nearer one first."""
        return tuple(Path(each) for each in (self.folder, self.copies) if each)


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """One backup. `fault` says what is wrong with it by its looks; empty when nothing is."""

    folder: Path
    manifest: Manifest
    fault: str = ""

    @property
    def database(self) -> Path:
        return self.folder / self.manifest.store


def backups_in(folder: Path, store_name: str) -> tuple[Backup, ...]:
    """Return the backups of a store by its file's name, newest first; what is none is left out."""
    found = list(_found(folder, store_name))
    return tuple(sorted(found, key=lambda each: (each.manifest.made_at, each.folder.name))[::-1])


def newest_in(folder: Path, store_name: str) -> Backup | None:
    """Return the newest backup of a store that has lost nothing."""
    return next((each for each in backups_in(folder, store_name) if not each.fault), None)


def unreadable_in(folder: Path, store_name: str) -> tuple[str, ...]:
    """Return what there is to say of folders that a backup's name promises one in, in vain."""
    return tuple(_faults_in(folder, store_name))


def _faults_in(folder: Path, store_name: str) -> Iterator[str]:
    for each in sorted(folder.glob(f"{store_name}-*")):
        try:
            if each.is_dir():
                read_backup(each)
        except ArchiveError as error:
            yield str(error)


def _found(folder: Path, store_name: str) -> Iterator[Backup]:
    for entry in folder.glob("*/" + MANIFEST):
        try:
            backup = read_backup(entry.parent)
        except ArchiveError:
            continue
        if backup.manifest.store == store_name and not entry.parent.name.startswith(MAKING):
            yield backup


def read_backup(folder: Path) -> Backup:
    """Return the backup in a folder; `ArchiveError` when there is none that can be read."""
    try:
        manifest = read_manifest(folder)
    except (OSError, msgspec.DecodeError) as error:
        raise ArchiveError(f"Expected a backup in {folder}, {MANIFEST}: {error}") from error
    if manifest.format != FORMAT:
        text = f"Expected a backup of format {FORMAT} in {folder}, was {manifest.format}"
        raise ArchiveError(f"{text}; use a newer AEGIS")
    return Backup(folder=folder, manifest=manifest, fault=_fault_of(folder, manifest))


def _fault_of(folder: Path, manifest: Manifest) -> str:
    for expected in manifest.files:
        try:
            size = (folder / expected.name).stat().st_size
        except OSError as error:
            return f"{expected.name}: {error.strerror}"
        if size != expected.size:
            return f"{expected.name}: expected {expected.size} bytes, was {size}"
    return ""


def expect_same_bytes(backup: Backup) -> None:
    """Raise `ArchiveError` unless each file is, to the byte, the one that was proved."""
    for expected in backup.manifest.files:
        try:
            found = proof_of(backup.folder / expected.name)
        except OSError as error:
            raise ArchiveError(f"{backup.folder / expected.name}: {error.strerror}") from error
        if found != expected:
            text = f"Expected the bytes that were proved in {backup.folder / expected.name}"
            raise ArchiveError(f"{text}, the file has changed since")


def tidy(folder: Path, archive: Archive, birth: str) -> tuple[str, ...]:
    """Take away what this store's backups have outlived; return their names."""
    name = archive.store_path.name
    mine = [b for b in backups_in(folder, name) if b.manifest.birth == birth and not b.fault]
    kept = [
        Kept(
            name=each.folder.name,
            at=Instant(each.manifest.last_event_at),
            schema=each.manifest.schema,
        )
        for each in mine
    ]
    gone = outlived(kept, keep=archive.keep, interval_ns=archive.interval_ns)
    for each in gone:
        _remove(folder / each)
    if gone:
        sync_path(folder)
    return gone


def sweep(folder: Path, store_name: str) -> None:
    """Take away what a maker that was killed has left; only for who holds the folder's lock."""
    for each in folder.glob(f"{MAKING}{store_name}-*"):
        shutil.rmtree(each)


def _remove(backup: Path) -> None:
    (backup / MANIFEST).unlink()
    shutil.rmtree(backup)
