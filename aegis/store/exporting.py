"""What an export takes out of a store: row by row, in order, from one look at it. Read-only.

Rows are streamed: what is in memory does not grow with the store.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec

from aegis.domain.bookkeeping import (
    MOVING,
    Booked,
    Bookkeeper,
    Books,
    movements_of_event,
    movements_of_fill,
)
from aegis.domain.events import BalancesStarted, Recorded
from aegis.domain.ids import Coin, Instant, PositionId, Symbol
from aegis.domain.instants import instant_of, text_of
from aegis.domain.order import Order, Side
from aegis.domain.position import Position
from aegis.store.loading import find_account, orders_of, quarantined_events
from aegis.store.reading import trusted
from aegis.store.records import logged_events, recorded_of
from aegis.store.statements import SELECT_CLOSED_POSITIONS
from aegis.store.values import position_of

AT_END = "~"
"""Stands after every instant's text, where an interval has no end."""

ALL = ("", AT_END)

_FILLS = """
SELECT fills.event_id, filled_at, fills.symbol, orders.role, fills.side, fills.amount_exact,
       fills.price_exact, fee_exact, fee_currency, liquidity, trade_id, fills.client_order_id,
       orders.exchange_order_id, orders.position_id, orders.strategy, orders.reason
FROM fills JOIN orders ON orders.client_order_id = fills.client_order_id
WHERE filled_at >= ? AND filled_at < ? ORDER BY fills.event_id
"""

_EVENTS = """
SELECT event_id, timestamp, event_type, position_id, version, actor, event_data, hash
FROM position_events WHERE timestamp >= ? AND timestamp < ? ORDER BY event_id
"""

_COUNTS = {
    "events": "SELECT count(*) FROM position_events WHERE timestamp >= ? AND timestamp < ?",
    "fills": "SELECT count(*) FROM fills WHERE filled_at >= ? AND filled_at < ?",
    "trades": """
SELECT count(*) FROM positions WHERE status = 'CLOSED' AND closed_at >= ? AND closed_at < ?
""",
}


class FillRow(msgspec.Struct, frozen=True, array_like=True):
    """A fill with the order that it belongs to."""

    event_id: int
    filled_at: str
    symbol: str
    role: str
    side: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    liquidity: str
    trade_id: str
    client_order_id: str
    exchange_order_id: str | None
    position_id: str
    strategy: str
    reason: str


class EventRow(msgspec.Struct, frozen=True, array_like=True):
    """An event as it is stored; `data` is the JSON that was hashed."""

    event_id: int
    at: str
    event_type: str
    position_id: str
    version: int
    actor: str
    data: str
    hash: str


class Exporter:
    """One consistent look at a store, and an interval of its time."""

    def __init__(self, db: apsw.Connection, begin: Instant, end: Instant | None) -> None:
        self._db = db
        self._begin, self._end = begin, end
        self._span = (text_of(begin), AT_END if end is None else text_of(end))

    def count(self, what: str) -> int:
        """Return how many rows of a kind there are."""
        return msgspec.convert(self._db.execute(_COUNTS[what], self._span).get, int)

    def events(self) -> Iterator[EventRow]:
        """Yield the events of the interval."""
        return (msgspec.convert(row, EventRow) for row in self._db.execute(_EVENTS, self._span))

    def fills(self) -> Iterator[FillRow]:
        """Yield the fills of the interval, by the instant that the exchange says."""
        return self._fills(self._span)

    def trades(self) -> Iterator[tuple[Position, tuple[Order, ...]]]:
        """Yield the trades that were closed in the interval, each with its orders."""
        begin, end = self._span
        for row in self._db.execute(SELECT_CLOSED_POSITIONS, (begin,)):
            position = position_of(row)
            if position.closed_at is not None and text_of(position.closed_at) < end:
                yield position, orders_of(self._db, PositionId(position.position_id))

    def books(self) -> Books:
        """Return the account's books: the interval's lines, all closed against the balances."""
        keeper = Bookkeeper(self._begin, self._end)
        sources: tuple[Iterator[FillRow | Recorded], ...] = (self._moving(), self._fills(ALL))
        for entry in heapq.merge(*sources, key=_number_of):
            match entry:
                case FillRow():
                    keeper.add(movements_of_fill(_booked(entry)))
                case Recorded(event=BalancesStarted(balances=balances), at=at):
                    keeper.start(balances, at)
                case Recorded(event=event, at=at):
                    keeper.add(movements_of_event(event, at))
        return keeper.books(find_account(self._db).balances)

    def _moving(self) -> Iterator[Recorded]:
        """Yield the events besides fills that change a balance."""
        set_aside = quarantined_events(self._db)
        moving = {kind.__name__ for kind in MOVING}
        for logged in logged_events(self._db):
            if logged.event_type in moving and logged.event_id not in set_aside:
                yield recorded_of(logged)

    def _fills(self, span: tuple[str, str]) -> Iterator[FillRow]:
        rows = self._db.execute(_FILLS, span)
        return (msgspec.convert(row, FillRow) for row in rows)


@contextmanager
def exporter_of(path: Path, begin: Instant, end: Instant | None) -> Iterator[Exporter]:
    """Yield a look at a store; raises what a look at a store raises."""
    with trusted(path) as db:
        yield Exporter(db, begin, end)


def _number_of(entry: FillRow | Recorded) -> int:
    return entry.event_id


def _booked(fill: FillRow) -> Booked:
    return Booked(
        at=instant_of(fill.filled_at),
        symbol=Symbol(fill.symbol),
        side=Side(fill.side),
        amount=fill.amount,
        price=fill.price,
        fee=fill.fee,
        fee_coin=Coin(fill.fee_coin),
    )
