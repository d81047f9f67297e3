"""Worlds on the seeded runtime, and on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.world import World

MakeWorld = Callable[..., World]

SPEEDS = {"seeded": 0, "threads": 600}
"""How fast the market of each runtime is; at 600 a candle of a minute takes 100 ms."""


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Make worlds on the seeded runtime, each over a folder of its own."""
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        folder = tmp_path / f"world-{len(made)}"
        folder.mkdir()
        made.append(World(folder, *args, **kwargs))
        return made[-1]

    yield make
    for world in made:
        world.leave()
