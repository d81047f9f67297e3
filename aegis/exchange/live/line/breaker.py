"""When a lane rests because nobody answers, and who tries whether somebody does again.

Closed: all may go. Open: only exits go, until a pause is over, and what its owner lets pass.
Half-open: the first who is not an entry goes; an answer closes it, silence opens it for longer.

Invariants:
1. An exit is never kept from going.
2. An entry goes only while it is closed: what probes is an exit, a cancel or a look.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf

from aegis.exchange.live.line.retry import Draw, pause_s

FAILURES_TO_OPEN = 5
PAUSE_S_FIRST = 1.0
PAUSE_S_MAX = 30.0


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class LaneBreaker:
    """One lane's; instants are seconds of the monotonic clock."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._failures = 0
        self._openings = 0
        self._until_s = 0.0

    @property
    def failures(self) -> int:
        """How many calls in a row were in vain."""
        return self._failures

    def state(self, now_s: float) -> BreakerState:
        if self._openings == 0:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self._until_s else BreakerState.HALF_OPEN

    def free_at(self, now_s: float, *, is_entry: bool, is_exit: bool) -> float:
        """Return when a call may go, `now_s` at the earliest; never is an infinite instant."""
        if self._openings == 0 or is_exit:
            return now_s
        return inf if is_entry else max(now_s, self._until_s)

    def hear(self, now_s: float, *, is_answer: bool) -> BreakerState | None:
        """Take what came of a call; return the state that it led to, where that is another."""
        before = self._openings
        if is_answer:
            self._failures = self._openings = 0
            return BreakerState.CLOSED if before else None
        self._failures += 1
        if self._failures < FAILURES_TO_OPEN:
            return None
        self._openings += 1
        rest_s = pause_s(self._openings, self._draw, first_s=PAUSE_S_FIRST, most_s=PAUSE_S_MAX)
        self._until_s = now_s + rest_s
        return None if before else BreakerState.OPEN
