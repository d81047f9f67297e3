"""What the store would not have, again and again: told when it is new, then ever more rarely.

A trade that fits nothing is seen at each look at its order. It is news once; said each second, it
would bury the log and have the books compared without end.
"""

from __future__ import annotations

import msgspec

from aegis.domain.commands import Refusal
from aegis.domain.ids import ClientOrderId

AGAIN_AFTER_S = 60.0
AGAIN_AFTER_S_MAX = 3600.0


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """The last word, after how many seconds it is told again, and when that is."""

    refusal: Refusal
    pause_s: float
    due_at: float


class Grievances:
    """By order; whoever ends is forgotten. Seconds are the monotonic clock's."""

    def __init__(self) -> None:
        self._told: dict[ClientOrderId, _Told] = {}

    def is_due(self, order_id: ClientOrderId, refusal: Refusal, now: float) -> bool:
        """Take a refusal; say whether it is to be told: it is new, or stands for long."""
        before = self._told.get(order_id)
        pause_s = AGAIN_AFTER_S
        if before is not None and before.refusal == refusal:
            if now < before.due_at:
                return False
            pause_s = min(2 * before.pause_s, AGAIN_AFTER_S_MAX)
        self._told[order_id] = _Told(refusal=refusal, pause_s=pause_s, due_at=now + pause_s)
        return True

    def forget(self, order_id: ClientOrderId) -> None:
        """Let go of an order that has ended, or of which there was news."""
        self._told.pop(order_id, None)
