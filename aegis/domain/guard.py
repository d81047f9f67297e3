"""When an own position must be left: stop, target, trailing stop, flatten.

Pure. The stop policy is the one recorded with the entry. A stop triggers on the price at which
one could get out (long: the bid). Getting out is never refused here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

import msgspec

from aegis.domain.book import Book
from aegis.domain.candles import Candle, Tick
from aegis.domain.commands import MarkPosition, Quote, RaiseStop
from aegis.domain.ids import ClientOrderId, Instant, PositionId
from aegis.domain.money import (
    ONE,
    bps_of,
    distance,
    floor_to,
    minus,
    percent_of,
    plus,
    times,
)
from aegis.domain.order import Order, OrderType, Role
from aegis.domain.position import Position
from aegis.domain.risk import has_exit, is_held, own_side, sellable
from aegis.domain.second import gone_of

TRAILING_STEP_PCT = Decimal("0.05")
"""A trailing stop is raised in steps of at least this share of the price: an event each."""

MARK_STEP_BPS = Decimal(10)
"""A mark is an event; smaller moves are not worth one."""

PEAK_STEP_PCT = Decimal("0.5")
"""A new height is an event as well: the drawdown may be measured from up to this much lower."""


class ExitReason(StrEnum):
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    TAKE_PROFIT = "take_profit"
    FLATTEN = "flatten"
    STRATEGY = "strategy"
    RECOVERED = "recovered"  # the exchange knows of an exit, and nobody why it was wanted


class ExitWanted(msgspec.Struct, frozen=True, kw_only=True):
    """`trigger_price` is the level that was crossed, None when no level was the reason."""

    reason: ExitReason
    trigger_price: Decimal | None

    def gap(self, bid: Decimal) -> Decimal | None:
        """Return how far beyond its level a bid is: what was lost, or won, on the way there."""
        return None if self.trigger_price is None else distance(bid, self.trigger_price)


def quote_of(price: Decimal, spread_bps: Decimal, at: Instant) -> Quote:
    """Return bid and ask around a mid price."""
    half = times(price, _half_of(spread_bps))
    return Quote(bid=minus(price, half), ask=plus(price, half), at=at)


def traded_from(tick: Tick, quote: Quote, spread_bps: Decimal) -> Decimal | None:
    """Return the bid from which on there was trade up to a tick and its quote; None without any."""
    if tick.volume == 0:
        return None
    is_point = tick.start == tick.price  # as each candle's first, and each is asked for
    return quote.bid if is_point else quote_of(tick.start, spread_bps, tick.at).bid


@lru_cache(maxsize=1)  # each tick asks twice, and a run has one spread
def _half_of(spread_bps: Decimal) -> Decimal:
    """Return half a spread as a share of the price."""
    return times(bps_of(ONE, spread_bps), Decimal("0.5"))


def mid_of(quote: Quote) -> Decimal:
    """Return the price between bid and ask, exactly."""
    return times(plus(quote.bid, quote.ask), Decimal("0.5"))


def opening_stops(position: Position, price: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Return stop and target for a position entered at a price, by its policy; None is off."""
    policy, step = position.policy, position.instrument.price_step
    return policy.first_stop(price, step), policy.first_target(price, step)


def watch(position: Position, bid: Decimal) -> ExitWanted | RaiseStop | None:
    """Return what a bid asks of a long position that is held.

    What is being left is left to its end: an entry may still have filled, an exit have failed.
    """
    if position.leaving:
        return ExitWanted(reason=ExitReason(position.leaving), trigger_price=None)
    stop, target = position.stop_price, position.take_profit_price
    if stop is not None and bid <= stop:
        return ExitWanted(reason=_stop_reason(position), trigger_price=stop)
    if target is not None and bid >= target:
        return ExitWanted(reason=ExitReason.TAKE_PROFIT, trigger_price=target)
    return raised(position, bid)


def wanted_unseen(book: Book, position: Position) -> ExitWanted | None:
    """Return the exit that is wanted whatever the price is; None where one would have to say so."""
    if not is_held(position) or not (position.leaving or book.account.is_flattening):
        return None
    return ExitWanted(reason=ExitReason(position.leaving or ExitReason.FLATTEN), trigger_price=None)


def is_exit_due(book: Book, position: Position, quote: Quote | None) -> bool:
    """Say whether a position is to be left, and no exit of it is under way.

    At a quote or, without one, whatever the price is.
    """
    if has_exit(book, position.position_id):
        return False
    if wanted_unseen(book, position) is not None:
        return True
    if quote is None or not is_held(position):
        return False
    return isinstance(watch(position, quote.bid), ExitWanted)


def last_known(position: Position, at: Instant) -> Quote:
    """Return what a position was last seen at, for want of any price."""
    price = position.mark or position.entry_price
    return Quote(bid=price, ask=price, at=at)


