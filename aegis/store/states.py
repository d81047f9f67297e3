"""States: what the log added up to at some of its events, kept so that any past is near one.

A cache beside the log: state and the events after it give what the events alone give. `verify`
compares each one with the log; whoever makes the rows anew makes these anew as well.

Invariants:
1. What does not prove itself (checksum, the hash of its event, the shape of this program's values,
   the events set aside) is not used.
2. A state never stands in a commit's way: it is written after it, and goes without where the disk
   is full or very much is held.
3. From a kept state to any later event are at most as many events as `spacing` says.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

import apsw
import msgspec

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.ids import EventId
from aegis.domain.instrument import Instrument
from aegis.domain.order import Order
from aegis.domain.position import Position, StopPolicy

EVENTS_MIN = 10_000
"""Between two states: proved and folded in 0.04 to 0.06 s."""

SHARE = 100
"""Of the log that may lie between two states, one in so many: the first million events have a
hundred states, and each further doubling of the log has seventy."""

HELD_MAX = 25_000
"""Positions and orders that a commit's caller waits for: 5 us each. More of them have no state."""

ZLIB_LEVEL = 1
"""15 MB of JSON, which are 10,000 positions, become 1.3 MB in 50 ms; level 6 takes twice as long
for 1.0 MB."""

_INSERT = """
INSERT INTO states (event_id, hash, quarantined, data, checksum) VALUES (?, ?, ?, ?, ?)
"""

_EMPTY = "DELETE FROM states"

_NUMBERS = "SELECT event_id FROM states ORDER BY event_id"

_STATE = "SELECT hash, quarantined, data, checksum FROM states WHERE event_id = ?"

_NUMBERS_UP_TO = "SELECT event_id FROM states WHERE event_id <= ? ORDER BY event_id DESC"

_HASH_OF = "SELECT hash FROM position_events WHERE event_id = ?"

_QUARANTINED = "SELECT count(*) FROM quarantine WHERE event_id <= ?"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The account, what is alive or has orders under way, and all orders of that."""

    account: Account
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]


class OutdatedError(ValueError):
    """A state that was true when it was made, and is of no use any more."""


class Found(NamedTuple):
    """The nearest state before a point that proves itself, and what is wrong with nearer ones."""

    event_id: EventId
    state: State
    faults: tuple[str, ...]


class States:
    """The states of an open store, as its one writer keeps them."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._last = max(state_numbers(db), default=0)

    def is_due(self, book: Book) -> bool:
        """Whether the book's moment should be kept; asked after each commit."""
        last = book.last_event_id
        if last - self._last < EVENTS_MIN:
            return False
        held = len(book.positions) + len(book.orders)
        return held <= HELD_MAX and last - self._last >= spacing(last, held)

    def keep(self, book: Book, head_hash: str) -> None:
        """Write the state that a book is in, inside the caller's transaction."""
        last = book.last_event_id
        set_aside = self._db.execute(_QUARANTINED, (last,)).get
        data = zlib.compress(SHAPE + encoded(book), ZLIB_LEVEL)
        cells = (int(last), head_hash, set_aside, data)
        self._db.execute(_INSERT, (*cells, _checksum(*cells))).fetchall()
        self._last = int(last)

    def empty(self) -> None:
        """Let go of all of them, inside the caller's transaction."""
        self._db.execute(_EMPTY).fetchall()
        self._last = 0


def spacing(event_id: int, held: int) -> int:
    """Return how many events must lie before the next state.

    As many as are held, so that it costs an event 5 us at most, and a share of the whole log, so
    that there are not ever more of them.
    """
    return max(EVENTS_MIN, held, event_id // SHARE)


def encoded(book: Book) -> bytes:
    """Return the one text of what a book holds, whatever else it has not forgotten yet."""
    kept = [
        each
        for each in sorted(book.positions)
        if book.positions[each].is_alive or book.active_orders(each)
    ]
    return _ENCODER.encode(
        State(
            account=book.account,
            positions=tuple(book.positions[each] for each in kept),
            orders=tuple(order for each in kept for order in book.orders_of(each)),
        )
    )


def nearest_state(db: apsw.Connection, event_id: int) -> Found:
    """Return the last state up to an event; the empty one before the first event, if need be."""
    faults: list[str] = []
    for number in _numbers(db, _NUMBERS_UP_TO, (event_id,)):
        try:
            state = _DECODER.decode(proved_text(db, number))
        except (ValueError, msgspec.MsgspecError) as error:
            faults.append(f"the state at event {number} is not used: {error}")
        else:
            return Found(EventId(number), state, tuple(faults))
    start = State(account=Account(), positions=(), orders=())
    return Found(EventId(0), start, tuple(faults))


def state_numbers(db: apsw.Connection) -> tuple[int, ...]:
    """Return the events at which there are states."""
    return _numbers(db, _NUMBERS)


def proved_text(db: apsw.Connection, event_id: int) -> bytes:
    """Return the text of a state that proves itself; `ValueError` says why one does not.

    `OutdatedError` of one that nothing is wrong with but its age.
    """
    head_hash, quarantined, data, checksum = db.execute(_STATE, (event_id,)).fetchall()[0]
    cells = (event_id, head_hash, quarantined, data)
    if not isinstance(data, bytes) or _checksum(*cells) != checksum:
        raise ValueError("its checksum does not cover it")
    if db.execute(_HASH_OF, (event_id,)).get != head_hash:
        raise ValueError("it belongs to another log")
    if db.execute(_QUARANTINED, (event_id,)).get != quarantined:
        raise OutdatedError("an event before it was set aside")
    try:
        text = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not text.startswith(SHAPE):
        raise OutdatedError("another version of AEGIS made it")
    return text[len(SHAPE) :]


def _numbers(db: apsw.Connection, question: str, bindings: tuple[int, ...] = ()) -> tuple[int, ...]:
    rows = db.execute(question, bindings).fetchall()
    return msgspec.convert([row[0] for row in rows], tuple[int, ...])


def _checksum(*cells: object) -> str:
    digest = hashlib.sha256()
    for cell in cells:
        data = cell if isinstance(cell, bytes) else str(cell).encode()
        digest.update(b"%d:%b" % (len(data), data))
    return digest.hexdigest()


def _shape() -> bytes:
    """Return a fingerprint of the values that this program keeps: of their fields' names."""
    kinds = (Account, Position, StopPolicy, Instrument, Order)
    names = " ".join(name for kind in kinds for name in ("|", *kind.__struct_fields__))
    return hashlib.sha256(names.encode()).digest()


SHAPE = _shape()
_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_DECODER = msgspec.json.Decoder(State)
