"""What must be reached: DESIGN's figures for the store, as ratios of rates in one round.

A ratio is taken in each round, where both sides had the same disk and the same neighbours, and
the median of the rounds is what counts. So a ratio is not that of the rates beside it, each of
which is the median of its own rounds: where rounds differ much the two can point apart, and the row
is called noisy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles

import msgspec

from tests.bench.store.workload import Timing

MICROS = 1e6
MICROS_PER_MILLI = 1e3

SPREAD_MAX = 0.5
"""Past it the middle half of the rounds is wider than half of what they are said to come to."""


class Goal(msgspec.Struct, frozen=True):
    """One row's rate must be at least so much of another's; None where nothing is asked of it."""

    of: str
    to: str
    least: float | None = None


class Bound(msgspec.Struct, frozen=True):
    """One row's time must be at most so long."""

    of: str
    most_ms: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of a contender's rounds; times are of one event. `is_met` is None without a goal.

    `cpu_ratio` is what `ratio` would be if nobody waited for a disk, a lock or a neighbour.
    `spread` is of what the row is judged by, its ratio or else its rate: how wide the middle half
    of the rounds is, in parts of the median.
    """

    name: str
    rate: float
    wall_us: float
    cpu_us: float
    spread: float
    is_noisy: bool
    ratio: float | None = None
    cpu_ratio: float | None = None
    to: str = ""
    goal: str = ""
    is_met: bool | None = None


def rows_of(timings: Mapping[str, Sequence[Timing]], goals: Sequence[Goal | Bound]) -> list[Row]:
    """Return a row for each contender, and a further one for each further goal of the same."""
    rows = []
    for name, made in timings.items():
        plain = _plain(name, made)
        own = [_against(plain, goal, timings) for goal in goals if goal.of == name]
        rows.extend(own or [plain])
    return rows


def rate(timing: Timing) -> float:
    """Return events a second of wall time."""
    return timing.events / timing.wall_s


def spread_of(figures: Sequence[float]) -> float:
    """Return how wide the middle half of figures is, in parts of their median; 0 of one."""
    if len(figures) == 1:
        return 0.0
    low, middle, high = quantiles(figures, n=4, method="inclusive")
    return (high - low) / middle


def _plain(name: str, made: Sequence[Timing]) -> Row:
    rates = list(map(rate, made))
    spread = spread_of(rates)
    return Row(
        name=name,
        rate=median(rates),
        spread=spread,
        is_noisy=spread > SPREAD_MAX,
        wall_us=median(each.wall_s / each.events * MICROS for each in made),
        cpu_us=median(each.cpu_s / each.events * MICROS for each in made),
    )


def _against(row: Row, goal: Goal | Bound, timings: Mapping[str, Sequence[Timing]]) -> Row:
    if isinstance(goal, Bound):
        is_met = row.wall_us <= goal.most_ms * MICROS_PER_MILLI
        return msgspec.structs.replace(row, goal=f"{goal.most_ms:g} ms", is_met=is_met)
    pairs = list(zip(timings[goal.of], timings[goal.to], strict=True))
    ratios = [rate(ours) / rate(theirs) for ours, theirs in pairs]
    ratio, spread = median(ratios), spread_of(ratios)
    return msgspec.structs.replace(
        row,
        spread=spread,
        is_noisy=spread > SPREAD_MAX,
        ratio=ratio,
        cpu_ratio=median(_cpu_s(theirs) / _cpu_s(ours) for ours, theirs in pairs),
        to=goal.to,
        goal="" if goal.least is None else f"{goal.least:g}",
        is_met=None if goal.least is None else ratio >= goal.least,
    )


def _cpu_s(timing: Timing) -> float:
    return timing.cpu_s / timing.events
