"""Positions that are to be sold, and are not: exits that sold nothing, or that are not sent yet.

Pure; from orders alone, so it is the same after a restart and for who only reads. What may be in
the way, as an order of the owner's that locks the coins, the last reconciliation has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.commands import RaiseAlarm
from aegis.domain.ids import ClientOrderId, Coin, Instant, PositionId, Symbol
from aegis.domain.instants import text_of
from aegis.domain.order import Order, OrderState, Role

TRIES_MIN = 2
"""One refusal may be a moment's; a second one, a second later, is told."""

UNTRADED = "unknown_symbol"
"""What the end of an order begins with whose symbol the exchange does not trade: no moment's."""

KEY_DENIED = "key_denied"
"""What it begins with whose key the exchange did not take; one denial may be a moment's."""

TRIES_TOLD = 3
"""At so many in a row, some three seconds after the first, people are sent a notice: one."""

SECOND_CHARS = 19
"""Of an instant's text, up to its second."""


class Unsold(msgspec.Struct, frozen=True, kw_only=True):
    """Exits in a row that sold nothing. `wanted` is why they were, `why` how the last one ended.

    `locked_by` are orders that are not ours, and keep the position's coin.
    """

    position_id: PositionId
    symbol: Symbol
    wanted: str
    tries: int
    since: Instant
    why: str
    locked_by: tuple[str, ...] = ()

    @property
    def is_untraded(self) -> bool:
        """Say whether the exchange does not trade it at all: only that can change it."""
        return self.why.startswith(f"{UNTRADED}:")

    @property
    def is_denied(self) -> bool:
        """Say whether the exchange did not take the key, until a person has seen to it."""
        return self.tries >= TRIES_TOLD and self.why.startswith(f"{KEY_DENIED}:")


def unsold_of(orders: Iterable[Order], coin: Coin, account: Account) -> Unsold | None:
    """Return what keeps a position from being sold, None where nothing is known to.

    `orders` are the position's, the last one first, `coin` is what they would sell.
    """
    failed: list[Order] = []
    for order in orders:
        if order.role is not Role.EXIT:
            continue
        if order.filled > 0:
            break
        if order.is_ended and not _was_never_sent(order):
            failed.append(order)
    if not failed:
        return None
    last, first = failed[0], failed[-1]
    found = Unsold(
        position_id=last.position_id,
        symbol=last.symbol,
        wanted=last.reason,
        tries=len(failed),
        since=first.ended_at or first.intended_at,
        why=last.end_reason,
        locked_by=account.locked_by(coin),
    )
    return found if found.is_untraded or found.tries >= TRIES_MIN else None


def unsold_in(book: Book) -> Iterator[Unsold]:
    """Yield what cannot be sold of all that is held."""
    for position in book.alive_positions():
        orders = reversed(book.orders_of(position.position_id))
        found = unsold_of(orders, position.instrument.base, book.account)
        if found is not None:
            yield found


def told_unsold(found: Unsold) -> str:
    """Return the sentence for people; the same as long as the same thing is in the way."""
    since = f"{text_of(found.since)[:SECOND_CHARS]}Z"
    cause = found.wanted.replace("_", " ")
    text = f"{found.symbol} is to be sold ({cause}), and cannot be since {since}: {found.why}"
    if found.is_untraded:
        return f"{text}; the exchange does not trade it"
    if not found.locked_by:
        return text
    orders = ", ".join(found.locked_by)
    return f"{text}; {orders}, not of AEGIS, locks its coins: cancel it at the exchange"


def told_unsent(
    symbol: Symbol, since: Instant, stop: ClientOrderId | None, *, is_called_off: bool
) -> str:
    """Return the sentence for people of an exit that is on disk and not sent.

    `stop` is the order of its position that rests at the exchange, or may.
    """
    text = (
        f"{symbol} is to be sold since {text_of(since)[:SECOND_CHARS]}Z, and that is not sent yet"
    )
    if stop is None:
        return text
    if not is_called_off:
        return f"{text}: its stop {stop} rests at the exchange, and is to end first"
    return (
        f"{text}: its stop {stop} is being called off, and until the exchange says that it has "
        "ended it rests on, or nothing guards"
    )


def alarm_of_unsold(book: Book, position: PositionId) -> RaiseAlarm | None:
    """Return what people are sent as an exit of a position has ended, once in a row of them."""
    found = next((each for each in unsold_in(book) if each.position_id == position), None)
    if found is None or found.tries != TRIES_TOLD:
        return None
    tries = f"{found.tries} exits sold nothing; it is tried on, and run.py status tells how it is"
    return RaiseAlarm(check="exits", text=f"{told_unsold(found)} ({tries})")


def _was_never_sent(order: Order) -> bool:
    """Say whether a crash ended an intent: that says nothing of the exchange."""
    return order.state is OrderState.EXPIRED and order.submitted_at is None
