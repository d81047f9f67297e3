"""Opening a store for its writer: everything that must be true before a first command.

The order matters: whoever may not have this store, or cannot trust it, must not have changed
it. So lock, schema, identity, pages and mark are looked at before a migration writes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import apsw
import msgspec

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.ids import EventId, Incarnation, Instant
from aegis.domain.instants import instant_of
from aegis.store.connection import close_quietly, failing, guard, open_writer
from aegis.store.errors import StoreCorrupt, StoreError
from aegis.store.files import FileWatch, make_folder, make_private, wal_path
from aegis.store.identity import (
    Identity,
    read_birth,
    read_stored_identity,
    refuse_foreign,
    write_identity,
)
from aegis.store.loading import load_book
from aegis.store.lock import Lock, take_lock
from aegis.store.mark import START, Mark, MarkFile, MarkReading, read_mark
from aegis.store.migrations import migrate, migrations, refuse_newer, schema_version
from aegis.store.projections import account_row
from aegis.store.recorder import Recorder
from aegis.store.recording import Tape
from aegis.store.records import head_of, stored_events
from aegis.store.reindex import (
    damage_of,
    is_index_doubted,
    is_mendable,
    mend_indices,
    quick_damage_of,
)
from aegis.store.reserve import settle_reserve
from aegis.store.snapshot import check_mark, refuse_lost
from aegis.store.statements import UPSERT_POSITION
from aegis.store.states import States
from aegis.store.wal import Wal

INTEGRITY_BYTES_MAX = 256 * 1024 * 1024
"""Up to here an opening proves the indices: 1.7 s of the 4 that a start of such a store takes.
Past it, only when the last diagnosis found them damaged."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an open store holds. `findings` are for a person: true, odd, and not in the way."""

    db: apsw.Connection
    wal: Wal
    lock: Lock
    files: FileWatch
    mark: MarkFile
    tape: Tape
    states: States
    head: Mark
    last_at: Instant
    book: Book
    incarnation: Incarnation
    birth: Incarnation
    findings: tuple[str, ...]


def open_parts(
    path: Path,
    identity: Identity,
    draw_incarnation: Callable[[], str],
    now: Instant,
    *,
    may_mend: bool,
    is_kept: bool = True,
    backup: Callable[[], None] | None = None,
    recorder: Recorder | None = None,
) -> Parts:
    """Return the parts of a store that is locked, checked, migrated, and ours."""
    with failing("open"), ExitStack() as undo:
        make_folder(path.parent)
        lock = take_lock(path)
        undo.callback(lock.release)
        reading = read_mark(path)
        if not (path.exists() and path.stat().st_size):
            refuse_lost(path, reading)  # opening makes it, and removes the WAL of an empty one
        repairs = settle_reserve(path)
        make_private(path)
        db, watch = open_writer(path, is_kept=is_kept)
        undo.callback(close_quietly, db)
        _refuse_untrue(db, path, identity, reading)
        damage = _damage(db, path, may_mend=may_mend)
        if damage and may_mend:
            close_quietly(db)
            repairs = (*repairs, _mended(path, damage))
            db, watch = open_writer(path, is_kept=is_kept)
            undo.callback(close_quietly, db)
        wal = Wal(db, watch)
        wal.secure(wal_path(path))
        _bring_up(db, backup)
        _settle(db, identity, draw_incarnation, now)
        head = head_of(db)
        mark = MarkFile(path, reading.slot, is_kept=is_kept)
        undo.callback(mark.close)
        findings = _set_mark(mark, reading, head)
        stored = read_stored_identity(db)
        assert stored is not None, "Expected an identity, it was written above"
        book = load_book(db, EventId(head.event_id))
        guard(db)
        parts = Parts(
            db=db,
            wal=wal,
            lock=lock,
            files=FileWatch(path, lock.expected),
            mark=mark,
            tape=Tape(db, recorder),
            states=States(db),
            head=head,
            last_at=_last_at(db, head),
            book=book,
            incarnation=stored.incarnation,
            birth=read_birth(db),
            findings=(*repairs, *findings),
        )
        undo.pop_all()
    return parts


def _refuse_untrue(
    db: apsw.Connection, path: Path, identity: Identity, reading: MarkReading
) -> None:
    version = schema_version(db)
    refuse_newer(path, version)
    if version > 0:
        stored = read_stored_identity(db)
        if stored is not None:
            refuse_foreign(stored, identity)
        elif head_of(db).event_id > 0:
            raise StoreCorrupt("identity", "there are events, and nothing says whose they are")
        if reading.mark is not None:
            check_mark(db, reading.mark)
    else:
        refuse_lost(path, reading)


def _damage(db: apsw.Connection, path: Path, *, may_mend: bool) -> tuple[str, ...]:
    """Prove pages and, where they can be mended, indices; return what is wrong with indices alone.

    Every page is read once: each proves its checksum, and that it is where it should be.
    """
    is_large = path.stat().st_size > INTEGRITY_BYTES_MAX
    is_thorough = may_mend and not (is_large and not is_index_doubted(db))
    damage = damage_of(db) if is_thorough else quick_damage_of(db)
    if damage and not is_mendable(damage):
        raise StoreCorrupt("pages", damage[0])
    return damage


def _mended(path: Path, damage: tuple[str, ...]) -> str:
    """Make damaged indices anew; say what came of it. The diagnosis will look again."""
    try:
        return mend_indices(path)
    except StoreError as error:
        return f"The indices are damaged ({damage[0]}), and could not be made anew: {error}"


def _bring_up(db: apsw.Connection, backup: Callable[[], None] | None) -> None:
    """Migrate an older store, after a backup: the way back to the program before.

    One that was left in its making is nobody's yet, and holds nothing to go back to.
    """
    is_older = 0 < schema_version(db) < len(migrations())
    if backup is not None and is_older and read_stored_identity(db) is not None:
        backup()  # what it raises ends the opening
    migrate(db)


def _settle(
    db: apsw.Connection, identity: Identity, draw_incarnation: Callable[[], str], now: Instant
) -> None:
    """Give a new store its identity and the account's row, both or neither."""
    if read_stored_identity(db) is not None:
        return
    with db:
        write_identity(db, identity, draw_incarnation, now)
        db.execute(UPSERT_POSITION, account_row(Account())).fetchall()


def _set_mark(mark: MarkFile, reading: MarkReading, head: Mark) -> tuple[str, ...]:
    if reading.mark is not None:
        mark.write(head)
        return ()
    mark.fill(head)
    if head == START:
        return ()
    what = "was missing" if reading.is_missing else "could not be read"
    finding = f"The high-water mark {what}, so a lost end of the log could not be told; set anew"
    return (f"{finding} to event {head.event_id}",)


def _last_at(db: apsw.Connection, head: Mark) -> Instant:
    """Return when the last event was, which everything after it is chained to."""
    last = next(stored_events(db, head.event_id - 1), None)
    if last is None:
        return Instant(0)
    if last.hash != last.computed_hash():
        raise StoreCorrupt("chain", f"event {last.event_id}: its hash does not cover it")
    return instant_of(last.timestamp)
