"""The other bound of a replay: candles say that stop and target were both reached, not which first.

A run takes the worse one. Here is what the better one would have brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import minus, times
from aegis.domain.position import Position


def gains_missed(closed: Iterable[Position], candles: Iterable[Candle]) -> tuple[Decimal, ...]:
    """Return, of each exit in whose candle stop and target were both reached, what it missed."""
    by_open = {(candle.symbol, candle.open_at): candle for candle in candles}
    missed = (gain_if_target_first(position, by_open) for position in closed)
    return tuple(gain for gain in missed if gain is not None)


def gain_if_target_first(
    trade: Position, candles: Mapping[tuple[Symbol, Instant], Candle]
) -> Decimal | None:
    """Return what a stopped trade would have gained had its target come first in that candle.

    None when the exit was not by a stop, or its candle did not reach the target as well.
    """
    target, closed_at = trade.take_profit_price, trade.closed_at
    if trade.close_reason not in ("stop_loss", "trailing_stop") or target is None:
        return None
    candle = _candle_at(candles, trade.symbol, closed_at or Instant(0))
    if candle is None or candle.high < target or trade.exited == 0:
        return None
    return minus(times(target, trade.exited), trade.received)


def _candle_at(
    candles: Mapping[tuple[Symbol, Instant], Candle], symbol: Symbol, at: Instant
) -> Candle | None:
    length_s = next(iter(candles.values())).length_s if candles else 60
    length_ns = length_s * NANOS_PER_SECOND
    return candles.get((symbol, Instant(at - at % length_ns)))
