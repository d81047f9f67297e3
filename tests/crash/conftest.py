"""A scene that is always cleaned up, whatever a test did to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.scene import METRONOME, Scene


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Give what makes scenes, each in a folder of its own; no process outlives the test."""
    scenes: list[Scene] = []

    def make(settings: str = METRONOME) -> Scene:
        scenes.append(Scene(tmp_path / f"{len(scenes)}", settings))
        return scenes[-1]

    try:
        yield make
    finally:
        for scene in scenes:
            scene.clean_up()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """Give one scene with the metronome."""
    return make_scene()
