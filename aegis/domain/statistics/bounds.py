"""Both bounds of a replay: a candle says how far prices went, not which way they went first.

The run takes the path that falls first. Where stop and target were both within a candle, or a
trailing stop and the high that raised it, prices that rose first would have ended the trade
elsewhere. The worst and the best of these ends bound the trade.

What is left out: what the strategy would have done after another end, and what slippage and fees
would have been there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.guard import quote_of, raised
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import ZERO, minus, plus, times
from aegis.domain.position import Position

STOPS = ("stop_loss", "trailing_stop")

Places = Mapping[tuple[Symbol, Instant], Candle]
"""Candles by symbol and open."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many ends of trades hung on which way prices went first, and what that is worth.

    `worst` is zero or less and `best` zero or more, both to be added to the run's P&L.
    """

    candles: int = 0
    worst: Decimal = ZERO
    best: Decimal = ZERO


def bounds_of(closed: Iterable[Position], candles: Iterable[Candle], spread_bps: Decimal) -> Bounds:
    """Return the bounds of closed and priced trades, each judged by its own symbol's candles."""
    by_open = {(candle.symbol, candle.open_at): candle for candle in candles}
    length_s = next(iter(by_open.values())).length_s if by_open else 0
    count, worst, best = 0, ZERO, ZERO
    for trade in closed:
        life = tuple(_life(trade, by_open, length_s * NANOS_PER_SECOND))
        ends = tuple(_other_ends(trade, life, spread_bps)) if trade.exited > 0 else ()
        gains = [minus(times(price, trade.exited), trade.received) for price in ends]
        count += len(gains)
        worst = plus(worst, min(ZERO, *gains, ZERO))
        best = plus(best, max(ZERO, *gains, ZERO))
    return Bounds(candles=count, worst=worst, best=best)


def _life(trade: Position, by_open: Places, length_ns: int) -> Iterator[Candle]:
    """Yield the candles in which a trade may have ended otherwise: the last, or all that trailed.

    Without a trailing stop, a level that was touched ended the trade.
    """
    if not length_ns or trade.closed_at is None:
        return
    last = trade.closed_at - trade.closed_at % length_ns
    trails = trade.policy.trailing_stop_pct > 0
    first = trade.opened_at - trade.opened_at % length_ns if trails else last
    for open_at in range(first, last + 1, length_ns):
        candle = by_open.get((trade.symbol, Instant(open_at)))
        if candle is not None:
            yield candle


def _other_ends(
    trade: Position, life: tuple[Candle, ...], spread_bps: Decimal
) -> Iterator[Decimal]:
    """Yield the price of each end that a trade would have had, had its candle risen first."""
    stop = trade.stop_first
    for candle in life[:-1]:
        lifted = _lifted(trade, stop, _bid(candle.high, spread_bps, candle))
        if lifted != stop and lifted is not None and _bid(candle.low, spread_bps, candle) <= lifted:
            yield lifted
        stop = lifted
    if life and trade.close_reason in STOPS:
        yield from _end_in_last(trade, _bid(life[-1].high, spread_bps, life[-1]))


def _end_in_last(trade: Position, high: Decimal) -> Iterator[Decimal]:
    """Yield where the candle that ended a trade at its stop would have ended it, rising first."""
    if trade.take_profit_price is not None and high >= trade.take_profit_price:
        yield trade.take_profit_price
        return
    lifted = _lifted(trade, trade.stop_price, high)
    if lifted is not None and lifted != trade.stop_price:
        yield lifted


def _lifted(trade: Position, stop: Decimal | None, high: Decimal) -> Decimal | None:
    """Return where a bid leaves a stop: raised, as Guard does it, or where it was."""
    wanted = raised(msgspec.structs.replace(trade, stop_price=stop), high)
    return stop if wanted is None else wanted.stop_price


def _bid(price: Decimal, spread_bps: Decimal, candle: Candle) -> Decimal:
    return quote_of(price, spread_bps, candle.open_at).bid
