"""Folding the log: what the events add up to, as values and as rows.

Used by whoever must know what the projections should be: verify, rebuild, the inspector.

Invariants:
1. The fold is `domain.book`'s; here it is only fed, and what it cannot take is named.
2. A quarantined event changes nothing but the count of its position's events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from aegis.domain.book import Book
from aegis.domain.events import OrderAccepted, OrderIntended, Recorded, name_of
from aegis.domain.fold import is_of_order
from aegis.domain.ids import SYSTEM_POSITION, ClientOrderId, ExchangeOrderId, PositionId
from aegis.domain.order import Role
from aegis.store.errors import StoreCorrupt
from aegis.store.projections import Row, account_row, order_row, position_row

FOLD_FAULTS = (AssertionError, KeyError, ValueError, ArithmeticError)
"""What the fold raises on an event that does not fit: `evolve` asserts, look-ups miss."""

replace = msgspec.structs.replace


class Fold:
    """A book with what its rows need besides: which order id the exchange gave first."""

    def __init__(self, quarantined: Collection[int] = ()) -> None:
        self.book = Book()
        self.entry_ids: dict[PositionId, ExchangeOrderId] = {}
        self.quarantined = quarantined

    def is_skipped(self, recorded: Recorded) -> bool:
        """Whether an event was set aside and changes nothing."""
        return recorded.event_id in self.quarantined

    def apply(self, recorded: Recorded) -> None:
        """Add an event; `StoreCorrupt` when it does not follow from what came before."""
        if self.quarantined and self.is_skipped(recorded):
            self._count(recorded)
            return
        try:
            self.book.apply(recorded)
        except FOLD_FAULTS as error:
            is_told = isinstance(error, AssertionError)  # in our words; the others are Python's
            why = str(error) if is_told else f"{type(error).__name__}: {error}"
            what = f"event {recorded.event_id} ({name_of(recorded.event)})"
            raise StoreCorrupt("fold", f"{what} does not follow: {why}") from error
        if type(recorded.event) is OrderAccepted:
            for position, entry_id in accepted_entries((recorded,), self.book).items():
                self.entry_ids.setdefault(position, entry_id)

    def position_rows(self, positions: Iterable[PositionId] | None = None) -> dict[str, Row]:
        """Return the rows of some positions, or of all with the account's, by id."""
        wanted = self.book.positions if positions is None else positions
        rows: dict[str, Row] = {
            key: position_row(self.book.positions[key], self.entry_ids.get(key)) for key in wanted
        }
        if positions is None:
            rows[SYSTEM_POSITION] = account_row(self.book.account)
        return rows

    def order_rows(self) -> dict[str, Row]:
        """Return the rows of all orders, by id."""
        return {key: order_row(order) for key, order in self.book.orders.items()}

    def forget(self, position: PositionId) -> None:
        """Let go of a position that has ended, and of its orders."""
        self.book.forget(position)
        self.entry_ids.pop(position, None)

    def forget_ended(self) -> None:
        """Let go of what has ended: a look that goes on for months keeps to what is alive."""
        self.book.forget_ended()
        alive = self.book.positions
        self.entry_ids = {key: each for key, each in self.entry_ids.items() if key in alive}

    def _count(self, recorded: Recorded) -> None:
        position = self.book.positions.get(recorded.position_id)
        if recorded.position_id == SYSTEM_POSITION:
            self.book.account = replace(self.book.account, version=recorded.version)
        elif position is not None:
            self.book.keep_position(replace(position, version=recorded.version))


def accepted_entries(records: Iterable[Recorded], book: Book) -> dict[PositionId, ExchangeOrderId]:
    """Return, by position, the exchange's id of the first entry that records say was accepted."""
    found: dict[PositionId, ExchangeOrderId] = {}
    for recorded in records:
        event = recorded.event
        if isinstance(event, OrderAccepted):
            order = book.orders[event.client_order_id]
            if order.role is Role.ENTRY:
                found.setdefault(recorded.position_id, event.exchange_order_id)
    return found


def touched_orders(records: Iterable[Recorded]) -> dict[ClientOrderId, None]:
    """Return the orders that records speak of, each once, in order."""
    return {
        event.client_order_id: None
        for event in (recorded.event for recorded in records)
        if is_of_order(event) or isinstance(event, OrderIntended)
    }


def touched_positions(records: Iterable[Recorded]) -> dict[PositionId, None]:
    """Return the positions that records speak of but for the reserved one, each once."""
    return {
        recorded.position_id: None
        for recorded in records
        if recorded.position_id != SYSTEM_POSITION
    }
