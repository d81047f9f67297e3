from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.clock import ManualClock, SystemClock
from aegis.domain.ids import Instant
from aegis.ports import Late, Overran, Raised, Runtime
from supervisors import threads
from supervisors.runtime import Fate, Latencies, SeededRuntime, ThreadRuntime
from supervisors.timers import COMPACT_AT, HeapTimer, TimerHeap, nanos
from tests.stage import Stage

SECOND = 1_000_000_000
LONG_S = 60.0


def seeded(**options: object) -> SeededRuntime:
    return SeededRuntime(ManualClock(Instant(0)), 1, **options)  # type: ignore[arg-type]


# The contract of both ---------------------------------------------------------------------


def test_both_runtimes_play_the_role(runtime: ThreadRuntime | SeededRuntime) -> None:
    role: Runtime = runtime
    assert role.clock.monotonic() >= 0


def test_timers_fire_in_the_order_in_which_they_are_due(stage: Stage) -> None:
    fired: list[int] = []
    for number in (3, 1, 2):  # far enough apart for a loaded machine to start them in time
        stage.runtime.after(number * 0.2, partial(fired.append, number))
    stage.wait_for(lambda: len(fired) == 3)
    assert fired == [1, 2, 3]


def test_a_cancelled_timer_does_not_fire(stage: Stage) -> None:
    fired: list[str] = []
    stage.runtime.after(0.002, partial(fired.append, "cancelled")).cancel()
    stage.runtime.after(0.006, partial(fired.append, "end"))
    stage.wait_for(lambda: fired != [])
    assert fired == ["end"]


def test_a_timer_may_be_cancelled_after_it_has_fired(stage: Stage) -> None:
    fired: list[str] = []
    timer = stage.runtime.after(0, partial(fired.append, "once"))
    stage.wait_for(lambda: fired == ["once"])
    timer.cancel()
    timer.cancel()
    assert fired == ["once"]


def test_a_shorter_timer_overtakes_a_longer_one(stage: Stage) -> None:
    fired: list[str] = []
    stage.runtime.after(LONG_S, partial(fired.append, "long"))
    stage.runtime.after(0.001, partial(fired.append, "short"))
    stage.wait_for(lambda: fired != [])
    assert fired == ["short"]


@pytest.mark.parametrize("delay_s", [-1.0, float("nan")])
def test_a_delay_that_leads_nowhere_is_refused(stage: Stage, delay_s: float) -> None:
    with pytest.raises(AssertionError, match="Expected a delay of 0 s or more"):
        stage.runtime.after(delay_s, lambda: None)


def test_an_interval_of_nothing_is_refused(stage: Stage) -> None:
    with pytest.raises(AssertionError, match="Expected an interval above 0 s"):
        stage.runtime.every(0, lambda: None)


def test_a_call_is_answered_with_its_value(stage: Stage) -> None:
    heard: list[object] = []
    stage.runtime.call("venue", lambda: 5, LONG_S, heard.append)
    stage.wait_for(lambda: heard == [5])


def test_a_call_that_raises_is_answered_with_what_it_raised(stage: Stage) -> None:
    heard: list[object] = []

    def refuse() -> object:
        raise SystemExit("no")

    stage.runtime.call("venue", refuse, LONG_S, heard.append)
    stage.wait_for(lambda: heard != [])
    assert isinstance(heard[0], Raised)
    assert heard[0].error.startswith("SystemExit: no at test_runtime.py:")


def test_calls_of_one_port_run_one_after_another(stage: Stage) -> None:
    heard: list[object] = []
    running = [0]

    def work(number: int) -> object:
        running[0] += 1
        assert running == [1]
        running[0] -= 1
        return number

    for number in range(20):
        stage.runtime.call("venue", partial(work, number), LONG_S, heard.append)
    stage.wait_for(lambda: len(heard) == 20)
    assert heard == list(range(20))


def test_a_late_value_is_heard_when_it_is_due(stage: Stage) -> None:
    heard: list[object] = []
    before = stage.runtime.clock.monotonic()
    stage.runtime.call("venue", lambda: Late(5, 0.02), LONG_S, heard.append)
    stage.wait_for(lambda: heard == [5])
    assert stage.runtime.clock.monotonic() - before >= 0.02


