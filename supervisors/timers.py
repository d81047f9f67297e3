"""A heap of timers, in nanoseconds of whatever clock its runtime goes by.

Invariants:
1. What is due first comes first; of equals, what was started first.
2. Cancelled timers hold about half of the heap at most.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from aegis.domain.ids import NANOS_PER_SECOND

COMPACT_AT: Final = 64  # a small heap is not worth looking after


class HeapTimer:
    """One timer; `interval_ns` None means once."""

    __slots__ = ("_heap", "deliver", "interval_ns", "is_over")

    def __init__(
        self, heap: TimerHeap, deliver: Callable[[], None], interval_ns: int | None
    ) -> None:
        self._heap = heap
        self.deliver = deliver
        self.interval_ns = interval_ns
        self.is_over = False

    def cancel(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._heap.cancelled += 1


class TimerHeap:
    """Not safe between threads by itself, but for a timer's `cancel`, which only marks."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, HeapTimer]] = []
        self._serial = 0
        self.cancelled = 0  # about how many of the entries are over

    def push(self, due_ns: int, timer: HeapTimer) -> None:
        if self.cancelled > COMPACT_AT and self.cancelled * 2 > len(self._entries):
            self._compact()
        self._serial += 1
        heapq.heappush(self._entries, (due_ns, self._serial, timer))

    def next_due(self) -> int | None:
        """Return when the first living timer is due; None when there is none."""
        entries = self._entries
        while entries and entries[0][2].is_over:
            heapq.heappop(entries)
            self.cancelled -= 1
        return entries[0][0] if entries else None

    def pop(self) -> HeapTimer:
        """Take out the timer that `next_due` spoke of; one that repeats is put back by `push`."""
        _, _, timer = heapq.heappop(self._entries)
        timer.is_over = timer.interval_ns is None
        return timer

    def has_single_shots(self) -> bool:
        """Say whether any living timer fires once: something that comes to an end by itself."""
        return any(timer.interval_ns is None and not timer.is_over for _, _, timer in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _compact(self) -> None:
        self._entries = [entry for entry in self._entries if not entry[2].is_over]
        heapq.heapify(self._entries)
        self.cancelled = 0


def nanos(seconds: float) -> int:
    """Return a delay in nanoseconds; it may be zero, never negative or endless."""
    assert seconds >= 0, f"Expected a delay of 0 s or more, was {seconds}"
    return round(seconds * NANOS_PER_SECOND)
