"""Figures of a run, reckoned by hand."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import Coin, Instant, PositionId, Symbol
from aegis.domain.money import ratio
from aegis.domain.position import Position, PositionStatus
from aegis.domain.statistics.path import DAY_NS, EquityPath, EquityPoint, equity_path
from aegis.domain.statistics.summary import Summary, summarize
from aegis.domain.statistics.trades import (
    Bin,
    Share,
    exposure_pct,
    histogram,
    longest_losing_run,
    mean,
    median,
    percentage,
    trade_of,
)
from tests.domain.kit import BTC_USDT, ETH_USDT, START, Desk, decimals, entry, seconds


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
    return summarize([trade(pnl, number) for number, pnl in enumerate(pnls)])


def test_the_figures_of_five_trades() -> None:
    summary = of("10", "-4", "6", "-9", "2")
    assert (summary.trades, summary.won) == (5, 3)
    assert summary.win_rate_pct == 60
    assert (summary.pnl_total, summary.pnl_average) == decimals(5, 1)
    assert summary.fees == 1
    assert summary.profit_factor == Decimal("1." + "384615" * 5 + "385")
    assert summary.losing_run_longest == 1


def test_a_run_without_a_trade_has_no_means() -> None:
    summary = of()
    named = msgspec.structs.asdict(summary)
    nothing = {name for name, value in named.items() if value is None}
    assert {"win_rate_pct", "pnl_average", "pnl_interval", "profit_factor", "r_mean"} <= nothing
    assert {"duration_s_mean", "duration_s_longest", "best_mean", "worst_largest"} <= nothing
    assert (summary.trades, summary.pnl_total, summary.losing_run_longest) == (0, Decimal(0), 0)


def test_what_needs_a_path_is_none_without_one() -> None:
    summary = of("1", "2")
    assert (summary.drawdown, summary.sharpe, summary.sortino) == (None, None, None)
    assert (summary.exposure_pct, summary.equity_first, summary.equity_last) == (None, None, None)
    assert summary.days == 0


def test_a_run_without_a_loss_has_no_profit_factor() -> None:
    summary = of("1", "2")
    assert (summary.win_rate_pct, summary.profit_factor) == (Decimal(100), None)


def test_a_run_that_lost_nothing_has_no_profit_factor_either() -> None:
    assert of("1", "0").profit_factor is None


def test_a_trade_that_gains_nothing_is_neither_won_nor_lost() -> None:
    summary = of("0", "-1")
    assert (summary.win_rate_pct, summary.profit_factor) == decimals(0, 0)


def test_a_trade_without_a_price_is_left_out_and_named() -> None:
    trades = [trade("5", 0), trade("-99", 1, is_unpriced=True, close_reason="stop_loss")]
    summary = summarize(trades, candles=[candle("110", 1)])
    assert (summary.trades, summary.pnl_total, summary.unpriced) == (1, Decimal(5), ("p-1",))
    assert summary.candles_both_touched == 0


def test_what_is_still_alive_is_counted_as_left_open() -> None:
    summary = summarize([trade("5")], alive=[Desk().holding()])
    assert (summary.trades, summary.open_left) == (1, 1)


@pytest.mark.parametrize(
    ("pnls", "longest"),
    [([], 0), (["1"], 0), (["-1"], 1), (["-1", "-1", "1", "-1"], 2), (["-1", "0", "-1"], 1)],
)
def test_a_losing_run_is_of_losses_one_after_another(pnls: list[str], longest: int) -> None:
    assert longest_losing_run(decimals(*pnls)) == longest


def test_trades_count_in_the_order_of_their_close() -> None:
    trades = [trade("-1", 5), trade("1", 3), trade("-1", 4), trade("-1", 1)]
    assert summarize(trades).losing_run_longest == 2


def test_parts_add_up_by_day_reason_symbol_and_strategy() -> None:
    later = Instant(START + DAY_NS)
    trades = [
        trade("5"),
        trade("-2", 1, close_reason="stop_loss", symbol=ETH_USDT),
        trade("3", 2, close_reason="stop_loss", closed_at=later, strategy="other"),
    ]
    summary = summarize(trades)
    first, second = summary.by_day
    assert first == Share(name="2024-01-01", trades=2, won=1, pnl=Decimal(3), fees=Decimal("0.4"))
    assert (second.name, second.trades, second.pnl) == ("2024-01-02", 1, Decimal(3))
    assert [(each.name, each.pnl) for each in summary.by_reason] == [
        ("stop_loss", Decimal(1)),
        ("strategy", Decimal(5)),
    ]
    assert [(each.name, each.won) for each in summary.by_symbol] == [(BTC_USDT, 2), (ETH_USDT, 0)]
    assert [(each.name, each.trades) for each in summary.by_strategy] == [("other", 1), ("test", 2)]


def test_a_day_ends_with_its_last_nanosecond() -> None:
    last, first = Instant(START + DAY_NS - 1), Instant(START + DAY_NS)
    days = summarize([trade("1", closed_at=last), trade("1", 1, closed_at=first)]).by_day
    assert [(day.name, day.trades) for day in days] == [("2024-01-01", 1), ("2024-01-02", 1)]


def test_the_time_in_a_trade_has_a_mean_a_median_and_a_longest() -> None:
    trades = [trade("1", number) for number in (0, 1, 3)]
    summary = summarize(trades)
    assert (summary.duration_s_mean, summary.duration_s_median) == decimals(110, 90)
    assert summary.duration_s_longest == 210


def test_a_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    assert median(decimals(9, 1, 4, 2)) == 3
    assert median(()) is mean(()) is None


# A trade ------------------------------------------------------------------------------------


def test_excursions_are_what_the_whole_amount_saw_from_its_mean_entry() -> None:
    desk = Desk(keeps=True)
    order = desk.accepted(entry("2"))
    desk.fills(order, "1", "100", "0.1")
    desk.fills(order, "1", "110", "0.1")
    desk.left("120")
    made = trade_of(desk.last_position())
    assert (made.entry_price, made.exit_price) == decimals(105, 120)
    assert (made.best, made.worst) == decimals(30, -10)
    assert made.best_pct == percentage(*decimals(30, 210))
    assert made.worst_pct == percentage(*decimals(-10, 210))


def test_a_trade_that_only_rose_has_no_adverse_excursion() -> None:
    desk = Desk(keeps=True)
    desk.holding("1")
    desk.left("103")
    made = trade_of(desk.last_position())
    assert (made.best, made.worst) == decimals(3, 0)
    assert made.worst_pct == 0


def test_the_risk_is_what_the_first_stop_would_have_lost() -> None:
    made = trade_of(trade("-4"))
    assert (made.risk, made.r_multiple) == decimals(2, -2)
    assert trade_of(trade("3", stop_price=Decimal(105))).r_multiple == Decimal("1.5")


@pytest.mark.parametrize("stop", [None, Decimal(100), Decimal(101)])
def test_without_a_stop_below_the_entry_there_is_no_risk(stop: Decimal | None) -> None:
    made = trade_of(trade("-4", stop_first=stop))
    assert (made.risk, made.r_multiple) == (None, None)


def test_a_trade_that_ended_as_dust_has_no_exit_price() -> None:
    assert trade_of(trade("-1", exited=Decimal(0), received=Decimal(0))).exit_price is None


def test_r_multiples_are_averaged_and_sorted_into_bins() -> None:
    trades = [trade(pnl, number) for number, pnl in enumerate(("-5", "-4", "-1", "0", "2", "9"))]
    summary = summarize([*trades, trade("1", 9, stop_first=None)])
    assert (summary.r_trades, summary.r_mean) == (6, ratio(*decimals(1, 12)))
    assert [each.count for each in summary.r_histogram] == [1, 1, 1, 1, 1, 0, 1]


def test_bins_have_no_hole_and_no_overlap() -> None:
    made = histogram(decimals(0, 1, 2), decimals(0, 1))
    zero, one = decimals(0, 1)
    assert made == (
        Bin(low=None, high=zero, count=0),
        Bin(low=zero, high=one, count=1),
        Bin(low=one, high=None, count=2),
    )


# Exposure -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(0, 100)], 100),
        ([(-50, 25), (75, 200)], 50),
        ([(10, 40), (20, 30), (35, 60)], 50),
        ([(60, 70), (10, 20)], 20),
        ([(200, 300), (-20, -10)], 0),
    ],
)
def test_exposure_counts_each_moment_once(spans: list[tuple[int, int]], expected: int) -> None:
    held = [(Instant(opened), Instant(closed)) for opened, closed in spans]
    assert exposure_pct(held, Instant(0), Instant(100)) == expected


def test_no_time_has_no_exposure() -> None:
    assert exposure_pct([], Instant(5), Instant(5)) is None


def path_of(*equities: str) -> EquityPath:
    """Return a path with an equity each day."""
    points = [
        EquityPoint(at=Instant(START + number * DAY_NS), equity=Decimal(equity))
        for number, equity in enumerate(equities)
    ]
    made = equity_path(points, since=Instant(0), end_at=points[-1].at)
    assert made is not None
    return made


def test_what_is_open_is_exposed_to_the_end_and_what_never_opened_is_not() -> None:
    half = Instant(START + DAY_NS)
    held = msgspec.structs.replace(Desk().holding(), opened_at=half)
    waiting = msgspec.structs.replace(held, opened_at=START, entered=Decimal(0))
    summary = summarize([], alive=[held, waiting], path=path_of("1", "1", "1"))
    assert summary.exposure_pct == 50


def test_an_unpriced_position_was_exposed_as_well() -> None:
    closed_at = Instant(START + DAY_NS // 2)
    gone = trade("0", is_unpriced=True, closed_at=closed_at)
    assert summarize([gone], path=path_of("1", "1")).exposure_pct == 50


def test_the_path_gives_equity_drawdown_and_ratios() -> None:
    summary = summarize([], path=path_of("100", "110", "99", "121"))
    assert (summary.equity_first, summary.equity_last) == decimals(100, 121)
    assert summary.drawdown is not None
    assert (summary.drawdown.quote, summary.drawdown.pct) == decimals(11, 10)
    assert summary.days == 4
    assert summary.sharpe is not None
    assert summary.sortino is not None


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
    summary = summarize([stopped()], candles=[candle(high)])
    assert (summary.candles_both_touched, summary.pnl_total) == (touched, Decimal("-2.2"))
    assert summary.pnl_total_best == Decimal(best)


def test_a_trailing_stop_counts_as_well() -> None:
    trades = [stopped(close_reason="trailing_stop")]
    assert summarize(trades, candles=[candle("110")]).candles_both_touched == 1


@pytest.mark.parametrize("reason", ["take_profit", "strategy", "flatten", "dust"])
def test_only_a_stop_can_have_been_the_worse_of_two(reason: str) -> None:
    trades = [stopped(close_reason=reason)]
    assert summarize(trades, candles=[candle("110")]).candles_both_touched == 0


def test_without_a_target_there_is_one_bound() -> None:
    trades = [stopped(take_profit_price=None)]
    assert summarize(trades, candles=[candle("110")]).candles_both_touched == 0


@pytest.mark.parametrize(
    "other", [candle("110", 1), candle("110", 0, ETH_USDT)], ids=["minute", "symbol"]
)
def test_the_candle_is_the_one_of_the_close_and_of_the_symbol(other: Candle) -> None:
    summary = summarize([stopped()], candles=[candle("100"), other])
    assert summary.candles_both_touched == 0


def test_each_symbol_is_judged_by_its_own_candles() -> None:
    trades = [stopped(), stopped(1, symbol=ETH_USDT)]
    candles = [
        candle("110"),
        candle("100", 1),
        candle("100", 0, ETH_USDT),
        candle("110", 1, ETH_USDT),
    ]
    summary = summarize(trades, candles=candles)
    assert (summary.candles_both_touched, summary.pnl_total_best) == (2, Decimal("7.6"))
