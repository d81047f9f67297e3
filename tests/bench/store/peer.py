"""The `eventsourcing` library over its own SQLite recorder: an aggregate a position.

It keeps no projections and no chain. Its file is as the library sets it: WAL, and SQLite's own
`synchronous`, which is FULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from tests.bench.store.workload import Opened, Written


class Marked(Aggregate):
    """A position that is marked."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.price = Decimal(0)

    @event("PositionMarked")
    def mark(self, price: Decimal, high: Decimal, low: Decimal) -> None:
        self.price = price


class Peer:
    """A writer as the plain ones are."""

    def __init__(self, folder: Path, begun: Opened) -> None:
        self._application = Application[UUID](
            env={
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": str(folder / "peer.db"),
            }
        )
        symbols = {key: begun.book.positions[key].symbol for key in begun.positions}
        self._aggregates = {key: Marked(symbol) for key, symbol in symbols.items()}
        self._application.save(*self._aggregates.values())

    def commit(self, group: Sequence[Written]) -> None:
        touched = {}
        for each in group:
            key, price = each.recorded.position_id, each.position.mark
            assert price is not None
            touched[key] = self._aggregates[key]
            touched[key].mark(price, price, price)
        self._application.save(*touched.values())

    def close(self) -> None:
        self._application.close()
