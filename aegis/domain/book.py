"""The book: what all recorded events add up to, indexed.

A `Book` is a mutable index of immutable values; whoever holds one owns it alone. How a value
follows from an event is `fold`'s.

Invariants:
1. `apply` never refuses: a recorded fact that does not fit is corruption, and asserts.
2. Each symbol has at most one alive position.
3. Equal events give equal books, whatever was forgotten in between and read back.
4. An event that does not fit leaves the book as it was.
5. A position is held as long as it is alive or one of its orders has not ended; with it, all
   orders that it ever had.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aegis.domain.account import Account
from aegis.domain.events import (
    OrderIntended,
    PositionImported,
    PositionMarked,
    Proposed,
    Recorded,
)
from aegis.domain.fold import (
    MarkRun,
    evolve_account,
    evolve_order,
    evolve_position,
    imported_position,
    intended_order,
    is_beginning,
    is_of_order,
    marked,
    opening_position,
    status_of,
)
from aegis.domain.ids import SYSTEM_POSITION, ClientOrderId, EventId, Instant, PositionId, Symbol
from aegis.domain.order import Order, Role
from aegis.domain.position import Position

replace = msgspec.structs.replace


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A position that was forgotten, and all its orders, as they were read back."""

    position: Position
    orders: tuple[Order, ...]


