"""What is remembered of exits that are wanted: which was asked for, how often they failed.

Invariants:
1. An exit is asked for once, unless the store would not have it.
2. What failed is tried again after a pause that doubles, up to a bound. What a limit left unsold
   is no failure: the next exit goes at the next price.
"""

from __future__ import annotations

from aegis.domain.ids import NANOS_PER_SECOND, PositionId
from aegis.domain.leaving import retry_after_s
from aegis.domain.position import Position


class Pursuit:
    """By position; a crash forgets it, and at most an exit is tried a pause too early.

    `now_ns` is real nanoseconds since any instant, that never go back.
    """

    def __init__(self) -> None:
        self._asked: dict[PositionId, int] = {}  # the exit that was asked for, by its ordinal
        self._failures: dict[PositionId, tuple[int, int]] = {}  # how many, and not before

    def is_resting(self, position: Position, now_ns: int) -> bool:
        """Say whether the next exit has to wait, as one has failed."""
        _, not_before = self._failures.get(position.position_id, (0, 0))
        return now_ns < not_before

    def has_asked(self, position: Position, ordinal: int) -> bool:
        """Say whether that exit was asked for."""
        return self._asked.get(position.position_id) == ordinal

    def ask(self, position: Position, ordinal: int) -> None:
        """Take that an exit is asked for."""
        self._asked[position.position_id] = ordinal

    def refused(self, position: PositionId) -> None:
        """Take that the store would not have it."""
        self._asked.pop(position, None)

    def failed(self, position: PositionId, now_ns: int) -> tuple[int, int]:
        """Take that an exit failed; return how many did, and the pause in seconds."""
        failures = self._failures.get(position, (0, 0))[0] + 1
        pause_s = retry_after_s(failures)
        self._failures[position] = (failures, now_ns + pause_s * NANOS_PER_SECOND)
        return failures, pause_s

    def forget(self, position: PositionId) -> None:
        """Let go of a position that has ended."""
        self._failures.pop(position, None)
        self._asked.pop(position, None)
