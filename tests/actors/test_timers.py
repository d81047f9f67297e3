"""What an actor has started and not yet heard is known, and nothing else is."""

from __future__ import annotations

from actors.timers import Timers
from aegis.clock import ManualClock
from aegis.domain.ids import Instant
from supervisors.runtime import SeededRuntime


def nothing() -> None:
    """Deliver nothing."""


def world() -> tuple[SeededRuntime, Timers]:
    return SeededRuntime(ManualClock(Instant(0)), 1), Timers()


def test_a_timer_that_was_cancelled_is_forgotten() -> None:
    runtime, timers = world()

    for _ in range(1000):
        timers.start(runtime.after, 60.0, nothing, once=True).cancel()

    assert len(timers) == 0


def test_a_timer_that_has_fired_is_forgotten() -> None:
    runtime, timers = world()
    timers.start(runtime.after, 60.0, nothing, once=True)

    runtime.run_for(61.0)

    assert len(timers) == 0


def test_a_repeating_timer_is_known_until_it_is_cancelled() -> None:
    runtime, timers = world()
    timer = timers.start(runtime.every, 60.0, nothing, once=False)
    runtime.run_for(200.0)
    assert len(timers) == 1

    timer.cancel()

    assert len(timers) == 0


def test_cancelling_twice_or_after_the_end_is_harmless() -> None:
    runtime, timers = world()
    timer = timers.start(runtime.after, 60.0, nothing, once=True)
    timers.close()

    timer.cancel()
    timer.cancel()

    assert len(timers) == 0
