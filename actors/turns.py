"""Whose reconciliation comes next: people's before all others, and one for all who want the same.

Pure but for its memory. It knows who waits, and nothing of what a run does.

Invariants:
1. Who waits for a run is told of one that began after they asked.
2. What nobody waits for is asked once, however often it is wanted meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis.messages import ReconcileNow

AT_START = ReconcileNow(trigger="start")

WATCH = ReconcileNow(trigger="watch")
"""A look that leaves no word unless it sees what the last run has not told."""


class Turns:
    """`under_way` are those whom the present run is for; the first of them says what it is."""

    def __init__(self, first: ReconcileNow) -> None:
        self.under_way: tuple[ReconcileNow, ...] = ()
        self._queue = [first]
        self._does_all = False  # the present run what nobody waits for and was asked before

    @property
    def is_somebody_waiting(self) -> bool:
        """Whether a person waits for a run that has not begun."""
        return any(each.reply_to is not None for each in self._queue)

    def put(self, message: ReconcileNow) -> None:
        """Take what is asked for; of what nobody waits for, one is enough."""
        if message.reply_to is not None:
            self._line_up(message)
            return
        self._does_all = False
        is_looking = message == WATCH and self.under_way
        if not is_looking and not any(each.reply_to is None for each in self._queue):
            self._line_up(message)

    def begin(self) -> bool:
        """Let the next run be the one under way; say whether there is any."""
        if not self._queue:
            self.under_way = ()
            return False
        first, *rest = self._queue
        alike = [each for each in rest if _is_one(first, each)]
        self._queue = [each for each in rest if each not in alike]
        self.under_way = (first, *alike)
        self._does_all = not first.is_dry_run
        return True

    def finish(self) -> None:
        """Take that the run under way was done to its end: others that it did for do not come."""
        if self._does_all:
            kept = [each for each in self._queue if each.reply_to is not None or each == AT_START]
            self._queue = kept

    def give_way(self) -> None:
        """Put the run under way back."""
        self._line_up(*self.under_way)

    def let_go(self, is_told: Callable[[ReconcileNow], bool]) -> bool:
        """Wait no more for whom `is_told` has told so; say whether the run is for anybody yet."""
        self._queue = [each for each in self._queue if not is_told(each)]
        left = tuple(each for each in self.under_way if not is_told(each))
        self.under_way = left or self.under_way
        return bool(left)

    def _line_up(self, *messages: ReconcileNow) -> None:
        """Let some wait: people before what nobody waits for, and else in the order of asking."""
        self._queue = sorted((*self._queue, *messages), key=lambda each: each.reply_to is None)


def _is_one(one: ReconcileNow, other: ReconcileNow) -> bool:
    """Say whether one run tells two people what they want to know."""
    are_people = one.reply_to is not None and other.reply_to is not None
    return are_people and (one.is_dry_run, one.trigger) == (other.is_dry_run, other.trigger)
