"""The schema's history: numbered files, each applied in one transaction, none ever changed.

Invariants:
1. `user_version` is the number of the last file that was applied; each file sets it itself.
2. A schema from a later program is refused before anything is written.
3. After a migration the rows are what this program makes of the events.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec

from aegis.store.errors import StoreFailed, StoreTooNew
from aegis.store.rebuilding import rebuild_projections, without_foreign_keys

_DIGITS = 4
_OBJECTS = "SELECT type, name FROM sqlite_schema"
_OF_SQLITE = "sqlite_"


class Migration(msgspec.Struct, frozen=True):
    number: int
    name: str
    text: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all of them in order; their numbers count from 1 without a gap.

    They belong to the program and are read once: each look at a store asks for their number.
    """
    found = sorted(
        (entry for entry in files("aegis.store").joinpath("schema").iterdir()),
        key=lambda entry: entry.name,
    )
    numbered = tuple(
        Migration(int(entry.name[:_DIGITS]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in found
        if entry.name.endswith(".sql")
    )
    numbers = [migration.number for migration in numbered]
    assert numbers == list(range(1, len(numbers) + 1)), f"Expected 1, 2, 3 ..., was {numbers}"
    return numbered


def schema_version(db: apsw.Connection) -> int:
    """Return the number of the last migration that a database has seen."""
    version = db.execute("PRAGMA user_version").get
    assert isinstance(version, int)
    return version


def refuse_newer(store: Path, found: int) -> None:
    """Raise `StoreTooNew` for a schema that this program does not know."""
    known = len(migrations())
    if found > known:
        raise StoreTooNew(store, found, known)


@cache
def objects_made() -> frozenset[tuple[str, str]]:
    """Return kind and name of all tables, indices and triggers that this program's schema has."""
    db = apsw.Connection(":memory:")
    try:
        migrate(db)
        return objects_of(db)
    finally:
        db.close()


def objects_of(db: apsw.Connection) -> frozenset[tuple[str, str]]:
    """Return kind and name of what a database has, but for what SQLite keeps for itself."""
    rows = msgspec.convert(db.execute(_OBJECTS).fetchall(), list[tuple[str, str]])
    return frozenset(row for row in rows if not row[1].startswith(_OF_SQLITE))


def migrate(db: apsw.Connection) -> None:
    """Bring a database up to this program's schema; one that is there is left alone.

    An older program's rows may say less than ours, so all are made anew from the log, in the
    transaction of the last migration: there is no moment with the new schema and the old rows.
    """
    before = schema_version(db)
    for migration in migrations()[before:]:
        is_last = migration.number == len(migrations())
        with without_foreign_keys(db):
            _apply(db, migration, is_rebuilding=is_last and before > 0)


def _apply(db: apsw.Connection, migration: Migration, *, is_rebuilding: bool) -> None:
    db.execute("BEGIN IMMEDIATE").fetchall()
    try:
        for _ in db.execute(migration.text):  # run to the end, whatever yields rows on the way
            pass
        reached = schema_version(db)
        if reached != migration.number:
            raise StoreFailed("migrate", f"{migration.name} left user_version at {reached}")
        if is_rebuilding:
            rebuild_projections(db)
        db.execute("COMMIT").fetchall()
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK").fetchall()
