"""The store beside the exchange: what differs, and what would make it right.

Pure. `compare` says what one look shows, each difference with the commands that would heal it,
or none; whether they do is `reconcile`'s to find out. Here are trades and orders; what is held is
`coverage`'s.

Invariant: a balance that an order in flight, or a trade not booked yet, may explain is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.commands import AcceptOrder, Command, RecordFills, RequestCancel
from aegis.domain.coverage import held
from aegis.domain.events import Discrepancy
from aegis.domain.findings import Finding, Kind, Trade, View, fill_of, not_ours
from aegis.domain.ids import ClientOrderId, PositionId, Symbol, coins_of, is_own_order
from aegis.domain.money import ZERO, minus, negative, plus, text
from aegis.domain.order import UNSETTLED, Fill, Order, Role, Side
from aegis.domain.risk import is_held
from aegis.domain.venue import VenueAccount, VenueOrder, VenueTrade

Doubted = Mapping[Symbol, PositionId]
"""By symbol, the position of which nobody knows how much is left, but a person."""


def named_orders(account: VenueAccount, tag: str) -> tuple[ClientOrderId, ...]:
    """Return the ids with our tag that the exchange names, for the store to look up."""
    named = [order.client_order_id for order in account.open_orders]
    named += [trade.client_order_id for trade in account.trades]
    own = {ClientOrderId(name) for name in named if name is not None and is_own_order(tag, name)}
    return tuple(sorted(own))


def named_trades(account: VenueAccount) -> tuple[Trade, ...]:
    """Return the trades that the exchange names, for the store to look up."""
    return tuple((trade.symbol, trade.trade_id) for trade in account.trades)


def compare(book: Book, view: View) -> tuple[Finding, ...]:
    """Return what differs: trades and orders first, what is held only where it can be judged."""
    doubted = _doubted(book, view)
    trades, orders = tuple(_trades(book, view, doubted)), tuple(_orders(book, view, doubted))
    is_settled = not any(order.state in UNSETTLED for order in book.active_orders())
    return (*trades, *orders, *(held(book, view) if is_settled and not trades else ()))


# Trades ---------------------------------------------------------------------------------------


def _trades(book: Book, view: View, doubted: Doubted) -> Iterator[Finding]:
    for trade in view.account.trades:
        if not is_own_order(view.tag, trade.client_order_id):
            continue
        order = book.orders.get(ClientOrderId(trade.client_order_id or ""))
        if order is None:
            yield _orphan(doubted, trade.symbol, f"trade {trade.trade_id}")
        elif trade.trade_id not in order.trade_ids:
            yield _missing(book, order, trade)
        else:
            booked = view.fills.get((trade.symbol, trade.trade_id))
            if booked is not None and _differs(booked, fill_of(trade)):
                yield _booked_otherwise(order, trade, booked)


def _missing(book: Book, order: Order, trade: VenueTrade) -> Finding:
    """Return a trade of an order of ours that is not booked; its price is the exchange's."""
    accept: tuple[Command, ...] = ()
    if order.state in UNSETTLED or order.is_given_up:
        accept = (
            AcceptOrder(
                client_order_id=order.client_order_id,
                exchange_order_id=trade.exchange_order_id,
                takes_up_again=order.is_given_up,
            ),
        )
    fills = RecordFills(
        client_order_id=order.client_order_id, fills=(fill_of(trade),), takes_more=True
    )
    return Finding(
        key=("trade", trade.symbol, trade.trade_id),
        discrepancy=Discrepancy(
            kind=_kind_of_missing(book, order, trade),
            symbol=trade.symbol,
            subject=f"order {order.client_order_id}",
            expected=f"filled {text(order.filled)}",
            found=f"trade {trade.trade_id} of {text(trade.amount)} at {text(trade.price)}",
            action="book the trade",
            is_healed=False,
            position_id=order.position_id,
        ),
        heal=(*accept, fills),
        is_told=True,
    )


def _kind_of_missing(book: Book, order: Order, trade: VenueTrade) -> Kind:
    position = book.positions.get(order.position_id)
    amount = ZERO if position is None or not position.is_alive else position.amount
    if order.role is Role.ENTRY:
        return Kind.GHOST if amount == 0 else Kind.AMOUNT_MISMATCH
    return Kind.PHANTOM if amount == trade.amount else Kind.AMOUNT_MISMATCH


def _differs(booked: Fill, told: Fill) -> bool:
    names = ("amount", "price", "fee", "fee_currency")
    return any(getattr(booked, name) != getattr(told, name) for name in names)