def test_a_value_that_never_comes_is_overrun_at_the_deadline(stage: Stage) -> None:
    heard: list[object] = []
    stage.runtime.call("venue", lambda: Late(5, None), 0.06, heard.append)
    stage.wait_for(lambda: heard == [Overran(0.06)])


def test_a_value_later_than_the_deadline_is_dropped(stage: Stage) -> None:
    heard: list[object] = []
    stage.runtime.call("venue", lambda: Late(5, 0.2), 0.06, heard.append)
    stage.runtime.after(0.3, partial(heard.append, "end"))
    stage.wait_for(lambda: "end" in heard)
    assert heard == [Overran(0.06), "end"]


def test_after_an_overrun_the_next_call_goes_through(stage: Stage) -> None:
    heard: list[object] = []
    stage.runtime.call("venue", lambda: Late(1, None), 0.06, heard.append)
    stage.runtime.call("venue", lambda: 2, LONG_S, heard.append)
    stage.wait_for(lambda: heard == [Overran(0.06), 2])


def test_a_call_whose_deadline_passes_in_the_queue_never_runs(stage: Stage) -> None:
    heard: list[object] = []
    effects: list[int] = []
    stage.runtime.call("venue", lambda: Late(1, None), 0.5, heard.append)
    stage.runtime.call("venue", lambda: effects.append(2), 0.06, heard.append)
    stage.runtime.call("venue", lambda: effects.append(3), LONG_S, heard.append)
    stage.wait_for(lambda: len(heard) == 3)
    assert heard == [Overran(0.06), Overran(0.5), None]
    assert effects == [3]


def test_ports_do_not_wait_for_each_other(stage: Stage) -> None:
    heard: list[object] = []
    stage.runtime.call("venue", lambda: Late(1, None), LONG_S, heard.append)
    stage.runtime.call("messenger", lambda: 2, LONG_S, heard.append)
    stage.wait_for(lambda: heard == [2])


# Threads ----------------------------------------------------------------------------------


@pytest.fixture
def on_threads() -> Stage:
    return Stage(ThreadRuntime(SystemClock()))


def test_a_worker_that_comes_home_too_late_is_not_heard(on_threads: Stage) -> None:
    heard: list[object] = []
    gate = threading.Event()

    def block() -> object:
        gate.wait()
        return "too late"

    on_threads.runtime.call("venue", block, 0.01, heard.append)
    on_threads.wait_for(lambda: heard != [])
    gate.set()
    on_threads.runtime.call("venue", lambda: "next", LONG_S, heard.append)
    on_threads.wait_for(lambda: len(heard) == 2)
    assert heard == [Overran(0.01), "next"]


def test_a_port_that_loses_too_many_workers_refuses(
    on_threads: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "WORKERS_LOST_MAX", 2)
    heard: list[object] = []
    gate = threading.Event()
    for count in range(1, 50):
        on_threads.runtime.call("venue", gate.wait, 0.005, heard.append)
        on_threads.wait_for(lambda count=count: len(heard) == count)  # type: ignore[misc]
    assert heard.index(Raised("Expected fewer than 2 hung calls of venue")) >= 2
    gate.set()


def test_a_port_whose_queue_is_full_refuses(
    on_threads: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "CALLS_WAITING_MAX", 1)
    heard: list[object] = []
    gate, begun = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        gate.wait()

    on_threads.runtime.call("venue", block, LONG_S, heard.append)
    begun.wait()
    on_threads.runtime.call("venue", lambda: 2, LONG_S, heard.append)
    on_threads.runtime.call("venue", lambda: 3, LONG_S, heard.append)
    assert heard == [Raised("Expected fewer than 1 calls waiting for venue")]
    gate.set()
    on_threads.wait_for(lambda: heard[1:] == [None, 2])


