"""The paper exchange's own books, on disk: the other side's truth, never derived from ours.

The only door to the standard library's sqlite3. It must never import the store, and knows no
event of AEGIS. One thread at a time: the exchange that owns it holds the lock. Others may write
as well, from processes of their own: the account's owner, by hand.

Invariants:
1. A change is one transaction, durable (WAL, synchronous=FULL) before `write` returns, but in a
   ledger that nobody keeps.
2. A ledger that exists is reopened as it is; start balances count only at its creation.
3. Every figure is an exact decimal, kept as text.
4. A failed write leaves the owner's copy in doubt: it must read the ledger again.
5. A change that was worked out before somebody else's is not written (`LedgerMovedError`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from aegis.domain.ids import Coin, ExchangeOrderId, Instant
from aegis.domain.money import text
from aegis.domain.venue import VenueOrder, VenueTrade
from aegis.exchange.paper_matching import PaperOrder
from aegis.exchange.paper_rows import order_of, order_row, trade_of, trade_row

SCHEMA_VERSION = "1"
BUSY_TIMEOUT_S = 5.0
"""Readers in other processes hold the file for milliseconds; a longer wait is a fault."""

COPY_PAGES = 256

_SYNCED = ("PRAGMA synchronous = FULL", 2)
_UNSYNCED = ("PRAGMA synchronous = OFF", 0)
"""How to ask for syncs or for none, and what SQLite then says of itself."""

_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE balances (
        coin TEXT PRIMARY KEY, total TEXT NOT NULL, start TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE orders (
        sequence INTEGER PRIMARY KEY,
        exchange_order_id TEXT NOT NULL UNIQUE, client_order_id TEXT UNIQUE,
        symbol TEXT NOT NULL, side TEXT NOT NULL, type TEXT NOT NULL,
        amount TEXT NOT NULL, price TEXT, filled TEXT NOT NULL,
        status TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,
        trigger_price TEXT, reserved TEXT NOT NULL, reserved_coin TEXT NOT NULL,
        is_resting INTEGER NOT NULL
    )""",
    "CREATE INDEX orders_open ON orders (sequence) WHERE status = 'open'",
    """CREATE TABLE trades (
        sequence INTEGER PRIMARY KEY,
        trade_id TEXT NOT NULL UNIQUE, exchange_order_id TEXT NOT NULL, client_order_id TEXT,
        symbol TEXT NOT NULL, side TEXT NOT NULL, amount TEXT NOT NULL, price TEXT NOT NULL,
        fee TEXT NOT NULL, fee_currency TEXT NOT NULL, liquidity TEXT NOT NULL,
        at INTEGER NOT NULL
    )""",
    "CREATE INDEX trades_at ON trades (at)",
    "CREATE INDEX trades_order ON trades (exchange_order_id)",
)

_WRITE_ORDER = """
    INSERT INTO orders (
        exchange_order_id, client_order_id, symbol, side, type, amount, price, filled,
        status, reason, created_at, trigger_price, reserved, reserved_coin, is_resting
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (exchange_order_id) DO UPDATE SET
        filled = excluded.filled, status = excluded.status, reason = excluded.reason,
        reserved = excluded.reserved, is_resting = excluded.is_resting
"""
_WRITE_TRADE = """
    INSERT INTO trades (
        trade_id, exchange_order_id, client_order_id, symbol, side, amount, price,
        fee, fee_currency, liquidity, at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_WRITE_BALANCE = """
    INSERT INTO balances (coin, total, start) VALUES (?, ?, '0')
    ON CONFLICT (coin) DO UPDATE SET total = excluded.total
"""
_WRITE_META = """
    INSERT INTO meta (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


class LedgerError(Exception):
    """The ledger cannot be opened, read or written; the text says what and where."""


class LedgerFullError(LedgerError):
    """The disk has no room; nothing was written, nor will be found after a kill.

    SQLite says FULL before a commit's last page is in the WAL. A sync that fails for want of room
    is an I/O error to it, and in doubt like any other.
    """


class LedgerMismatchError(LedgerError):
    """The ledger was made for something else; nothing was touched."""


class LedgerMovedError(LedgerError):
    """Somebody else has written since the ledger was read; nothing was written. Read it again."""


def foreign_ledger(path: Path) -> LedgerMismatchError:
    """Return what there is to say of a ledger that is not this store's."""
    return LedgerMismatchError(
        f"{path} belongs to another store; put that store back beside it, or move both away "
        "together"
    )


def missing_ledger(path: Path, found: str) -> LedgerMismatchError:
    """Return what there is to say where a store has lived and its ledger is not there."""
    return LedgerMismatchError(
        f"Expected the paper exchange's record at {path} that belongs to this store, found "
        f"{found}; put it back, or set store.path to a new file"
    )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction writes: orders in their newest form, new trades, new totals.

    `version` is the ledger's at which the change was worked out: at another one it is refused.
    """

    at: Instant
    version: int | None = None
    orders: tuple[PaperOrder, ...] = ()
    trades: tuple[VenueTrade, ...] = ()
    balances: dict[Coin, Decimal] = {}


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole ledger at one instant, for whoever checks it against something else."""

    balances: dict[Coin, Decimal]
    start_balances: dict[Coin, Decimal]
    orders: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]