class Book:
    """Alive positions, their orders, and the account, as of `last_event_id`."""

    def __init__(self) -> None:
        self.account = Account()
        self.positions: dict[PositionId, Position] = {}
        self.orders: dict[ClientOrderId, Order] = {}
        self.last_event_id = EventId(0)
        self._alive: dict[Symbol, PositionId] = {}
        self._active: dict[ClientOrderId, None] = {}
        self._orders_of: dict[PositionId, dict[ClientOrderId, None]] = {}
        self._ended: dict[PositionId, None] = {}

    def copy(self) -> Book:
        """Return a book of its own with the same values."""
        twin = Book()
        twin.account = self.account
        twin.positions = dict(self.positions)
        twin.orders = dict(self.orders)
        twin.last_event_id = self.last_event_id
        twin._alive = dict(self._alive)
        twin._active = dict(self._active)
        twin._orders_of = {key: dict(orders) for key, orders in self._orders_of.items()}
        twin._ended = dict(self._ended)
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
            self._ended.pop(position.position_id, None)
            return
        self._ended[position.position_id] = None
        if self._alive.get(position.symbol) == position.position_id:
            del self._alive[position.symbol]

    def keep_order(self, order: Order) -> None:
        """Hold an order, in place of an older value of it."""
        self.orders[order.client_order_id] = order
        self._orders_of.setdefault(order.position_id, {})[order.client_order_id] = None
        if order.is_ended:
            self._active.pop(order.client_order_id, None)
        else:
            self._active[order.client_order_id] = None

    def recall(self, recalled: Recalled) -> None:
        """Hold again what was forgotten; what is held already stays as it is."""
        if recalled.position.position_id in self.positions:
            return
        self.keep_position(recalled.position)
        for order in recalled.orders:
            self.keep_order(order)

    def position_of(self, symbol: Symbol) -> Position | None:
        """Return the alive position of a symbol."""
        held = self._alive.get(symbol)
        return None if held is None else self.positions[held]

    def alive_positions(self) -> tuple[Position, ...]:
        """Return the positions that hold, or may come to hold, something."""
        return tuple(self.positions[held] for held in self._alive.values())

    def active_orders(self, position: PositionId | None = None) -> tuple[Order, ...]:
        """Return the orders that have not ended, of one position or of all."""
        if position is None:
            return tuple(self.orders[order_id] for order_id in self._active)
        return tuple(order for order in self.orders_of(position) if not order.is_ended)

    def orders_of(self, position: PositionId) -> tuple[Order, ...]:
        """Return all orders of a position that is held, in the order of their intents."""
        return tuple(self.orders[order_id] for order_id in self._orders_of.get(position, ()))

    def version_of(self, position: PositionId) -> int:
        """Return how many events a position has, zero for an unknown one."""
        if position == SYSTEM_POSITION:
            return self.account.version
        held = self.positions.get(position)
        return 0 if held is None else held.version

    def forget_ended(self) -> None:
        """Let go of ended positions and their orders; the store can read them back.

        One whose order has come back to life stays until that order has ended too.
        """
        for position in self.settled_positions():
            self.forget(position)

    def settled_positions(self) -> tuple[PositionId, ...]:
        """Return those held that have ended, with all their orders."""
        return tuple(each for each in self._ended if not self.active_orders(each))

    def forget(self, position: PositionId) -> None:
        """Let go of a position that has ended, and of its orders."""
        del self._ended[position], self.positions[position]
        for order_id in self._orders_of.pop(position, ()):
            del self.orders[order_id]

    def follows(self, recorded: Recorded) -> bool:
        """Say whether an event is the next one, and speaks only of what is held here.

        Where not, whoever folds along reads the book anew: its inbox overflowed, or an order
        came back whose position was forgotten.
        """
        event, held = recorded.event, recorded.position_id
        if recorded.event_id != self.last_event_id + 1:
            return False
        if is_beginning(event):
            return True
        if is_of_order(event) and event.client_order_id not in self.orders:
            return False
        return held == SYSTEM_POSITION or held in self.positions

    def record(self, proposed: Proposed, *, by: str, at: Instant) -> Recorded:
        """Give an event that was decided on its place as the next one, and add it."""
        recorded = Recorded(
            event_id=EventId(self.last_event_id + 1),
            position_id=proposed.position_id,
            version=self.version_of(proposed.position_id) + 1,
            actor=by,
            at=at,
            event=proposed.event,
        )
        self.apply(recorded)
        return recorded

    def apply(self, recorded: Recorded) -> None:
        """Add one recorded event."""
        event, at = recorded.event, recorded.at
        assert recorded.event_id > self.last_event_id, f"Event {recorded.event_id} came twice"
        position = self.positions.get(recorded.position_id)
        if type(event) is PositionMarked:  # most of a log; the way below takes 1.4 us longer
            assert position is not None, f"No position {recorded.position_id}"
            self.positions[recorded.position_id] = marked(position, (event,), recorded.version)
            self.last_event_id = recorded.event_id
            return
        order = None
        if isinstance(event, OrderIntended):
            assert event.client_order_id not in self.orders, f"Intended twice: {event}"
            order = intended_order(recorded.position_id, event, at)
            if event.opening is not None:
                self._expect_none(recorded.position_id, event.symbol)
                position = opening_position(recorded.position_id, event, at)
        elif isinstance(event, PositionImported):
            self._expect_none(recorded.position_id, event.symbol)
            position = imported_position(recorded.position_id, event, at)
        elif is_of_order(event):
            known = self.orders.get(event.client_order_id)
            assert known is not None, f"No order {event.client_order_id} for {event}"
            assert known.position_id == recorded.position_id, f"{known} is not {recorded}'s"
            order = evolve_order(known, event, at)
        is_own = recorded.position_id != SYSTEM_POSITION
        assert position is not None or not is_own, f"No position {recorded.position_id}"
        account = evolve_account(self.account, event, at, position, order)
        if not is_own:
            account = replace(account, version=recorded.version)
        evolved = None if position is None else evolve_position(position, event, at, order)
        self.account = account  # from here on nothing refuses
        if order is not None:
            self.keep_order(order)
        if evolved is not None:
            status = status_of(evolved, is_leaving=self._is_leaving(recorded.position_id))
            self.keep_position(replace(evolved, status=status, version=recorded.version))
        self.last_event_id = recorded.event_id

    def apply_marks(self, runs: Iterable[MarkRun], last_event_id: EventId) -> None:
        """Add the events up to one, each a mark of a position that is held."""
        assert last_event_id > self.last_event_id, f"Event {last_event_id} came twice"
        after = {
            run.position_id: marked(self.positions[run.position_id], run.marks, run.version)
            for run in runs
        }
        self.positions.update(after)  # alive before and after: no index changes
        self.last_event_id = last_event_id

    def _expect_none(self, position: PositionId, symbol: Symbol) -> None:
        """Assert that a position, which an event begins, may begin."""
        assert position not in self.positions, f"{position} was opened twice"
        assert symbol not in self._alive, f"Two positions alive in {symbol}"

    def _is_leaving(self, position: PositionId) -> bool:
        for each in self._orders_of.get(position, ()):
            if each in self._active and self.orders[each].role in (Role.EXIT, Role.FORCED):
                return True
        return False
