"""Several files as one market: read together, and what a person should know of them.

Invariants:
1. Every fault of every file is told at once; one of them is enough for no candle at all.
2. Files that have no time in common are no fault, unless a hole between them is longer than one
   file may have. It is told, like data that end before the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instants import text_of
from aegis.exchange.replay import (
    GAP_S_MAX,
    SECONDS_PER_DAY,
    FileFormat,
    ReplayFaults,
    ReplayFile,
    read_candles,
)


def read_files(
    paths: Sequence[Path], symbols: Sequence[Symbol], form: FileFormat
) -> tuple[ReplayFile, ...]:
    """Return each symbol's file, or raise `ReplayFaults` with everything wrong in all of them."""
    files: list[ReplayFile] = []
    refused: list[ReplayFaults] = []
    for path, symbol in zip(paths, symbols, strict=True):
        try:
            files.append(read_candles(path, symbol, form))
        except ReplayFaults as faults:
            refused.append(faults)
    if not refused:
        refused = _holes_between(files)
    if refused:
        named = tuple(fault for each in refused for fault in each.faults)
        raise ReplayFaults(named, sum(each.count for each in refused))
    return tuple(files)


def remarks_of(files: Sequence[ReplayFile]) -> tuple[str, ...]:
    """Return what is no fault of the files, and yet not what most people mean."""
    ends_at = max(map(_end_of, files), default=Instant(0))
    apart = tuple(
        f"{after.symbol} has no candle before {_when(_begin_of(after))}, when all others' have "
        f"ended ({_when(ended_at)})"
        for ended_at, after in _in_turn(files)
        if ended_at <= _begin_of(after)
    )
    early = tuple(
        f"{file.symbol} has no candle after {_when(_end_of(file))}, the others go on until "
        f"{_when(ends_at)}; what is held of it then stays open"
        for file in files
        if _end_of(file) < ends_at
    )
    return apart + early


def _holes_between(files: Sequence[ReplayFile]) -> list[ReplayFaults]:
    """Return a fault for each file that begins too long after all others have ended."""
    faults = []
    for ended_at, after in _in_turn(files):
        hole_s = (_begin_of(after) - ended_at) // NANOS_PER_SECOND
        if hole_s > GAP_S_MAX:
            days = hole_s // SECONDS_PER_DAY
            expected = "expected candles within 31 days of the other files'"
            faults.append(ReplayFaults((f"{after.path}: {expected}, was a gap of {days} days",), 1))
    return faults


def _in_turn(files: Sequence[ReplayFile]) -> list[tuple[Instant, ReplayFile]]:
    """Return each file but the earliest, with the instant at which all before it have ended."""
    ordered = sorted(files, key=_begin_of)
    ended_at, found = Instant(0), []
    for before, after in pairwise(ordered):
        ended_at = max(ended_at, _end_of(before))
        found.append((ended_at, after))
    return found


def _begin_of(file: ReplayFile) -> Instant:
    return file.candles[0].open_at


def _end_of(file: ReplayFile) -> Instant:
    return file.candles[-1].close_at


def _when(instant: Instant) -> str:
    return f"{text_of(instant)[:16]}Z"
