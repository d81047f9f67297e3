"""Estimates, held against the libraries that people trust for them."""

from __future__ import annotations

from decimal import Decimal

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aegis.domain.statistics.estimates import (
    TRADES_FOR_INTERVAL_MIN,
    interval_of_mean,
    sharpe,
    sortino,
    t_quantile,
)
from tests.domain.kit import decimals

RETURNS = st.lists(st.decimals("-0.03", "0.03", places=4), max_size=90)
PNLS = st.lists(
    st.decimals("-500", "900", places=8), min_size=TRADES_FOR_INTERVAL_MIN, max_size=200
)


@pytest.mark.parametrize("freedom", [29, 30, 41, 60, 100, 363, 1_063, 50_000])
def test_student_s_quantile_is_scipy_s(freedom: int) -> None:
    assert float(t_quantile(freedom)) == pytest.approx(stats.t.ppf(0.975, freedom), abs=1e-7)


@given(values=PNLS)
def test_the_interval_of_a_mean_is_scipy_s(values: list[Decimal]) -> None:
    interval = interval_of_mean(values)
    floats = np.array([float(value) for value in values])
    error = stats.sem(floats)
    assert interval is not None
    if error > 0:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=floats.mean(), scale=error)
        assert float(interval.low) == pytest.approx(low, rel=1e-7, abs=1e-7)
        assert float(interval.high) == pytest.approx(high, rel=1e-7, abs=1e-7)


def test_too_few_trades_have_no_interval() -> None:
    values = decimals(*range(TRADES_FOR_INTERVAL_MIN))
    assert interval_of_mean(values) is not None
    assert interval_of_mean(values[1:]) is None


def test_trades_that_are_all_alike_leave_no_doubt() -> None:
    interval = interval_of_mean(decimals("2.5") * TRADES_FOR_INTERVAL_MIN)
    assert interval is not None
    assert interval.low == interval.high == Decimal("2.5")


@given(returns=RETURNS)
def test_the_ratios_are_empyrical_s(returns: list[Decimal]) -> None:
    floats = np.array([float(each) for each in returns])
    for ours, theirs in (
        (sharpe(returns), empyrical.sharpe_ratio),
        (sortino(returns), empyrical.sortino_ratio),
    ):
        if ours is not None:
            expected = theirs(floats, annualization=365)
            assert float(ours) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_ratios_need_two_days() -> None:
    (one,) = decimals("0.01")
    assert sharpe([one]) is sortino([one]) is None
    assert sharpe(decimals("0.01", "0.02")) is not None


@pytest.mark.parametrize("figure", ["0", "0.01"])
def test_returns_without_a_spread_have_no_sharpe_ratio(figure: str) -> None:
    assert sharpe(decimals(figure) * 7) is None


def test_returns_without_a_loss_have_no_sortino_ratio() -> None:
    assert sortino(decimals("0", "0.01", "0.02")) is None
    assert sortino(decimals("0", "0.01", "-0.0001")) is not None
