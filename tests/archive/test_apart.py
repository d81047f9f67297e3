"""A backup made by another process, as whoever trades has it made."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aegis.archive.__main__ import made_in_turn
from aegis.archive.apart import make_apart
from aegis.archive.errors import ArchiveBusyError, ArchiveError
from aegis.archive.making import make_backup
from aegis.archive.shelf import Archive, newest_in
from aegis.archive.words import Order
from tests.simulation.world import World


def order(archive: Archive) -> Order:
    return Order(archive=archive, trigger="start", made_at="2099-01-05T09:00:00.000Z")


def test_another_process_makes_the_same_backup(life: World, archive: Archive) -> None:
    made = make_apart(order(archive))
    status = life.status()
    assert (made.events, made.head_hash) == (status.events, status.head_hash)
    backup = newest_in(life.config.backup.path, "aegis.db")
    assert backup is not None
    assert backup.manifest.trigger == "start"


@pytest.mark.usefixtures("rested")
def test_what_the_other_process_complains_of_is_one_line_here(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="start AEGIS once") as raised:
        make_apart(order(replace(archive, store=archive.store + "-none")))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("rested")
def test_a_maker_waits_for_its_turn(archive: Archive) -> None:
    """A process that ended a moment ago may have left one behind."""
    folder = Path(archive.folder)
    folder.mkdir()
    descriptor = os.open(folder / "aegis.db.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            os.close(descriptor)

    with pytest.raises(ArchiveBusyError, match="already, by somebody; wait"):
        make_backup(archive, "operator", "2099")
    assert made_in_turn(order(archive), wait).is_new
    assert len(waits) == 2


@pytest.mark.usefixtures("rested")
def test_a_maker_is_given_no_secret_and_no_module_of_the_working_folder(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    run = subprocess.run

    def noting(*arguments: Any, **named: Any) -> Any:
        seen.append(named["env"])
        return run(*arguments, **named)

    (tmp_path / "hashlib.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEGIS_TELEGRAM__TOKEN", "t0ken")
    monkeypatch.setattr(subprocess, "run", noting)
    assert make_apart(order(archive)).is_new
    assert "t0ken" not in str(seen)
