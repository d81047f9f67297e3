"""Figures of a run, from its closed trades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import HUNDRED, ZERO, minus, negative, plus, ratio, times, total
from aegis.domain.position import Position


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote coin. A figure that needs trades is None when there are none.

    `drawdown_worst` is the largest fall of the cumulated P&L of closed trades from a height.
    `candles_both_touched` counts exits in whose candle stop and target were both reached; the
    run takes the worse one, `pnl_total_best` is the total had it always been the better one.
    """

    trades: int
    open_left: int
    win_rate_pct: Decimal | None
    pnl_average: Decimal | None
    pnl_total: Decimal
    pnl_total_best: Decimal
    fees: Decimal
    profit_factor: Decimal | None
    drawdown_worst: Decimal
    candles_both_touched: int


def summarize(closed: Sequence[Position], *, open_left: int, candles: Iterable[Candle]) -> Summary:
    """Return the figures of closed positions, in order of their close; unpriced ones left out.

    Profit factor = gross profit / gross loss, both after fees; None without a loss.
    """
    trades = sorted((p for p in closed if not p.is_unpriced), key=_closing_order)
    gains = [trade.pnl for trade in trades if trade.pnl > 0]
    losses = [trade.pnl for trade in trades if trade.pnl < 0]
    pnl_total = total(trade.pnl for trade in trades)
    by_open = {(candle.symbol, candle.open_at): candle for candle in candles}
    missed = [gain for trade in trades if (gain := gain_if_target_first(trade, by_open))]
    return Summary(
        trades=len(trades),
        open_left=open_left,
        win_rate_pct=times(ratio(Decimal(len(gains)), Decimal(len(trades))), HUNDRED)
        if trades
        else None,
        pnl_average=ratio(pnl_total, Decimal(len(trades))) if trades else None,
        pnl_total=pnl_total,
        pnl_total_best=plus(pnl_total, total(missed)),
        fees=total(trade.fees_quote for trade in trades),
        profit_factor=ratio(total(gains), negative(total(losses))) if losses else None,
        drawdown_worst=drawdown_worst(trade.pnl for trade in trades),
        candles_both_touched=len(missed),
    )


def _closing_order(position: Position) -> tuple[int, str]:
    return position.closed_at or 0, position.position_id


def drawdown_worst(pnls: Iterable[Decimal]) -> Decimal:
    """Return the largest fall of a running sum from its highest point so far, zero or more."""
    height = level = worst = ZERO
    for pnl in pnls:
        level = plus(level, pnl)
        height = max(height, level)
        worst = max(worst, minus(height, level))
    return worst


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