def test_a_delivery_that_raises_is_logged_and_ends_no_timer() -> None:
    logged: list[str] = []
    runtime = ThreadRuntime(SystemClock(), log=lambda event, /, **_: logged.append(event))
    fired = threading.Event()
    runtime.after(0, lambda: 1 / 0)  # type: ignore[arg-type]
    runtime.after(0.001, fired.set)
    assert fired.wait(5)
    assert logged == ["DeliveryFailed"]
    runtime.close()


def test_a_reply_that_raises_leaves_the_port_working(on_threads: Stage) -> None:
    heard: list[object] = []

    def refuse(_value: object) -> None:
        raise RuntimeError("nobody home")

    on_threads.runtime.call("venue", lambda: 1, LONG_S, refuse)
    on_threads.runtime.call("venue", lambda: 2, LONG_S, heard.append)
    on_threads.wait_for(lambda: heard == [2])


def test_all_threads_of_the_runtime_are_daemons(on_threads: Stage) -> None:
    heard: list[object] = []
    on_threads.runtime.call("daemon-check", threading.current_thread, LONG_S, heard.append)
    on_threads.runtime.after(0, lambda: heard.append(threading.current_thread()))
    on_threads.wait_for(lambda: len(heard) == 2)
    assert all(isinstance(each, threading.Thread) and each.daemon for each in heard)


# One seed ---------------------------------------------------------------------------------


def test_the_clock_jumps_from_timer_to_timer() -> None:
    runtime = seeded()
    seen: list[int] = []
    runtime.after(3600, lambda: seen.append(runtime.clock.now()))
    runtime.run_until_quiet()
    assert seen == [3600 * SECOND]


def test_equal_instants_fire_in_the_order_of_their_start() -> None:
    runtime = seeded()
    fired: list[int] = []
    for number in range(5):
        runtime.after(1, partial(fired.append, number))
    runtime.run_until_quiet()
    assert fired == list(range(5))


def test_repeating_timers_alone_are_quiet() -> None:
    runtime = seeded()
    runtime.every(1, lambda: None)
    runtime.run_until_quiet()
    assert runtime.clock.now() == 0


def test_run_for_fires_what_is_due_to_the_end_and_stands_there() -> None:
    runtime = seeded()
    fired: list[int] = []
    runtime.every(1, lambda: fired.append(runtime.clock.now()))
    runtime.run_for(2.5)
    assert fired == [SECOND, 2 * SECOND]
    assert runtime.clock.now() == 2.5 * SECOND
    runtime.run_for(0.5)
    assert len(fired) == 3


def test_run_while_ends_when_nothing_is_left_to_come() -> None:
    runtime = seeded()
    runtime.run_while(lambda: True)
    assert runtime.clock.now() == 0


def test_live_while_handles_all_mail_of_an_instant_before_it_asks() -> None:
    runtime = seeded()
    fired: list[float] = []
    asked: list[float] = []
    runtime.every(1, lambda: fired.append(runtime.clock.monotonic()))

    def goes_on() -> bool:
        asked.append(runtime.clock.monotonic())
        return len(fired) < 3

    runtime.live_while(goes_on)

    assert fired == [1, 2, 3]
    assert asked == [0, 1, 2, 3]


def test_live_while_ends_when_nothing_is_left_to_come() -> None:
    runtime = seeded()
    runtime.live_while(lambda: True)
    assert runtime.clock.now() == 0


def test_an_effect_and_its_answer_are_two_instants() -> None:
    runtime = seeded(latencies=Latencies(least_s=0.010, most_s=0.020))
    instants: list[int] = []
    runtime.call(
        "venue",
        lambda: instants.append(runtime.clock.now()),
        LONG_S,
        lambda _: instants.append(runtime.clock.now()),
    )
    runtime.run_until_quiet()
    effect, answer = instants
    assert 0.010 * SECOND <= effect <= 0.020 * SECOND
    assert 0.010 * SECOND <= answer - effect <= 0.020 * SECOND


