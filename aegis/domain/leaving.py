"""How a position is left: which exit comes next, and what is called off before. Pure.

Invariants:
1. Whoever wants out, the same exit is wanted: its id holds the position and how many exits were
   intended before it, nothing else.
2. A second exit goes beside one that is out of sight only where the exchange itself would refuse
   whichever comes last; see `second.may_go_second`.
3. An exit that rests is called off, and has ended, before the next one goes.
4. An exit goes at market. Only after a leap of the price beyond the collar, which may be a wrong
   price or an empty book, it goes by a limit that takes what is there at once: a collar below the
   price; then two; and then at market, with an alarm. One that no book has seen, as it was refused
   or never placed, counts for nothing: the next goes by the same limit. But where the order itself
   was refused, its limit may be why, and the next goes at market.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    ChangeTradingState,
    Quote,
    RaiseAlarm,
    Reading,
    RequestCancel,
)
from aegis.domain.guard import ExitWanted, exit_order
from aegis.domain.ids import Incarnation, Instant, exit_order_id
from aegis.domain.money import floor_to, minus, percent_of, text, times
from aegis.domain.order import Order, OrderState, OrderType, Role
from aegis.domain.position import Position
from aegis.domain.second import OUT_OF_SIGHT, lost_beside, may_go_second

SECOND_EXIT_AFTER_S = 10
"""Real seconds out of sight until somebody is told of an exit, and a second one may go."""

LIMITED_EXITS_MAX = 2
"""So many exits go by a limit, each a collar wider than the one before; the next goes at market."""

INVALID_ORDER = "invalid_order"
"""What the end of an order begins with that the exchange refused for what it was, at any time."""

RETRY_AFTER_S_MAX = 60

AT_REST = (OrderState.OPEN, OrderState.PARTIAL)


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to leave a position now; `exit` None: nothing goes yet, or nothing is left.

    `alarm` is told before an exit that is the last resort. `is_reading_wanted` is
    whether a balance may let the next exit go.
    """

    ordinal: int
    cancels: tuple[RequestCancel, ...]
    exit: Order | None
    alarm: RaiseAlarm | None = None
    is_reading_wanted: bool = False


def departure(
    book: Book,
    position: Position,
    wanted: ExitWanted,
    quote: Quote,
    *,
    tag: str,
    incarnation: Incarnation,
    lost_before: Instant,
    collar_pct: Decimal,
    has_leapt: bool,
    reading: Reading | None,
) -> Departure:
    """Return how a position is left now; an exit lost before an instant is waited for no more.

    `reading` is a balance that was just asked for, and bounds an exit beside one that is lost.
    `has_leapt`: the quote lies beyond the collar from the price before, without trades on the way.
    """
    active = book.active_orders(position.position_id)
    exits = [order for order in active if order.role is Role.EXIT]
    cancels = tuple(
        RequestCancel(client_order_id=order.client_order_id, reason=wanted.reason)
        for order in active
        if order.state in AT_REST and (order.role is Role.ENTRY or _rests(order))
    )
    ordinal = position.exits_ended + len(exits)
    order = None
    if all(_is_lost(each, lost_before) for each in exits):
        key = exit_order_id(tag, incarnation, position.position_id, ordinal)
        limit = exit_limit(book, position, wanted, quote, collar_pct, has_leapt=has_leapt)
        order = exit_order(book, position, wanted, quote, key, is_second=bool(exits), limit=limit)
    is_wanted = False
    if order is not None and exits and not may_go_second(book, order, reading):
        is_wanted, order = lost_beside(book, order) is not None, None
    is_last = order is not None and is_last_resort(book, position)
    alarm = last_resort(position, quote) if is_last else None
    return Departure(
        ordinal=ordinal,
        cancels=cancels,
        exit=order,
        alarm=alarm,
        is_reading_wanted=is_wanted,
    )


