"""How many requests of one kind may leave, and when the next one may. Pure but for its memory.

Invariants:
1. In no window of `per_s` do more than `SHARE` of the published `calls` arrive, but always one may:
   what is on its way counts as arriving last when it was answered.
2. Requests that may not use the reserve leave room for those that may.
3. A life before this one may just have used up all there was, where that is soon made good.
"""

from __future__ import annotations

from collections import deque

from aegis.exchange.live.profile import Rate

SHARE = 0.8
"""Of the published limit: what leaves evenly arrives less evenly, and people use the key too."""

RESERVE = 0.25
"""Of our own share: room for exits, where a kind of request serves entries as well."""


FULL_AT_START_S_MAX = 2.0
"""A longer window is taken as empty at the start: an exit would wait too long for it."""


class Budget:
    """One kind of request, made one after another; instants are of the monotonic clock."""

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._most = max(1, int(rate.calls * SHARE))
        self._reserved = int(self._most * RESERVE)
        self._window_s = max(rate.per_s, rate.per_s * self._most / (rate.calls * SHARE))
        self._left: deque[float] = deque(maxlen=self._most)
        if self._window_s <= FULL_AT_START_S_MAX:
            self._left.extend([now_s] * self._most)

    def free_at(self, now_s: float, *, has_reserve: bool) -> float:
        """Return when a request may leave, `now_s` at the earliest."""
        may = self._most if has_reserve else self._most - self._reserved
        if len(self._left) < may:
            return now_s
        return max(now_s, self._left[-may] + self._window_s)

    def spend(self, now_s: float) -> None:
        """Count a request that leaves now."""
        self._left.append(now_s)

    def arrived(self, now_s: float) -> None:
        """Note that the one that left last has arrived by now."""
        self._left[-1] = now_s
