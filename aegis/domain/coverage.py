"""What is held, here and there: positions that lack coins, and what else the balances show.

Invariants:
1. Nothing is closed on a balance alone: trades close, or a person.
2. The owner's coins go first: only what is missing beyond them is missing of a position.
3. While a position lacks coins, its quote coin is not judged: it may be what they brought.
4. Positions that the exchange tells are of derivatives: what is not ours is told, and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import BookForcedFills, CloseUnpriced, Command, RecordExternalChange
from aegis.domain.events import Discrepancy
from aegis.domain.findings import Finding, Kind, View, fill_of, not_ours
from aegis.domain.fold.parts import COST_STEP
from aegis.domain.ids import (
    Coin,
    Instant,
    Symbol,
    forced_order_id,
    is_derivative,
    is_own_order,
)
from aegis.domain.money import ZERO, minus, plus, share, text, total
from aegis.domain.order import Fill
from aegis.domain.position import Position
from aegis.domain.risk import is_held, own_side
from aegis.domain.venue import VenueAccount, VenueTrade

BY_HAND = "closed_by_hand"
"""Why a position closed that somebody else has sold."""


def balance_differences(book: Book, account: VenueAccount) -> dict[Coin, Decimal]:
    """Return by how much each balance is another one at the exchange; nothing before the first."""
    if not book.account.has_balances:
        return {}
    ours, theirs = book.account.balances, account.balances
    coins = sorted({*ours, *theirs})
    changes = {coin: minus(theirs.get(coin, ZERO), ours.get(coin, ZERO)) for coin in coins}
    return {coin: change for coin, change in changes.items() if change != 0}


def held(book: Book, view: View) -> Iterator[Finding]:
    """Yield what is held otherwise: positions that lack coins first, the rest by balances."""
    differences = balance_differences(book, view.account)
    short = tuple(_short(book, view))
    yield from (lacking(book, view, position, lack) for position, lack in short)
    of_short = {each.instrument.base for each, _ in short if not is_derivative(each.symbol)}
    unsure = {position.instrument.quote: position.symbol for position, _ in short}
    for coin, change in differences.items():
        if coin not in of_short:
            yield _external_balance(book, coin, change, unsure.get(coin))
    yield from _external_positions(book, view)


def _short(book: Book, view: View) -> Iterator[tuple[Position, Decimal]]:
    """Yield each position of which the exchange does not have everything, and how much it lacks."""
    for position in book.alive_positions():
        if is_held(position) and (lack := _lack(book, view.account, position)) > 0:
            yield position, lack


def _lack(book: Book, account: VenueAccount, position: Position) -> Decimal:
    """Return how much of a position an account lacks; nothing where it does not tell."""
    if is_derivative(position.symbol):
        told = None if account.positions is None else account.positions.get(position.symbol, ZERO)
        return ZERO if told is None else minus(position.amount, _covered(position, told))
    return lack_of(book, account.balances, position) if book.account.has_balances else ZERO


def _covered(position: Position, told: Decimal) -> Decimal:
    """Return how much of a position of ours an exchange's own, signed, can be."""
    return max(ZERO, min(position.amount, told))


def lack_of(book: Book, balances: Mapping[Coin, Decimal], position: Position) -> Decimal:
    """Return how much of a position's coins an exchange's balances do not cover; zero if all."""
    base = position.instrument.base
    lack = minus(_own(book, base), balances.get(base, ZERO))
    return max(ZERO, min(lack, position.amount))


def _own(book: Book, coin: Coin) -> Decimal:
    alive = book.alive_positions()
    return total(position.amount for position in alive if position.instrument.base == coin)


def lacking(book: Book, view: View, position: Position, lack: Decimal) -> Finding:
    """Return that the exchange lacks coins of a position, with what would heal it if anything."""
    left = minus(position.amount, lack)
    is_gone = left == 0 or position.is_dust_of(left)
    trades = _sold_by_others(book, view, position, lack)
    heal: tuple[Command, ...] = ()
    if trades:
        heal = (_forced(view, position, trades),)
    elif is_derivative(position.symbol) and left == 0:
        reason = "gone from the exchange, and no trade says at what price"
        heal = (
            CloseUnpriced(position_id=position.position_id, amount=position.amount, reason=reason),
        )
    return Finding(
        key=("lacking", position.position_id, text(position.amount), text(lack)),
        discrepancy=Discrepancy(
            kind=Kind.PHANTOM if is_gone else Kind.AMOUNT_MISMATCH,
            symbol=position.symbol,
            subject=f"position {position.position_id}",
            expected=text(position.amount),
            found=text(left),
            action=_told_closing(trades, heal),
            is_healed=False,
            position_id=position.position_id,
            missing=lack,
        ),
        heal=heal,
    )


