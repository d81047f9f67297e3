"""A scene that is always cleaned up, whatever a test did to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.crash.scene", "tests.crash.process")

from tests.crash.process import FRONTIER, RUN  # noqa: E402  rewritten first
from tests.crash.scene import METRONOME, Scene  # noqa: E402  rewritten first


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Give what makes scenes, each in a folder of its own; no process outlives the test."""
    scenes: list[Scene] = []

    def make(settings: str = METRONOME, program: tuple[str, ...] = FRONTIER) -> Scene:
        scenes.append(Scene(tmp_path / f"{len(scenes)}", settings, program))
        return scenes[-1]

    try:
        yield make
    finally:
        for scene in scenes:
            scene.clean_up()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """Give one scene with the metronome and the program itself, nothing in between."""
    return make_scene(program=RUN)
