"""A life on paper with some trades behind it, and an archive for it."""

from __future__ import annotations

import shutil
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


CANDLES = walk(24, seed=3)


@pytest.fixture
def still(tmp_path: Path) -> World:
    """Return a world over the test's folder in which nothing has begun."""
    return World(tmp_path, CANDLES, script=BUSY)


@pytest.fixture
def life(still: World) -> Iterator[World]:
    """Return a world that runs, some trades old; at rest it is another one's to end."""
    still.start().run_until_candle(11)
    yield still
    still.leave()


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that a life has left that went on since its backup."""
    folder = tmp_path_factory.mktemp("lived")
    world = World(folder, CANDLES, script=BUSY).start()
    world.run_until_candle(11)
    make_backup(archive_of(world.config), "operator", "2099-01-05T08:00:00.000Z")
    world.run_to_the_end().end()
    return folder


@pytest.fixture
def rested(still: World, lived: Path) -> World:
    """Return a life at rest without a backup."""
    shutil.copytree(
        lived, still.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("backups")
    )
    return still


@pytest.fixture
def gone_on(still: World, lived: Path) -> Iterator[World]:
    """Return a life at rest that has gone on since its backup, at the exchange as well."""
    shutil.copytree(lived, still.folder, dirs_exist_ok=True)
    yield still
    still.leave()


@pytest.fixture
def archive(still: World) -> Archive:
    return archive_of(still.config)


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
def say(still: World, log: Log) -> Say:
    """Give a command to a store that nobody has."""

    def said(command: str, *, is_dry_run: bool = False, backup: str = "") -> Answer:
        ask = Ask(command=command, is_dry_run=is_dry_run, backup=backup)
        return act(still.config, folder=still.folder, log=log, ask=ask)

    return said
