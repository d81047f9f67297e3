"""A life on paper with some trades behind it, and an archive for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.archive.making import Made, make_backup
from aegis.archive.settings import archive_of
from aegis.archive.shelf import Archive
from aegis.clock import wall_text
from aegis.control import Answer, Ask
from aegis.log.logger import Log, configure
from supervisors.errands import act
from tests.simulation.candles import walk
from tests.simulation.world import World

Make = Callable[..., Made]
Say = Callable[..., Answer]

BUSY = {"enters": [0], "leaves": [2], "period": 4}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[World]:
    """Return a world that runs, some trades old; at rest it is another one's to end."""
    world = World(tmp_path, walk(24, seed=3), script=BUSY).start()
    world.run_until_candle(11)
    yield world
    world.leave()


@pytest.fixture
def archive(life: World) -> Archive:
    return archive_of(life.config)


@pytest.fixture
def make(archive: Archive) -> Make:
    """Make a backup; each one a second after the one before."""
    seconds = iter(range(60))

    def made(trigger: str = "operator", at: Archive = archive) -> Made:
        return make_backup(at, trigger, f"2099-01-05T09:00:{next(seconds):02d}.000Z")

    return made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    kept = configure(tmp_path / "x.log", "error", 1, 1, console=None, now_text=wall_text)
    yield kept
    kept.close()


@pytest.fixture
def say(life: World, log: Log) -> Say:
    """Give a command to a store that nobody has."""

    def said(command: str, *, is_dry_run: bool = False, backup: str = "") -> Answer:
        ask = Ask(command=command, is_dry_run=is_dry_run, backup=backup)
        return act(life.config, folder=life.folder, log=log, ask=ask)

    return said
