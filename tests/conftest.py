"""What every test may use: both runtimes behind one fixture, and the switch for long suites."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from aegis.clock import ManualClock, SystemClock
from aegis.domain.instants import instant_of
from supervisors.runtime import SeededRuntime, ThreadRuntime
from tests.stage import Stage

SEED = 1

RAM_DISK = Path("/dev/shm")  # noqa: S108  # pytest makes a folder of its own there
ROOM = 4 << 30  # bytes; a run has held 0.8 GB at once

# Each worker, and hundreds of processes that tests start, would compile all modules anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Nothing here cuts the power of a real disk, and a quarter of the time is waiting for one.
if RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free >= ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(RAM_DISK))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long as well")


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers more than there are cores: tests of processes mostly wait for them."""
    return (os.cpu_count() or 1) + 2


def pytest_configure(config: pytest.Config) -> None:
    """Let properties try the same inputs on each run; more of them with --long."""
    for name, examples in (("aegis", 40), ("long", 1000)):
        settings.register_profile(
            name,
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],  # a loaded machine is no finding
        )
    settings.load_profile("long" if config.getoption("--long") else "aegis")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let no search for garbage look at what was collected: it took a tenth of each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("patient") is None)
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):  # a keyword may be a folder's name
            item.add_marker(pytest.mark.skip(reason="needs --long"))


@pytest.fixture(params=["threads", "seeded"])
def runtime(request: pytest.FixtureRequest) -> Iterator[ThreadRuntime | SeededRuntime]:
    """Give the role that actors see, played by each runtime in turn."""
    if request.param == "seeded":
        clock = ManualClock(instant_of("2024-01-01T00:00:00.000000000Z"))
        yield SeededRuntime(clock, SEED, can_hang=True)
        return
    threads = ThreadRuntime(SystemClock())
    yield threads
    threads.close()


@pytest.fixture
def stage(runtime: ThreadRuntime | SeededRuntime) -> Iterator[Stage]:
    """Give actors a place to be tried out, on each runtime in turn."""
    made = Stage(runtime)
    yield made
    made.clear()
