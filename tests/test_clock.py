from __future__ import annotations

import time
from decimal import Decimal

import pytest
from freezegun import freeze_time

from aegis.clock import (
    ManualClock,
    ScaledClock,
    SystemClock,
    draw_hex,
    seeded_random,
    wall_text,
)
from aegis.domain.ids import Instant

NEW_YEAR = Instant(1_704_067_200_000_000_000)


S = 1_000_000_000


def test_a_clock_never_steps_back_and_goes_half_as_fast_until_the_wall_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall, passed = NEW_YEAR, 500 * S
    monkeypatch.setattr(time, "time_ns", lambda: wall)
    monkeypatch.setattr(time, "monotonic_ns", lambda: passed)
    clock = SystemClock()
    assert clock.now() == NEW_YEAR
    wall = Instant(NEW_YEAR - 10 * S)
    assert clock.now() == NEW_YEAR
    for seconds, told_s in ((4, 2), (8, 4), (20, 10), (23, 13)):
        wall, passed = Instant(NEW_YEAR + (seconds - 10) * S), (500 + seconds) * S
        assert clock.now() == NEW_YEAR + told_s * S


def test_a_clock_that_was_ahead_when_the_last_life_ended_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = 0
    monkeypatch.setattr(time, "time_ns", lambda: NEW_YEAR)
    monkeypatch.setattr(time, "monotonic_ns", lambda: passed)
    clock = SystemClock(not_before=NEW_YEAR + 60 * S)
    passed = 10 * S
    assert clock.now() == NEW_YEAR + 65 * S


def test_a_scaled_clock_runs_as_fast_as_it_is_told() -> None:
    with freeze_time("2024-01-01T00:00:00Z") as wall:
        clock = ScaledClock(NEW_YEAR, Decimal(600))
        wall.tick(0.5)
        assert clock.now() == NEW_YEAR + 300 * 1_000_000_000
        assert clock.real_s(60) == pytest.approx(0.1)


@pytest.mark.parametrize("speed", [0, -1, Decimal("NaN"), Decimal("Infinity"), float("nan")])
def test_a_speed_that_leads_nowhere_is_refused(speed: Decimal | float) -> None:
    with pytest.raises(ValueError, match="Expected a finite speed above 0"):
        ScaledClock(NEW_YEAR, speed)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(NEW_YEAR)
    assert (clock.now(), clock.monotonic()) == (NEW_YEAR, 0)
    clock.advance_to(Instant(NEW_YEAR + 1_500_000_000))
    assert (clock.now() - NEW_YEAR, clock.monotonic()) == (1_500_000_000, 1.5)


def test_a_manual_clock_never_steps_back() -> None:
    clock = ManualClock(NEW_YEAR)
    with pytest.raises(AssertionError, match="or later"):
        clock.advance_to(Instant(NEW_YEAR - 1))


def test_log_lines_carry_milliseconds() -> None:
    with freeze_time("2024-01-01T00:00:00.123456Z"):
        assert wall_text() == "2024-01-01T00:00:00.123Z"


def test_equal_seeds_give_equal_choices() -> None:
    assert seeded_random(7).random() == seeded_random(7).random()
    assert seeded_random(7).random() != seeded_random(8).random()


@pytest.mark.parametrize("length", [0, 1, 7, 32])
def test_drawn_hex_has_the_length_asked_for(length: int) -> None:
    drawn = draw_hex(length)
    assert len(drawn) == length
    assert set(drawn) <= set("0123456789abcdef")
