"""Dates and times as people write them, always UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_YEAR = 9998
RANGE = f"from {EPOCH.year} to {LAST_YEAR}"

_SHAPE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?", re.ASCII)


def seconds_of(text: str) -> int:
    """Return the seconds since 1970 of a date, or of a time to the second; `ValueError`.

    Weeks, days of the year, other digits and zones are refused: who writes them may well mean
    another moment than the one that would be read.
    """
    if _SHAPE.fullmatch(text) is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if not EPOCH.year <= moment.year <= LAST_YEAR:
        raise ValueError(text)
    return (moment - EPOCH) // timedelta(seconds=1)
