"""The figures of a run as JSON, exact, and as words for people, grouped by story.

Pure: what was measured is handed in.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.cli.wording import NOTHING, counted, moment, money, span
from aegis.domain.ids import Coin, Instant
from aegis.domain.instants import text_of
from aegis.domain.money import text
from aegis.domain.statistics.estimates import DAYS_FOR_RATIOS_MIN, TRADES_FOR_INTERVAL_MIN
from aegis.domain.statistics.summary import Summary
from aegis.domain.statistics.trades import Bin, Share

Rows = list[tuple[str, str]]


def figures_json(summary: Summary) -> dict[str, object]:
    """Return every figure under its name; the drawdown's flat, as it has parts of its own."""
    figures = exact_json(summary)
    assert isinstance(figures, dict), f"Expected names and figures, was {figures!r}"
    del figures["drawdown"]
    drawdown = summary.drawdown
    return {
        **figures,
        "drawdown_worst": text(drawdown.quote) if drawdown else "0",
        "drawdown_worst_pct": text(drawdown.pct) if drawdown else "0",
        "drawdown_height_at": text_of(drawdown.height_at) if drawdown else None,
        "drawdown_low_at": text_of(drawdown.low_at) if drawdown else None,
    }


def exact_json(value: object) -> object:
    """Return a value with its figures as text and its instants (`..._at`) as RFC 3339."""
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value).items()
        return {
            name: text_of(Instant(each)) if name.endswith("_at") and each is not None
            else exact_json(each)
            for name, each in fields
        }  # fmt: skip
    if isinstance(value, tuple):
        return [exact_json(each) for each in value]
    return value


def trade_rows(summary: Summary, quote: Coin) -> Rows:
    """Return how the trades went."""
    return [
        ("Trades", f"{summary.trades:,}"),
        ("Win rate", rounded(summary.win_rate_pct, " %")),
        ("Profit factor", rounded(summary.profit_factor)),
        ("Average P&L", sum_of(summary.pnl_average, quote)),
        ("95 % interval", _interval(summary, quote)),
        ("Average R-multiple", _average_r(summary)),
        ("Longest losing run", counted(summary.losing_run_longest, "trade")),
    ]


def money_rows(summary: Summary, quote: Coin) -> Rows:
    """Return what the trades brought and cost."""
    moved = [("Moved in or out", sum_of(summary.transferred, quote))]
    return [
        ("Total P&L", sum_of(summary.pnl_total, quote)),
        ("Fees (in the P&L)", sum_of(summary.fees, quote)),
        ("Equity at the start", sum_of(summary.equity_first, quote)),
        ("Equity at the end", sum_of(summary.equity_last, quote)),
        *(moved if summary.transferred else []),
    ]


def risk_rows(summary: Summary, quote: Coin) -> Rows:
    """Return how far it fell, and what that was worth."""
    drawdown = summary.drawdown
    when = f"{moment(drawdown.height_at)} to {moment(drawdown.low_at)}" if drawdown else NOTHING
    return [
        ("Worst drawdown", drawdown_text(summary, quote)),
        ("", when),
        ("Sharpe ratio", rounded(summary.sharpe)),
        ("Sortino ratio", rounded(summary.sortino)),
        ("Best excursion", _excursion(summary.best_mean, summary.best_largest, quote)),
        ("Worst excursion", _excursion(summary.worst_mean, summary.worst_largest, quote)),
    ]


def time_rows(summary: Summary) -> Rows:
    """Return how long something was held."""
    return [
        ("Exposure", rounded(summary.exposure_pct, " % of the time")),
        ("Time in a trade", f"{span(summary.duration_s_mean)} on average"),
        ("", f"{span(summary.duration_s_median)} median"),
        ("", f"{span(summary.duration_s_longest)} longest"),
    ]


def drawdown_text(summary: Summary, quote: Coin) -> str:
    """Return the worst drawdown in per cent of its height, and in the quote coin."""
    drawdown = summary.drawdown
    if drawdown is None:
        return "none" if summary.equity_first is not None else NOTHING
    return f"{drawdown.pct:.2f} %, {sum_of(drawdown.quote, quote)}"


def sum_of(value: Decimal | None, quote: Coin) -> str:
    """Return a sum of money with its coin."""
    return NOTHING if value is None else f"{money(value, quote)} {quote}"


def rounded(value: Decimal | None, unit: str = "") -> str:
    """Return a ratio or a per cent with two digits."""
    return NOTHING if value is None else f"{value:.2f}{unit}"


def share_row(share: Share, quote: Coin) -> tuple[str, ...]:
    """Return one line of a breakdown: name, trades, win rate, P&L, fees."""
    return (
        share.name,
        f"{share.trades:,}",
        f"{100 * share.won / share.trades:.0f} %",
        money(share.pnl, quote),
        money(share.fees, quote),
    )


def bin_name(each: Bin) -> str:
    """Return a bin of R-multiples in words."""
    if each.low is None:
        return f"below {each.high}"
    return f"{each.low} and more" if each.high is None else f"{each.low} to {each.high}"


def notes(summary: Summary) -> list[str]:
    """Return what is not measured, and why; and what the figures take for granted."""
    told = []
    if summary.trades < TRADES_FOR_INTERVAL_MIN:
        told.append(
            f"The average P&L has no interval: with fewer than {TRADES_FOR_INTERVAL_MIN} trades it "
            f"would say more than is known."
        )
    told += _ratio_notes(summary)
    if summary.trades and summary.profit_factor is None:
        told.append("There is no profit factor: no trade has lost.")
    if summary.r_trades < summary.trades:
        what = counted(summary.trades - summary.r_trades, "trade")
        told.append(f"Without a stop there is no initial risk: {what} without an R-multiple.")
    if summary.unpriced:
        told.append(
            f"Left out, as nobody knows their price: {', '.join(summary.unpriced)}. The equity has "
            f"lost what they were worth."
        )
    return told


def _ratio_notes(summary: Summary) -> list[str]:
    if summary.days < DAYS_FOR_RATIOS_MIN:
        return [f"Sharpe and Sortino ratios need {DAYS_FOR_RATIOS_MIN} days of equity."]
    if summary.sharpe is None:
        return ["There is no Sharpe or Sortino ratio: the equity was the same on every day."]
    return [] if summary.sortino is not None else ["There is no Sortino ratio: no day has lost."]


def _interval(summary: Summary, quote: Coin) -> str:
    interval = summary.pnl_interval
    if interval is None:
        return f"not below {TRADES_FOR_INTERVAL_MIN} trades"
    return f"{money(interval.low, quote)} to {sum_of(interval.high, quote)} (Student's t)"


def _average_r(summary: Summary) -> str:
    if summary.r_mean is None:
        return NOTHING
    return f"{summary.r_mean:.2f} R over {counted(summary.r_trades, 'trade')}"


def _excursion(average: Decimal | None, farthest: Decimal | None, quote: Coin) -> str:
    if average is None or farthest is None:
        return NOTHING
    return f"{sum_of(average, quote)} on average, {money(farthest, quote)} at most"
