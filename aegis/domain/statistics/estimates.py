"""What is estimated from samples: the interval of a mean, and returns weighed by their spread.

All is reckoned in decimals rounded to 34 digits at each step: these are estimates, not money.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from aegis.domain.money import ROUNDED, ZERO

TRADES_FOR_INTERVAL_MIN = 30
"""Below it the mean of skewed trades is not yet near a normal law, and the interval would lie;
the usual rule of thumb for the central limit theorem."""

DAYS_FOR_RATIOS_MIN = 2
"""A spread needs two values."""

DAYS_A_YEAR = Decimal(365)
"""These markets never close."""

_Z = Decimal("1.959963984540054235524594430520551528")
"""The 97.5 % quantile of the normal law."""

_SPREAD_MIN = Decimal("1E-24")
"""A smaller spread of returns is what rounding leaves of none."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Where the mean lies in 95 of 100 samples like this one."""

    low: Decimal
    high: Decimal


def interval_of_mean(values: Sequence[Decimal]) -> Interval | None:
    """Return Student's 95 % interval of a mean: mean +- t(0.975, n - 1) s / sqrt(n).

    s is the sample's standard deviation, with n - 1. None below `TRADES_FOR_INTERVAL_MIN` values.
    Student, The probable error of a mean, Biometrika 6, 1908. The values are taken as independent.
    """
    if len(values) < TRADES_FOR_INTERVAL_MIN:
        return None
    count = Decimal(len(values))
    mean = _mean(values)
    error = ROUNDED.divide(_deviation(values), ROUNDED.sqrt(count))
    half = ROUNDED.multiply(t_quantile(len(values) - 1), error)
    return Interval(low=ROUNDED.subtract(mean, half), high=ROUNDED.add(mean, half))


def t_quantile(freedom: int) -> Decimal:
    """Return the 97.5 % quantile of Student's t, by its series in the normal quantile.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5. Off by less than 1e-7 from
    29 degrees of freedom on, and never used below.
    """
    terms = (
        (4, (1, 1)),
        (96, (3, 16, 5)),
        (384, (-15, 17, 19, 3)),
        (92_160, (-945, -1920, 1482, 776, 79)),
    )
    square, result, power = ROUNDED.multiply(_Z, _Z), _Z, Decimal(1)
    for divisor, coefficients in terms:
        power = ROUNDED.multiply(power, Decimal(freedom))
        odd = ZERO
        for coefficient in reversed(coefficients):
            odd = ROUNDED.add(ROUNDED.multiply(odd, square), Decimal(coefficient))
        term = ROUNDED.multiply(odd, _Z)
        result = ROUNDED.add(
            result, ROUNDED.divide(term, ROUNDED.multiply(Decimal(divisor), power))
        )
    return result


def sharpe(returns: Sequence[Decimal]) -> Decimal | None:
    """Return mean / standard deviation (n - 1) of daily returns, times sqrt(365).

    The rate without risk is taken as zero. None below two days, or where nothing ever changed.
    W. Sharpe, The Sharpe ratio, Journal of Portfolio Management 21, 1994.
    """
    if len(returns) < DAYS_FOR_RATIOS_MIN:
        return None
    return _annual(_mean(returns), _deviation(returns))


def sortino(returns: Sequence[Decimal]) -> Decimal | None:
    """Return mean / downside deviation of daily returns, times sqrt(365).

    Downside deviation = sqrt(sum of min(r, 0)^2 / n), over all n days; the target is zero. None
    below two days, or without a day of loss. F. Sortino, L. Price, Performance measurement in a
    downside risk framework, Journal of Investing 3, 1994.
    """
    if len(returns) < DAYS_FOR_RATIOS_MIN:
        return None
    squares = _sum([_square(min(each, ZERO)) for each in returns])
    downside = ROUNDED.sqrt(ROUNDED.divide(squares, Decimal(len(returns))))
    return _annual(_mean(returns), downside)


def _annual(mean: Decimal, spread: Decimal) -> Decimal | None:
    if spread < _SPREAD_MIN:
        return None
    return ROUNDED.multiply(ROUNDED.divide(mean, spread), ROUNDED.sqrt(DAYS_A_YEAR))


def _deviation(values: Sequence[Decimal]) -> Decimal:
    mean = _mean(values)
    squares = _sum([_square(ROUNDED.subtract(each, mean)) for each in values])
    return ROUNDED.sqrt(ROUNDED.divide(squares, Decimal(len(values) - 1)))


def _mean(values: Sequence[Decimal]) -> Decimal:
    return ROUNDED.divide(_sum(values), Decimal(len(values)))


def _sum(values: Sequence[Decimal]) -> Decimal:
    result = ZERO
    for value in values:
        result = ROUNDED.add(result, value)
    return result


def _square(value: Decimal) -> Decimal:
    return ROUNDED.multiply(value, value)
