"""The truth on disk: what tests read after a kill. SQLite in WAL, one writer, any readers.

`Ledger` writes, `read` opens the same file beside a running server and answers questions.

Invariants:
1. A request stands here before it is answered, and what it did stands in the same transaction.
2. Nothing is deleted. An order's row is its latest state; fills, balance changes and requests
   are only added to (a request's outcome is filled in once).
3. A coin's balance is the sum of its changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from tests.exchange_server.shapes import Fill, Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, client_oid TEXT NOT NULL, instrument TEXT NOT NULL,
    status TEXT NOT NULL, maker TEXT NOT NULL, request_no INTEGER NOT NULL,
    created_at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_client_oid ON orders (client_oid);
CREATE TABLE IF NOT EXISTS fills (
    trade_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, client_oid TEXT NOT NULL,
    filled_at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS balance_changes (
    number INTEGER PRIMARY KEY, coin TEXT NOT NULL, amount TEXT NOT NULL,
    reason TEXT NOT NULL, trade_id TEXT, at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, client_oid TEXT, order_id TEXT,
    fault TEXT, outcome TEXT, http_status INTEGER, at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class BalanceChange(NamedTuple):
    """`reason` is deposit, withdrawal, trade or fee."""

    number: int
    coin: str
    amount: Decimal
    reason: str
    trade_id: str | None
    at: int


class Request(NamedTuple):
    """A request received. `outcome` is the reason code as text, or "not carried out", "late".

    What became of the answer is in `fault`, the comma-joined names of those that it met.
    """

    number: int
    endpoint: str
    client_oid: str | None
    order_id: str | None
    fault: str | None
    outcome: str | None
    http_status: int | None
    at: int


class LedgerReader:
    """Questions to a ledger; each sees what was committed when it was asked."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def orders(self, client_oid: str | None = None) -> list[Order]:
        """Return all orders, or those of a client id, eldest first."""
        rows = self._rows(
            "SELECT body FROM orders WHERE client_oid = ? OR ? IS NULL ORDER BY rowid",
            (client_oid, client_oid),
        )
        return [msgspec.json.decode(body, type=Order) for (body,) in rows]

    def fills(self, client_oid: str | None = None) -> list[Fill]:
        rows = self._rows(
            "SELECT body FROM fills WHERE client_oid = ? OR ? IS NULL ORDER BY rowid",
            (client_oid, client_oid),
        )
        return [msgspec.json.decode(body, type=Fill) for (body,) in rows]

    def balance_changes(self) -> list[BalanceChange]:
        rows = self._rows(
            "SELECT number, coin, amount, reason, trade_id, at FROM balance_changes ORDER BY number"
        )
        return [
            BalanceChange(number, coin, Decimal(amount), reason, trade_id, at)
            for number, coin, amount, reason, trade_id, at in rows
        ]

    def balances(self) -> dict[str, Decimal]:
        """Return what each coin's changes come to; a coin that came and went is zero."""
        totals: dict[str, Decimal] = {}
        for change in self.balance_changes():
            totals[change.coin] = totals.get(change.coin, Decimal(0)) + change.amount
        return totals

    def requests(self, endpoint: str | None = None) -> list[Request]:
        """Return all requests, or those to one endpoint, eldest first."""
        rows = self._rows(
            "SELECT number, endpoint, client_oid, order_id, fault, outcome, http_status, at"
            " FROM requests WHERE endpoint = ? OR ? IS NULL ORDER BY number",
            (endpoint, endpoint),
        )
        return [Request(*row) for row in rows]

    def request_counts(self) -> dict[str, int]:
        rows = self._rows("SELECT endpoint, count(*) FROM requests GROUP BY endpoint ORDER BY 1")
        return {str(endpoint): int(count) for endpoint, count in rows}

    def doubles(self) -> dict[str, int]:
        """Return the client ids under which the exchange holds more than one order."""
        rows = self._rows(
            "SELECT client_oid, count(*) FROM orders GROUP BY client_oid HAVING count(*) > 1"
        )
        return {str(client_oid): int(count) for client_oid, count in rows}

    def kept(self, name: str) -> str | None:
        rows = self._rows("SELECT value FROM kept WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, sql: str, arguments: tuple[object, ...] = ()) -> list[Any]:
        return self._connection.execute(sql, arguments).fetchall()


class Ledger(LedgerReader):
    """The one writer. One thread at a time; the core's caller sees to that."""

    def __init__(self, path: Path | None) -> None:
        """Open a file, or one in memory that ends with this object."""
        connection = sqlite3.connect(
            ":memory:" if path is None else path, isolation_level=None, check_same_thread=False
        )
        # Kills of processes lose nothing of a WAL; a power cut is not what is tried here.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(_SCHEMA)
        super().__init__(connection)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all that happens within, or nothing."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def put_order(self, order: Order) -> None:
        self._connection.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE"
            " SET status = excluded.status, body = excluded.body",
            (
                order.order_id,
                order.client_oid,
                order.instrument,
                order.status,
                order.maker,
                order.request_no,
                order.created_at,
                msgspec.json.encode(order).decode(),
            ),
        )

    def add_fill(self, fill: Fill) -> None:
        body = msgspec.json.encode(fill).decode()
        self._connection.execute(
            "INSERT INTO fills VALUES (?, ?, ?, ?, ?)",
            (fill.trade_id, fill.order_id, fill.client_oid, fill.filled_at, body),
        )

    def add_change(
        self, coin: str, amount: Decimal, reason: str, at: int, trade_id: str | None = None
    ) -> None:
        self._connection.execute(
            "INSERT INTO balance_changes (coin, amount, reason, trade_id, at)"
            " VALUES (?, ?, ?, ?, ?)",
            (coin, f"{amount:f}", reason, trade_id, at),
        )

    def add_request(
        self, endpoint: str, client_oid: str | None, order_id: str | None, at: int
    ) -> int:
        """Note a request as received, and return its number."""
        cursor = self._connection.execute(
            "INSERT INTO requests (endpoint, client_oid, order_id, at) VALUES (?, ?, ?, ?)",
            (endpoint, client_oid, order_id, at),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_request(
        self, number: int, *, fault: str | None, outcome: str, http_status: int | None
    ) -> None:
        self._connection.execute(
            "UPDATE requests SET fault = ?, outcome = ?, http_status = ? WHERE number = ?",
            (fault, outcome, http_status, number),
        )

    def keep(self, name: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value",
            (name, value),
        )


def read(path: Path) -> LedgerReader:
    """Open a ledger beside its server, or after its end; reads alone."""
    return LedgerReader(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))
