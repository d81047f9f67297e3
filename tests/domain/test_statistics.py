"""Figures of a run, reckoned by hand."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import Coin, Instant, PositionId, Symbol
from aegis.domain.position import Position, PositionStatus
from aegis.domain.statistics import Summary, drawdown_worst, summarize
from tests.domain.kit import BTC_USDT, ETH_USDT, START, Desk, decimals, seconds


def trade(pnl: str, number: int = 0, **changes: object) -> Position:
    """Return a closed position; each closes a minute after the one before."""
    made = msgspec.structs.replace(
        Desk().holding("1"),
        position_id=PositionId(f"p-{number}"),
        status=PositionStatus.CLOSED,
        amount=Decimal(0),
        cost=Decimal(0),
        exited=Decimal(1),
        received=Decimal(98),
        pnl=Decimal(pnl),
        fees={Coin("USDT"): Decimal("0.2")},
        fees_quote=Decimal("0.2"),
        closed_at=Instant(START + seconds(60 * number + 30)),
        close_reason="strategy",
    )
    return msgspec.structs.replace(made, **changes)


def of(*pnls: str) -> Summary:
    trades = [trade(pnl, number) for number, pnl in enumerate(pnls)]
    return summarize(trades, open_left=0, candles=())


def test_the_figures_of_five_trades() -> None:
    summary = of("10", "-4", "6", "-9", "2")
    assert summary.trades == 5
    assert summary.win_rate_pct == 60
    assert (summary.pnl_total, summary.pnl_average) == decimals(5, 1)
    assert summary.fees == 1
    assert summary.profit_factor == Decimal("1." + "384615" * 5 + "385")
    assert summary.drawdown_worst == 9


def test_a_run_without_a_trade_has_no_means() -> None:
    summary = of()
    assert (summary.trades, summary.pnl_total, summary.drawdown_worst) == (0, *decimals(0, 0))
    assert (summary.win_rate_pct, summary.pnl_average, summary.profit_factor) == (None, None, None)


def test_a_run_without_a_loss_has_no_profit_factor() -> None:
    summary = of("1", "2")
    assert (summary.win_rate_pct, summary.profit_factor) == (Decimal(100), None)


def test_a_run_that_lost_nothing_has_no_profit_factor_either() -> None:
    assert of("1", "0").profit_factor is None


def test_a_trade_that_gains_nothing_is_neither_won_nor_lost() -> None:
    summary = of("0", "-1")
    assert (summary.win_rate_pct, summary.profit_factor) == decimals(0, 0)


def test_a_trade_without_a_price_is_left_out() -> None:
    trades = [trade("5", 0), trade("-99", 1, is_unpriced=True)]
    summary = summarize(trades, open_left=1, candles=())
    assert (summary.trades, summary.pnl_total, summary.open_left) == (1, Decimal(5), 1)


@pytest.mark.parametrize(
    ("pnls", "worst"),
    [
        ([], "0"),
        (["5"], "0"),
        (["-5"], "5"),
        (["10", "-3", "-4", "5", "-6"], "8"),
        (["-1", "-1", "10", "-1"], "2"),
        (["3", "-3", "3", "-3"], "3"),
    ],
)
def test_the_worst_drawdown_is_the_largest_fall_from_a_height(pnls: list[str], worst: str) -> None:
    assert drawdown_worst(decimals(*pnls)) == Decimal(worst)


def test_trades_count_in_the_order_of_their_close() -> None:
    late, early = trade("10", 5), trade("-4", 1)
    assert summarize([late, early], open_left=0, candles=()).drawdown_worst == 4


# Both bounds ------------------------------------------------------------------------------


def candle(high: str, number: int = 0, symbol: Symbol = BTC_USDT) -> Candle:
    return Candle(
        symbol=symbol,
        open_at=Instant(START + seconds(60 * number)),
        length_s=60,
        open=Decimal(100),
        high=Decimal(high),
        low=Decimal(90),
        close=Decimal(95),
        volume=Decimal(1),
    )


def stopped(number: int = 0, **changes: object) -> Position:
    """Return a trade that its stop ended at 98, with its target at 104."""
    return trade("-2.2", number, **{"close_reason": "stop_loss", **changes})


@pytest.mark.parametrize(("high", "touched", "best"), [("103.99", 0, "-2.2"), ("104", 1, "3.8")])
def test_a_candle_that_reached_both_is_counted_and_gives_the_better_bound(
    high: str, touched: int, best: str
) -> None:
    summary = summarize([stopped()], open_left=0, candles=[candle(high)])
    assert (summary.candles_both_touched, summary.pnl_total) == (touched, Decimal("-2.2"))
    assert summary.pnl_total_best == Decimal(best)


def test_a_trailing_stop_counts_as_well() -> None:
    trades = [stopped(close_reason="trailing_stop")]
    assert summarize(trades, open_left=0, candles=[candle("110")]).candles_both_touched == 1


@pytest.mark.parametrize("reason", ["take_profit", "strategy", "flatten", "dust"])
def test_only_a_stop_can_have_been_the_worse_of_two(reason: str) -> None:
    trades = [stopped(close_reason=reason)]
    assert summarize(trades, open_left=0, candles=[candle("110")]).candles_both_touched == 0


def test_without_a_target_there_is_one_bound() -> None:
    trades = [stopped(take_profit_price=None)]
    assert summarize(trades, open_left=0, candles=[candle("110")]).candles_both_touched == 0


@pytest.mark.parametrize(
    "other", [candle("110", 1), candle("110", 0, ETH_USDT)], ids=["minute", "symbol"]
)
def test_the_candle_is_the_one_of_the_close_and_of_the_symbol(other: Candle) -> None:
    summary = summarize([stopped()], open_left=0, candles=[candle("100"), other])
    assert summary.candles_both_touched == 0


def test_each_symbol_is_judged_by_its_own_candles() -> None:
    trades = [stopped(), stopped(1, symbol=ETH_USDT)]
    candles = [
        candle("110"),
        candle("100", 1),
        candle("100", 0, ETH_USDT),
        candle("110", 1, ETH_USDT),
    ]
    summary = summarize(trades, open_left=0, candles=candles)
    assert (summary.candles_both_touched, summary.pnl_total_best) == (2, Decimal("7.6"))
