"""Money and amounts: exact decimals, from text, under one explicit context.

Invariants:
1. Sums and products are exact or they raise: the context traps `Inexact`.
2. Rounding happens only in the functions that carry it in their name.
3. The thread's default decimal context is never used.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
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

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
TEN_THOUSAND = Decimal(10_000)


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
    return _multiple(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value`."""
    return _multiple(value, step, ROUND_CEILING)


def share(whole: Decimal, part: Decimal, of: Decimal, step: Decimal) -> Decimal:
    """Return `whole * part / of` floored to `step`: a partial exit's share of the cost."""
    return floor_to(ROUNDED.divide(EXACT.multiply(whole, part), of), step)


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


def is_amount(value: Decimal) -> bool:
    """Say whether a figure is finite and above zero."""
    return value.is_finite() and value > 0


def _multiple(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    assert is_amount(step), f"Expected a positive step, was {step}"
    steps = ROUNDED.divide(value, step).to_integral_value(rounding=rounding)
    return EXACT.multiply(steps, step)
