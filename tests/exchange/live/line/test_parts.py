"""The line's pure parts: budgets, pauses, breakers, windows, and the exchange's clock."""

from __future__ import annotations

import threading
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.clock import ManualClock, seeded_random
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.live.calls import Page
from aegis.exchange.live.line.breaker import FAILURES_TO_OPEN, BreakerState, LaneBreaker
from aegis.exchange.live.line.budget import SHARE, Budget
from aegis.exchange.live.line.departing import Departure
from aegis.exchange.live.line.offset import DRIFT, ServerClock, bounds_of, narrowed
from aegis.exchange.live.line.retry import (
    MOST_S,
    SLOW_S,
    TRIES_MAX,
    TRIES_MAX_OF_MANY,
    pause_s,
    tries_max,
)
from aegis.exchange.live.line.windows import Reading, windows
from aegis.exchange.live.profile import Rate
from tests.domain.kit import START
from tests.exchange.live.line.kit import seconds, trade

DRAWS = st.floats(min_value=0, max_value=1)

# Budgets --------------------------------------------------------------------------------------


@given(
    st.integers(min_value=1, max_value=40),
    st.sampled_from([0.1, 1.0, 60.0]),
    st.lists(st.tuples(st.floats(min_value=0, max_value=2), st.booleans()), max_size=150),
)
def test_no_window_ever_has_more_than_our_share_of_the_published_calls(
    calls: int, per_s: float, wishes: list[tuple[float, bool]]
) -> None:
    budget, now_s, left = Budget(Rate(calls=calls, per_s=per_s), 0.0), 0.0, []
    for pause_of_windows, has_reserve in wishes:
        now_s = max(now_s, budget.free_at(now_s, has_reserve=has_reserve))
        budget.spend(now_s)
        left.append(now_s)
        now_s += pause_of_windows * per_s / calls
    for begin_s in left:
        inside = sum(begin_s <= each < begin_s + per_s * (1 - 1e-9) for each in left)
        assert inside <= max(1, calls * SHARE)


def test_calls_of_one_a_second_leave_a_little_further_apart() -> None:
    budget, times_s = Budget(Rate(calls=1, per_s=1.0), 0.0), [0.0]
    for _ in range(3):
        times_s.append(budget.free_at(times_s[-1], has_reserve=False))
        budget.spend(times_s[-1])
    assert [b - a for a, b in pairwise(times_s)] == pytest.approx([1.25] * 3)


def test_who_has_the_reserve_finds_room_when_the_others_have_spent_theirs() -> None:
    budget = Budget(Rate(calls=10, per_s=1.0), 0.0)
    while budget.free_at(5.0, has_reserve=False) == 5.0:
        budget.spend(5.0)
    assert budget.free_at(5.0, has_reserve=True) == 5.0


def test_a_life_before_may_have_used_up_what_there_was() -> None:
    assert Budget(Rate(calls=1, per_s=1.0), 7.0).free_at(7.0, has_reserve=True) == 8.25


def test_a_long_window_is_empty_at_the_start() -> None:
    assert Budget(Rate(calls=50, per_s=10.0), 7.0).free_at(7.0, has_reserve=True) == 7.0


def test_a_call_counts_from_when_it_arrived_at_the_latest() -> None:
    budget = Budget(Rate(calls=1, per_s=1.0), 0.0)
    budget.spend(10.0)
    budget.arrived(14.0)
    assert budget.free_at(14.0, has_reserve=True) == 15.25


# Pauses ---------------------------------------------------------------------------------------


@given(st.integers(min_value=1, max_value=10_000), DRAWS)
def test_a_pause_is_bounded_and_never_nothing(times: int, drawn: float) -> None:
    assert 0.125 <= pause_s(times, lambda: drawn) <= MOST_S


@given(st.integers(min_value=1, max_value=6), DRAWS)
def test_a_later_pause_is_not_shorter_by_the_same_chance(times: int, drawn: float) -> None:
    assert pause_s(times + 1, lambda: drawn) >= pause_s(times, lambda: drawn)


