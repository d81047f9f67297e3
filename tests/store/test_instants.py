from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.ids import Instant
from aegis.domain.instants import instant_of, text_of

INSTANTS = st.integers(min_value=0, max_value=253_000_000_000 * 10**9)


@given(INSTANTS)
def test_an_instant_is_read_back_to_the_nanosecond(value: int) -> None:
    assert instant_of(text_of(Instant(value))) == value


@given(INSTANTS, INSTANTS)
def test_texts_sort_as_their_instants(one: int, other: int) -> None:
    assert (text_of(Instant(one)) < text_of(Instant(other))) == (one < other)


def test_an_instant_has_nine_digits_and_a_z() -> None:
    assert text_of(Instant(1_700_000_000_000_000_001)) == "2023-11-14T22:13:20.000000001Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-11-14",
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:20.000000001",
        "2023-11-14T22:13:20.000000001+00:00",
        "2023-11-14 22:13:20.000000001Z",
        "2023-11-14T22:13:20.00000000\u0661Z",
        "2023-11-31T22:13:20.000000001Z",
        "1969-12-31T23:59:59.000000001Z",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  datetime's own words vary
        instant_of(text)


def test_an_instant_before_1970_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        text_of(Instant(-1))
