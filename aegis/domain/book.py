"""The book: what all recorded events add up to, indexed.

A `Book` is a mutable index of immutable values; whoever holds one owns it alone. How a value
follows from an event is `fold`'s.

Invariants:
1. `apply` never refuses: a recorded fact that does not fit is corruption, and asserts.
2. Each symbol has at most one alive position.
3. Equal events give equal books, whatever was forgotten in between and read back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aegis.domain.account import Account
from aegis.domain.events import OrderIntended, Recorded
from aegis.domain.fold import (
    ORDER_EVENTS,
    evolve_account,
    evolve_order,
    evolve_position,
    intended_order,
    opening_position,
)
from aegis.domain.ids import SYSTEM_POSITION, ClientOrderId, EventId, PositionId, Symbol
from aegis.domain.order import Order
from aegis.domain.position import Position

replace = msgspec.structs.replace


class Book:
    """Alive positions, their orders, and the account, as of `last_event_id`."""

    def __init__(self) -> None:
        self.account = Account()
        self.positions: dict[PositionId, Position] = {}
        self.orders: dict[ClientOrderId, Order] = {}
        self.last_event_id = EventId(0)
        self._alive: dict[Symbol, PositionId] = {}
        self._active: dict[ClientOrderId, None] = {}
        self._ended: list[PositionId] = []

    def copy(self) -> Book:
        """Return a book of its own with the same values."""
        twin = Book()
        twin.account = self.account
        twin.positions = dict(self.positions)
        twin.orders = dict(self.orders)
        twin.last_event_id = self.last_event_id
        twin._alive = dict(self._alive)
        twin._active = dict(self._active)
        twin._ended = list(self._ended)
        return twin

    def restore(
        self,
        account: Account,
        positions: Iterable[Position],
        orders: Iterable[Order],
        last_event_id: EventId,
    ) -> None:
        """Take up values that were read back, in place of what is here."""
        self.account, self.last_event_id = account, last_event_id
        for position in positions:
            self.keep_position(position)
        for order in orders:
            self.keep_order(order)

    def keep_position(self, position: Position) -> None:
        """Hold a position, in place of an older value of it."""
        self.positions[position.position_id] = position
        if position.is_alive:
            holder = self._alive.setdefault(position.symbol, position.position_id)
            assert holder == position.position_id, f"Two positions alive in {position.symbol}"
        elif self._alive.get(position.symbol) == position.position_id:
            del self._alive[position.symbol]
            self._ended.append(position.position_id)

    def keep_order(self, order: Order) -> None:
        """Hold an order, in place of an older value of it."""
        self.orders[order.client_order_id] = order
        if order.is_ended:
            self._active.pop(order.client_order_id, None)
        else:
            self._active[order.client_order_id] = None

    def position_of(self, symbol: Symbol) -> Position | None:
        """Return the alive position of a symbol."""
        held = self._alive.get(symbol)
        return None if held is None else self.positions[held]

    def alive_positions(self) -> tuple[Position, ...]:
        """Return the positions that hold, or may come to hold, something."""
        return tuple(self.positions[held] for held in self._alive.values())

    def active_orders(self, position: PositionId | None = None) -> tuple[Order, ...]:
        """Return the orders that have not ended, of one position or of all."""
        active = (self.orders[order_id] for order_id in self._active)
        return tuple(order for order in active if position is None or order.position_id == position)

    def version_of(self, position: PositionId) -> int:
        """Return how many events a position has, zero for an unknown one."""
        if position == SYSTEM_POSITION:
            return self.account.version
        held = self.positions.get(position)
        return 0 if held is None else held.version

    def forget_ended(self) -> None:
        """Let go of ended positions and their orders; the store can read them back."""
        if not self._ended:
            return
        gone = set(self._ended)
        self._ended.clear()
        for position in gone:
            self.positions.pop(position, None)
        for order in [o for o in self.orders.values() if o.position_id in gone and o.is_ended]:
            del self.orders[order.client_order_id]

    def apply(self, recorded: Recorded) -> None:
        """Add one recorded event."""
        event, at = recorded.event, recorded.at
        assert recorded.event_id > self.last_event_id, f"Event {recorded.event_id} came twice"
        position = self.positions.get(recorded.position_id)
        order = None
        if isinstance(event, OrderIntended):
            order = intended_order(recorded.position_id, event, at)
            if event.opening is not None:
                assert position is None, f"{recorded.position_id} was opened twice"
                position = opening_position(recorded.position_id, event, at)
            self.keep_order(order)
        elif isinstance(event, ORDER_EVENTS):
            order = evolve_order(self.orders[event.client_order_id], event, at)
            self.keep_order(order)
        self.account = evolve_account(self.account, event, at, position, order)
        if recorded.position_id == SYSTEM_POSITION:
            self.account = replace(self.account, version=recorded.version)
        else:
            assert position is not None, f"No position {recorded.position_id} for {event}"
            evolved = evolve_position(position, event, at, order)
            self.keep_position(replace(evolved, version=recorded.version))
        self.last_event_id = recorded.event_id
