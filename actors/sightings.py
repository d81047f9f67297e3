"""Since when each difference has been seen, so that nothing is judged on one look.

Pure but for its memory; seconds are real ones, since any instant, that never go back.

Invariants:
1. A look that does not show a difference forgets it: what comes and goes is never old.
2. What nobody looked for, for a while, is not taken for what was seen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from aegis.domain.findings import Finding

SECOND_LOOK_AFTER_S = 1.0

UNWATCHED_S_MAX = 120.0
"""Two of the looks for others on a live account; after a longer gap, sightings begin anew."""


class Sightings:
    """Of all looks, whichever run they were of. `lag_s` is how far reads may lag behind."""

    def __init__(self, lag_s: float) -> None:
        self._lag_s = lag_s
        self._since: dict[tuple[str, ...], float] = {}
        self._looked_s = -inf

    def see(self, findings: Sequence[Finding], now_s: float) -> None:
        """Take what a look shows."""
        known = self._since if now_s - self._looked_s <= UNWATCHED_S_MAX else {}
        self._since = {each.key: known.get(each.key, now_s) for each in findings}
        self._looked_s = now_s

    def due_s(self, findings: Sequence[Finding], now_s: float) -> float:
        """Return how long until all of what the last look showed has been seen for long enough."""
        return max((self._left_s(each, now_s) for each in findings), default=0.0)

    def settled(self, findings: Sequence[Finding], now_s: float) -> tuple[Finding, ...]:
        """Return what has been seen for long enough: no lag shows it, and no moment."""
        return tuple(each for each in findings if self._left_s(each, now_s) <= 0)

    def _left_s(self, finding: Finding, now_s: float) -> float:
        """Return for how long it has to be seen yet; what the exchange told needs no lag."""
        lag_s = 0.0 if finding.is_told else self._lag_s
        return max(SECOND_LOOK_AFTER_S, lag_s) - (now_s - self._since[finding.key])
