"""What a person's script says that the exchange holds, beside what the store holds.

Pure. Here nobody has asked an exchange: amounts by symbol are told, and trades if they are known.
So it is less than `reconcile` has to go by, and less follows from it.

Invariants:
1. An amount that is told closes nothing: a trade does, or a person with a price.
2. What an order in flight may explain is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.coverage import lacking
from aegis.domain.events import Discrepancy
from aegis.domain.findings import Finding, Kind, View
from aegis.domain.ids import Symbol
from aegis.domain.money import ZERO, minus, text
from aegis.domain.position import Position
from aegis.domain.reconcile import for_a_person
from aegis.domain.risk import is_held


def compare_told(book: Book, view: View, told: Mapping[Symbol, Decimal]) -> tuple[Finding, ...]:
    """Return where the amounts that are told differ from what the store holds."""
    return tuple(for_a_person(finding, book) for finding in _differences(book, view, told))


def unjudged(book: Book) -> tuple[Symbol, ...]:
    """Return the symbols in which an order is under way, so that no amount says anything."""
    active = (order for order in book.active_orders() if not order.only_waits)
    return tuple(sorted({order.symbol for order in active}))


def _differences(book: Book, view: View, told: Mapping[Symbol, Decimal]) -> Iterator[Finding]:
    left_out = unjudged(book)
    for position in book.alive_positions():
        if position.symbol in left_out or not is_held(position):
            continue
        there = told.get(position.symbol, ZERO)
        if there < position.amount:
            yield lacking(book, view, position, minus(position.amount, there))
        elif there > position.amount:
            yield _not_ours(position.symbol, position, there)
    for symbol, there in told.items():
        if there > 0 and symbol not in left_out and book.position_of(symbol) is None:
            yield _not_ours(symbol, None, there)


def _not_ours(symbol: Symbol, position: Position | None, there: Decimal) -> Finding:
    own = ZERO if position is None else position.amount
    return Finding(
        key=(Kind.EXTERNAL, symbol, text(own), text(there)),
        discrepancy=Discrepancy(
            kind=Kind.EXTERNAL,
            symbol=None,
            subject=symbol,
            expected=text(own),
            found=text(there),
            action="none: what is beyond our own is not ours",
            is_healed=True,
        ),
    )
