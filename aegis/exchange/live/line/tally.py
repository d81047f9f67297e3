"""How calls fared, kind by kind, since somebody last asked. Never what was said in them."""

from __future__ import annotations

from aegis.exchange.live.calls import Answered, Call, Refused, Verdict
from aegis.vitals import CallFigures

DURATIONS_MAX = 10_000
"""Of one kind in one interval; what is beyond is counted, and its time left out."""


class Tally:
    """Counts until `take`."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def note(
        self, kind: type[Call], duration_s: float, verdict: Verdict, http_status: int | None
    ) -> None:
        """Count a call that left, and what came of it."""
        self._kinds.setdefault(kind.__name__, _Kind()).note(duration_s, verdict, http_status)

    def take(self) -> tuple[CallFigures, ...]:
        """Return the figures of each kind, by name, and begin anew."""
        kinds, self._kinds = self._kinds, {}
        return tuple(kind.figures(name) for name, kind in sorted(kinds.items()))


class _Kind:
    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.last_error = ""
        self.http_status: int | None = None
        self._durations_ms: list[int] = []

    def note(self, duration_s: float, verdict: Verdict, http_status: int | None) -> None:
        self.count += 1
        if len(self._durations_ms) < DURATIONS_MAX:
            self._durations_ms.append(round(duration_s * 1000))
        if not isinstance(verdict, Answered):
            self.failed += not isinstance(verdict, Refused)
            self.last_error, self.http_status = type(verdict).__name__, http_status

    def figures(self, name: str) -> CallFigures:
        ranked_ms = sorted(self._durations_ms)
        return CallFigures(
            call=name,
            count=self.count,
            failed=self.failed,
            ms_p50=_ranked(ranked_ms, 50),
            ms_p99=_ranked(ranked_ms, 99),
            ms_max=ranked_ms[-1],
            last_error=self.last_error,
            http_status=self.http_status,
        )


def _ranked(ranked: list[int], percent: int) -> int:
    """Return the least figure that so many per cent do not exceed (nearest rank)."""
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]
