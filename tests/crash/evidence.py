"""What the disk says after a kill: the store beside the paper exchange's own ledger.

Two kinds of faults. `unlawful`: what no moment may show, the moment of a kill included.
`differing`: what a store that has recovered must not show any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import msgspec

from aegis.domain.book import Book
from aegis.domain.events import Recorded
from aegis.domain.ids import Coin, EventId
from aegis.domain.instants import instant_of
from aegis.domain.money import ZERO, minus, plus, total
from aegis.domain.order import UNSETTLED, Order, OrderState
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.paper_ledger import LedgerView
from aegis.store.loading import load_book
from aegis.store.records import hash_at, head_of, recorded_of, stored_events
from aegis.store.snapshot import snapshot_of
from aegis.store.statements import SELECT_FILLS, SELECT_ORDERS
from aegis.store.values import order_of

STATUS_OF = {
    OrderState.FILLED: VenueOrderStatus.FILLED,
    OrderState.CANCELED: VenueOrderStatus.CANCELED,
    OrderState.REJECTED: VenueOrderStatus.REJECTED,
    OrderState.EXPIRED: VenueOrderStatus.EXPIRED,
}
"""How an order that ended here ended there. One that is not there never arrived."""

NOTHING: Mapping[Coin, Decimal] = MappingProxyType({})


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade, from either side."""

    trade_id: str
    symbol: str
    client_order_id: str | None
    side: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: str
    at: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One store at one instant: how far its log goes, and what it makes of it."""

    event_id: EventId
    head_hash: str
    book: Book
    orders: dict[str, Order]
    fills: tuple[Fill, ...]

    def in_state(self, *states: OrderState) -> tuple[Order, ...]:
        return tuple(order for order in self.orders.values() if order.state in states)


def look(store: Path) -> Evidence:
    """Read a store without changing it, beside its writer or without one."""
    with snapshot_of(store, "look") as snapshot:
        head = head_of(snapshot.db)
        found = [order_of(row) for row in snapshot.db.execute(SELECT_ORDERS).fetchall()]
        return Evidence(
            event_id=EventId(head.event_id),
            head_hash=head.hash,
            book=load_book(snapshot.db, EventId(head.event_id)),
            orders={order.client_order_id: order for order in found},
            fills=tuple(_fill(row) for row in snapshot.db.execute(SELECT_FILLS).fetchall()),
        )


def records_since(store: Path, event_id: EventId) -> tuple[Recorded, ...]:
    """Return the log past an event."""
    with snapshot_of(store, "look") as snapshot:
        return tuple(recorded_of(stored) for stored in stored_events(snapshot.db, event_id))


def hashes_at(store: Path, event_ids: Iterable[EventId]) -> dict[EventId, str | None]:
    """Return what the log says now at some events."""
    with snapshot_of(store, "look") as snapshot:
        return {event_id: hash_at(snapshot.db, event_id) for event_id in event_ids}


def unlawful(store: Evidence, ledger: LedgerView) -> tuple[str, ...]:
    """Return what may never be: sent before it was written down, sent twice, booked otherwise."""
    return tuple(_unlawful(store, ledger))


def _unlawful(store: Evidence, ledger: LedgerView) -> Iterator[str]:
    times = Counter(order.client_order_id for order in ledger.orders)
    for client_order_id, count in times.items():
        if count != 1:
            yield f"order {client_order_id} is {count} times at the exchange"
    for placed in ledger.orders:
        known = store.orders.get(placed.client_order_id or "")
        if known is None:
            yield f"order {placed.client_order_id} at the exchange is not in the store"
        elif known.state in (OrderState.INTENT, OrderState.NOT_PLACED):
            yield f"order {placed.client_order_id} is {known.state} and at the exchange"
        elif known.amount != placed.amount or known.side != placed.side:
            yield f"order {known} is another at the exchange: {placed}"
    booked = {fill.trade_id: fill for fill in _trades(ledger)}
    for fill in store.fills:
        if booked.get(fill.trade_id) != fill:
            yield f"fill {fill} is {booked.get(fill.trade_id)} at the exchange"
    for coin, held in ledger.balances.items():
        if held < 0:
            yield f"the exchange holds {held} {coin}: more was sold than was there"


def differing(
    store: Evidence, ledger: LedgerView, owned: Mapping[Coin, Decimal] = NOTHING
) -> tuple[str, ...]:
    """Return in what a store at rest differs from the exchange, to the last digit.

    `owned` are coins of the account that are none of AEGIS'.
    """
    return tuple(_differing(store, ledger, owned))


def _differing(store: Evidence, ledger: LedgerView, owned: Mapping[Coin, Decimal]) -> Iterator[str]:
    for order in store.in_state(*UNSETTLED, OrderState.INTENT):
        yield f"order {order.client_order_id} is {order.state} still"
    known = {fill.trade_id for fill in store.fills}
    for fill in _trades(ledger):
        if fill.trade_id not in known:
            yield f"trade {fill} at the exchange is not in the store"
    yield from _differing_orders(store, ledger)
    yield from _differing_balances(store.book, ledger, owned)


def _differing_orders(store: Evidence, ledger: LedgerView) -> Iterator[str]:
    placed = {order.client_order_id: order for order in ledger.orders}
    for order in store.orders.values():
        there = placed.get(order.client_order_id)
        if there is None:
            if order.exchange_order_id is not None:
                yield f"order {order} was placed, and is not at the exchange"
        elif order.filled != there.filled:
            yield f"order {order} is filled otherwise at the exchange: {there}"
        elif STATUS_OF.get(order.state, VenueOrderStatus.OPEN) != there.status:
            yield f"order {order.client_order_id} is {order.state}, {there.status} there"


def _differing_balances(
    book: Book, ledger: LedgerView, owned: Mapping[Coin, Decimal]
) -> Iterator[str]:
    account, held = book.account, book.alive_positions()
    for coin in sorted({*account.balances, *ledger.balances}):
        ours, theirs = account.balances.get(coin, ZERO), ledger.balances.get(coin, ZERO)
        if ours != theirs:
            yield f"{coin}: {ours} in the store, {theirs} at the exchange"
    for coin in sorted({position.instrument.base for position in held} | set(account.dust)):
        own = total(position.amount for position in held if position.instrument.base == coin)
        dust, there = account.dust.get(coin, ZERO), ledger.balances.get(coin, ZERO)
        if plus(own, dust) != minus(there, owned.get(coin, ZERO)):
            yield f"{coin}: positions {own} and dust {dust}, {there} at the exchange"


def book_differences(expected: Book, found: Book) -> tuple[str, ...]:
    """Return in what a book read from disk is not the one that its events make."""
    pairs: list[tuple[object, object]] = [(expected.account, found.account)]
    ours = {position.position_id: position for position in expected.alive_positions()}
    theirs = {position.position_id: position for position in found.alive_positions()}
    pairs += [(ours.get(key), theirs.get(key)) for key in sorted({*ours, *theirs})]
    return tuple(f"expected {one}, was {other}" for one, other in pairs if one != other)


def _fill(row: tuple[object, ...]) -> Fill:
    symbol, trade_id, client_order_id, side = (str(cell) for cell in row[:4])
    amount, price, fee = (Decimal(str(cell)) for cell in row[11:14])
    return Fill(
        trade_id=trade_id,
        symbol=symbol,
        client_order_id=client_order_id,
        side=side,
        amount=amount,
        price=price,
        fee=fee,
        fee_currency=str(row[7]),
        liquidity=str(row[8]),
        at=instant_of(str(row[9])),
    )


def _trades(ledger: LedgerView) -> tuple[Fill, ...]:
    return tuple(
        Fill(
            trade_id=trade.trade_id,
            symbol=trade.symbol,
            client_order_id=trade.client_order_id,
            side=trade.side,
            amount=trade.amount,
            price=trade.price,
            fee=trade.fee,
            fee_currency=trade.fee_currency,
            liquidity=trade.liquidity,
            at=trade.at,
        )
        for trade in ledger.trades
    )
