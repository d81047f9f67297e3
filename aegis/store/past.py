"""The past: what a store's log added up to at any of its events, or at any time.

Read-only, and from events alone: a kept state is a shorter way to the same values, never another
source. Rows, which only know the present, are not looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import apsw
import msgspec

from aegis.domain.account import Account
from aegis.domain.ids import EventId, Instant
from aegis.domain.instants import instant_of, text_of
from aegis.domain.money import text_of_written
from aegis.domain.order import Order
from aegis.domain.points import Point
from aegis.domain.position import Position
from aegis.store.folding import Fold
from aegis.store.following import follow_page
from aegis.store.loading import quarantined_events
from aegis.store.projections import Cell, Row, order_row, position_row
from aegis.store.reading import View, trusted
from aegis.store.records import hash_at, head_of, stored_pages, timestamp_at
from aegis.store.statements import ORDER_COLUMNS, POSITION_COLUMNS
from aegis.store.states import nearest_state
from aegis.store.verify import ChainCursor

Progress = Callable[[int, int], None]

POSITION_VIEW = (
    "position_id", "symbol", "side", "status", "entry_price", "amount", "cost", "current_price",
    "stop_price", "take_profit_price", "trailing_stop_pct", "pnl", "pnl_pct", "fees", "opened_at",
    "closed_at", "created_by", "notes", "unpriced", "version",
)  # fmt: skip
ORDER_VIEW = (
    "client_order_id", "position_id", "symbol", "state", "role", "side", "type", "amount",
    "filled", "decision_price", "exchange_order_id", "reason", "intended_at", "submitted_at",
    "unknown_at",
)  # fmt: skip
"""What `positions` and `status` show of the present; of a position but for its exchange's id,
which its orders have."""


class Event(msgspec.Struct, frozen=True):
    """One event's place in the log."""

    event_id: EventId
    at: Instant


class NotInLog(msgspec.Struct, frozen=True):
    """A point before the first event or after the last; both None of an empty log."""

    first: Event | None
    last: Event | None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was so right after an event; positions by their opening, and orders not ended.

    `folded` says how many events that took, and `faults` which kept states could not be used.
    """

    event: Event
    hash: str
    account: Account
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    folded: int
    faults: tuple[str, ...]


def read_past(
    path: Path, point: Point, progress: Progress = lambda _done, _total: None
) -> Past | NotInLog:
    """Return what was so after an event, or after the last event up to a time.

    The events folded for it are proved by the chain. Raises what a look at a store raises.
    """
    with trusted(path) as db:
        first, last = _event(db, 1), _event(db, head_of(db).event_id)
        if first is None or last is None:
            return NotInLog(None, None)
        ends = (first.at, last.at) if point.is_time else (first.event_id, last.event_id)
        if not ends[0] <= point.value <= ends[1]:
            return NotInLog(first, last)
        return _past(db, event_up_to(db, point), progress)


def event_up_to(db: apsw.Connection, point: Point) -> EventId:
    """Return the number of the last event that is not after a point; 0 where all are.

    Times in the log never go back, so one is found by halving: 20 reads in a million events.
    """
    if not point.is_time:
        return EventId(max(0, min(point.value, head_of(db).event_id)))
    timestamp = text_of(Instant(point.value))
    before, after = 0, head_of(db).event_id + 1
    while after - before > 1:
        middle = (before + after) // 2
        found = timestamp_at(db, middle)
        if found is not None and found <= timestamp:
            before = middle
        else:
            after = middle
    return EventId(before)


def position_view(position: Position) -> View:
    """Return a position as a view of the present has it."""
    return _view(POSITION_VIEW, POSITION_COLUMNS, position_row(position, None))


def order_view(order: Order) -> View:
    """Return an order as a view of the present has it."""
    return _view(ORDER_VIEW, ORDER_COLUMNS, order_row(order))


def _view(names: tuple[str, ...], columns: tuple[str, ...], row: Row) -> View:
    cells = dict(zip(columns, row, strict=True))
    return {name: _cell(cells, name) for name in names}


def _cell(cells: dict[str, Cell], name: str) -> Cell:
    """Return a column, or its exact twin where it has one, in the one way figures are written."""
    exact = f"{name}_exact"
    if exact not in cells:
        return cells[name]
    figure = cells[exact]
    return None if figure is None else text_of_written(str(figure))


def _past(db: apsw.Connection, event_id: EventId, progress: Progress) -> Past:
    found = nearest_state(db, event_id)
    fold = Fold(quarantined_events(db))
    state = found.state
    fold.book.restore(state.account, state.positions, state.orders, found.event_id)
    total = event_id - found.event_id
    cursor = ChainCursor(found.event_id, str(hash_at(db, found.event_id)))
    for page in stored_pages(db, found.event_id):
        wanted = page[: bisect_right(page, event_id, key=attrgetter("event_id"))]
        for stored in wanted:
            cursor.step(stored)
        follow_page(db, fold, wanted)
        fold.book.forget_ended()
        if not wanted or wanted[-1].event_id == event_id:
            break
        progress(wanted[-1].event_id - found.event_id, total)
    event = _event(db, event_id)
    assert event is not None, f"Expected event {event_id}, it was found above"
    alive = sorted(fold.book.alive_positions(), key=lambda each: (each.opened_at, each.position_id))
    return Past(
        event=event,
        hash=cursor.hash,
        account=fold.book.account,
        positions=tuple(alive),
        orders=fold.book.active_orders(),
        folded=total,
        faults=found.faults,
    )


def _event(db: apsw.Connection, event_id: int) -> Event | None:
    timestamp = timestamp_at(db, event_id)
    return None if timestamp is None else Event(EventId(event_id), instant_of(timestamp))
