"""Figures are exact or they raise, and rounding happens only where a name says so."""

from __future__ import annotations

from decimal import Decimal, Inexact, InvalidOperation
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.money import (
    FEE_DECIMALS_MAX,
    FIGURE_DECIMALS_MAX,
    FIGURE_DIGITS_MAX,
    bps_of,
    ceil_to,
    distance,
    floor_to,
    is_amount,
    is_figure,
    minus,
    negative,
    percent_of,
    plus,
    ratio,
    share,
    text,
    text_of_written,
    times,
    total,
    written_figure,
)


def figures(digits: int = 30) -> st.SearchStrategy[Decimal]:
    whole = st.integers(-(10**digits), 10**digits)
    return st.builds(lambda n, e: Decimal(f"{n}E-{e}"), whole, st.integers(0, 12))


def amounts(digits: int = 20) -> st.SearchStrategy[Decimal]:
    whole = st.integers(1, 10**digits)
    return st.builds(lambda n, e: Decimal(f"{n}E-{e}"), whole, st.integers(0, 12))


def test_the_context_of_these_tests_kills_whatever_reckons_under_it() -> None:
    with pytest.raises(Inexact):
        _ = Decimal("1.5") + Decimal(10)


@given(figures(), figures())
def test_sums_differences_and_products_are_exact(left: Decimal, right: Decimal) -> None:
    a, b = Fraction(left), Fraction(right)
    assert Fraction(plus(left, right)) == a + b
    assert Fraction(minus(left, right)) == a - b
    assert Fraction(times(left, right)) == a * b
    assert Fraction(distance(left, right)) == abs(a - b)
    assert Fraction(negative(left)) == -a


@given(st.lists(figures()))
def test_a_total_is_the_exact_sum_of_its_parts(values: list[Decimal]) -> None:
    assert Fraction(total(values)) == sum(map(Fraction, values))


def test_the_total_of_nothing_is_zero() -> None:
    assert total([]) == 0


@pytest.mark.parametrize("reckon", [plus, minus, times])
def test_a_result_that_does_not_fit_raises_instead_of_rounding(reckon: object) -> None:
    assert callable(reckon)
    with pytest.raises(Inexact):
        reckon(
            Decimal("1E+60") if reckon is not times else Decimal("1" * 60),
            Decimal("1" * 41 + "E-41"),
        )


def test_zero_divided_into_is_refused() -> None:
    with pytest.raises(InvalidOperation):
        ratio(Decimal(0), Decimal(0))


def test_a_ratio_is_rounded_to_34_digits_half_to_even() -> None:
    assert ratio(Decimal(1), Decimal(3)) == Decimal("0." + "3" * 34)
    assert ratio(Decimal(2), Decimal(3)) == Decimal("0." + "6" * 33 + "7")
    assert ratio(Decimal("1" + "0" * 33 + "5"), Decimal(1)) == Decimal("1" + "0" * 34)


@given(figures(), amounts(6))
def test_a_floor_is_the_largest_multiple_that_is_not_above(value: Decimal, step: Decimal) -> None:
    floor, grid = Fraction(floor_to(value, step)), Fraction(step)
    assert (floor / grid).denominator == 1
    assert floor <= Fraction(value) < floor + grid


@given(figures(), amounts(6))
def test_a_ceiling_is_the_smallest_multiple_that_is_not_below(
    value: Decimal, step: Decimal
) -> None:
    ceiling, grid = Fraction(ceil_to(value, step)), Fraction(step)
    assert (ceiling / grid).denominator == 1
    assert ceiling - grid < Fraction(value) <= ceiling


def test_a_floor_never_climbs_over_a_step_by_a_digit_too_many() -> None:
    just_below = Decimal("0." + "9" * 60)
    assert floor_to(just_below, Decimal(1)) == 0
    assert ceil_to(Decimal("1." + "0" * 60 + "1"), Decimal(1)) == 2


@pytest.mark.parametrize("step", ["0", "-0.1", "NaN", "Infinity"])
def test_a_step_that_is_no_amount_is_refused(step: str) -> None:
    with pytest.raises(AssertionError, match="Expected a positive step"):
        floor_to(Decimal(1), Decimal(step))


