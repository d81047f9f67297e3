"""The checks of what AEGIS stands on: the market's news, and the machine's clocks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instants import text_of
from aegis.domain.judgement import Judgement, judged

STEP_S_MAX = 5
"""Between two looks; a clock that is only disciplined drifts by less than 2 s in an hour."""


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine's two clocks said at one moment."""

    wall_ns: int
    monotonic_ns: int


def stale_symbols(silent: Sequence[Symbol], after_s: int) -> Judgement:
    """Flag symbols without news for over `after_s` real seconds."""
    faults = [f"no news for over {after_s} s: {', '.join(silent)}"] if silent else []
    return judged("data", faults)


def kept_back(hold: str | None) -> Judgement:
    """Flag what keeps entries from a real exchange."""
    return judged("exchange", [] if hold is None else [hold])


def untraded(unlisted: Sequence[Symbol], halted: Sequence[Symbol]) -> Judgement:
    """Flag symbols that an exchange does not trade: no order of theirs passes, exits neither."""
    faults = [f"not listed at the exchange: {', '.join(unlisted)}"] if unlisted else []
    faults += [f"halted at the exchange: {', '.join(halted)}"] if halted else []
    return judged("symbols", faults)


def stepped(before: Clocks, after: Clocks, last_event_at: Instant, now: Instant) -> Judgement:
    """Flag a wall clock that stepped since the look before, and a store ahead of its clock."""
    passed_ns = after.monotonic_ns - before.monotonic_ns
    step_s = abs(after.wall_ns - before.wall_ns - passed_ns) // NANOS_PER_SECOND
    faults = []
    if step_s > STEP_S_MAX:
        way = "back" if after.wall_ns - before.wall_ns < passed_ns else "ahead"
        faults.append(f"the wall clock stepped {way} by {step_s} s")
    if last_event_at - now > STEP_S_MAX * NANOS_PER_SECOND:
        faults.append(f"the store's last event is ahead of the clock: {text_of(last_event_at)}")
    return judged("clock", faults)
