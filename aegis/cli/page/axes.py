"""Axes: round values and round instants, and where they lie.

Pure. Figures become floats for a picture, and nowhere else: it has a pixel of precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.instants import instant_of, text_of

WIDTH = 1000
"""Units across a plot, whatever its width on the screen."""

TICKS_ACROSS, TICKS_UP = 5, 5

ROOM = 0.08
"""The share of its height that a plot has to spare above and below."""

DAY_S = 86_400
STEPS_S = (
    *(60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800),
    *(DAY_S, 2 * DAY_S, 4 * DAY_S, 7 * DAY_S, 14 * DAY_S),
)
"""What may lie between two ticks of a time axis; a longer time has its ticks at months."""

STRIDES = (1, 2, 3, 6, 12, 24, 60, 120, 600, 1_200)
"""Months that may lie between two ticks; as many as an instant's years need."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """From values to pixels down a plot, and the values at its ticks."""

    low: float
    high: float
    height: int
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], height: int, *, is_from_zero: bool = False) -> Scale:
        """Return a scale with room for values and a little to spare.

        Nothing is spared beyond a zero that the picture begins at (`is_from_zero`).
        """
        given = [*values, 0.0] if is_from_zero else values
        low, high = min(given), max(given)
        if low == high:
            spare = abs(low) * 0.01 or 1.0
            low, high = low - spare, high + spare
        room = (high - low) * ROOM
        low = low if is_from_zero and low == 0 else low - room
        high = high if is_from_zero and high == 0 else high + room
        return cls(low=low, high=high, height=height, ticks=ticks(low, high))

    def down(self, value: float) -> float:
        """Return how many pixels from the top a value lies."""
        return (self.high - value) / (self.high - self.low) * self.height


def across(at: int, begin: int, end: int) -> float:
    """Return where an instant lies across a plot."""
    return WIDTH * (at - begin) / max(1, end - begin)


def nice_step(span: float, count: int) -> float:
    """Return 1, 2 or 5 times a power of ten, so that a span has at most `count` of it."""
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Return the round values in a range."""
    step = nice_step(high - low, TICKS_UP)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(number * step for number in range(first, last + 1))


def tick_texts(values: Sequence[float]) -> list[str]:
    """Return ticks' values, with the digits that their step has."""
    step = values[1] - values[0] if len(values) > 1 else 1.0
    return [_tick_text(value, step) for value in values]


def _tick_text(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}") if value else "0"


def time_ticks(begin: Instant, end: Instant) -> list[tuple[Instant, str]]:
    """Return round instants in a time, each with a word for it."""
    seconds = (end - begin) / NANOS_PER_SECOND
    step_s = next((step for step in STEPS_S if seconds / step <= TICKS_ACROSS), None)
    if step_s is None:
        return _month_ticks(begin, end)
    step = step_s * NANOS_PER_SECOND
    rounds = (Instant(number * step) for number in range(-(-begin // step), end // step + 1))
    return [(at, _time_text(text_of(at))) for at in rounds]


def _month_ticks(begin: Instant, end: Instant) -> list[tuple[Instant, str]]:
    first, last = (_month_of(text_of(at)) for at in (begin, end))
    stride = next(each for each in STRIDES if (last - first) / each <= TICKS_ACROSS)
    told = []
    for number in range(first - first % stride, last + 1, stride):
        date = f"{number // 12}-{number % 12 + 1:02d}-01"
        at = instant_of(f"{date}T00:00:00.000000000Z")
        if begin <= at <= end:
            told.append((at, f"{MONTHS[number % 12]} {date[:4]}"))
    return told


def _month_of(written: str) -> int:
    return int(written[:4]) * 12 + int(written[5:7]) - 1


def _time_text(written: str) -> str:
    """Return the time of an instant, or its date at midnight."""
    return date_text(written) if written[11:16] == "00:00" else written[11:16]


def date_text(written: str) -> str:
    """Return the day of a date or an instant: 31 Jan."""
    return f"{int(written[8:10])} {MONTHS[int(written[5:7]) - 1]}"
