"""The runs of a store as the legs of one way, to be gone again: when each ran, and how it was set.

Pure. A leg is what one process lived through, from its start to the instant at which it was told
to end; one that was killed ends where the next begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from aegis.domain.ids import EventId, Incarnation, Instant
from aegis.domain.recorded import Beginning, Entry, RunEnded, RunStarted, SettingsChanged

REAL_TIME_OFF = "0"
"""`market.speed` of a run that was as fast as it goes, on one thread, and so can be repeated."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that a running AEGIS took over at an instant."""

    at: Instant
    settings: Mapping[str, str]


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `ends_at` is None of the last one, where it was killed or still runs.

    `is_market_over` says that it was shown no candle past its end.
    """

    version: str
    incarnation: Incarnation
    market: str
    beginnings: tuple[Beginning, ...]
    settings: Mapping[str, str]
    code: str
    changes: tuple[Change, ...]
    begins_at: Instant
    ends_at: Instant | None
    is_market_over: bool
    after_event: EventId

    @property
    def is_repeatable(self) -> bool:
        """Whether equal inputs give an equal log: it ran on one thread, and its data ended it."""
        return self.settings["market.speed"] == REAL_TIME_OFF


def legs_of(entries: Sequence[Entry]) -> tuple[Leg, ...]:
    """Return the runs that are recorded, in order."""
    legs: list[Leg] = []
    for entry in entries:
        match entry.fact:
            case RunStarted():
                if legs and legs[-1].ends_at is None:
                    legs[-1] = replace(legs[-1], ends_at=entry.at)
                legs.append(_leg(entry, entry.fact))
            case SettingsChanged(settings=settings):
                change = Change(at=entry.at, settings=settings)
                legs[-1] = replace(legs[-1], changes=(*legs[-1].changes, change))
            case RunEnded(is_market_over=is_over):
                legs[-1] = replace(legs[-1], ends_at=entry.at, is_market_over=is_over)
    return tuple(legs)


def _leg(entry: Entry, started: RunStarted) -> Leg:
    return Leg(
        version=started.version,
        incarnation=started.incarnation,
        market=started.market,
        beginnings=started.beginnings,
        settings=started.settings,
        code=started.code,
        changes=(),
        begins_at=entry.at,
        ends_at=None,
        is_market_over=False,
        after_event=entry.after_event,
    )


def clipped(legs: Sequence[Leg], begin: Instant, end: Instant | None) -> tuple[Leg, ...]:
    """Return what of the legs lies within an interval, which may have no end.

    Of a change before the interval its settings are those that the first leg begins with. A run
    that was over at the instant at which it began has written events too, and is a leg.
    """
    return tuple(_clipped(leg, begin, end) for leg in legs if _is_within(leg, begin, end))


def _is_within(leg: Leg, begin: Instant, end: Instant | None) -> bool:
    if leg.begins_at == leg.ends_at:
        return begin <= leg.begins_at and (end is None or leg.begins_at < end)
    return (leg.ends_at is None or begin < leg.ends_at) and (end is None or leg.begins_at < end)


def _clipped(leg: Leg, begin: Instant, end: Instant | None) -> Leg:
    starts_at = max(begin, leg.begins_at)
    ends_at = min(filter(None, (leg.ends_at, end)), default=None)
    settings = dict(leg.settings)
    for change in leg.changes:
        if change.at <= starts_at:
            settings |= change.settings
    return replace(
        leg,
        settings=settings,
        changes=tuple(change for change in leg.changes if change.at > starts_at),
        beginnings=tuple(
            replace(each, starts_at=max(each.starts_at, starts_at)) for each in leg.beginnings
        )
        if starts_at > leg.begins_at
        else leg.beginnings,
        begins_at=starts_at,
        ends_at=ends_at,
        is_market_over=leg.is_market_over and ends_at == leg.ends_at,
    )
