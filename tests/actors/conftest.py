"""A stage on the seeded runtime alone, for actors that wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aegis.clock import ManualClock
from supervisors.runtime import SeededRuntime
from tests.domain.kit import START
from tests.stage import Stage


@pytest.fixture
def seeded_stage() -> Iterator[Stage]:
    """Give actors a place where a pause costs nothing."""
    clock = ManualClock(START)
    made = Stage(SeededRuntime(clock, 1, can_hang=True))
    yield made
    made.clear()
