"""Whose store it is: what it was made for, and which life of it this is.

Invariant: rows are only added (a restore adds one); the last one holds.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw
import msgspec

from aegis.domain.ids import Incarnation, Instant
from aegis.domain.instants import instant_of, text_of
from aegis.store.errors import StoreCorrupt, StoreForeign

_INSERT = """
INSERT INTO store_identity (mode, exchange, account, market, incarnation, created_at)
VALUES (?, ?, ?, ?, ?, ?)
"""

_SELECT = """
SELECT mode, exchange, account, market, incarnation, created_at
FROM store_identity ORDER BY identity_id DESC LIMIT 1
"""

_BIRTH = "SELECT incarnation FROM store_identity ORDER BY identity_id LIMIT 1"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is for. `market` is simulated:SEED or replay:FILE:BEGINNING."""

    mode: str
    exchange: str
    account: str
    market: str


class StoredIdentity(msgspec.Struct, frozen=True, kw_only=True):
    identity: Identity
    incarnation: Incarnation
    created_at: Instant


def read_stored_identity(db: apsw.Connection) -> StoredIdentity | None:
    """Return the identity that holds, None before a store has one."""
    row = db.execute(_SELECT).fetchone()
    if row is None:
        return None
    mode, exchange, account, market, incarnation, created_at = (str(cell) for cell in row)
    try:
        since = instant_of(created_at)
    except ValueError as error:
        raise StoreCorrupt("identity", str(error)) from error
    return StoredIdentity(
        identity=Identity(mode=mode, exchange=exchange, account=account, market=market),
        incarnation=Incarnation(incarnation),
        created_at=since,
    )


def read_birth(db: apsw.Connection) -> Incarnation:
    """Return the first incarnation of a store that has one; what belongs to it is named by it."""
    found = db.execute(_BIRTH).get
    assert found is not None, "Expected an identity, it was read before"
    return Incarnation(str(found))


def refuse_foreign(stored: StoredIdentity, expected: Identity) -> None:
    """Raise `StoreForeign` with the first key in which the store differs."""
    for key in Identity.__struct_fields__:
        wanted, found = getattr(expected, key), getattr(stored.identity, key)
        if wanted != found:
            raise StoreForeign(key, wanted, found)


def write_identity(
    db: apsw.Connection, identity: Identity, draw_incarnation: Callable[[], str], now: Instant
) -> None:
    """Add a life to the store, inside the caller's transaction."""
    key = (identity.mode, identity.exchange, identity.account, identity.market)
    db.execute(_INSERT, (*key, draw_incarnation(), text_of(now))).fetchall()
