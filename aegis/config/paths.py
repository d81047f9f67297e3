"""Whether the files that AEGIS writes can be where the settings say, each in a place of its own.

Invariants:
1. No file that AEGIS writes is another one, the settings' file or the candles' file; nor is one
   that a person has written for themselves.
2. Nothing is made or opened here, and what may not be looked at is no fault: that is for the
   door that opens it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from aegis.config.faults import Notebook
from aegis.config.model import Config
from aegis.config.text import KeyPath

NAME_BYTES_MAX = 255
PATH_BYTES_MAX = 490
"""SQLite takes 512 with the endings, which is less than the system does."""

_DATABASE_FILES = ("", "-wal", "-shm", "-journal")
_BESIDE_STORE = (
    *_DATABASE_FILES,
    *(".lock", ".mark", ".reserve", ".sock"),
    *(f".paper{each}" for each in _DATABASE_FILES),
    ".markets.json",
)

ASIDE = ".replaced-"
"""With a number after it: the folder beside a store in which another one's place was taken."""

_FOLDERS: tuple[KeyPath, ...] = (("backup", "path"), ("backup", "copy_to"))
_STORE: KeyPath = ("store", "path")
_LOG: KeyPath = ("log", "path")


def judge_paths(config: Config, file: Path, notebook: Notebook) -> None:
    """Note which paths cannot be; `file` is the settings' own."""
    store, log = config.store.path, config.log.path
    stores, logs = _stores(config), _logs(config)
    for key, path, made in ((_STORE, store, stores), (_LOG, log, logs)):
        if key in notebook.broken:
            continue
        for wrong in (
            *_misfits(path, made, is_database=key == _STORE),
            *_foreign(made, config, file),
        ):
            notebook.wrong(key, f"expected {wrong}", path)
            break
    if not {_STORE, _LOG} & notebook.broken and stores & logs:
        what = "store.path" if log == store else "those beside store.path"
        notebook.wrong(_LOG, f"expected another file than {what}", log)
    _judge_folders(config, notebook)


def use_of(file: Path, config: Config, settings: Path) -> str | None:
    """Return whose a file is that AEGIS needs, and so nobody may write over, or None."""
    there = Path(os.path.realpath(file))
    if there == Path(os.path.realpath(settings)):
        return "the settings' own"
    uses = (
        ("the store's", _stores(config)),
        ("the log's", _logs(config)),
        ("market.path's", set(config.market.path)),
    )
    for use, files in uses:
        if there in files:
            return use
    backup, store = config.backup, config.store.path
    if not {backup.path, backup.copy_to}.isdisjoint(there.parents):
        return "the backups'"
    is_aside = any(
        each.parent == store.parent and each.name.startswith(store.name + ASIDE)
        for each in there.parents
    )
    return "that of a store put aside" if is_aside else None


def _stores(config: Config) -> set[Path]:
    return {_beside(config.store.path, each) for each in _BESIDE_STORE}


def _logs(config: Config) -> set[Path]:
    log = config.log.path
    return {log, *(_beside(log, f".{number}") for number in range(1, config.log.keep + 1))}


def _judge_folders(config: Config, notebook: Notebook) -> None:
    """Note which folders of backups are files, or the same one."""
    backup = config.backup
    for key, folder in zip(_FOLDERS, (backup.path, backup.copy_to), strict=True):
        is_file = folder is not None and os.path.isfile(folder)  # noqa: PTH113  never raises
        if is_file and key not in notebook.broken:
            notebook.wrong(key, "expected a folder, not a file", folder)
    if backup.copy_to == backup.path and not set(_FOLDERS) & notebook.broken:
        notebook.wrong(_FOLDERS[1], "expected another folder than backup.path", backup.copy_to)


def _beside(path: Path, ending: str) -> Path:
    return path.parent / (path.name + ending)


def _misfits(path: Path, made: set[Path], *, is_database: bool) -> Iterator[str]:
    """Yield why there can be no such file."""
    longest = max(len(os.fsencode(each.name)) for each in made)
    most = NAME_BYTES_MAX - (longest - len(os.fsencode(path.name)))
    if max(longest, *(len(os.fsencode(part)) for part in path.parts)) > NAME_BYTES_MAX:
        yield f"a name of at most {most} bytes"
    elif len(os.fsencode(path)) > PATH_BYTES_MAX:
        yield f"a path of at most {PATH_BYTES_MAX} bytes"
    else:
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, PermissionError):
            return
        except OSError as error:
            yield f"the path of a file that can be ({error.strerror})"
            return
        if stat.S_ISDIR(mode):
            yield "a file, not a folder"
        elif is_database and not stat.S_ISREG(mode):
            yield "a file, not a device or a pipe"


def _foreign(made: set[Path], config: Config, file: Path) -> Iterator[str]:
    """Yield whose file would be written over."""
    if Path(os.path.realpath(file)) in made:
        yield "another file than the settings' own"
    if config.market.source == "replay" and made & set(config.market.path):
        yield "another file than market.path"