@given(amounts(12), amounts(8), amounts(8))
def test_a_share_is_floored_and_never_more_than_the_whole(
    whole: Decimal, part: Decimal, rest: Decimal
) -> None:
    of, step = plus(part, rest), Decimal("0.00000001")
    exact = Fraction(whole) * Fraction(part) / Fraction(of)
    taken = Fraction(share(whole, part, of, step))
    assert taken <= exact < taken + Fraction(step)
    assert taken <= Fraction(whole)


def test_the_whole_of_a_whole_is_all_of_it() -> None:
    assert share(Decimal("12.34"), Decimal(3), Decimal(3), Decimal("0.01")) == Decimal("12.34")


def test_per_cents_and_basis_points_are_exact() -> None:
    assert percent_of(Decimal("123.45"), Decimal("2.5")) == Decimal("3.08625")
    assert bps_of(Decimal(20000), Decimal("0.5")) == Decimal(1)


@given(figures())
def test_a_figure_reads_back_from_its_text(value: Decimal) -> None:
    assert Decimal(text(value)) == value
    assert "E" not in text(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1.500", "1.5"),
        ("1E+3", "1000"),
        ("0.000", "0"),
        ("-0", "0"),
        ("1E-9", "0.000000001"),
        ("100", "100"),
        ("-2.50", "-2.5"),
    ],
)
def test_a_figure_is_written_in_one_way(value: str, written: str) -> None:
    assert text(Decimal(value)) == written


@given(st.one_of(figures().map(str), st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,4})?", fullmatch=True)))
def test_a_figure_that_is_written_is_written_in_the_same_way(written: str) -> None:
    assert text_of_written(written) == text(Decimal(written))


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_and_above_zero_is_no_amount(value: str) -> None:
    assert not is_amount(Decimal(value))


def test_the_least_amount_is_one() -> None:
    assert is_amount(Decimal("1E-18"))


@pytest.mark.parametrize(
    "value", ["NaN", "sNaN", "Infinity", "1E+18", "1E-21", "1." + "0" * 21, "-1E+18"]
)
def test_an_absurd_figure_from_outside_is_none(value: str) -> None:
    assert not is_figure(Decimal(value))


@given(st.decimals(), st.sampled_from([0, 2, FIGURE_DECIMALS_MAX, FEE_DECIMALS_MAX]))
def test_a_figure_is_judged_by_its_digits_before_and_after_the_point(
    value: Decimal, decimals_max: int
) -> None:
    is_short = value.is_finite() and value.adjusted() < FIGURE_DIGITS_MAX
    exponent = value.as_tuple().exponent
    assert is_figure(value, decimals_max) == (
        is_short and isinstance(exponent, int) and exponent >= -decimals_max
    )


def test_the_longest_figures_from_outside_multiply_exactly() -> None:
    longest = Decimal("9" * FIGURE_DIGITS_MAX + "." + "9" * FIGURE_DECIMALS_MAX)
    assert is_figure(longest)
    product = times(longest, longest)
    assert Fraction(plus(product, product)) == 2 * Fraction(longest) ** 2


def test_a_fee_may_be_as_long_as_a_product_of_two_figures() -> None:
    fee = Decimal("0." + "0" * (FEE_DECIMALS_MAX - 1) + "1")
    assert is_figure(fee, FEE_DECIMALS_MAX)
    assert not is_figure(fee)


@pytest.mark.parametrize(
    ("written", "figure"),
    [("10", "10"), (" 0.50 ", "0.50"), ("+.5", "0.5"), ("5.", "5"), ("-1e3", "-1E+3"), ("0", "0")],
)
def test_a_figure_is_what_a_person_wrote(written: str, figure: str) -> None:
    assert str(written_figure(written)) == figure


@pytest.mark.parametrize(
    "written",
    [
        "1_0",
        "1_000.5",
        "_1",
        "1e1_0",
        "NaN",
        "Infinity",
        "\u0663",
        "1,5",
        "",
        ".",
        "1.2.3",
        "1e9999999999999999999",
    ],
)
def test_what_decimals_take_and_people_do_not_write_is_no_figure(written: str) -> None:
    assert written_figure(written) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_each_figure_that_is_written_plainly_is_read_back(value: Decimal) -> None:
    assert written_figure(text(value)) == value
