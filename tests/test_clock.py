from __future__ import annotations

from decimal import Decimal

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from aegis.clock import (
    ManualClock,
    ScaledClock,
    SystemClock,
    draw_hex,
    fresh_seed,
    instant_of,
    seeded_random,
    text_of,
    wall_text,
)
from aegis.domain.ids import Instant

NEW_YEAR = Instant(1_704_067_200_000_000_000)
YEAR_9999 = 253_402_300_799_999_999_999


def test_an_instant_is_written_with_nine_decimals() -> None:
    assert text_of(NEW_YEAR) == "2024-01-01T00:00:00.000000000Z"


@given(st.integers(min_value=-(10**18), max_value=YEAR_9999))
def test_reading_what_was_written_gives_the_instant_back(nanos: int) -> None:
    assert instant_of(text_of(Instant(nanos))) == nanos


@given(st.integers(0, YEAR_9999), st.integers(0, YEAR_9999))
def test_texts_sort_as_their_instants_do(one: int, other: int) -> None:
    assert (text_of(Instant(one)) < text_of(Instant(other))) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T00:00:00Z",
        "2024-01-01 00:00:00.0Z",
        "2024-01-01t00:00:00.000000000z",
        "2024-01-01T02:30:00+02:30",
        "2023-12-31T19:00:00-05:00",
    ],
)
def test_every_spelling_of_an_instant_is_read(text: str) -> None:
    assert instant_of(text) == NEW_YEAR


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.0000000001Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00Z\n",
        "\u0662024-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected an instant such as"):
        instant_of(text)


def test_the_system_clock_stands_still_while_the_wall_is_set_back() -> None:
    clock = SystemClock()
    with freeze_time("2024-01-01T00:00:10Z") as wall:
        before = clock.now()
        wall.move_to("2024-01-01T00:00:00Z")
        assert clock.now() == before
        wall.move_to("2024-01-01T00:00:11Z")
        assert clock.now() == before + 1_000_000_000


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


def test_a_fresh_seed_is_a_new_one() -> None:
    assert fresh_seed() != fresh_seed()