def test_a_read_that_kept_its_lane_for_long_is_not_tried_again_unless_one_of_many() -> None:
    assert tries_max(SLOW_S - 0.1, is_one_of_many=False) == TRIES_MAX
    assert tries_max(SLOW_S, is_one_of_many=False) == 1
    assert tries_max(SLOW_S, is_one_of_many=True) == TRIES_MAX_OF_MANY


# The breaker ----------------------------------------------------------------------------------


def opened(at_s: float = 0.0) -> LaneBreaker:
    breaker = LaneBreaker(lambda: 1.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.hear(at_s, is_answer=False)
    return breaker


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=40), st.booleans()), max_size=60))
def test_an_exit_is_never_kept_from_going_and_an_entry_goes_only_while_closed(
    heard: list[tuple[float, bool]],
) -> None:
    breaker, now_s = LaneBreaker(seeded_random(1).random), 0.0
    for pause, is_answer in heard:
        now_s += pause
        breaker.hear(now_s, is_answer=is_answer)
        is_closed = breaker.state(now_s) is BreakerState.CLOSED
        assert breaker.free_at(now_s, is_entry=False, is_exit=True) == now_s
        assert (breaker.free_at(now_s, is_entry=True, is_exit=False) == now_s) is is_closed


def test_an_answer_in_between_keeps_the_breaker_closed() -> None:
    breaker = LaneBreaker(lambda: 1.0)
    for _ in range(3 * FAILURES_TO_OPEN):
        breaker.hear(0.0, is_answer=False)
        breaker.hear(0.0, is_answer=False)
        breaker.hear(0.0, is_answer=True)
    assert breaker.state(0.0) is BreakerState.CLOSED


def test_a_look_probes_when_the_pause_is_over_and_silence_makes_the_next_one_longer() -> None:
    breaker = opened()
    assert breaker.free_at(0.0, is_entry=False, is_exit=False) == 1.0
    assert breaker.state(0.5) is BreakerState.OPEN
    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    breaker.hear(1.0, is_answer=False)
    assert breaker.free_at(1.0, is_entry=False, is_exit=False) == 3.0
    assert breaker.free_at(1.0, is_entry=True, is_exit=False) == inf


def test_an_answer_closes_it_and_its_pauses_begin_anew() -> None:
    breaker = opened()
    assert breaker.hear(2.0, is_answer=True) is BreakerState.CLOSED
    for _ in range(FAILURES_TO_OPEN):
        breaker.hear(2.0, is_answer=False)
    assert breaker.free_at(2.0, is_entry=False, is_exit=False) == 3.0


# Windows --------------------------------------------------------------------------------------


@given(
    st.integers(min_value=0, max_value=500),
    st.integers(min_value=0, max_value=500),
    st.integers(min_value=2, max_value=200),
)
def test_windows_cover_a_time_without_a_hole_and_none_is_too_long(
    since_s: int, length_s: int, window_s: int
) -> None:
    since, until = Instant(seconds(since_s)), Instant(seconds(since_s + length_s))
    found = list(windows(since, until, window_s))
    assert found[0].since == since
    assert found[-1].until == until
    assert all(each.until - each.since <= seconds(window_s) for each in found)
    assert all(after.since < before.until for before, after in pairwise(found))


def test_a_page_of_one_instant_that_is_full_is_a_fault() -> None:
    reading = Reading(60)
    reading.want(START, Instant(START + seconds(10)))
    for _ in range(9):
        if reading.next is None:
            break
        at_start = reading.next.since <= START <= reading.next.until
        told = (trade(1), trade(2)) if at_start else ()
        reading.take(Page(trades=told, is_full=at_start))
    assert reading.fault is not None


def test_a_full_page_of_another_time_is_a_fault() -> None:
    reading = Reading(60)
    reading.want(START, Instant(START + seconds(10)))
    reading.take(Page(trades=(trade(1, at=START + seconds(99)),), is_full=True))
    assert reading.fault is not None