def outcome(fate: Fate, deadline_s: float) -> tuple[list[int], list[object]]:
    """Return the instants of a call's effects in ms, and its answers, under a fate."""
    latencies = Latencies(least_s=0.010, most_s=0.010)
    runtime = seeded(latencies=latencies, faults=lambda _port, _ordinal: fate)
    effects: list[int] = []
    answers: list[object] = []

    def take_effect() -> str:
        effects.append(runtime.clock.now() * 1000 // SECOND)
        return "done"

    runtime.call("venue", take_effect, deadline_s, answers.append)
    runtime.run_until_quiet()
    return effects, answers


@pytest.mark.parametrize(
    ("fate", "effects", "answers"),
    [
        (Fate(), [10], ["done"]),
        (Fate(is_effect_lost=True), [], [Overran(1.0)]),
        (Fate(is_answer_lost=True), [10], [Overran(1.0)]),
        (Fate(effect_delay_s=0.5), [510], ["done"]),
        (Fate(effect_delay_s=5), [5010], [Overran(1.0)]),
        (Fate(answer_delay_s=0.5), [10], ["done"]),
        (Fate(answer_delay_s=5), [10], [Overran(1.0)]),
    ],
)
def test_a_fate_loses_or_delays_effect_and_answer_apart(
    fate: Fate, effects: list[int], answers: list[object]
) -> None:
    assert outcome(fate, 1.0) == (effects, answers)


def test_the_fault_plan_knows_port_and_ordinal() -> None:
    asked: list[tuple[str, int]] = []

    def plan(port: str, ordinal: int) -> Fate:
        asked.append((port, ordinal))
        return Fate()

    runtime = seeded(faults=plan)
    for port in ("venue", "venue", "messenger"):
        runtime.call(port, lambda: None, LONG_S, lambda _: None)
    runtime.run_until_quiet()
    assert sorted(asked) == [("messenger", 0), ("venue", 0), ("venue", 1)]


FATES = st.builds(
    Fate,
    is_effect_lost=st.booleans(),
    effect_delay_s=st.floats(0, 3),
    is_answer_lost=st.booleans(),
    answer_delay_s=st.floats(0, 3),
)


@given(st.lists(st.tuples(FATES, st.floats(0, 2)), max_size=12))
def test_every_call_is_answered_exactly_once_whatever_befalls_it(
    calls: list[tuple[Fate, float]],
) -> None:
    runtime = seeded(faults=lambda _port, ordinal: calls[ordinal][0])
    answers: list[int] = []
    effects: list[int] = []

    def reply_of(number: int) -> Callable[[object], None]:
        return lambda _: answers.append(number)

    for number, (_, deadline_s) in enumerate(calls):
        runtime.call("venue", partial(effects.append, number), deadline_s, reply_of(number))
    runtime.run_until_quiet()
    assert sorted(answers) == list(range(len(calls)))
    assert len(set(effects)) == len(effects)


# The heap ---------------------------------------------------------------------------------


def test_cancelled_timers_do_not_pile_up() -> None:
    heap = TimerHeap()
    for number in range(10_000):
        timer = HeapTimer(heap, lambda: None, None)
        heap.push(number, timer)
        timer.cancel()
    assert len(heap) <= 2 * COMPACT_AT + 2
    assert heap.next_due() is None


def test_a_timer_that_has_fired_is_not_counted_as_cancelled() -> None:
    heap = TimerHeap()
    timer = HeapTimer(heap, lambda: None, None)
    heap.push(0, timer)
    heap.pop()
    timer.cancel()
    assert heap.cancelled == 0


def test_the_heap_keeps_the_living_when_it_throws_out_the_cancelled() -> None:
    heap = TimerHeap()
    timers = [HeapTimer(heap, lambda: None, None) for _ in range(500)]
    for due, timer in enumerate(timers):
        heap.push(due, timer)
    for timer in timers[::2] + timers[1:301:2]:
        timer.cancel()
    heap.push(999, HeapTimer(heap, lambda: None, None))
    order = []
    while (due_ns := heap.next_due()) is not None:
        order.append(due_ns)
        heap.pop()
    assert order == [*range(301, 500, 2), 999]


def test_delays_are_whole_nanoseconds() -> None:
    assert nanos(0.005) == 5_000_000
