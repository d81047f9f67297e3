"""The checks that every figure, instant and row from an exchange passes at the door. Pure.

A row that fails makes its whole answer unreadable: no data is never taken for zero, and a list
without its bad row would say that something is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from aegis.domain.candles import Candle, fault_of
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant
from aegis.domain.money import FIGURE_DECIMALS_MAX, is_amount, is_figure, written_figure

T = TypeVar("T")

NANOS_PER_MS = 1_000_000
FIRST = Instant(1_420_070_400 * NANOS_PER_SECOND)  # 2015
LAST = Instant(4_102_444_800 * NANOS_PER_SECOND)  # 2100
"""Outside of these an instant was in another unit, or nobody's."""

NAME_LENGTH_MAX = 64


class Misshapen(ValueError):  # noqa: N818  it reads as its sentence: the answer is misshapen
    """An answer that cannot be believed; the text names the field, never what it held."""


def decoded(data: msgspec.Raw | str, shape: msgspec.json.Decoder[T]) -> T:
    """Return JSON as a shape; figures are texts in it, so none has been a float.

    Its decoder is made when a module is loaded: lanes of several threads share it.
    """
    try:
        return shape.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        where = str(error).rpartition(" - at ")[2] if " - at " in str(error) else ""
        raise Misshapen(f"not of the expected shape {where}".strip()) from None


def figure(written: object, name: str, decimals_max: int = FIGURE_DECIMALS_MAX) -> Decimal:
    """Return a finite figure of believable length, from text."""
    value = written_figure(written) if isinstance(written, str) else None
    if value is None or not is_figure(value, decimals_max):
        raise Misshapen(f"{name} is no figure")
    return value


def amount(written: object, name: str) -> Decimal:
    """Return a figure above zero."""
    value = figure(written, name)
    if not is_amount(value):
        raise Misshapen(f"{name} is not above zero")
    return value


def zero_or_more(written: object, name: str) -> Decimal:
    """Return a figure that is not below zero."""
    value = figure(written, name)
    if value < 0:
        raise Misshapen(f"{name} is below zero")
    return value


def instant_of_ms(ms: int, name: str) -> Instant:
    """Return an instant that was told in milliseconds."""
    return instant_of_ns(ms * NANOS_PER_MS, name)


def instant_of_ns(ns: int | str, name: str) -> Instant:
    """Return an instant that was told in nanoseconds."""
    if isinstance(ns, str):
        if not (ns.isascii() and ns.isdecimal() and len(ns) <= len(str(LAST))):
            raise Misshapen(f"{name} is no instant")
        ns = int(ns)
    if not FIRST <= ns < LAST:
        raise Misshapen(f"{name} is no instant of our time")
    return Instant(ns)


def name_of(said: object, name: str) -> str:
    """Return a text that names something: an id, a coin, an instrument."""
    if not isinstance(said, str) or not 0 < len(said) <= NAME_LENGTH_MAX:
        raise Misshapen(f"{name} is no name")
    if " " in said or not said.isprintable():
        raise Misshapen(f"{name} is no name")
    return said


def coin(said: object, name: str) -> Coin:
    """Return a coin's name."""
    return Coin(name_of(said, name))


def one_of(said: object, meanings: Mapping[str, T], name: str) -> T:
    """Return what a word of the exchange's means."""
    if not isinstance(said, str) or said not in meanings:
        raise Misshapen(f"{name} is none of {', '.join(meanings)}")
    return meanings[said]


def once(rows: Iterable[T], key: Callable[[T], object], name: str) -> tuple[T, ...]:
    """Return rows without their exact repeats; two that contradict each other are misshapen."""
    seen: dict[object, T] = {}
    for row in rows:
        if seen.setdefault(key(row), row) != row:
            raise Misshapen(f"two rows of one {name} differ")
    return tuple(seen.values())


def the_one(rows: Iterable[T], name: str) -> T:
    """Return the only row that there may be, which may be repeated."""
    found = once(rows, lambda _: None, name)
    if not found:
        raise Misshapen(f"no {name}")
    return found[0]


def believable(candle: Candle) -> Candle:
    """Return a candle whose figures fit each other, and that opens where its kind opens."""
    fault = fault_of(candle)
    if fault is not None:
        raise Misshapen(f"a candle's {fault.partition(',')[0]}")
    if candle.open_at % (candle.length_s * NANOS_PER_SECOND):
        raise Misshapen("a candle opens at an odd instant")
    return candle
