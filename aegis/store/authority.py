"""What a connection may do: a list of the allowed, asked by SQLite for each statement.

Triggers alone do not keep a log: `DROP TRIGGER`, `CREATE TRIGGER` and `writable_schema` get
around them. What is not on a list here does not compile.
"""

from __future__ import annotations

import apsw

PROJECTIONS = ("fills", "orders", "positions", "reconciliations")
"""Tables that follow from the log; in an order in which they can be emptied."""

_INSERTS = frozenset({
    *PROJECTIONS,
    "position_events",
    "system_health",
    "notifications",
    "quarantine",
    "recorded_candles",
    "recorded_runs",
    "states",
    "store_identity",
})  # fmt: skip
_UPDATES = frozenset({"positions", "orders", "notifications"})
_FUNCTIONS = frozenset({"coalesce", "count", "max", "min"})
_TRANSACTION = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})
_READ_PRAGMAS = frozenset({
    "checksum_verification",
    "data_version",
    "foreign_key_check",
    "integrity_check",
    "page_count",
    "page_size",
    "user_version",
})  # fmt: skip

_LOOK = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ})


def _allows_reading(action: int, first: str | None, second: str | None) -> bool:
    if action in _LOOK:
        return True
    if action == apsw.SQLITE_TRANSACTION:
        return first in _TRANSACTION
    return action == apsw.SQLITE_FUNCTION and second in _FUNCTIONS


class Authority:
    """A list as SQLite's callback."""

    def __init__(
        self,
        *,
        inserts: frozenset[str] = frozenset(),
        updates: frozenset[str] = frozenset(),
        deletes: frozenset[str] = frozenset(),
        pragmas: frozenset[str] = frozenset(),
    ) -> None:
        self._tables = {
            apsw.SQLITE_INSERT: inserts,
            apsw.SQLITE_UPDATE: updates,
            apsw.SQLITE_DELETE: deletes,
        }
        self._pragmas = pragmas

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        _database: str | None,
        _trigger: str | None,
    ) -> int:
        tables = self._tables.get(action)
        if tables is not None:
            allowed = first in tables
        elif action == apsw.SQLITE_PRAGMA:
            allowed = first in self._pragmas
        else:
            allowed = _allows_reading(action, first, second)
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY


READ = Authority(pragmas=_READ_PRAGMAS)
WRITE = Authority(inserts=_INSERTS, updates=_UPDATES, deletes=frozenset({"recorded_candles"}))
REBUILD = Authority(
    inserts=_INSERTS,
    updates=_UPDATES,
    deletes=frozenset({*PROJECTIONS, "states"}),
    pragmas=frozenset({"foreign_keys"}),
)

TRIM = Authority(deletes=frozenset({"system_health", "notifications"}))


def authorize(db: apsw.Connection, authority: Authority) -> None:
    """Put a list in force; statements prepared before are compiled anew under it."""
    db.set_authorizer(authority)