def ledger_beside(store: Path) -> Path:
    """Return where the ledger of a store's account is."""
    return store.with_name(store.name + ".paper")


def open_ledger(
    path: Path,
    start_balances: Mapping[Coin, Decimal],
    market: str = "",
    *,
    owner: str | None = None,
    may_create: bool = True,
    is_kept: bool = True,
) -> PaperLedger:
    """Open the ledger, creating it with the start balances where there is none and that may be.

    `market` says which market it lives in (simulated:1, a replay's file), `owner` whose account
    it keeps (None: do not ask). A ledger of another one, or none where one must be, is refused
    with `LedgerMismatchError` and left as it is; anything unreadable with `LedgerError`. One that
    is not kept goes with its process, and never waits for the disk.
    """
    for coin, amount in start_balances.items():
        if not amount.is_finite() or amount < 0:
            raise LedgerError(f"Expected a start balance of zero or more {coin}, was {amount}")
    if not may_create and not path.exists():
        raise missing_ledger(path, "none")
    with _door(path):
        _make_private(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    try:
        with _door(path):
            count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if count == 0 and not may_create:
                raise missing_ledger(path, "an empty one")
            _set_pragmas(connection, path, is_kept=is_kept)
            if count == 0:
                _create(connection, start_balances, market, owner or "")
            _check_identity(connection, path, market, owner)
    except LedgerError:
        connection.close()
        raise
    return PaperLedger(connection, path)


def read_ledger(path: Path) -> LedgerView:
    """Return all that a ledger holds, read in one snapshot without changing it."""
    with _snapshot_of(path) as connection:
        rows = connection.execute("SELECT coin, total, start FROM balances").fetchall()
        orders = connection.execute("SELECT * FROM orders ORDER BY sequence").fetchall()
        trades = connection.execute("SELECT * FROM trades ORDER BY sequence").fetchall()
    return LedgerView(
        balances={Coin(coin): Decimal(held) for coin, held, _ in rows},
        start_balances={Coin(coin): Decimal(start) for coin, _, start in rows if start != "0"},
        orders=tuple(order_of(row).order for row in orders),
        trades=tuple(trade_of(row) for row in trades),
    )


def copy_ledger(path: Path, target: Path) -> None:
    """Copy a ledger that may be in use into a new file: all that is written when it begins."""
    _make_private(target)
    with _snapshot_of(path) as connection, _door(target):
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            connection.backup(copy, pages=COPY_PAGES)
        finally:
            copy.close()


def prove_ledger(path: Path, market: str, owner: str) -> LedgerView:
    """Return all that a ledger holds; raises unless it is whole and keeps this owner's account."""
    with _snapshot_of(path) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise LedgerError(f"{path}: expected a paper ledger that is whole, was: {found}")
        _check_identity(connection, path, market, owner)
    try:
        return read_ledger(path)
    except (ArithmeticError, ValueError) as error:
        text = f"{path}: expected a paper ledger that can be read, was: {error!r}"
        raise LedgerError(text) from error


class PaperLedger:
    """The open ledger; reads are fresh from disk, `write` is one durable transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @property
    def last_instant(self) -> Instant:
        """The market instant of the newest change; 0 in a new ledger."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'last_instant'")
        return Instant(int(rows[0][0]) if rows else 0)

    @property
    def version(self) -> int:
        """A number that is another one after anybody else has written."""
        return int(self._rows("PRAGMA data_version")[0][0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything that is read meanwhile be of one instant."""
        with _door(self._path), _transaction(self._connection, "BEGIN"):
            yield

    def balances(self) -> dict[Coin, Decimal]:
        rows = self._rows("SELECT coin, total FROM balances ORDER BY coin")
        return {Coin(coin): Decimal(held) for coin, held in rows}

    def open_orders(self) -> tuple[PaperOrder, ...]:
        rows = self._rows("SELECT * FROM orders WHERE status = 'open' ORDER BY sequence")
        return tuple(order_of(row) for row in rows)

    def find(self, client_order_id: str) -> PaperOrder | None:
        """Return the order that was ever placed under an id, ended ones too."""
        rows = self._rows("SELECT * FROM orders WHERE client_order_id = ?", client_order_id)
        return order_of(rows[0]) if rows else None

    def trades_of(self, exchange_order_id: ExchangeOrderId) -> tuple[VenueTrade, ...]:
        query = "SELECT * FROM trades WHERE exchange_order_id = ? ORDER BY sequence"
        return tuple(trade_of(row) for row in self._rows(query, exchange_order_id))

    def trades_since(self, since: Instant) -> tuple[VenueTrade, ...]:
        query = "SELECT * FROM trades WHERE at >= ? ORDER BY sequence"
        return tuple(trade_of(row) for row in self._rows(query, since))

    def next_order_number(self) -> int:
        return int(self._rows("SELECT coalesce(max(sequence), 0) + 1 FROM orders")[0][0])

    def next_trade_number(self) -> int:
        return int(self._rows("SELECT coalesce(max(sequence), 0) + 1 FROM trades")[0][0])

    def write(self, change: Change) -> None:
        """Make a change durable, whole or not at all; raises LedgerError when it is in doubt.

        `LedgerFullError` is no doubt: nothing of it was written.
        """
        balances = [(coin, text(held)) for coin, held in change.balances.items()]
        with _door(self._path), _transaction(self._connection):
            if change.version not in (None, self.version):
                raise LedgerMovedError(f"{self._path}: somebody else has written meanwhile")
            execute_all = self._connection.executemany
            execute_all(_WRITE_ORDER, [order_row(order) for order in change.orders])
            execute_all(_WRITE_TRADE, [trade_row(trade) for trade in change.trades])
            execute_all(_WRITE_BALANCE, balances)
            last_instant = max(change.at, self.last_instant)
            self._connection.execute(_WRITE_META, ("last_instant", str(last_instant)))

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._connection.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with _door(self._path):
            return self._connection.execute(query, values).fetchall()


@contextmanager
def _door(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind = LedgerFullError if is_full else LedgerError
        raise kind(f"{path}: expected a paper ledger that works, was: {error}") from error


@contextmanager
def _snapshot_of(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a view on a ledger, which no view can change; all that is read is of one instant."""
    with _door(path):
        uri = f"{Path(path).resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        with _door(path):
            connection.execute("BEGIN")
            yield connection
    finally:
        connection.close()


def _make_private(path: Path) -> None:
    """Make an empty file for a new ledger that nobody else may read."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerError(f"{path}: expected a paper ledger that works, was: {error}") from error


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _set_pragmas(connection: sqlite3.Connection, path: Path, *, is_kept: bool) -> None:
    """Ask for WAL and full syncs, or none, and read back that they were granted."""
    setting, expected = _SYNCED if is_kept else _UNSYNCED
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(setting)
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (journal, synchronous) != ("wal", expected):
        was = f"{journal}, synchronous {synchronous}"
        raise LedgerError(f"{path}: expected WAL with synchronous {expected}, was {was}")


def _create(
    connection: sqlite3.Connection,
    start_balances: Mapping[Coin, Decimal],
    market: str,
    owner: str,
) -> None:
    insert = "INSERT INTO balances (coin, total, start) VALUES (?, ?, ?)"
    with _transaction(connection):
        for statement in _SCHEMA:
            connection.execute(statement)
        for coin, amount in start_balances.items():
            connection.execute(insert, (coin, text(amount), text(amount)))
        meta = (("schema_version", SCHEMA_VERSION), ("market", market), ("owner", owner))
        connection.executemany(_WRITE_META, meta)


def _check_identity(
    connection: sqlite3.Connection, path: Path, market: str, owner: str | None
) -> None:
    table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    if connection.execute(table).fetchone() is None:
        raise LedgerMismatchError(f"{path}: expected a paper ledger, was another SQLite database")
    found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    for key, expected in (("schema_version", SCHEMA_VERSION), ("market", market)):
        if found.get(key) != expected:
            was = found.get(key)
            raise LedgerMismatchError(f"{path}: {key}: expected {expected!r}, was {was!r}")
    if owner is not None and found.get("owner") != owner:
        raise foreign_ledger(path)