def _booked_otherwise(order: Order, trade: VenueTrade, booked: Fill) -> Finding:
    is_amount = booked.amount != trade.amount
    return Finding(
        key=("booked", trade.symbol, trade.trade_id),
        discrepancy=Discrepancy(
            kind=Kind.AMOUNT_MISMATCH if is_amount else Kind.PRICE_MISMATCH,
            symbol=trade.symbol,
            subject=f"trade {trade.trade_id}",
            expected=_told_fill(booked),
            found=_told_fill(fill_of(trade)),
            action="",
            is_healed=False,
            position_id=order.position_id,
        ),
    )


def _told_fill(fill: Fill) -> str:
    fee = f"{text(fill.fee)} {fill.fee_currency}"
    return f"{text(fill.amount)} at {text(fill.price)}, fee {fee}"


# Orders ---------------------------------------------------------------------------------------


def _orders(book: Book, view: View, doubted: Doubted) -> Iterator[Finding]:
    for there in view.account.open_orders:
        if not is_own_order(view.tag, there.client_order_id):
            yield _external_order(there)
            continue
        order = book.orders.get(ClientOrderId(there.client_order_id or ""))
        if order is None:
            yield _orphan(doubted, there.symbol, f"order {there.client_order_id}")
        elif order.is_ended:
            yield _unknown_order(order, there)


def _orphan(doubted: Doubted, symbol: Symbol, subject: str) -> Finding:
    """Return an order, or a trade of one, that carries our tag and was never made here."""
    return Finding(
        key=(Kind.ORPHAN, symbol, subject),
        discrepancy=Discrepancy(
            kind=Kind.ORPHAN,
            symbol=symbol,
            subject=subject,
            expected="an intent in the store",
            found="our tag at the exchange, no intent",
            action="",
            is_healed=False,
            position_id=doubted.get(symbol),
        ),
        is_told=True,
    )


def _doubted(book: Book, view: View) -> Doubted:
    """Return of which positions orders that are not known here sold more than they bought.

    One pass for all: another AEGIS may have made thousands of them.
    """
    sold: dict[Symbol, Decimal] = {}
    for symbol, amount in _sold_unknown(book, view):
        sold[symbol] = plus(sold.get(symbol, ZERO), amount)
    positions = [book.position_of(symbol) for symbol, amount in sold.items() if amount > 0]
    return {each.symbol: each.position_id for each in positions if each and is_held(each)}


def _sold_unknown(book: Book, view: View) -> Iterator[tuple[Symbol, Decimal]]:
    """Yield what orders that are not known here have sold, or may sell yet; below 0: bought."""
    for trade in view.account.trades:
        if _is_orphan(book, view, trade):
            is_sale = trade.side is Side.SELL
            yield trade.symbol, trade.amount if is_sale else negative(trade.amount)
    for order in view.account.open_orders:
        if _is_orphan(book, view, order) and order.side is Side.SELL:
            yield order.symbol, minus(order.amount, order.filled)


def _is_orphan(book: Book, view: View, there: VenueOrder | VenueTrade) -> bool:
    name = there.client_order_id
    return is_own_order(view.tag, name) and ClientOrderId(name or "") not in book.orders


def _unknown_order(order: Order, there: VenueOrder) -> Finding:
    heal: tuple[Command, ...] = ()
    if order.is_given_up and order.exchange_order_id is None:  # nobody had seen it there
        heal = (
            AcceptOrder(
                client_order_id=order.client_order_id,
                exchange_order_id=there.exchange_order_id,
            ),
            RequestCancel(client_order_id=order.client_order_id, reason=f"{order.state} before"),
        )
    return Finding(
        key=(Kind.UNKNOWN_ORDER, order.client_order_id),
        discrepancy=Discrepancy(
            kind=Kind.UNKNOWN_ORDER,
            symbol=order.symbol,
            subject=f"order {order.client_order_id}",
            expected=f"{order.state}",
            found="open at the exchange",
            action="adopt and cancel it" if heal else "",
            is_healed=False,
        ),
        heal=heal,
    )


def _external_order(order: VenueOrder) -> Finding:
    key = ("order", order.exchange_order_id)
    found = f"{order.side} {text(order.amount)} {order.symbol}"
    base, quote = coins_of(order.symbol)
    locks = base if order.side is Side.SELL else quote
    return not_ours(key, f"order {order.exchange_order_id}", found, locks)
