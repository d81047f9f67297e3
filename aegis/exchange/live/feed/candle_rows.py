"""What an exchange's candles say: which are closed and right, and what of them is news. Pure.

Invariants:
1. A candle that its exchange has not closed by its own clock is none.
2. What comes out is in order of time, each open instant once, on the timeframe's own beats.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aegis.domain.candles import Candle, fault_of
from aegis.domain.ids import NANOS_PER_SECOND, Instant


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """The good candles of an answer, and what is wrong with the others."""

    candles: tuple[Candle, ...]
    faults: tuple[str, ...]


def closed_rows(
    answer: Iterable[Candle], *, since: Instant, closed_by: Instant, timeframe_s: int
) -> Rows:
    """Return the candles that open at or after `since` and are closed by an instant."""
    found: dict[Instant, Candle] = {}
    faults: list[str] = []
    for candle in answer:
        if candle.open_at < since or candle.close_at > closed_by:
            continue
        known = found.get(candle.open_at)
        fault = fault_of(candle) or _misplaced(candle, timeframe_s)
        if fault is not None:
            faults.append(fault)
        elif known is not None and known != candle:
            faults.append(f"expected one candle at {candle.open_at}, were two that differ")
        else:
            found[candle.open_at] = candle
    return Rows(candles=tuple(found[at] for at in sorted(found)), faults=tuple(faults))


def beat_before(instant: Instant, timeframe_s: int) -> Instant:
    """Return the last instant at or before one at which a candle opens, and the last one closes."""
    return Instant(instant - instant % (timeframe_s * NANOS_PER_SECOND))


def later(instant: Instant, candles: int, timeframe_s: int) -> Instant:
    """Return the instant so many candles later, or earlier where that is below zero."""
    return Instant(instant + candles * timeframe_s * NANOS_PER_SECOND)


def _misplaced(candle: Candle, timeframe_s: int) -> str | None:
    if candle.length_s != timeframe_s:
        return f"expected a candle of {timeframe_s} s, was {candle.length_s} s"
    if candle.open_at != beat_before(candle.open_at, timeframe_s):
        return f"expected a candle that opens on the beat of {timeframe_s} s, was {candle.open_at}"
    return None