def _told_closing(trades: tuple[Fill, ...], heal: tuple[Command, ...]) -> str:
    if not trades:
        return "close it unpriced" if heal else ""
    named = ", ".join(f"{fill.trade_id} of {text(fill.amount)} at {text(fill.price)}"
                      for fill in trades)  # fmt: skip
    return f"book what somebody else sold of it: {named}"


def _sold_by_others(book: Book, view: View, position: Position, lack: Decimal) -> tuple[Fill, ...]:
    """Return the latest trades of others that took what is lacking, or none if they do not.

    Where two positions share a coin, nobody can say whose was sold.
    """
    base = position.instrument.base
    sharing = [p for p in book.alive_positions() if p.instrument.base == base and is_held(p)]
    if len(sharing) > 1:
        return ()
    found: list[Fill] = []
    for trade in reversed(_foreign(book, view, position)):
        if lack <= 0:
            break
        fill = _part_of(trade, lack)
        lack = minus(lack, fill.amount)
        found.append(fill)
    return tuple(reversed(found)) if lack <= 0 else ()


def _foreign(book: Book, view: View, position: Position) -> list[VenueTrade]:
    """Return others' trades that could have reduced a position, and that no balance has shown yet.

    What the last look at the account saw is accounted for, unless it was left unresolved.
    """
    account = book.account
    is_open_question = position.position_id in account.unresolved
    seen_until = Instant(0) if is_open_question else account.looked_at or Instant(0)
    began = position.imported_at or min(
        order.intended_at for order in book.orders_of(position.position_id)
    )
    since = max(began, seen_until)
    return sorted(
        (
            trade
            for trade in view.account.trades
            if trade.symbol == position.symbol
            and trade.side is own_side(position)
            and trade.at >= since
            and not is_own_order(view.tag, trade.client_order_id)
            and (trade.symbol, trade.trade_id) not in view.fills
        ),
        key=lambda trade: trade.at,
    )


def _part_of(trade: VenueTrade, most: Decimal) -> Fill:
    """Return a trade, or the part of it that concerns us, with its share of the fee."""
    fill = fill_of(trade)
    if fill.amount <= most:
        return fill
    fee = share(fill.fee, most, fill.amount, COST_STEP)
    return msgspec.structs.replace(fill, amount=most, fee=fee)


def _forced(view: View, position: Position, trades: tuple[Fill, ...]) -> BookForcedFills:
    named = (position.symbol, trades[0].trade_id)
    first = next(t for t in view.account.trades if (t.symbol, t.trade_id) == named)
    return BookForcedFills(
        position_id=position.position_id,
        client_order_id=forced_order_id(view.tag, position.symbol, first.trade_id),
        exchange_order_id=first.exchange_order_id,
        fills=trades,
        reason=BY_HAND,
    )


def _external_positions(book: Book, view: View) -> Iterator[Finding]:
    """Yield what of the exchange's positions is not ours; ours come first in each."""
    for symbol, told in sorted((view.account.positions or {}).items()):
        own = book.position_of(symbol)
        others = told if own is None else minus(told, _covered(own, told))
        if others != 0:
            yield _external_position(symbol, others)


def _external_position(symbol: Symbol, amount: Decimal) -> Finding:
    side = "long" if amount > 0 else "short"
    found = f"{side} {text(amount.copy_abs())} {symbol}"
    return not_ours(("position", symbol, text(amount)), f"position in {symbol}", found)


def _external_balance(book: Book, coin: Coin, change: Decimal, unsure: Symbol | None) -> Finding:
    """Return a balance that somebody changed; `unsure` where it may be what a position brought."""
    want = book.account.balances.get(coin, ZERO)
    have = plus(want, change)
    note = f"expected {text(want)}, the exchange has {text(have)}"
    heal = RecordExternalChange(
        kind="balance", coin=coin, amount=change, reference="", note=note, before=want
    )
    return Finding(
        key=(Kind.EXTERNAL, coin, text(want), text(have)),
        discrepancy=Discrepancy(
            kind=Kind.EXTERNAL,
            symbol=None,
            subject=coin,
            expected=text(want),
            found=text(have),
            action=f"none yet: it may be what {unsure} brought" if unsure else "record the change",
            is_healed=False,
        ),
        heal=() if unsure else (heal,),
        is_rest=True,
    )
