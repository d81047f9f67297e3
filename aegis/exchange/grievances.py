"""What goes wrong again and again: told when it is new, then ever more rarely.

A trade that fits nothing is seen at each look at its order. It is news once; said each second, it
would bury the log and have the books compared without end. So is the stop that each next exit
waits for, where those that went past it were refused.
"""

from __future__ import annotations

import msgspec

from aegis.domain.commands import RaiseAlarm, Refusal
from aegis.domain.ids import ClientOrderId

Word = Refusal | RaiseAlarm
"""What the store said of an order, or what people are told of it."""

AGAIN_AFTER_S = 60.0
AGAIN_AFTER_S_MAX = 3600.0


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """The last word, after how many seconds it is told again, and when that is."""

    word: Word
    pause_s: float
    due_at: float


class Grievances:
    """By order and kind of word; whoever ends is forgotten. Seconds are the monotonic clock's."""

    def __init__(self) -> None:
        self._told: dict[tuple[ClientOrderId, type[Word]], _Told] = {}

    def is_due(self, order_id: ClientOrderId, word: Word, now: float) -> bool:
        """Take a word; say whether it is to be told: it is new, or stands for long."""
        key = order_id, type(word)
        before = self._told.get(key)
        pause_s = AGAIN_AFTER_S
        if before is not None and before.word == word:
            if now < before.due_at:
                return False
            pause_s = min(2 * before.pause_s, AGAIN_AFTER_S_MAX)
        self._told[key] = _Told(word=word, pause_s=pause_s, due_at=now + pause_s)
        return True

    def forget(self, order_id: ClientOrderId) -> None:
        """Let go of an order that has ended, or of which there was news."""
        for kind in (Refusal, RaiseAlarm):
            self._told.pop((order_id, kind), None)
