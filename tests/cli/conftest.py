"""What the command line's tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.place import Foreground, Place


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AEGIS")]:
        monkeypatch.delenv(name)


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    yield Place(tmp_path, capsys, monkeypatch)
    gc.freeze()  # a command lets go of whatever was frozen before it: all collected tests


@pytest.fixture
def foreground(place: Place) -> Iterator[Callable[..., Foreground]]:
    """Start AEGIS in the place; whatever still runs at the end is ended."""
    started: list[Foreground] = []

    def start(*arguments: str, **environ: str) -> Foreground:
        started.append(Foreground(place.folder, *arguments, environ=environ))
        return started[-1]

    yield start
    for each in started:
        each.clear()
