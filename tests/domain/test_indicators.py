"""Indicators against a plain reckoning."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.indicators import Ema

CENTS = st.lists(st.integers(1, 10**7), min_size=1, max_size=60)


@given(cents=CENTS, period=st.integers(1, 50))
def test_an_ema_is_what_its_formula_says_to_30_digits(cents: list[int], period: int) -> None:
    ema, plain, weight = Ema(period), Fraction(cents[0], 100), Fraction(2, period + 1)
    for number, value in enumerate(cents):
        if number:
            plain += (Fraction(value, 100) - plain) * weight
        found = Fraction(ema.add(Decimal(f"{value}E-2")))
        assert abs(found - plain) <= plain / 10**30


def test_an_ema_starts_at_its_first_value() -> None:
    ema = Ema(9)
    assert ema.value is None
    assert ema.add(Decimal("5.5")) == ema.value == Decimal("5.5")


def test_an_ema_of_a_few_values_by_hand() -> None:
    ema = Ema(3)
    assert [ema.add(Decimal(value)) for value in (2, 4, 8)] == [2, 3, Decimal("5.5")]


def test_an_ema_over_one_value_is_that_value() -> None:
    ema = Ema(1)
    assert [ema.add(Decimal(value)) for value in (2, 9, 4)] == [2, 9, 4]


def test_a_period_has_at_least_one_value() -> None:
    with pytest.raises(ValueError, match="period: expected a whole number from 1 to 5000, was 0"):
        Ema(0)
