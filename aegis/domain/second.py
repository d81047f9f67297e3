"""An exit beside an order that may sell as well: where it can sell nobody's coins but ours. Pure.

On spot an exchange refuses what the balance does not cover. So where the coins are this position's
and our own dust, and not one step more, nobody else's can be sold: whichever of the two comes last
is refused, but for what the other has left of position and dust.

Invariants:
1. The balance is the exchange's own word, asked for after the first exit went out of sight, in this
   life, and not long ago. What the books remember bounds nothing: a deposit is in no book yet.
2. It shows both coins: where more is there of the quote than the books have, the first has sold
   perhaps, and what is there of the base is the owner's, who brought as much.
3. Without such a word no second exit goes; people were told of the first.
4. A stop that was called off guards no more, or nobody knows. Past one of which nobody says
   anything an exit goes by what the books remember: of when the stop was called off in this life,
   and ever since. What is held would else be left to the market. What an owner brings after the
   last look could be sold then, by whichever of the two comes last.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.commands import Reading
from aegis.domain.ids import ClientOrderId, Instant, Symbol, is_derivative
from aegis.domain.money import ZERO, minus, total
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.position import Position

OUT_OF_SIGHT = (OrderState.UNKNOWN, OrderState.NEEDS_HUMAN)

READING_WORTH_S = 5
"""Real seconds from the question for which a balance bounds an exit; then it is asked for anew.

Within them, and until both exits can be carried out no more, a deposit could be sold. One call
answers the question, so they are enough for it and for the way to the store and back.
"""


SILENT_S = 20
"""Real seconds that an exit waits for word of a stop that was called off: as long as for the first
look of a process at Crypto.com's lag, and twice as long as until people are told."""


def gone_of(book: Book, position: Position) -> Decimal:
    """Return how much of a position the exchange had no more at the last look, and cannot sell.

    Zero where that leaves nothing to sell: coins may be back, and an exit finds out.
    """
    gone = book.account.unresolved.get(position.position_id, ZERO)
    there = minus(position.amount, gone)
    return ZERO if position.is_dust_of(there) else gone


def may_go_second(book: Book, order: Order, reading: Reading | None) -> bool:
    """Say whether an exit may go beside the one whose outcome is unknown, by a balance of now.

    A balance that does not cover it tells that the first has sold: nothing is to be sold twice.
    """
    first, position = lost_beside(book, order), book.positions.get(order.position_id)
    if first is None or position is None or reading is None or reading.symbol != order.symbol:
        return False
    account, instrument = book.account, position.instrument
    dust = account.dust.get(instrument.base, ZERO)
    # where some is gone, nothing of the owner's is left
    ours = total((order.amount, dust, gone_of(book, position)))
    is_ours = order.amount <= reading.base and minus(reading.base, ours) < instrument.amount_step
    has_sold_nothing = reading.quote <= account.balances.get(instrument.quote, ZERO)
    is_unsold = account.has_balances and has_sold_nothing
    is_after = first.unknown_at is not None and reading.asked_at > first.unknown_at
    return is_after and is_ours and is_unsold


def lost_beside(book: Book, order: Order) -> Order | None:
    """Return what is out of sight and an exit could go beside, if the balance were ours; or None.

    One at most, and no other position that shares the coin.
    """
    beside = _only_one_beside(book, order)
    if beside is None or beside.state not in OUT_OF_SIGHT:
        return None
    return beside if order.amount <= book.positions[order.position_id].amount else None


def _only_one_beside(book: Book, order: Order) -> Order | None:
    """Return the one order that may sell what an exit would, where the balance bounds the two."""
    position = book.positions.get(order.position_id)
    if position is None or order.role is not Role.EXIT:
        return None
    if is_derivative(order.symbol):
        return None  # no balance bounds it, and what reduces might be somebody else's
    others = [
        each
        for each in book.active_orders(position.position_id)
        if each.role is not Role.ENTRY and each.client_order_id != order.client_order_id
    ]
    has_own_coin = all(
        each.position_id == position.position_id or each.instrument.base != position.instrument.base
        for each in book.alive_positions()
    )
    return others[0] if has_own_coin and len(others) == 1 else None


def may_pass(book: Book, order: Order, stop: Order, reading: Reading | None) -> bool:
    """Say whether an exit may go past a silent stop: there are no coins but ours, as far as known.

    Of the two only one can sell, then; the exchange refuses the other. Where the stop has sold in
    part before, an exit that is too large by that ends here, and the next is for the rest.
    """
    if _only_one_beside(book, order) is not stop or stop.state is not OrderState.CANCELING:
        return False
    position = book.positions[order.position_id]
    there = None if reading is None else reading.base
    return book.account.has_balances and not _has_others(book, position, there)


def is_alone(book: Book, order: Order) -> bool:
    """Say of a stop whether the books have no coins at the exchange but ours."""
    position = book.positions.get(order.position_id)
    if position is None or order.role is not Role.PROTECTIVE:
        return False
    return book.account.has_balances and not _has_others(book, position)


def _has_others(book: Book, position: Position, there: Decimal | None = None) -> bool:
    """Say whether there are more coins than are ours, by the books where nobody was asked."""
    base, account = position.instrument.base, book.account
    if there is None:
        there = account.balances.get(base, ZERO)
    ours = total((position.amount, account.dust.get(base, ZERO)))
    return minus(there, ours) >= position.instrument.amount_step


def is_balance_wanted(book: Book, order: Order) -> bool:
    """Say whether a balance may let an exit be sent that is not, past one out of sight."""
    return order.state is OrderState.INTENT and lost_beside(book, order) is not None


def unsent_exits(book: Book, symbol: Symbol | None = None) -> tuple[ClientOrderId, ...]:
    """Return the exits that wait for leave, of one symbol or of all."""
    exits = (each for each in book.active_orders() if each.role is Role.EXIT)
    return tuple(
        each.client_order_id
        for each in exits
        if each.state is OrderState.INTENT and symbol in (None, each.symbol)
    )


def stop_in_the_way(
    book: Book, order: Order, reading: Reading | None, silent: ClientOrderId | None = None
) -> Order | None:
    """Return the stop at the exchange that has to end before an exit is sent, or None.

    One that is out of sight, or `silent`, is not waited for where only one of the two can sell.
    """
    if order.role is not Role.EXIT:
        return None
    for each in book.active_orders(order.position_id):
        is_there = each.role is Role.PROTECTIVE and each.state is not OrderState.INTENT
        is_lost = each.state in OUT_OF_SIGHT
        is_passed = each.client_order_id == silent and may_pass(book, order, each, reading)
        if is_there and not (is_passed or (is_lost and may_go_second(book, order, reading))):
            return each
    return None


def is_fresh(reading: Reading, now: Instant, real_second: int) -> bool:
    """Say whether a balance still bounds an exit.

    `real_second` is how many of the nanoseconds that `now` counts go by in a real second.
    """
    return 0 <= now - reading.asked_at <= READING_WORTH_S * real_second
