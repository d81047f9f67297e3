"""All figures of a run in one value, from its closed positions and its equity's path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import PositionId
from aegis.domain.money import HUNDRED, ZERO, plus, ratio, times, total
from aegis.domain.position import Position
from aegis.domain.statistics.bounds import bounds_of
from aegis.domain.statistics.estimates import Interval, interval_of_mean, sharpe, sortino
from aegis.domain.statistics.path import Drawdown, EquityPath
from aegis.domain.statistics.trades import (
    R_EDGES,
    Bin,
    Share,
    exposure_pct,
    histogram,
    longest_losing_run,
    mean,
    median,
    profit_factor,
    shares,
    trades_of,
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote coin, after fees. A figure that needs what is not there is None.

    `pnl_average` is the expectancy, `pnl_interval` where it lies with 95 % confidence. Unpriced
    positions are named and count in no figure but exposure and the equity's path, which has lost
    what they were worth. `candles_both_touched` counts the candles in which stop and target, or a
    stop and the high that raised it, were both reached; `pnl_total_worst` and `pnl_total_best` are
    the totals had prices always gone the worse or the better way first. Durations are in seconds,
    R-multiples in units of what was risked.
    """

    trades: int
    open_left: int
    unpriced: tuple[PositionId, ...]
    won: int
    win_rate_pct: Decimal | None
    pnl_average: Decimal | None
    pnl_interval: Interval | None
    pnl_total: Decimal
    pnl_total_worst: Decimal
    pnl_total_best: Decimal
    fees: Decimal
    profit_factor: Decimal | None
    losing_run_longest: int
    candles_both_touched: int
    equity_first: Decimal | None
    equity_last: Decimal | None
    transferred: Decimal
    drawdown: Drawdown | None
    days: int
    sharpe: Decimal | None
    sortino: Decimal | None
    exposure_pct: Decimal | None
    duration_s_mean: Decimal | None
    duration_s_median: Decimal | None
    duration_s_longest: int | None
    best_mean: Decimal | None
    best_largest: Decimal | None
    worst_mean: Decimal | None
    worst_largest: Decimal | None
    r_trades: int
    r_mean: Decimal | None
    r_histogram: tuple[Bin, ...]
    by_day: tuple[Share, ...]
    by_reason: tuple[Share, ...]
    by_symbol: tuple[Share, ...]
    by_strategy: tuple[Share, ...]


def summarize(
    closed: Sequence[Position],
    *,
    alive: Sequence[Position] = (),
    path: EquityPath | None = None,
    candles: Iterable[Candle] = (),
    spread_bps: Decimal = ZERO,
) -> Summary:
    """Return the figures of closed positions; `alive` are those left open at the path's end.

    Bounds other than the total are there where the candles, and the spread around them, are told.
    """
    trades = trades_of(closed)
    bounds = bounds_of((each for each in closed if not each.is_unpriced), candles, spread_bps)
    pnls = [trade.pnl for trade in trades]
    won, pnl_total = sum(pnl > 0 for pnl in pnls), total(pnls)
    fractions = [day.fraction for day in path.days] if path else []
    r_multiples = [r for trade in trades if (r := trade.r_multiple) is not None]
    durations = [Decimal(trade.duration_s) for trade in trades]
    best, worst = [trade.best for trade in trades], [trade.worst for trade in trades]
    return Summary(
        trades=len(trades),
        open_left=len(alive),
        unpriced=tuple(each.position_id for each in closed if each.is_unpriced),
        won=won,
        win_rate_pct=times(ratio(Decimal(won), Decimal(len(trades))), HUNDRED) if trades else None,
        pnl_average=mean(pnls),
        pnl_interval=interval_of_mean(pnls),
        pnl_total=pnl_total,
        pnl_total_worst=plus(pnl_total, bounds.worst),
        pnl_total_best=plus(pnl_total, bounds.best),
        fees=total(trade.fees for trade in trades),
        profit_factor=profit_factor(pnls),
        losing_run_longest=longest_losing_run(pnls),
        candles_both_touched=bounds.candles,
        equity_first=path.first if path else None,
        equity_last=path.last if path else None,
        transferred=path.transferred if path else ZERO,
        drawdown=path.drawdown if path else None,
        days=len(fractions),
        sharpe=sharpe(fractions),
        sortino=sortino(fractions),
        exposure_pct=_exposure_pct(closed, alive, path),
        duration_s_mean=mean(durations),
        duration_s_median=median(durations),
        duration_s_longest=max((trade.duration_s for trade in trades), default=None),
        best_mean=mean(best),
        best_largest=max(best, default=None),
        worst_mean=mean(worst),
        worst_largest=min(worst, default=None),
        r_trades=len(r_multiples),
        r_mean=mean(r_multiples),
        r_histogram=histogram(r_multiples, R_EDGES),
        by_day=shares(trades, lambda trade: trade.day),
        by_reason=shares(trades, lambda trade: trade.reason),
        by_symbol=shares(trades, lambda trade: trade.symbol),
        by_strategy=shares(trades, lambda trade: trade.strategy),
    )


def _exposure_pct(
    closed: Iterable[Position], alive: Iterable[Position], path: EquityPath | None
) -> Decimal | None:
    if path is None:
        return None
    spans = [(each.opened_at, each.closed_at or path.end_at) for each in (*closed, *alive)
             if each.entered > 0]  # fmt: skip
    return exposure_pct(spans, path.begin_at, path.end_at)
