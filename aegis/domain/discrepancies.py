"""The store beside the exchange: what differs, and what would make it right.

Pure. `compare` says what was found, each with the commands that heal it, or none. Nothing is
closed on a balance alone, and a balance that another order in flight may explain is not judged:
the caller looks twice and keeps what both looks have seen.

Kinds: `missing_fill` (the exchange booked a trade of ours that we lack), `unknown_order` (an
order of ours that we hold for ended is open), `orphan` (our tag, but no such intent),
`phantom` (we hold more than the exchange does), `external` (the owner's doing).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    Command,
    RecordExternalChange,
    RecordFills,
    RequestCancel,
)
from aegis.domain.events import Discrepancy
from aegis.domain.ids import ClientOrderId, Coin, Symbol, is_own_order
from aegis.domain.money import ZERO, minus, text, total
from aegis.domain.order import UNSETTLED, Fill, Order, OrderState
from aegis.domain.venue import VenueAccount, VenueOrder, VenueTrade


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A discrepancy and the commands that heal it; none means that a person must look."""

    discrepancy: Discrepancy
    heal: tuple[Command, ...] = ()


def fill_of(trade: VenueTrade) -> Fill:
    """Return a trade of the exchange as a fill of ours."""
    return Fill(
        trade_id=trade.trade_id,
        amount=trade.amount,
        price=trade.price,
        fee=trade.fee,
        fee_currency=trade.fee_currency,
        liquidity=trade.liquidity,
        filled_at=trade.at,
    )


def compare(
    book: Book, account: VenueAccount, orders: Mapping[ClientOrderId, Order], tag: str
) -> tuple[Finding, ...]:
    """Return what differs. `orders` are those that the exchange named and the store knows."""
    missing = _missing_fills(account, orders, tag)
    strange = _strange_orders(account, orders, tag)
    is_judgeable = not missing and not any(o.state in UNSETTLED for o in book.active_orders())
    return (*missing, *strange, *(_balances(book, account) if is_judgeable else ()))


def named_orders(account: VenueAccount, tag: str) -> tuple[ClientOrderId, ...]:
    """Return the ids with our tag that the exchange names, for the store to look up."""
    named = [order.client_order_id for order in account.open_orders]
    named += [trade.client_order_id for trade in account.trades]
    own = {ClientOrderId(name) for name in named if name is not None and is_own_order(tag, name)}
    return tuple(sorted(own))


def _missing_fills(
    account: VenueAccount, orders: Mapping[ClientOrderId, Order], tag: str
) -> list[Finding]:
    findings = []
    for trade in account.trades:
        if not is_own_order(tag, trade.client_order_id):
            continue
        order = orders.get(ClientOrderId(trade.client_order_id or ""))
        if order is None:
            findings.append(_orphan(trade.symbol, f"trade {trade.trade_id}"))
        elif trade.trade_id not in order.trade_ids:
            findings.append(_missing_fill(order, trade))
    return findings


def _missing_fill(order: Order, trade: VenueTrade) -> Finding:
    accept: tuple[Command, ...] = ()
    if order.state in UNSETTLED or order.state is OrderState.NOT_PLACED:
        accept = (
            AcceptOrder(
                client_order_id=order.client_order_id,
                exchange_order_id=trade.exchange_order_id,
            ),
        )
    fills = RecordFills(client_order_id=order.client_order_id, fills=(fill_of(trade),))
    return Finding(
        discrepancy=Discrepancy(
            kind="missing_fill",
            symbol=trade.symbol,
            subject=order.client_order_id,
            expected=f"filled {text(order.filled)}",
            found=f"trade {trade.trade_id} of {text(trade.amount)} at {text(trade.price)}",
            action="book the fill",
            is_healed=False,
        ),
        heal=(*accept, fills),
    )


def _strange_orders(
    account: VenueAccount, orders: Mapping[ClientOrderId, Order], tag: str
) -> list[Finding]:
    findings = []
    for venue_order in account.open_orders:
        if not is_own_order(tag, venue_order.client_order_id):
            findings.append(_external_order(venue_order))
            continue
        order = orders.get(ClientOrderId(venue_order.client_order_id or ""))
        if order is None:
            subject = f"order {venue_order.client_order_id}"
            findings.append(_orphan(venue_order.symbol, subject))
        elif order.is_ended:
            findings.append(_unknown_order(order, venue_order))
    return findings


def _orphan(symbol: Symbol, subject: str) -> Finding:
    return Finding(
        discrepancy=Discrepancy(
            kind="orphan",
            symbol=symbol,
            subject=subject,
            expected="an intent in the store",
            found="our tag at the exchange, no intent",
            action="halt entries",
            is_healed=False,
        )
    )


def _unknown_order(order: Order, venue_order: VenueOrder) -> Finding:
    heal: tuple[Command, ...] = ()
    if order.state is OrderState.NOT_PLACED:
        heal = (
            AcceptOrder(
                client_order_id=order.client_order_id,
                exchange_order_id=venue_order.exchange_order_id,
            ),
            RequestCancel(client_order_id=order.client_order_id, reason="proven absent before"),
        )
    return Finding(
        discrepancy=Discrepancy(
            kind="unknown_order",
            symbol=order.symbol,
            subject=order.client_order_id,
            expected=f"{order.state}",
            found="open at the exchange",
            action="adopt and cancel it" if heal else "none: a person must look",
            is_healed=False,
        ),
        heal=heal,
    )


def _external_order(order: VenueOrder) -> Finding:
    return Finding(
        discrepancy=Discrepancy(
            kind="external",
            symbol=None,
            subject=f"order {order.exchange_order_id}",
            expected="nothing",
            found=f"{order.side} {text(order.amount)} {order.symbol} that is not ours",
            action="none: it is not ours",
            is_healed=True,
        )
    )


def _balances(book: Book, account: VenueAccount) -> list[Finding]:
    if not book.account.has_balances:
        return []
    expected = book.account.balances
    findings = []
    for coin in sorted({*expected, *account.balances}):
        want, have = expected.get(coin, ZERO), account.balances.get(coin, ZERO)
        if want != have:
            findings.append(_balance(book, coin, want, have))
    return findings


def _balance(book: Book, coin: Coin, want: Decimal, have: Decimal) -> Finding:
    own = total(
        position.amount for position in book.alive_positions() if position.instrument.base == coin
    )
    is_short = have < own
    change = minus(have, want)
    discrepancy = Discrepancy(
        kind="phantom" if is_short else "external",
        symbol=next((p.symbol for p in book.alive_positions() if p.instrument.base == coin), None)
        if is_short
        else None,
        subject=coin,
        expected=text(want),
        found=text(have),
        action="none: own positions are not covered" if is_short else "record the change",
        is_healed=False,
    )
    if is_short:
        return Finding(discrepancy=discrepancy)
    note = f"expected {text(want)}, the exchange has {text(have)}"
    heal = RecordExternalChange(
        kind="balance", coin=coin, amount=change, reference="", note=note, before=want
    )
    return Finding(discrepancy=discrepancy, heal=(heal,))


def seen_twice(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return what the second look found that the first had found as well."""
    before = {_key(finding) for finding in first}
    return tuple(finding for finding in second if _key(finding) in before)


def _key(finding: Finding) -> tuple[str, str, str, str]:
    found = finding.discrepancy
    balance = found.expected if found.kind in ("phantom", "external") else ""
    return found.kind, found.subject, found.found, balance


def healed(discrepancy: Discrepancy) -> Discrepancy:
    """Return the discrepancy as one that was made right."""
    return msgspec.structs.replace(discrepancy, is_healed=True)
