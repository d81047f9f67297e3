"""The keeper: says ready once, feeds the watchdog by work alone, and says when it ends."""

from __future__ import annotations

import pytest

from aegis.service import Service
from supervisors.keeper import ASKS_EACH_S, Keeper, Pulse

PATIENCE_S = 40.0


class Manager(Service):
    """Notes what it is told."""

    def __init__(self, watchdog_s: float | None = PATIENCE_S, address: str = "/manager") -> None:
        super().__init__({"NOTIFY_SOCKET": address}, 1)
        self.watchdog_s = watchdog_s
        self.told: list[dict[str, str | int]] = []

    def tell(self, **facts: str | int) -> None:
        self.told.append(facts)

    def count(self, name: str) -> int:
        return sum(name in facts for facts in self.told)


class Scene:
    def __init__(self, manager: Manager | None = None) -> None:
        self.manager = manager or Manager()
        self.pulse = Pulse()
        self.now = 1000.0
        self.keeper = Keeper(self.manager, self.pulse, lambda: self.now)

    def passes(self, seconds: float, *, cycles_each_s: int = 0) -> Scene:
        """Let time pass, looked in on each second."""
        for _ in range(int(seconds)):
            self.now += 1
            for _ in range(cycles_each_s):
                self.pulse.complete()
            self.keeper.look()
        return self


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def up(scene: Scene) -> Scene:
    scene.pulse.arm()
    return scene.passes(1)


def test_it_is_ready_when_the_strategy_is_armed_and_says_so_once(scene: Scene) -> None:
    scene.passes(30, cycles_each_s=5)
    assert scene.manager.count("READY") == 0
    scene.pulse.arm()
    scene.passes(30, cycles_each_s=5)
    assert scene.manager.count("READY") == 1


def test_positions_guarded_without_a_strategy_are_ready_too(scene: Scene) -> None:
    scene.pulse.abandon()
    scene.passes(1)
    assert scene.manager.count("READY") == 1
    assert "entries halted, positions guarded" in str(scene.manager.told[-1]["STATUS"])


def test_a_long_start_asks_for_more_time_and_is_no_progress(scene: Scene) -> None:
    scene.passes(10 * ASKS_EACH_S, cycles_each_s=5)
    assert scene.manager.count("EXTEND_TIMEOUT_USEC") == 10
    assert scene.manager.count("WATCHDOG") == 0


def test_once_ready_no_more_time_is_asked_for(up: Scene) -> None:
    asked = up.manager.count("EXTEND_TIMEOUT_USEC")
    up.passes(100)
    assert up.manager.count("EXTEND_TIMEOUT_USEC") == asked


def test_work_feeds_the_watchdog_well_within_its_patience(up: Scene) -> None:
    up.passes(120, cycles_each_s=3)
    assert 3 * 2 <= up.manager.count("WATCHDOG") <= 3 * 4


def test_being_alive_feeds_nothing(up: Scene) -> None:
    up.passes(200)
    assert up.manager.count("WATCHDOG") == 0


def test_what_was_done_before_it_was_ready_feeds_nothing_after(scene: Scene) -> None:
    scene.passes(30, cycles_each_s=5)
    scene.pulse.arm()
    scene.passes(200)
    assert scene.manager.count("READY") == 1
    assert scene.manager.count("WATCHDOG") == 0


def test_work_that_stops_is_not_fed_any_more(up: Scene) -> None:
    up.passes(60, cycles_each_s=1)
    fed = up.manager.count("WATCHDOG")
    up.passes(200)
    assert up.manager.count("WATCHDOG") <= fed + 1


def test_work_that_comes_back_is_fed_at_once(up: Scene) -> None:
    up.passes(200)
    up.passes(1, cycles_each_s=1)
    assert up.manager.count("WATCHDOG") == 1


def test_without_a_watchdog_nothing_is_fed() -> None:
    scene = Scene(Manager(watchdog_s=None))
    scene.pulse.arm()
    scene.passes(100, cycles_each_s=5)
    assert scene.manager.count("WATCHDOG") == 0
    assert scene.manager.count("READY") == 1


def test_the_status_names_what_was_completed(up: Scene) -> None:
    up.passes(10, cycles_each_s=2)
    assert up.manager.told[-1] == {"STATUS": "armed; 20 cycles completed"}


def test_the_end_is_told_with_its_reason(up: Scene) -> None:
    up.keeper.stop("SIGTERM")
    assert up.manager.told[-1] == {"STOPPING": 1, "STATUS": "stopping: SIGTERM"}


def test_where_nobody_watches_nothing_is_told() -> None:
    scene = Scene(Manager(address=""))
    scene.pulse.arm()
    scene.passes(100, cycles_each_s=5)
    assert scene.manager.told == []
