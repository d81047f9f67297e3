"""The exchange's clock, as its answers' headers show it.

A header tells whole seconds, and its answer lay between a sending and a hearing: so each answer
bounds by how much the exchange's clock is ahead of our monotonic one, and all bounds together
are narrower than any. The wall has no part in it: it may be set while we measure.

Invariants:
1. The bounds hold what is so, as long as both clocks run within `DRIFT` of each other and the
   exchange's does not jump; where bounds contradict each other, one did, and the newest counts.
2. Nothing is claimed of a clock that was not measured.
"""

from __future__ import annotations

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.ports import Clock

DRIFT = 0.0002
"""Of a second, each second: crystals stay within half of it, and there are two."""

NANOS_PER_MS = 1_000_000


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far the exchange's clock is ahead, in nanoseconds, as measured at `at_s`."""

    least: int
    most: int
    at_s: float


def bounds_of(server_at: Instant, sent_s: float, heard_s: float) -> Bounds:
    """Return what one answer says of the exchange's clock beside the monotonic one.

    `server_at` is its header: some instant of that second lay between sending and hearing.
    """
    return Bounds(
        least=server_at - _nanos(heard_s),
        most=server_at + NANOS_PER_SECOND - _nanos(sent_s),
        at_s=heard_s,
    )


def narrowed(known: Bounds | None, new: Bounds) -> Bounds:
    """Return what both say; the new alone where they contradict each other."""
    if known is None:
        return new
    drift = _nanos(max(new.at_s - known.at_s, 0.0) * DRIFT)
    least, most = max(known.least - drift, new.least), min(known.most + drift, new.most)
    return Bounds(least=least, most=most, at_s=new.at_s) if least <= most else new


class ServerClock:
    """`margin_s` is how far the two clocks may be apart for entries; any thread may ask."""

    def __init__(self, clock: Clock, *, margin_s: float) -> None:
        self._clock = clock
        self._margin_ns = _nanos(margin_s)
        self._bounds: Bounds | None = None

    def see(self, server_at: Instant, sent_s: float, heard_s: float) -> None:
        """Take an answer's header; the seconds are the monotonic clock's. One thread at a time."""
        self._bounds = narrowed(self._bounds, bounds_of(server_at, sent_s, heard_s))

    def now(self) -> Instant:
        """Return the exchange's time, as good as it is known; ours where it was not measured."""
        bounds = self._bounds
        if bounds is None:
            return self._clock.now()
        return Instant((bounds.least + bounds.most) // 2 + _nanos(self._clock.monotonic()))

    def now_ms(self) -> int:
        """Return the same in milliseconds: what a request gives as its time."""
        return self.now() // NANOS_PER_MS

    def offset_s(self) -> float | None:
        """Return by how many seconds its clock is ahead of ours; None before the first answer."""
        if self._bounds is None:
            return None
        return (self.now() - self._clock.now()) / NANOS_PER_SECOND

    def hold(self) -> str | None:
        """Return why entries must wait, None where the clocks may well agree."""
        bounds = self._bounds
        if bounds is None:
            return "the exchange's clock was not measured yet"
        ours = self._clock.now() - _nanos(self._clock.monotonic())
        least, most = bounds.least - ours, bounds.most - ours
        if least <= self._margin_ns and most >= -self._margin_ns:
            return None
        apart_s = (least if least > 0 else -most) / NANOS_PER_SECOND
        where = "ahead of" if least > 0 else "behind"
        margin_s = self._margin_ns / NANOS_PER_SECOND
        return (
            f"the exchange's clock is {apart_s:.1f} s {where} ours, expected at most {margin_s:g} s"
        )


def _nanos(seconds: float) -> int:
    return round(seconds * NANOS_PER_SECOND)