# The exchange's clock -------------------------------------------------------------------------


@given(
    st.floats(min_value=-1e5, max_value=1e5),
    st.lists(
        st.tuples(
            st.floats(min_value=0, max_value=100),
            st.floats(min_value=0, max_value=9),
            st.floats(min_value=0, max_value=1),
        ),
        min_size=1,
        max_size=40,
    ),
    st.floats(min_value=-DRIFT / 2, max_value=DRIFT / 2),
)
def test_the_bounds_hold_the_truth_whatever_the_ways_of_the_answers(
    ahead_s: float, answers: list[tuple[float, float, float]], drift: float
) -> None:
    def server_ns(now_s: float) -> int:
        return START + seconds(ahead_s + now_s * (1 + drift))

    known, now_s = None, 0.0
    for pause, way, share in answers:
        sent_s = now_s + pause
        heard_s = sent_s + way
        stamped = server_ns(sent_s + way * share)
        header = Instant(stamped - stamped % NANOS_PER_SECOND)
        known = narrowed(known, bounds_of(header, sent_s, heard_s))
        now_s = heard_s
        truth = server_ns(now_s) - seconds(now_s)
        slack = seconds(DRIFT * (way + 1))
        assert known.least - slack <= truth <= known.most + slack


def test_answers_one_after_another_measure_it_finer_than_a_second() -> None:
    clock = ManualClock(START)
    server = ServerClock(clock, margin_s=3.0)
    for step in range(20):
        clock.advance_to(Instant(START + step * 330_000_000))
        stamped = clock.now() + 250_000_000
        now_s = clock.monotonic()
        server.see(Instant(stamped - stamped % NANOS_PER_SECOND), now_s, now_s)
    assert server.offset_s() == pytest.approx(0.25, abs=0.1)


def test_a_clock_that_jumps_is_measured_anew() -> None:
    clock = ManualClock(START)
    server = ServerClock(clock, margin_s=3.0)
    server.see(START, 0.0, 0.0)
    assert server.hold() is None
    server.see(Instant(START + seconds(3600)), 0.0, 0.0)
    assert server.hold() == "the exchange's clock is 3600.0 s ahead of ours, expected at most 3 s"


def test_what_may_well_be_within_the_margin_holds_nothing() -> None:
    server = ServerClock(ManualClock(START), margin_s=3.0)
    server.see(Instant(START + seconds(3)), 0.0, 0.0)
    assert server.hold() is None
    server.see(Instant(START - seconds(4)), 0.0, 0.0)
    assert server.hold() is None


def test_a_wall_that_is_set_moves_the_difference_and_not_the_exchange() -> None:
    clock = ManualClock(START)
    server = ServerClock(clock, margin_s=3.0)
    server.see(START, 0.0, 0.0)
    before = server.now()
    clock._now = Instant(START + seconds(7200))
    assert server.now() == before
    assert "behind" in str(server.hold())


def test_an_unmeasured_clock_gives_our_own_time_and_holds_entries() -> None:
    server = ServerClock(ManualClock(START), margin_s=3.0)
    assert server.now_ms() == START // 1_000_000
    assert server.offset_s() is None
    assert server.hold() is not None


# Departures -----------------------------------------------------------------------------------


def test_what_has_left_cannot_be_called_off() -> None:
    departure = Departure()
    assert departure.leave()
    assert not departure.call_off()


def test_what_was_called_off_does_not_leave() -> None:
    departure = Departure()
    assert departure.call_off()
    assert not departure.leave()


def test_of_a_leaving_and_a_calling_off_at_once_one_wins() -> None:
    for _ in range(50):
        departure = Departure()
        said: dict[str, bool] = {}
        threads = [
            threading.Thread(target=lambda d=departure, s=said: s.update(left=d.leave())),
            threading.Thread(target=lambda d=departure, s=said: s.update(off=d.call_off())),
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert said["left"] is not said["off"]
