"""Reading values back from the projections: the book at a start, and what it forgot since."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import msgspec

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.ids import (
    SYSTEM_POSITION,
    ClientOrderId,
    Coin,
    EventId,
    PositionId,
    Symbol,
    coins_of,
)
from aegis.domain.instants import instant_of
from aegis.domain.lives import Life
from aegis.domain.order import Fill, Order
from aegis.domain.position import Position
from aegis.store.errors import StoreCorrupt
from aegis.store.statements import (
    COUNT_ENTRIES_SENT,
    SELECT_FILL,
    SELECT_FIRST_SYMBOL,
    SELECT_LIVES,
    SELECT_ORDER,
    SELECT_ORDERS_OF_POSITION,
    SELECT_POSITION,
    SELECT_QUARANTINE,
    SELECT_TRADE,
    SELECT_TRADE_ANY,
    SELECT_WORKING_ORDERS,
    SELECT_WORKING_POSITIONS,
)
from aegis.store.values import account_of, fill_of, order_of, position_of

LIVES_MAX = 100_000
"""No candle sees more than one position begin, and no more candles than these are shown again."""


def load_book(db: apsw.Connection, last_event_id: EventId) -> Book:
    """Return the book as the rows have it: what is alive, its orders, and the account."""
    book = Book()
    positions = db.execute(SELECT_WORKING_POSITIONS).fetchall()
    orders = db.execute(SELECT_WORKING_ORDERS).fetchall()
    try:
        book.restore(
            find_account(db),
            [position_of(row) for row in positions],
            [order_of(row) for row in orders],
            last_event_id,
        )
    except AssertionError as error:  # two positions alive in one symbol
        raise StoreCorrupt("projections", str(error)) from error
    return book


def find_account(db: apsw.Connection) -> Account:
    """Return the account from its row, which a store has from its first moment."""
    row = db.execute(SELECT_POSITION, (SYSTEM_POSITION,)).fetchone()
    if row is None:
        raise StoreCorrupt("projections", f"the row of position {SYSTEM_POSITION} is missing")
    return account_of(row)


def find_position(db: apsw.Connection, position_id: PositionId) -> Position | None:
    """Return a position, whatever became of it; the reserved one is not a position."""
    if position_id == SYSTEM_POSITION:
        return None
    row = db.execute(SELECT_POSITION, (position_id,)).fetchone()
    return None if row is None else position_of(row)


def quote_of(db: apsw.Connection) -> Coin | None:
    """Return the coin in which a store's positions are priced, its first one's; None before it."""
    symbol = db.execute(SELECT_FIRST_SYMBOL).get
    return None if symbol is None else coins_of(Symbol(str(symbol)))[1]


def find_order(db: apsw.Connection, client_order_id: ClientOrderId) -> Order | None:
    """Return an order, whatever became of it."""
    row = db.execute(SELECT_ORDER, (client_order_id,)).fetchone()
    return None if row is None else order_of(row)


def orders_of(db: apsw.Connection, position_id: PositionId) -> tuple[Order, ...]:
    """Return all orders that a position ever had, in order of intent."""
    rows = db.execute(SELECT_ORDERS_OF_POSITION, (position_id,)).fetchall()
    return tuple(order_of(row) for row in rows)


def lives_of(db: apsw.Connection, symbols: Iterable[Symbol]) -> tuple[Life, ...]:
    """Return when positions in some symbols lived, eldest first; the last `LIVES_MAX` of each."""
    return tuple(
        Life(
            position_id=position_id,
            symbol=symbol,
            began_at=instant_of(began_at),
            ended_at=None if closed_at is None else instant_of(closed_at),
        )
        for symbol in symbols
        for position_id, began_at, closed_at in reversed(
            db.execute(SELECT_LIVES, (symbol, LIVES_MAX)).fetchall()
        )
    )


def is_known_trade(db: apsw.Connection, symbol: str, trade_id: str) -> bool:
    """Whether a trade of the exchange is booked."""
    return db.execute(SELECT_TRADE, (symbol, trade_id)).fetchone() is not None


def find_fill(db: apsw.Connection, symbol: str, trade_id: str) -> Fill | None:
    """Return a trade of the exchange as it is booked."""
    row = db.execute(SELECT_FILL, (symbol, trade_id)).fetchone()
    return None if row is None else fill_of(row)


def has_fills(db: apsw.Connection) -> bool:
    """Whether any trade is booked."""
    return db.execute(SELECT_TRADE_ANY).fetchone() is not None


def entries_sent(db: apsw.Connection) -> int:
    """Return how many entries ever went out, or may have."""
    rows = db.execute(COUNT_ENTRIES_SENT).fetchall()
    return msgspec.convert(rows[0][0], int)


def quarantined_events(db: apsw.Connection) -> frozenset[int]:
    """Return the events that folds skip."""
    rows = db.execute(SELECT_QUARANTINE).fetchall()
    return msgspec.convert([row[0] for row in rows], frozenset[int])
