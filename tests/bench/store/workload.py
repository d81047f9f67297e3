"""What is written: marks of positions that are open, decided as the system decides them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    Command,
    IntendOrder,
    MarkPosition,
    RecordFills,
)
from aegis.domain.decisions import decide
from aegis.domain.events import Opening, OrderSubmitted, Proposed, Recorded
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    Coin,
    ExchangeOrderId,
    Instant,
    PositionId,
    Symbol,
)
from aegis.domain.order import Order
from aegis.domain.position import Position
from aegis.domain.risk import Limits
from aegis.store.journal import Store
from tests.domain.kit import NO_LIMITS, START, entry, fill, instrument, opening
from tests.store.histories import open_store

WARM_UP = 10
"""One in so many is written before the clock is started: statements compiled, files made."""

LIMITS: Limits = msgspec.structs.replace(NO_LIMITS, open_positions_max=10**9)
BY = "Guard"
PRICES = 977  # a prime, so that no position gets the same price twice running


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long some events took: on the wall, and in this process's processor time."""

    events: int
    wall_s: float
    cpu_s: float


class Opened(msgspec.Struct, frozen=True):
    """A book with open positions in it, and what was recorded until then."""

    book: Book
    records: tuple[Recorded, ...]

    @property
    def at(self) -> Instant:
        """When the last of it was recorded; marks come after it."""
        return self.records[-1].at

    @property
    def positions(self) -> tuple[PositionId, ...]:
        return tuple(self.book.positions)


class Written(msgspec.Struct, frozen=True):
    """An event, its position after it, and the command that it came of."""

    recorded: Recorded
    position: Position
    command: MarkPosition


def timed(events: int, work: Callable[[], object]) -> Timing:
    """Do some work that takes so many events, and return how long it took."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return Timing(events=events, wall_s=wall_s, cpu_s=cpu_s)


def total(timings: Sequence[Timing]) -> Timing:
    """Return what several came to together."""
    return Timing(
        events=sum(each.events for each in timings),
        wall_s=sum(each.wall_s for each in timings),
        cpu_s=sum(each.cpu_s for each in timings),
    )


@cache
def opened(positions: int) -> Opened:
    """Return a book with so many open positions, five events each."""
    book = Book()
    records: list[Recorded] = []
    for number in range(positions):
        at = Instant(START + number * NANOS_PER_SECOND)  # limits count the last minute's
        symbol = Symbol(f"C{number}/USDT")
        order = entry(symbol=symbol)
        key = order.client_order_id
        accepted = AcceptOrder(client_order_id=key, exchange_order_id=ExchangeOrderId(f"x{number}"))
        filled = RecordFills(client_order_id=key, fills=(fill(f"t{number}"),))
        records.extend(record(book, IntendOrder(order=order, opening=_opening(symbol)), at))
        records.append(_submitted(book, order, at))
        records.extend(record(book, accepted, at))
        records.extend(record(book, filled, at))
    return Opened(book, tuple(records))


def record(book: Book, command: Command, at: Instant) -> Iterator[Recorded]:
    """Decide a command that must be taken, and fold what comes of it."""
    decision = decide(book, command, now=at, limits=LIMITS)
    assert isinstance(decision, tuple), f"Expected {command} to be taken, was {decision}"
    for proposed in decision:
        yield book.record(proposed, by=BY, at=at)


def marks(positions: Sequence[PositionId], count: int) -> list[MarkPosition]:
    """Return marks, one position after another, each at a price that is new to it."""
    return [_mark(positions[number % len(positions)], number) for number in range(count)]


def written(begun: Opened, count: int) -> list[Written]:
    """Return what marks come to: events, each with its position after it."""
    book = begun.book.copy()
    made = []
    for mark in marks(begun.positions, count):
        (recorded,) = record(book, mark, begun.at)
        made.append(Written(recorded, book.positions[recorded.position_id], mark))
    return made


def store_of(folder: Path, begun: Opened) -> Store:
    """Make a store in an empty folder that holds what was opened."""
    store = open_store(folder / "aegis.db", now=START)
    store.book = begun.book.copy()
    store.commit(begun.records, store.book)
    return store


def _opening(symbol: Symbol) -> Opening:
    """Return what opens a position; of one coin, since a fill copies the balances of all coins."""
    return opening(symbol, instrument=instrument(symbol, base=Coin("C")))


def _submitted(book: Book, order: Order, at: Instant) -> Recorded:
    """Record that all gates were passed, without asking them: they count every position."""
    event = OrderSubmitted(client_order_id=order.client_order_id)
    return book.record(Proposed(position_id=order.position_id, event=event), by=BY, at=at)


def _mark(position: PositionId, number: int) -> MarkPosition:
    price = Decimal(10_001 + number % PRICES).scaleb(-2)
    return MarkPosition(position_id=position, price=price, high=price, low=price)
