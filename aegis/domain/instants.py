"""How an instant is written, and the day it lies in.

RFC 3339, UTC, always 30 characters, so that text sorts as time.

Invariants:
1. `instant_of(text_of(instant)) == instant`, to the nanosecond.
2. There is one way to write an instant; any other text is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from aegis.domain.ids import NANOS_PER_SECOND, Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_SECONDS_END = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _SECOND  # four digits of a year

_SECOND_AND_POINT, _NANOS, _ZONE = slice(20), slice(20, 29), slice(29, None)


def text_of(instant: Instant) -> str:
    """Return an instant as `2025-01-31T23:59:59.123456789Z`."""
    seconds, nanos = divmod(instant, NANOS_PER_SECOND)
    assert 0 <= seconds < _SECONDS_END, f"Expected an instant from 1970 to 9999, was {instant}"
    return f"{_second_text(seconds)}.{nanos:09d}Z"


def instant_of(text: str) -> Instant:
    """Return the instant that `text_of` wrote; `ValueError` on any other text."""
    nanos = text[_NANOS]
    if text[_ZONE] != "Z" or not (nanos.isdecimal() and nanos.isascii()):
        raise ValueError(f"Expected an instant as 2025-01-31T23:59:59.123456789Z, was {text!r}")
    return Instant(_second_of(text[_SECOND_AND_POINT]) + int(nanos))


def day_start(now: Instant, day_starts_at_s: int) -> Instant:
    """Return when the trading day that contains an instant began."""
    day_ns, offset_ns = 86_400 * NANOS_PER_SECOND, day_starts_at_s * NANOS_PER_SECOND
    return Instant((now - offset_ns) // day_ns * day_ns + offset_ns)


@lru_cache(maxsize=1024)  # events come many to a second
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


@lru_cache(maxsize=1024)
def _second_of(text: str) -> int:
    """Return when a second begins, of the one text that `text_of` makes of it up to its point."""
    moment = datetime.fromisoformat(text.removesuffix("."))
    seconds = (moment.replace(tzinfo=UTC) - _EPOCH) // _SECOND
    if not 0 <= seconds < _SECONDS_END or f"{_second_text(seconds)}." != text:
        raise ValueError(f"Expected a second as 2025-01-31T23:59:59., was {text!r}")
    return seconds * NANOS_PER_SECOND
