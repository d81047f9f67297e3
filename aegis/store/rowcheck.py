"""Rows beside the events that make them, compared while a fold goes through the whole log.

Invariants:
1. What is held at any moment is what is alive and what differs. A position that has ended, and
   whose rows are what the events make, is let go with its orders: memory does not grow with the
   log.
2. One that was let go and is spoken of again is folded anew from its own events. Its row carries
   the number of its last event, so that happens only where the row is wrong.
3. As many rows as the events make, each of them found, are all the rows: others are looked for
   only where the numbers differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from aegis.domain.events import OrderFilled, OrderIntended, ReconciliationCompleted, Recorded
from aegis.domain.fold import is_beginning
from aegis.domain.ids import SYSTEM_POSITION, PositionId
from aegis.store.connection import DAMAGED
from aegis.store.folding import Fold
from aegis.store.following import follow
from aegis.store.projections import (
    Row,
    account_row,
    fill_row,
    order_row,
    position_row,
    reconciliation_row,
)
from aegis.store.records import logged_events, recorded_of
from aegis.store.statements import (
    SELECT_FILL,
    SELECT_FILLS,
    SELECT_ORDER,
    SELECT_ORDERS,
    SELECT_POSITION,
    SELECT_POSITIONS,
    SELECT_RECONCILIATION,
    SELECT_RECONCILIATIONS,
)

TEXTS_MAX = 100
"""Of one table, that are kept; a person reads the first few."""


class Keyed(NamedTuple):
    """How a table is asked: for a row by its key, for all rows, and for their number."""

    select: str
    key_columns: int
    select_all: str
    select_count: str


KEYED = {
    "positions": Keyed(SELECT_POSITION, 1, SELECT_POSITIONS, "SELECT count(*) FROM positions"),
    "orders": Keyed(SELECT_ORDER, 1, SELECT_ORDERS, "SELECT count(*) FROM orders"),
    "fills": Keyed(SELECT_FILL, 2, SELECT_FILLS, "SELECT count(*) FROM fills"),
    "reconciliations": Keyed(
        SELECT_RECONCILIATION, 1, SELECT_RECONCILIATIONS, "SELECT count(*) FROM reconciliations"
    ),
}


class RowCheck:
    """One fold of a log, and what its rows say beside it."""

    def __init__(self, db: apsw.Connection, fold: Fold) -> None:
        self.fold = fold
        self.made = dict.fromkeys(KEYED, 0)
        self._db = db
        self._missing = dict.fromkeys(KEYED, 0)
        self._texts: dict[str, list[str]] = {table: [] for table in KEYED}
        self._differing: set[PositionId] = set()
        self._keys: dict[str, set[Row]] | None = None

    def add(self, recorded: Recorded) -> None:
        """Fold the next event, and compare what follows from it alone; `StoreCorrupt`."""
        self.made["positions"] += follow(self._db, self.fold, recorded)
        if self.fold.is_skipped(recorded):
            return
        event = recorded.event
        match event:
            case OrderIntended():
                self.made["orders"] += 1
            case OrderFilled():
                self.made["fills"] += 1
                row = fill_row(recorded.event_id, event)
                self._note("fills", f"{row[0]} {row[1]}", row)
            case ReconciliationCompleted():
                self.made["reconciliations"] += 1
                row = reconciliation_row(recorded, event)
                self._note("reconciliations", str(row[0]), row)
            case _:
                return

    def settle(self) -> None:
        """Compare what has ended, and let go of what is as its rows say."""
        for position in self.fold.book.settled_positions():
            if position not in self._differing:
                if self._are_settled(position):
                    self.fold.forget(position)
                else:
                    self._differing.add(position)

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield table and text of each difference; for when the whole log is folded."""
        book = self.fold.book
        self._note("positions", SYSTEM_POSITION, account_row(book.account))
        for position in sorted(book.positions):
            for table, name, made in self._rows_of(position):
                self._note(table, name, made)
        for table in KEYED:
            self._texts[table] += self._strays(table)
            yield from ((table, text) for text in self._texts[table])

    def _rows_of(self, position: PositionId) -> Iterator[tuple[str, str, Row]]:
        """Yield what the rows of a position and of its orders must be: table, name and row."""
        book = self.fold.book
        made = position_row(book.positions[position], self.fold.entry_ids.get(position))
        yield "positions", position, made
        for order in book.orders_of(position):
            yield "orders", order.client_order_id, order_row(order)

    def _are_settled(self, position: PositionId) -> bool:
        return all(self._fault(*row) is None for row in self._rows_of(position))

    def _note(self, table: str, name: str, made: Row) -> None:
        """Keep what is wrong with the row that should be as it was made."""
        fault = self._fault(table, name, made)
        self._missing[table] += fault == difference(name, made, None)
        if fault is not None and len(self._texts[table]) < TEXTS_MAX:
            self._texts[table].append(fault)

    def _fault(self, table: str, name: str, made: Row) -> str | None:
        """Return what is wrong with the row that should be as it was made."""
        asked = KEYED[table]
        try:
            stored = self._db.execute(asked.select, made[: asked.key_columns]).fetchone()
        except apsw.CorruptError:
            return f"{name} cannot be read: {DAMAGED}"
        except (apsw.Error, UnicodeDecodeError) as error:  # the log goes on; this row is told
            return f"{name} cannot be read: {error}"
        return difference(name, made, stored)

    def _strays(self, table: str) -> Iterator[str]:
        """Yield the rows that no event makes."""
        asked = KEYED[table]
        own = int(table == "positions")  # the account's row follows from no one event
        found = self._db.execute(asked.select_count).get
        if found == self.made[table] + own - self._missing[table]:
            return
        if self._keys is None:
            self._keys = keys_made(self._db, self.fold)
        for row in self._db.execute(asked.select_all):
            key = row[: asked.key_columns]
            if key not in self._keys[table]:
                yield f"{' '.join(str(cell) for cell in key)} is in no event"


def difference(name: str, made: Row, stored: Row | None) -> str | None:
    """Return how a stored row is other than the one that the events make, None where it is not."""
    if stored is None:
        return f"{name} is missing"
    if stored == made:
        return None
    expected, was = next((a, b) for a, b in zip(made, stored, strict=True) if a != b)
    return f"{name}: the events make {expected!r}, the row says {was!r}"


def keys_made(db: apsw.Connection, fold: Fold) -> dict[str, set[Row]]:
    """Return the keys of all rows that a log makes, by table; a whole look at the log."""
    keys: dict[str, set[Row]] = {table: set() for table in KEYED}
    keys["positions"].add((SYSTEM_POSITION,))
    for recorded in map(recorded_of, logged_events(db)):
        event = recorded.event
        if fold.is_skipped(recorded):
            continue
        if is_beginning(event):
            keys["positions"].add((recorded.position_id,))
        match event:
            case OrderIntended():
                keys["orders"].add((event.client_order_id,))
            case OrderFilled():
                keys["fills"].add((event.symbol, event.fill.trade_id))
            case ReconciliationCompleted():
                keys["reconciliations"].add((recorded.event_id,))
            case _:
                continue
    return keys
