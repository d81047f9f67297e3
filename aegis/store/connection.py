"""Connections to the database: how SQLite is set, and proof that it is set so.

Nothing else in the process opens the database or its -shm: a close elsewhere would drop SQLite's
locks. Whoever must know about those files asks `os.stat`. The -wal has no locks.

Invariants:
1. Every setting is written and read back; a difference raises.
2. Each page carries a checksum (`cksumvfs`), proved whenever it is read.
3. A reader cannot write, and never touches the lock.
4. A COMMIT that returns is on the disk (WAL with `synchronous=FULL`), but in a store that nobody
   keeps.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw
import apsw.sqlite_extra
import msgspec

from aegis.store.authority import READ, WRITE, authorize
from aegis.store.errors import NoStore, StoreCorrupt, StoreFailed, StoreForeign
from aegis.store.files import wal_path
from aegis.store.lock import holder_of

APPLICATION_ID = 0x41454749  # "AEGI"; also in schema/0001_log.sql
BUSY_TIMEOUT_MS = 5_000
CLOSE_TIMEOUT_MS = 200  # a reader must not hold up the end of the process, which has 2 s
CHECKPOINT_PAGES = 1_000
CHECKSUM_BYTES = 8

DAMAGED = "a page contradicts itself"
"""What is said of a page that SQLite cannot make sense of, whatever its checksum."""

_CHECKSUM_VFS = "cksmvfs"

_SETTINGS = (
    ("PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", 1),
    ("PRAGMA recursive_triggers = ON", "PRAGMA recursive_triggers", 1),  # else REPLACE deletes
    ("PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", 1),
    ("PRAGMA trusted_schema = OFF", "PRAGMA trusted_schema", 0),
    ("PRAGMA synchronous = FULL", "PRAGMA synchronous", 2),
    ("PRAGMA checksum_verification = ON", "PRAGMA checksum_verification", "1"),
)

_WRITER_SETTINGS = (
    ("PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal"),
    ("PRAGMA wal_autocheckpoint = 0", "PRAGMA wal_autocheckpoint", 0),
)

_UNLOGGED = (
    ("PRAGMA journal_mode = OFF", "PRAGMA journal_mode", "off"),
    ("PRAGMA synchronous = OFF", "PRAGMA synchronous", 0),
    ("PRAGMA application_id = 0x41454749", "PRAGMA application_id", APPLICATION_ID),
)

_ADVICE = {
    apsw.FullError: ", make room on it",
    apsw.IOError: ", look at the disk and the system's log",
    apsw.ReadOnlyError: ", let AEGIS write to it",
}

_UNPROVED = (("PRAGMA checksum_verification = OFF", "PRAGMA checksum_verification", "0"),)

_UNSYNCED = (("PRAGMA synchronous = OFF", "PRAGMA synchronous", 0),)


class WalWatch:
    """What the commits leave in the WAL, in pages, as SQLite's hook tells it."""

    def __init__(self) -> None:
        self.pages = 0

    def __call__(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.pages = pages
        return apsw.SQLITE_OK


@contextmanager
def failing(operation: str) -> Iterator[None]:
    """Turn what SQLite and the system raise into our exceptions."""
    try:
        yield
    except apsw.CorruptError as error:
        raise StoreCorrupt("pages", f"{DAMAGED} at {operation}") from error
    except (
        apsw.NotADBError,
        UnicodeDecodeError,  # apsw's, on bytes that are no text
        msgspec.ValidationError,  # a row that is not of its shape
    ) as error:
        raise StoreCorrupt("pages", f"{error} at {operation}") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:
            text = f"a page does not match its checksum at {operation}"
            raise StoreCorrupt("pages", text) from error
        raise StoreFailed(operation, _described(error)) from error
    except (apsw.Error, OSError) as error:
        raise StoreFailed(operation, _described(error)) from error


@contextmanager
def proving() -> Iterator[Callable[[bytes], bool]]:
    """Yield the question whether a page, as it is in the file, matches its checksum."""
    db = _connect(":memory:", apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        yield lambda page: db.execute("SELECT verify_checksum(?)", (page,)).get == 1
    finally:
        db.close()


def open_writer(store: Path, *, is_kept: bool = True) -> tuple[apsw.Connection, WalWatch]:
    """Open, or create, the database for its one writer; still free to migrate it.

    For one that is not kept, nothing waits for the disk: it must go with its process.
    """
    with failing("open"):
        db = _connect(str(store), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        with closed_on_failure(db):
            if db.readonly("main"):  # SQLite takes what it gets
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(store))
            db.set_busy_timeout(BUSY_TIMEOUT_MS)
            _prepare_pages(db)
            _set(db, (*_WRITER_SETTINGS, *_SETTINGS, *(() if is_kept else _UNSYNCED)))
            db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            _expect("DEFENSIVE", 1, db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, -1))
            watch = WalWatch()
            db.set_wal_hook(watch)
            _expect("PRAGMA wal_autocheckpoint", 0, _value(db, "PRAGMA wal_autocheckpoint"))
    return db, watch


def open_unlogged(target: Path) -> apsw.Connection:
    """Open an empty file to be written once, without a log and without waiting for the disk.

    Its first page asks for checksums before another one is written.
    """
    with failing("open"):
        db = _connect(str(target), apsw.SQLITE_OPEN_READWRITE)
        with closed_on_failure(db):
            db.reserve_bytes(reserve=CHECKSUM_BYTES)
            _set(db, _UNLOGGED)
    return db


def open_reader(store: Path, *, is_lenient: bool = False) -> apsw.Connection:
    """Open the database read-only; `NoStore` when there is none.

    One without a page is none yet, and not opened: SQLite would remove the WAL that its writer
    is just making, and would prove no checksum of what it has read as empty. A lenient one reads
    damaged pages too: for who has proved each page, and says what is still true.
    """
    if not store.is_file() or store.stat().st_size == 0:
        raise NoStore(store)
    with failing("open"):
        db = _connect(*_reader_target(store))
        with closed_on_failure(db):
            db.set_busy_timeout(BUSY_TIMEOUT_MS)
            if is_lenient:
                _set(db, _UNPROVED)  # first of all: the first page may be the damaged one
            if _is_empty(db):
                raise NoStore(store)
            _expect_own(db)
            _set(db, (*_SETTINGS, *(_UNPROVED if is_lenient else ())))
            authorize(db, READ)
    return db


@contextmanager
def closed_on_failure(db: apsw.Connection) -> Iterator[None]:
    """Close a connection, as it is, when the block does not end well."""
    with ExitStack() as undo:
        undo.callback(close_quietly, db)
        yield
        undo.pop_all()


def close_quietly(db: apsw.Connection) -> None:
    """Close a connection that may be broken, leaving the WAL as it is."""
    try:
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        db.close(True)
    except apsw.Error:
        return  # it was read or doomed already; nothing in it is waited for


def empty_wal(db: apsw.Connection) -> None:
    """Move the whole WAL into the database and cut it short, unless a reader is in the way."""
    db.set_busy_timeout(CLOSE_TIMEOUT_MS)
    with suppress(apsw.BusyError):  # a reader keeps the WAL alive; the next one takes it up
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.set_busy_timeout(BUSY_TIMEOUT_MS)


def finish_writing(db: apsw.Connection) -> None:
    """Empty the WAL, and close."""
    empty_wal(db)
    db.set_busy_timeout(CLOSE_TIMEOUT_MS)
    db.close()


def guard(db: apsw.Connection) -> None:
    """From here on only what the journal does is allowed; for after the migrations."""
    authorize(db, WRITE)


def _connect(target: str, flags: int) -> apsw.Connection:
    if _CHECKSUM_VFS not in apsw.vfs_names():
        # Loading it into any connection gives it to the whole process, for good.
        host = apsw.Connection(":memory:")
        apsw.sqlite_extra.load(host, "cksumvfs")
        host.close()
    db = apsw.Connection(target, flags=flags, vfs=_CHECKSUM_VFS)
    # Else a plan may hang on the values: `LIMIT ?` compiles anew, list of the allowed and all, at
    # each call, 100 us of it.
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return db


def _reader_target(store: Path) -> tuple[str, int]:
    """Return how to open a store; one at rest where SQLite can make no -shm is immutable."""
    wal = wal_path(store)
    is_still = not (wal.exists() and wal.stat().st_size) and holder_of(store) is None
    if is_still and not os.access(store.parent, os.W_OK):
        target = f"file:{quote(str(store.resolve()))}?immutable=1"
        return target, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return str(store), apsw.SQLITE_OPEN_READONLY


def _prepare_pages(db: apsw.Connection) -> None:
    """Refuse what is not a store before anything in it is changed; give a new one checksums."""
    if _is_empty(db):
        db.reserve_bytes(reserve=CHECKSUM_BYTES)
    else:
        _expect_own(db)
    _expect("reserved bytes a page", CHECKSUM_BYTES, db.reserve_bytes())


def _is_empty(db: apsw.Connection) -> bool:
    return _value(db, "SELECT count(*) FROM sqlite_schema") == 0


def _expect_own(db: apsw.Connection) -> None:
    found = _value(db, "PRAGMA application_id")
    if found != APPLICATION_ID:
        raise StoreForeign("application", "AEGIS", f"other than AEGIS (id {found})")
    reserved = db.reserve_bytes()
    if reserved != CHECKSUM_BYTES:  # else SQLite would prove no page
        text = f"expected {CHECKSUM_BYTES} reserved bytes a page in the header, was {reserved}"
        raise StoreCorrupt("header", text)


def _set(db: apsw.Connection, settings: tuple[tuple[str, str, object], ...]) -> None:
    for write, read, expected in settings:
        db.execute(write).fetchall()
        _expect(read, expected, _value(db, read))


def _value(db: apsw.Connection, question: str) -> object:
    return db.execute(question).get


def _expect(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise StoreFailed("open", f"expected {what} to be {expected}, was {found}")


def _described(error: BaseException) -> str:
    name = type(error).__name__.removesuffix("Error")
    advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    return f"{name}: {error}{advice}"
