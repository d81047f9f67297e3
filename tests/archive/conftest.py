"""A life on paper with some trades behind it, and an archive for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.archive.making import Made, make_backup
from aegis.archive.settings import archive_of
from aegis.archive.shelf import Archive
from tests.simulation.candles import walk
from tests.simulation.world import World

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
def make(archive: Archive) -> Callable[..., Made]:
    """Make a backup; each one a second after the one before."""
    seconds = iter(range(60))

    def made(trigger: str = "operator", at: Archive = archive) -> Made:
        return make_backup(at, trigger, f"2026-01-05T09:00:{next(seconds):02d}.000Z")

    return made