def found_few_takers(order: Order) -> bool:
    """Say whether an exit by a limit was in the exchange's book, and ended with some of it left."""
    was_taken = order.exchange_order_id is not None
    is_short = order.state in (OrderState.CANCELED, OrderState.EXPIRED)
    return _is_limited(order) and was_taken and is_short


def limited_exits(book: Book, position: Position) -> int:
    """Return how many exits by a limit found too few takers."""
    return sum(map(found_few_takers, book.orders_of(position.position_id)))


def exit_limit(
    book: Book,
    position: Position,
    wanted: ExitWanted,
    quote: Quote,
    collar_pct: Decimal,
    *,
    has_leapt: bool,
) -> Decimal | None:
    """Return the limit of a position's next exit, None for one at market.

    It counts from the worse of the bid and the level that was crossed: a venue that knows candles
    only fills a target there, however far the price went beyond.
    """
    sent = [o for o in book.orders_of(position.position_id) if _is_limited(o) and o.submitted_at]
    if not (sent or has_leapt) or (sent and _is_itself_refused(sent[-1])):
        return None
    limited = limited_exits(book, position)
    if limited >= LIMITED_EXITS_MAX:
        return None
    worst = min(quote.bid, wanted.trigger_price or quote.bid)
    width = percent_of(worst, times(collar_pct, Decimal(limited + 1)))
    step = position.instrument.price_step
    return max(floor_to(minus(worst, width), step), step)


def is_last_resort(book: Book, position: Position) -> bool:
    """Say whether the next exit is the first at market after all those by a limit."""
    exits = [o for o in book.orders_of(position.position_id) if o.role is Role.EXIT]
    is_first = bool(exits) and exits[-1].type is OrderType.LIMIT
    return is_first and limited_exits(book, position) >= LIMITED_EXITS_MAX


def last_resort(position: Position, quote: Quote) -> RaiseAlarm:
    """Return the alarm of an exit that goes at market after all those by a limit."""
    told = (
        f"{position.symbol}: {LIMITED_EXITS_MAX} exits by a limit found too few takers; what is "
        f"left of {position.position_id} goes at market, the bid was {quote.bid}"
    )
    return RaiseAlarm(check="exit_price", text=told)


def lost_before(now: Instant, real_second: int) -> Instant:
    """Return since when an exit must be out of sight for a second one to go.

    `real_second` is how many of the nanoseconds that `now` counts go by in a real second.
    """
    return Instant(now - SECOND_EXIT_AFTER_S * real_second)


def retry_after_s(failures: int) -> int:
    """Return how long a failed exit waits before its next try: 1, 2, 4 ... 60 s."""
    return min(1 << min(max(failures - 1, 0), 6), RETRY_AFTER_S_MAX)


def flat(account: Account) -> ChangeTradingState:
    """Return the end of a flatten that has left everything; what was too little to sell is told."""
    dust = ", ".join(f"{text(left)} {coin}" for coin, left in account.dust.items())
    reason = f"flat{f' but for dust: {dust}' if dust else ''}; resume to trade again"
    return ChangeTradingState(state=TradingState.REDUCING, cause="flatten", reason=reason)


def _is_limited(order: Order) -> bool:
    return order.role is Role.EXIT and order.type is OrderType.LIMIT


def _is_itself_refused(order: Order) -> bool:
    """Say whether an order was refused for what it is, or may have been: after it was accepted."""
    is_late = order.exchange_order_id is not None
    is_refused = is_late or order.end_reason.startswith(f"{INVALID_ORDER}:")
    return order.state is OrderState.REJECTED and is_refused


def _rests(order: Order) -> bool:
    """Say whether an order may stay open at the exchange for long, and block the way out."""
    return order.type is OrderType.LIMIT or order.role is Role.PROTECTIVE


def _is_lost(order: Order, before: Instant) -> bool:
    lost_at = order.unknown_at
    return order.state in OUT_OF_SIGHT and lost_at is not None and lost_at <= before
