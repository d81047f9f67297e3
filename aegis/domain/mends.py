"""What can be done to the store besides recording events: remedies that only its writer takes.

None of them changes an event, or what the events add up to: rows, files and old notes are all
that they touch. Each may be asked for twice; the second time there is nothing left to do.
"""

from __future__ import annotations

import msgspec

from aegis.domain.ids import EventId, Instant


class _Mend(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """An event that follows from nothing, and why no fold can take it."""

    event_id: EventId
    reason: str


class SetAside(_Mend, frozen=True, kw_only=True):
    """Put events into quarantine: they stay in the log, and folds skip them."""

    orphans: tuple[Orphan, ...]


class RewriteMark(_Mend, frozen=True, kw_only=True):
    """Write the high-water mark anew, from the log's own head."""


class EmptyWal(_Mend, frozen=True, kw_only=True):
    """Move the write-ahead log into the database and cut it short."""


class TrimOld(_Mend, frozen=True, kw_only=True):
    """Let go of checks' rows and sent notices from before an instant; events never."""

    before: Instant


class FreeReserve(_Mend, frozen=True, kw_only=True):
    """Give the reserve's room on the disk back, so that exits still commit."""


class MakeReserve(_Mend, frozen=True, kw_only=True):
    """Set room on the disk aside again."""


class RebuildRows(_Mend, frozen=True, kw_only=True):
    """Make the rows anew from the events."""


Mend = SetAside | RewriteMark | EmptyWal | TrimOld | FreeReserve | MakeReserve | RebuildRows
