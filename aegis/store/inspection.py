"""The diagnosis' look at the store: its log, rows and files, as findings with their remedies.

It reads on a read-only connection of its own, so that no commit waits for it, and asks `stat`
about files. It changes nothing; each look goes on from the one before.

Invariants:
1. What one part finds, or cannot find out, does not keep the others from looking.
2. No remedy is proposed that rests on a log which is not proved whole.

Measured on 100,000 events (65 MB, 7,100 trades), in seconds of a core: a light look 0.01 (0.13 with
all their notices untold), a deep one 0.7 (0.44 `integrity_check`, 0.08 foreign keys), a whole one
5.3; the first one of a process 0.9, 0.4 of it the chain. A commit beside a light or deep look took
0.16 ms in the median as without it, beside a whole one 0.19 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, EventId, Instant
from aegis.domain.instants import instant_of, text_of
from aegis.domain.judgement import Ask, Depth, Judgement, Remedy, failed, judged
from aegis.domain.mends import (
    EmptyWal,
    FreeReserve,
    MakeReserve,
    RebuildRows,
    RewriteMark,
    SetAside,
    TrimOld,
)
from aegis.domain.position import Position
from aegis.domain.unusual import unusual_trades
from aegis.store.chain import GENESIS
from aegis.store.connection import failing
from aegis.store.errors import StoreCorrupt, StoreError
from aegis.store.files import FileIdentity, changed, identity_of, wal_path
from aegis.store.housekeeping import closed_since, is_trim_due, peers_pct, strays
from aegis.store.inspector import FoldLook, Inspector
from aegis.store.loading import orders_of
from aegis.store.mark import MarkReading, read_mark
from aegis.store.outbox import backlogs
from aegis.store.records import timestamp_at
from aegis.store.reindex import damage_of
from aegis.store.reserve import FREE_BYTES_MIN, RESERVE_BYTES, free_bytes, is_reserved
from aegis.store.snapshot import check_mark

DAY_NS = 86_400 * NANOS_PER_SECOND

WHOLE_EVENTS_MAX = 200_000
"""A fold of all of them takes 10 s; who asks waits for 30. Past it rows that are over are left to
`verify`, which has all the time that it takes."""

QUARANTINE_MAX = 20
"""More than this at once is a program that cannot read its log, not a log with a bad event."""

WAL_BYTES_MAX = 16 * 1024 * 1024
"""Four times what a checkpoint leaves: readers have kept it from ending for that long."""

KEPT_DAYS = 30
TRIM_SLACK_DAYS = 1  # so that it is once a day, not once a look

Look = Callable[[], Iterator[Judgement]]


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look. `files` says which files the writer holds, none while nothing is open.

    `outbox_after_s` is market time. `is_proved` when the opening has just proved the indices.
    """

    path: Path
    files: Callable[[], Mapping[str, FileIdentity | None]]
    outbox_after_s: float
    is_proved: bool = False


