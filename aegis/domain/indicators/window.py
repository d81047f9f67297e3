"""The last few values, folded: their sum, their highest, their moments.

Two stacks instead of a subtraction (Tangwongsan, Hirzel, Schneider: Low-Latency Sliding-Window
Aggregation in Worst-Case Constant Time, DEBS 2017, section 2). Each value is joined at most
twice, so an update is O(1) amortised, works for what has no inverse, as a maximum, and never
keeps the rounding error of a value that has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

PERIOD_MAX = 5_000
"""As many candles as a strategy may ask for its warm-up."""

T = TypeVar("T")


def checked_period(period: int, least: int = 1) -> int:
    """Return a period; raises `ValueError` where it is not a whole number in range."""
    is_whole = isinstance(period, int) and not isinstance(period, bool)
    if not is_whole or not least <= period <= PERIOD_MAX:
        text = f"period: expected a whole number from {least} to {PERIOD_MAX}, was {period!r}"
        raise ValueError(text)
    return period


class Window(Generic[T]):
    """The fold of the last `period` values under an associative `join`."""

    def __init__(self, period: int, join: Callable[[T, T], T]) -> None:
        self._period = checked_period(period)
        self._join = join
        self._newer: list[T] = []
        self._newer_fold: T | None = None
        self._older: list[T] = []  # each folded with all that came after it, the eldest on top

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def add(self, value: T) -> T | None:
        """Take the next value; return the fold of the last `period`, None while they are fewer."""
        if len(self) == self._period:
            self._drop_eldest()
        self._newer.append(value)
        fold = self._newer_fold
        self._newer_fold = value if fold is None else self._join(fold, value)
        if len(self) < self._period:
            return None
        if not self._older:
            return self._newer_fold
        return self._join(self._older[-1], self._newer_fold)

    def _drop_eldest(self) -> None:
        if not self._older:
            while self._newer:
                value = self._newer.pop()
                self._older.append(self._join(value, self._older[-1]) if self._older else value)
            self._newer_fold = None
        self._older.pop()
