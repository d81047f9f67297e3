"""Places in the log: at an event, or at a time."""

from __future__ import annotations

import msgspec


class Point(msgspec.Struct, frozen=True):
    """Somewhere in the log: an event's number, or a time in nanoseconds, if `is_time`."""

    value: int
    is_time: bool
