"""Money and amounts: exact decimals, from text, under one explicit context.

Invariants:
1. Sums and products are exact or they raise: the context traps `Inexact`.
2. Rounding happens only in the functions that carry it in their name.
3. The thread's default decimal context is never used.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

_TRAPS = [InvalidOperation, DivisionByZero, Overflow]
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[*_TRAPS, Inexact])
ROUNDED = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=_TRAPS)

_WRITTEN = frozenset("0123456789.+-eE")

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
TEN_THOUSAND = Decimal(10_000)

FIGURE_DIGITS_MAX = 18
"""Digits that a figure from outside may have before its point, and after it two more than that:
the product of two such figures is exact within EXACT's 80 digits, and so are sums of them."""

FIGURE_DECIMALS_MAX = 20
FIGURE_LENGTH = (
    f"at most {FIGURE_DIGITS_MAX} digits before the point and {FIGURE_DECIMALS_MAX} after"
)
"""What `is_figure` asks for, in words for a person."""

FEE_DECIMALS_MAX = 40
"""A fee may be a product already; it is only added up, or multiplied by one price."""


def plus(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact sum."""
    return EXACT.add(left, right)


def minus(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact difference."""
    return EXACT.subtract(left, right)


def times(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact product."""
    return EXACT.multiply(left, right)


def negative(value: Decimal) -> Decimal:
    """Return the value with its sign turned, exactly."""
    return EXACT.minus(value)


def distance(left: Decimal, right: Decimal) -> Decimal:
    """Return how far two figures are apart, exactly; never below zero."""
    return EXACT.abs(EXACT.subtract(left, right))


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of any number of values; zero of none."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Return part / whole rounded to 34 digits, half to even; for rates and means, not money."""
    return ROUNDED.divide(part, whole)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`."""
    assert is_amount(step), f"Expected a positive step, was {step}"
    return EXACT.multiply(_whole_steps(value, step, rounds_up=False), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value`."""
    assert is_amount(step), f"Expected a positive step, was {step}"
    return EXACT.multiply(_whole_steps(value, step, rounds_up=True), step)


def share(whole: Decimal, part: Decimal, of: Decimal, step: Decimal) -> Decimal:
    """Return `whole * part / of` floored to `step`: a partial exit's share of the cost."""
    assert is_amount(of), f"Expected a positive whole, was {of}"
    assert is_amount(step), f"Expected a positive step, was {step}"
    steps = _whole_steps(EXACT.multiply(whole, part), EXACT.multiply(of, step), rounds_up=False)
    return EXACT.multiply(steps, step)


def percent_of(value: Decimal, percent: Decimal) -> Decimal:
    """Return `percent` per cent of a value, exactly."""
    return EXACT.multiply(value, EXACT.scaleb(percent, Decimal(-2)))


def bps_of(value: Decimal, bps: Decimal) -> Decimal:
    """Return `bps` basis points (hundredths of a per cent) of a value, exactly."""
    return EXACT.multiply(value, EXACT.scaleb(bps, Decimal(-4)))


def text(value: Decimal) -> str:
    """Return the one way a figure is written: plain digits, no exponent, no trailing zeros."""
    if value == 0:
        return "0"
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def written_figure(written: str) -> Decimal | None:
    """Return the figure that a person wrote, or None where it is none; blanks around it are free.

    `Decimal` itself takes more than people write: 1_0 for ten, the digits of every script, NaN.
    """
    stripped = written.strip()
    if not _WRITTEN.issuperset(stripped):
        return None
    try:
        return Decimal(stripped, EXACT)
    except InvalidOperation:  # "1.2.3", or an exponent beyond all measure
        return None


def text_of_written(figure: str) -> str:
    """Return `text(Decimal(figure))`, without reckoning where plain digits are written.

    A third of the time: a look at ten thousand positions asks for it two hundred thousand times.
    """
    whole, point, decimals = figure.partition(".")
    is_whole = whole == "0" or (whole.isdecimal() and whole[0] != "0")
    if not (is_whole and figure.isascii() and (decimals.isdecimal() or not point)):
        return text(Decimal(figure))
    return figure.rstrip("0").rstrip(".") if point else figure


def is_amount(value: Decimal) -> bool:
    """Say whether a figure is finite and above zero."""
    return value.is_finite() and value > 0


def is_figure(value: Decimal, decimals_max: int = FIGURE_DECIMALS_MAX) -> bool:
    """Say whether a figure from outside can be reckoned with: finite, and not of absurd length."""
    if not value.is_finite():
        return False
    written = str(value)
    if len(written) <= FIGURE_DIGITS_MAX <= decimals_max and "E" not in written:
        return True  # as nearly all are: a fifth of the time, since no digit becomes an object
    exponent = value.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent >= -decimals_max
    return is_short and value.adjusted() < FIGURE_DIGITS_MAX


def _whole_steps(value: Decimal, step: Decimal, *, rounds_up: bool) -> Decimal:
    """Return how often `step` goes into `value`, by division with remainder: never a digit off."""
    quotient, rest = EXACT.divmod(value, step)
    if rest > 0 and rounds_up:
        return EXACT.add(quotient, ONE)
    if rest < 0 and not rounds_up:
        return EXACT.subtract(quotient, ONE)
    return quotient
