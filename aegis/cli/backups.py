"""Backups as a person sees them: one made now, and those that there are.

A backup is made by reading, in this process, whoever has the store: it disturbs nobody, and needs
nobody to answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from aegis.archive.making import make_backup
from aegis.archive.proving import prove_backup
from aegis.archive.settings import archive_of
from aegis.archive.shelf import Archive, Backup, backups_in, unreadable_in
from aegis.cli.calling import as_called
from aegis.cli.codes import Code, expected_errors
from aegis.cli.glance import backup_json
from aegis.cli.output import complain, shown_progress, table, tell, tell_json
from aegis.cli.wording import counted, moment, shown, size
from aegis.clock import wall_text
from aegis.config.model import Config

HASH_DIGITS_SHOWN = 16
OPERATOR = "operator"

PROVED = "yes"


def make_and_tell(config: Config, *, is_json: bool) -> Code:
    """Make a backup, and say what there is now; 1 where the second folder has no copy."""
    archive = archive_of(config)
    with shown_progress("Copy, then proof") as progress:
        made = make_backup(archive, OPERATOR, wall_text(), progress)
    folder = Path(archive.folder) / made.name
    if is_json:
        told = {name: getattr(made, name) for name in made.__struct_fields__}
        tell_json({**told, "folder": str(folder)})
    else:
        what = "proved" if made.is_new else "there already, nothing has happened since"
        tell(f"{what}: {counted(made.events, 'event')}, {size(made.size)} in {shown(folder)}")
        for gone in made.removed:
            tell(f"outlived and removed: {gone}")
    if made.copy_fault:
        complain(f"backup.copy_to has no copy of it: {made.copy_fault}")
        return Code.NO
    return Code.DONE


def show_backups(config: Config, *, is_proved_anew: bool, is_json: bool) -> Code:
    """List what there is, newest first; 1 where one of them is not what was proved."""
    archive = archive_of(config)
    found = list(_listed(archive))
    lost = [
        each
        for folder in archive.folders
        for each in unreadable_in(folder, archive.store_path.name)
    ]
    faults = {each.folder: each.fault for each in found}
    if is_proved_anew:
        faults = dict(_proved(found))
    if is_json:
        tell_json([_as_json(each, faults[each.folder]) for each in found])
    elif found or lost:
        rows = [_cells(each, faults[each.folder]) for each in found]
        proved = "Proved anew" if is_proved_anew else "Proved when made"
        columns = ("Made", "Until", "Events", "Head", "Size", "For", proved, "Where")
        tell(table(columns, rows, right=("Events", "Size")))
    else:
        how = as_called("python run.py backup")
        tell(f"No backups of {shown(config.store.path)} yet; make one with: {how}")
    complain(*lost)
    return Code.NO if lost or any(faults.values()) else Code.DONE


def _listed(archive: Archive) -> Iterator[Backup]:
    for folder in archive.folders:
        yield from backups_in(folder, archive.store_path.name)


def _proved(backups: list[Backup]) -> Iterator[tuple[Path, str]]:
    """Prove each backup anew; yield where it is, and what is wrong with it."""
    with shown_progress("Proving") as progress:
        for number, each in enumerate(backups):
            progress(number, len(backups))
            try:
                prove_backup(each)
            except expected_errors() as error:
                yield each.folder, str(error)
            else:
                yield each.folder, ""
        progress(len(backups), len(backups))


def _cells(backup: Backup, fault: str) -> tuple[str, ...]:
    manifest = backup.manifest
    return (
        moment(manifest.made_at),
        moment(manifest.last_event_at),
        f"{manifest.events:,}",
        manifest.head_hash[:HASH_DIGITS_SHOWN],
        size(manifest.size),
        manifest.trigger,
        f"no: {fault}" if fault else PROVED,
        shown(backup.folder),
    )


def _as_json(backup: Backup, fault: str) -> Mapping[str, object]:
    manifest = backup.manifest
    return {
        **backup_json(backup),
        "size": manifest.size,
        "trigger": manifest.trigger,
        "schema": manifest.schema,
        "program": manifest.program,
        "is_verified": not fault,
        "is_whole": manifest.is_whole,
        "fault": fault,
    }