def _stop_reason(position: Position) -> ExitReason:
    first, stop = position.stop_first, position.stop_price
    trails = position.policy.trailing_stop_pct > 0
    is_raised = trails and first is not None and stop is not None and stop > first
    return ExitReason.TRAILING_STOP if is_raised else ExitReason.STOP_LOSS


def raised_along(
    position: Position, candles: Iterable[Candle], spread_bps: Decimal
) -> RaiseStop | None:
    """Return where closed candles raise a trailing stop to, whoever has seen their ticks.

    The candle in which the position was opened says nothing: its high may have been before.
    """
    highs = [candle.high for candle in candles if candle.open_at >= position.opened_at]
    if not highs:
        return None
    return raised(position, quote_of(max(highs), spread_bps, position.opened_at).bid)


def raised(position: Position, bid: Decimal) -> RaiseStop | None:
    """Return where a bid raises a trailing stop to, or None where that is not worth an event."""
    percent = position.policy.trailing_stop_pct
    if percent == 0:
        return None
    step = position.instrument.price_step
    wanted = max(floor_to(minus(bid, percent_of(bid, percent)), step), step)
    least = position.stop_price
    if least is not None and wanted < plus(least, percent_of(bid, TRAILING_STEP_PCT)):
        return None
    return RaiseStop(position_id=position.position_id, stop_price=wanted, price=bid)


def exit_order(
    book: Book,
    position: Position,
    wanted: ExitWanted,
    quote: Quote,
    client_order_id: ClientOrderId,
    *,
    is_second: bool = False,
    limit: Decimal | None = None,
) -> Order | None:
    """Return the order that leaves a position, or None when nothing of it can be sold.

    A second one is for the whole, as if the one that is out of sight would sell nothing. What the
    exchange has no more is not asked for. Without a limit it goes at market.
    """
    free = position.amount if is_second else sellable(book, position)
    amount = floor_to(minus(free, gone_of(book, position)), position.instrument.amount_step)
    if amount <= 0 or not is_held(position):
        return None
    return Order(
        client_order_id=client_order_id,
        position_id=position.position_id,
        symbol=position.symbol,
        role=Role.EXIT,
        side=own_side(position),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        amount=amount,
        price=limit,
        strategy=position.strategy,
        reason=wanted.reason,
        decision_price=wanted.trigger_price or quote.bid,
        trigger_price=wanted.trigger_price,
        bid=quote.bid,
        ask=quote.ask,
        reduce_only=True,
    )


def is_stopless(position: Position) -> bool:
    """Say whether a held position lacks a stop that its policy asks for."""
    asks = position.policy.stop_loss_pct > 0 or position.policy.trailing_stop_pct > 0
    return is_held(position) and asks and position.stop_price is None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The extremes of the bids that a position saw since its last mark."""

    high: Decimal
    low: Decimal


def seen_with(before: Seen | None, bid: Decimal) -> Seen:
    """Return what was seen, with one more bid."""
    if before is None:
        return Seen(high=bid, low=bid)
    return Seen(high=max(before.high, bid), low=min(before.low, bid))


def is_mark_due_of(position: Position, seen: Seen) -> bool:
    """Say whether what was seen is far enough beyond the position's extremes to be written down.

    So what a log says of the best and worst price is within `MARK_STEP_BPS` of what was seen.
    """
    high, low = position.price_high, position.price_low
    if high is None or low is None:
        return True
    return seen.high >= plus(high, bps_of(high, MARK_STEP_BPS)) or seen.low <= minus(
        low, bps_of(low, MARK_STEP_BPS)
    )


class Extremes:
    """What each position saw since its last mark."""

    def __init__(self) -> None:
        self._seen: dict[PositionId, Seen] = {}

    def see(self, position: Position, quote: Quote) -> MarkPosition | None:
        """Take a quote; return the mark that it is worth."""
        seen = seen_with(self._seen.get(position.position_id), quote.bid)
        self._seen[position.position_id] = seen
        return self.mark(position, mid_of(quote)) if is_mark_due_of(position, seen) else None

    def mark(self, position: Position, price: Decimal) -> MarkPosition:
        """Return a mark with what was seen since the one before."""
        key, seen = position.position_id, self._seen.pop(position.position_id, None)
        high, low = (None, None) if seen is None else (seen.high, seen.low)
        return MarkPosition(position_id=key, price=price, high=high, low=low)

    def forget(self, position: PositionId) -> None:
        """Let go of a position that has ended."""
        self._seen.pop(position, None)


def is_mark_due(position: Position, price: Decimal) -> bool:
    """Say whether the price has moved far enough from the last mark to be written down."""
    if position.mark is None:
        return True
    return distance(price, position.mark) >= bps_of(position.mark, MARK_STEP_BPS)


def is_peak_due(peak: Decimal, equity: Decimal) -> bool:
    """Say whether the equity is high enough above its recorded peak to be a new one."""
    return peak > 0 and equity >= plus(peak, percent_of(peak, PEAK_STEP_PCT))
