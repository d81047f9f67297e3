"""A store that may not be written: nobody trades on it, and one line says why."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.place import PATIENCE_S, RUN, Said, clean_environ
from tests.store.histories import IDENTITY, History, open_store

_DROP_FROM_BOUNDS = 24  # prctl's
_PASS_OVER_MODES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with settings and a store at rest; it can be removed again."""
    path = tmp_path / "data" / "aegis.db"
    (tmp_path / "config.toml").write_text("")
    store = open_store(path, identity=IDENTITY)
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    store.close()
    yield tmp_path
    path.parent.chmod(0o755)


def say(folder: Path, *arguments: str) -> Said:
    """Carry out a command as somebody for whom modes count, which they do not for root."""
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments],
        cwd=folder,
        env=clean_environ({}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=_heed_modes,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _heed_modes() -> None:
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for right in _PASS_OVER_MODES:
            assert libc.prctl(_DROP_FROM_BOUNDS, right, 0, 0, 0) == 0


def test_a_folder_that_may_not_be_written_is_refused_in_a_line(folder: Path) -> None:
    data = folder / "data"
    for each in data.iterdir():
        each.chmod(0o444)
    data.chmod(0o555)
    assert say(folder) == Said(77, "", f"{data / 'aegis.db.lock'}: Permission denied\n")


def test_a_database_that_may_not_be_written_is_refused_in_a_line(folder: Path) -> None:
    database = folder / "data" / "aegis.db"
    database.chmod(0o444)
    assert say(folder, "halt") == Said(77, "", f"{database}: Permission denied\n")
