"""What a run has come to, from its closed trades: as JSON, exact, and as words for people.

Pure: the trades, the candles and what is left open are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from aegis.cli.figures import drawdown_text, figures_json, rounded, sum_of
from aegis.cli.wording import amount, counted, money, price
from aegis.domain.ids import Coin
from aegis.domain.money import text
from aegis.domain.position import Position
from aegis.domain.statistics.summary import Summary

View = Mapping[str, object]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What is left when a run has ended; `halted_because` is empty while trading is ACTIVE.

    `stops_at_exchange` is how many of the positions left open a stop guards there.
    """

    reason: str
    trading_state: str
    halted_because: str
    quote: Coin
    left_open: tuple[View, ...]
    orders_unsettled: int
    events: int
    head_hash: str
    stops_at_exchange: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of a run at speed 0, their figures, and what is left.

    `refused` counts the entries that were never filled, by what refused them.
    """

    ending: Ending
    closed: tuple[Position, ...]
    refused: Mapping[str, int]
    summary: Summary


def replay_json(result: Result, *, candles: int, seconds: float) -> dict[str, object]:
    """Return the figures of a run at speed 0."""
    summary, ending = result.summary, result.ending
    measured = {
        "candles": candles,
        "seconds": round(seconds, 3),
        "candles_per_s": round(_rate(candles, seconds)),
    }
    return {
        "reason": ending.reason,
        **figures_json(summary),
        "entries_refused": result.refused,
        **measured,
        **_ending_json(ending),
    }


def replay_rows(result: Result, *, candles: int, seconds: float) -> list[tuple[str, str]]:
    """Return the table of a run at speed 0."""
    summary, ending = result.summary, result.ending
    quote = ending.quote
    return [
        ("Ended", ending.reason),
        ("Trades", f"{summary.trades:,}"),
        *refused_rows(result.refused),
        ("Win rate", rounded(summary.win_rate_pct, " %")),
        ("Average P&L", sum_of(summary.pnl_average, quote)),
        ("Total P&L", sum_of(summary.pnl_total, quote)),
        ("Fees (in the P&L)", sum_of(summary.fees, quote)),
        ("Profit factor", rounded(summary.profit_factor)),
        ("Worst drawdown", drawdown_text(summary, quote)),
        ("Sharpe ratio", rounded(summary.sharpe)),
        ("Exposure", rounded(summary.exposure_pct, " % of the time")),
        ("Stop and target both touched", counted(summary.candles_both_touched, "candle")),
        (
            "Total P&L, both bounds",
            f"{money(summary.pnl_total_worst, quote)} to {sum_of(summary.pnl_total_best, quote)}",
        ),
        ("Candles", f"{candles:,} in {seconds:.1f} s, {_rate(candles, seconds):,.0f} a second"),
        *left_rows(ending),
        ("Events", f"{ending.events:,}"),
        ("Head hash", ending.head_hash),
    ]


def totals_json(ending: Ending, *, trades: int, pnl: Decimal, fees: Decimal) -> dict[str, object]:
    """Return what a run on the clock leaves behind."""
    figures = {"trades": trades, "pnl_total": text(pnl), "fees": text(fees)}
    return {"reason": ending.reason, **figures, **_ending_json(ending)}


def totals_rows(
    ending: Ending, *, trades: int, pnl: Decimal, fees: Decimal
) -> list[tuple[str, str]]:
    """Return what a run on the clock leaves behind, for a person who has just ended it."""
    quote = ending.quote
    return [
        ("Ended", ending.reason),
        ("Trades closed", f"{trades:,} in this store"),
        ("Total P&L", f"{money(pnl, quote)} {quote}"),
        ("Fees (in the P&L)", f"{money(fees, quote)} {quote}"),
        *left_rows(ending),
    ]


def refused_rows(refused: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return how many entries were never filled, and what refused them."""
    told = ", ".join(f"{count:,} by {what}" for what, count in refused.items())
    return [("Entries refused", told)] if refused else []


def left_rows(ending: Ending) -> list[tuple[str, str]]:
    """Return what is left open, by name, and why nothing more was entered."""
    halted = ending.halted_because
    rows = [("Entries halted", halted)] if halted else []
    rows += _open_rows(ending)
    if ending.orders_unsettled:
        what = counted(ending.orders_unsettled, "order")
        rows.append(("In doubt", f"{what} without an answer; the next start looks up what became"))
    return rows


def _open_rows(ending: Ending) -> list[tuple[str, str]]:
    rows = [("Left open", line) for line in map(_left_line, ending.left_open)]
    if rows:
        rows.append(("", _guarded_until(ending)))
    else:
        rows.append(("Left open", "no positions left open"))
    return rows


def _guarded_until(ending: Ending) -> str:
    """Return what guards what is left open, until AEGIS runs again."""
    there = ending.stops_at_exchange
    if there == 0:
        return "nothing guards them until AEGIS runs again"
    rest = len(ending.left_open) - there
    beside = f", and nothing {'the other' if rest == 1 else f'{rest} others'}" if rest > 0 else ""
    return f"{counted(there, 'stop')} at the exchange, further away{beside}, until AEGIS runs again"


def _left_line(view: View) -> str:
    entry = price(view["entry_price"])
    if view["status"] == "OPENING":
        return f"{view['symbol']}, its entry at {entry} is on the way"
    stop = "no stop" if view["stop_price"] is None else f"stop {price(view['stop_price'])}"
    return f"{view['symbol']} {amount(view['amount'])}, entry {entry}, {stop}"


def _ending_json(ending: Ending) -> dict[str, object]:
    return {
        "quote": ending.quote,
        "trading_state": ending.trading_state,
        "halted_because": ending.halted_because,
        "left_open": ending.left_open,
        "orders_unsettled": ending.orders_unsettled,
        "events": ending.events,
        "head_hash": ending.head_hash,
    }


def _rate(candles: int, seconds: float) -> float:
    return candles / seconds if seconds > 0 else 0.0
