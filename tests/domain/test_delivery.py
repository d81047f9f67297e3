"""What is sent as one, and when the next try is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.delivery import (
    ASKED_WAIT_S_MAX,
    BACKOFF_S_MAX,
    REASON_CHARS_MAX,
    REFUSED_S,
    Failure,
    Manners,
    NoAnswer,
    Notice,
    Refused,
    RetryAfter,
    next_try,
    parcel_of,
    parts_of,
    utf16_length,
)
from aegis.domain.ids import EventId, Instant

CHAT = Manners(deadline_s=10, interval_s=1, length_max=300, gather_from=4, page_max=100)
PLAIN = Manners(deadline_s=10)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=900)


def notice(event_id: int, text: str = "news") -> Notice:
    return Notice(EventId(event_id), "chat", text, 0, "PositionOpened", Instant(event_id), None)


def test_tries_without_an_answer_wait_twice_as_long_each_time_up_to_the_bound() -> None:
    waits = [next_try(NoAnswer("reset"), failures).delay_s for failures in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert next_try(NoAnswer("reset"), 10**6).delay_s == BACKOFF_S_MAX


def test_a_wait_that_was_asked_for_is_kept_to_and_remembered() -> None:
    step = next_try(RetryAfter(37), 1)
    assert (step.delay_s, step.is_asked, step.error) == (37, True, "asked to wait 37 s")


def test_who_is_asked_to_wait_again_and_again_backs_off_as_well() -> None:
    assert next_try(RetryAfter(1), 5).delay_s == 16


def test_nobody_makes_us_wait_for_ever() -> None:
    assert next_try(RetryAfter(10**9), 1).delay_s == ASKED_WAIT_S_MAX


def test_a_refusal_that_a_person_may_mend_is_tried_again_slowly_and_never_given_up() -> None:
    for failures in (1, 2, 1000):
        assert next_try(Refused("403 blocked"), failures).delay_s == REFUSED_S


def test_a_text_that_is_never_taken_is_given_up() -> None:
    assert next_try(Refused("message is empty", is_final=True), 1).delay_s is None


@pytest.mark.parametrize("failure", [Refused("x" * 999), NoAnswer("x" * 999)])
def test_a_reason_is_kept_short(failure: Failure) -> None:
    assert len(next_try(failure, 1).error) < REASON_CHARS_MAX + 20


def test_one_notice_goes_as_it_was_written() -> None:
    parcel = parcel_of([notice(1, "BTC_USDT *up*")], CHAT)
    assert [letter.text for letter in parcel.letters] == ["BTC_USDT *up*"]
    assert parcel.event_ids == (1,)


def test_a_few_notices_go_one_by_one() -> None:
    assert parcel_of([notice(n) for n in (1, 2, 3)], CHAT).event_ids == (1,)


def test_many_that_waited_go_as_one_that_says_so_with_the_time_of_each() -> None:
    waited = [notice(n * 10**9, f"news {n}") for n in (1, 2, 3, 4)]
    parcel = parcel_of(waited, CHAT)
    (letter,) = parcel.letters
    assert letter.text.splitlines() == [
        "4 notices that waited:",
        *(f"1970-01-01 00:00:0{n} news {n}" for n in (1, 2, 3, 4)),
    ]
    assert parcel.event_ids == tuple(each.event_id for each in waited)
    assert letter.event_id == 4 * 10**9


def test_a_channel_that_does_not_gather_hears_one_by_one() -> None:
    assert parcel_of([notice(n) for n in range(1, 50)], PLAIN).event_ids == (1,)


@given(st.lists(TEXTS, min_size=1, max_size=12))
def test_whatever_waits_each_letter_is_short_enough_and_holds_the_eldest(texts: list[str]) -> None:
    waiting = [notice(number, text) for number, text in enumerate(texts, start=1)]
    parcel = parcel_of(waiting, CHAT)
    assert all(1 <= utf16_length(letter.text) <= 300 for letter in parcel.letters)
    assert parcel.event_ids == tuple(range(1, len(parcel.event_ids) + 1))
    told = "".join(letter.text for letter in parcel.letters)
    assert all(each.text in told for each in waiting[: len(parcel.event_ids)])


@given(TEXTS, st.integers(2, 50))
def test_the_parts_of_a_text_are_short_and_are_the_text(text: str, length_max: int) -> None:
    parts = parts_of(text, length_max)
    assert "".join(parts) == text
    assert all(1 <= len(part.encode("utf-16-le")) // 2 <= length_max for part in parts)


def test_a_text_without_a_limit_stays_whole() -> None:
    assert parts_of("x" * 10_000, None) == ("x" * 10_000,)


def test_a_text_is_measured_as_messengers_do() -> None:
    assert utf16_length("a\u20ac\U0001f4c8") == 4