class Inspection:
    """Opens its reader at the first look; used by one thread at a time."""

    def __init__(self, places: Places) -> None:
        self._places, self._path = places, places.path
        self._inspector: Inspector | None = None
        self._wal_seen: FileIdentity | None = None
        self._proved = (0, GENESIS)
        self._is_proved = places.is_proved
        self._closed: tuple[Position, ...] | None = None

    def look(self, ask: Ask) -> tuple[Judgement, ...]:
        """Return what the store looks like now, by as many checks as the depth asks for."""
        try:
            inspector = self._inspector = self._own_inspector()
        except StoreError as error:
            return (judged("chain", (str(error),)), *self._files())
        chain = self._chain(inspector)
        is_sound = chain.result.status == "ok"
        looks: dict[tuple[str, ...], Look] = {
            ("mark",): lambda: self._mark(inspector, ask, is_sound=is_sound),
            ("events", "projections", "trades", "foreign_keys"): lambda: self._rows(
                inspector, ask, is_sound=is_sound
            ),
            ("indices",): lambda: self._indices(inspector, ask),
            ("files",): self._files,
            ("wal",): self._wal,
            ("disk",): self._disk,
            ("outbox",): lambda: self._outbox(inspector, ask),
            ("retention",): lambda: self._retention(inspector, ask),
        }
        found = [each for names, look in looks.items() for each in _attempted(names, look)]
        return (chain, *found)

    def instant_of(self, event_id: EventId) -> Instant:
        """Return when an event was; the beginning of time where it cannot be read."""
        try:
            with failing("clock"):
                written = (
                    None if self._inspector is None else timestamp_at(self._inspector.db, event_id)
                )
        except StoreError:
            return Instant(0)  # that the store cannot be read is the other checks' finding
        return Instant(0) if written is None else instant_of(written)

    def close(self) -> None:
        """Close the reader."""
        if self._inspector is not None:
            self._inspector.close()
            self._inspector = None

    def _own_inspector(self) -> Inspector:
        """Return the inspector, a new one where the elder's WAL is not the store's any more."""
        wal = identity_of(str(wal_path(self._path)))
        if self._inspector is not None and wal != self._wal_seen:
            self.close()
        inspector = self._inspector or Inspector(self._path)
        self._wal_seen = identity_of(str(wal_path(self._path)))
        return inspector

    # The log and its rows -------------------------------------------------------------------

    def _chain(self, inspector: Inspector) -> Judgement:
        look = inspector.chain_from(*self._proved)
        self._proved = (look.event_id, look.hash)
        return judged("chain", () if look.problem is None else (look.problem.text,))

    def _mark(self, inspector: Inspector, ask: Ask, *, is_sound: bool) -> Iterator[Judgement]:
        reading = self._steady_mark()
        try:
            if reading.mark is not None:  # read before the log, which only grows
                check_mark(inspector.db, reading.mark)
        except StoreCorrupt as corrupt:
            yield judged("mark", (corrupt.text,))
            return
        faults = tuple(_faults_of_mark(reading, ask.last_event_id))
        yield judged("mark", faults, *([RewriteMark()] if is_sound else []))

    def _steady_mark(self) -> MarkReading:
        """Read the mark; once more where a slot was met while it was written."""
        reading = read_mark(self._path)
        return read_mark(self._path) if reading.is_torn else reading

    def _rows(self, inspector: Inspector, ask: Ask, *, is_sound: bool) -> Iterator[Judgement]:
        is_whole = ask.depth is Depth.WHOLE and ask.last_event_id <= WHOLE_EVENTS_MAX
        look = inspector.fold_of_open(is_whole=is_whole)
        rebuild: list[Remedy] = [RebuildRows()] if is_sound else []
        events = [orphan.reason for orphan in look.orphans[:QUARANTINE_MAX]]
        if len(look.orphans) > QUARANTINE_MAX:
            events.append(f"and {len(look.orphans) - QUARANTINE_MAX} more")
        may_set_aside = is_sound and len(look.orphans) <= QUARANTINE_MAX
        aside: list[Remedy] = [SetAside(orphans=look.orphans), *rebuild] if may_set_aside else []
        yield judged("events", events, *aside)
        differing = [f"{problem.check}: {problem.text}" for problem in look.problems]
        is_of_rows = all(problem.check in ("positions", "orders") for problem in look.problems)
        yield judged("projections", differing, *(rebuild if may_set_aside and is_of_rows else []))
        yield self._trades(inspector, ask, look)
        if ask.depth is not Depth.LIGHT:
            yield self._foreign_keys(inspector, look, is_sound=may_set_aside)

    def _foreign_keys(self, inspector: Inspector, look: FoldLook, *, is_sound: bool) -> Judgement:
        """Find rows that belong to nothing, but for the events that are known to."""
        known = inspector.quarantined | {int(orphan.event_id) for orphan in look.orphans}
        with failing("foreign keys"):
            found = strays(inspector.db, known)
        faults = [each.text for each in found]
        is_of_rows = any(each.table not in ("notifications", "quarantine") for each in found)
        return judged("foreign_keys", faults, *([RebuildRows()] if is_sound and is_of_rows else []))

    def _trades(self, inspector: Inspector, ask: Ask, look: FoldLook) -> Judgement:
        """Look at the trades of the last day; those of the looks before are known already."""
        since = Instant(ask.now - DAY_NS)
        with failing("trades"):
            if look.is_anew or self._closed is None:
                self._closed = closed_since(inspector.db, max(since, Instant(0)))
            else:
                recent = {each.position_id: each for each in (*self._closed, *look.closed)}
                self._closed = tuple(p for p in recent.values() if (p.closed_at or 0) >= since)
            return unusual_trades(
                self._closed,
                lambda: peers_pct(inspector.db),
                lambda position: orders_of(inspector.db, position),
            )

    # The files and what is beside them --------------------------------------------------------

    def _indices(self, inspector: Inspector, ask: Ask) -> Iterator[Judgement]:
        if ask.depth is Depth.LIGHT:
            return
        is_proved, self._is_proved = self._is_proved, False
        damage = () if is_proved else damage_of(inspector.db)
        yield judged("indices", damage[:3])

    def _files(self) -> Iterator[Judgement]:
        expected = self._places.files()
        if not expected:
            yield failed("files", "the store is not open")
            return
        gone = set(changed(expected)) and set(changed(self._places.files()))
        yield judged("files", [f"{name} was removed or replaced" for name in sorted(gone)])

    def _wal(self) -> Iterator[Judgement]:
        wal = wal_path(self._path)
        is_long = wal.exists() and wal.stat().st_size > WAL_BYTES_MAX
        text = f"the write-ahead log is longer than {WAL_BYTES_MAX >> 20} MiB"
        yield judged("wal", [text] if is_long else [], EmptyWal())

    def _disk(self) -> Iterator[Judgement]:
        free = free_bytes(self._path)
        if free < FREE_BYTES_MIN:
            remedies = [FreeReserve()] if is_reserved(self._path) else []
            yield judged("disk", [f"less than {FREE_BYTES_MIN >> 20} MiB are free"], *remedies)
        elif is_reserved(self._path) or free < FREE_BYTES_MIN + RESERVE_BYTES:
            yield judged("disk", ())
        else:
            yield judged("disk", ["the reserve is missing"], MakeReserve())

    def _outbox(self, inspector: Inspector, ask: Ask) -> Iterator[Judgement]:
        waits_ns = int(self._places.outbox_after_s * NANOS_PER_SECOND)
        since = text_of(Instant(max(0, ask.now - waits_ns)))
        found = [each for each in backlogs(inspector.db) if each.eldest_at < since]
        yield judged(
            "outbox",
            [
                f"channel {each.channel}: notices wait since {each.eldest_at[:19]}"
                + (f" (its last error: {each.error})" if each.error else "")
                for each in found
            ],
        )

    def _retention(self, inspector: Inspector, ask: Ask) -> Iterator[Judgement]:
        kept_until = Instant(max(0, ask.now - KEPT_DAYS * DAY_NS))
        due = Instant(max(0, kept_until - TRIM_SLACK_DAYS * DAY_NS))
        is_due = is_trim_due(inspector.db, due)
        text = f"checks' rows or sent notices are older than {KEPT_DAYS} days"
        yield judged("retention", [text] if is_due else [], TrimOld(before=kept_until))


def _attempted(names: tuple[str, ...], look: Look) -> tuple[Judgement, ...]:
    """Return what a look found; what it could not look at has failed.

    A store that contradicts itself was looked at, and is no store to trade on.
    """
    try:
        with failing(names[0]):
            return tuple(look())
    except StoreCorrupt as corrupt:
        return tuple(judged(name, (str(corrupt),)) for name in names)
    except StoreError as error:
        return tuple(failed(name, str(error)) for name in names)


def _faults_of_mark(reading: MarkReading, last_event_id: int) -> Iterator[str]:
    if reading.mark is None:
        yield "the mark is missing" if reading.is_missing else "the mark cannot be read"
    elif reading.mark.event_id < last_event_id:
        yield f"the mark is at event {reading.mark.event_id}, the log had reached {last_event_id}"
    elif reading.is_torn:
        yield "one of the mark's two slots cannot be read"
