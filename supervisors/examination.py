"""What the Diagnostician cannot see in the book: its files, the market's news, the clocks.

It only asks those who know, one after another, on the Diagnostician's worker; the judgement is
the domain's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from aegis.domain.ids import Symbol
from aegis.domain.judgement import Ask, Judgement
from aegis.domain.surroundings import Clocks, kept_back, stale_symbols, stepped, untraded
from aegis.store.inspection import Inspection
from aegis.vitals import ExchangeVitals
from supervisors.backing import Backing


class RealTime(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to ask where market time follows a real clock; nothing at speed 0.

    `heard_at` tells when each symbol was last heard, in the monotonic seconds of `monotonic`.
    """

    heard_at: Callable[[], Mapping[Symbol, float]]
    monotonic: Callable[[], float]
    stale_after_s: float
    read_clocks: Callable[[], Clocks]


def _none() -> None:
    """Stand for an exchange on paper, to which there is no way that could be ill."""


class Examination:
    """Used by one thread at a time; remembers the clocks from look to look."""

    def __init__(
        self,
        store: Inspection,
        real_time: RealTime | None,
        backing: Backing | None = None,
        exchange_vitals: Callable[[], ExchangeVitals | None] = _none,
    ) -> None:
        self._store = store
        self._backing = backing
        self._exchange_vitals = exchange_vitals
        self._real_time = real_time
        self._clocks = None if real_time is None else real_time.read_clocks()

    def look(self, ask: Ask) -> tuple[Judgement, ...]:
        """Return what store and surroundings look like now."""
        kept = () if self._backing is None else (self._backing.judge(ask.now),)
        return (*self._store.look(ask), *self._around(ask), *self._beyond(), *kept)

    def _beyond(self) -> tuple[Judgement, ...]:
        vitals = self._exchange_vitals()
        if vitals is None:
            return ()
        return (kept_back(vitals.hold), untraded(vitals.unlisted, vitals.halted))

    def _around(self, ask: Ask) -> tuple[Judgement, ...]:
        real_time, before = self._real_time, self._clocks
        if real_time is None or before is None:
            return ()
        self._clocks = real_time.read_clocks()
        last_at = self._store.instant_of(ask.last_event_id)
        return (
            stale_symbols(_silent(real_time), int(real_time.stale_after_s)),
            stepped(before, self._clocks, last_at, ask.now),
        )


def _silent(real_time: RealTime) -> list[Symbol]:
    """Return the symbols that were not heard for too long."""
    heard_after = real_time.monotonic() - real_time.stale_after_s
    return [symbol for symbol, at in real_time.heard_at().items() if at < heard_after]
