"""What the page of a report says: key figures, curves, breakdowns, trades, and what is left out.

Pure: what was measured is handed in, and equal stores make equal pages.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.cli.figures import (
    Rows,
    money_rows,
    notes,
    risk_rows,
    rounded,
    sum_of,
    time_rows,
    trade_rows,
)
from aegis.cli.page.document import document
from aegis.cli.page.markup import Markup, element
from aegis.cli.page.pictures import days, drawdown, equity, hover_points, spread
from aegis.cli.page.pieces import minute, section, sign_of, typeset
from aegis.cli.page.tables import breakdown, left_open, trade_table
from aegis.cli.statistics import store_rows
from aegis.cli.wording import counted, money, percent, span
from aegis.domain.ids import Coin, Symbol
from aegis.domain.statistics.summary import Summary
from aegis.domain.statistics.trades import Trade, percentage, trades_of
from aegis.store.measuring import Measures

TAKEN_FOR_GRANTED = (
    "P&L is after fees; excursions and what was risked are before them.",
    "The best and the worst price of a trade are within 10 bps of what was seen.",
    "Equity is the quote balance and own positions at their last marks; days are those of UTC.",
    "Money that was moved in or out is neither gain nor loss.",
    "Sharpe and Sortino ratios are of daily returns, times the square root of 365.",
    "The interval of the average P&L is Student's, and takes trades as independent.",
    "Fees in a third coin are in no figure. A result on paper is a result on paper.",
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page is made from."""

    quote: Coin
    symbols: tuple[Symbol, ...]
    found: Measures
    summary: Summary


def page(report: Report) -> str:
    """Return the page as one file's text."""
    found, summary = report.found, report.summary
    trades = trades_of(found.closed)
    told = _told(report, trades) if trades else _nothing_yet(report)
    body = element(
        "main",
        _header(report),
        *told,
        left_open(found.alive, report.quote),
        _notes(summary),
        _footer(found),
    )
    return document(f"AEGIS report: {_period(found)}", body, hover_points(found.path, report.quote))


def _told(report: Report, trades: Sequence[Trade]) -> tuple[Markup, ...]:
    path, quote = report.found.path, report.quote
    return (
        _tiles(report),
        *((equity(path, quote), drawdown(path)) if path else ()),
        *_breakdowns(report.summary, trades, quote),
        _all_figures(report),
        trade_table(trades, quote),
    )


def _nothing_yet(report: Report) -> tuple[Markup, ...]:
    """Return what can be said before a first trade has closed."""
    path, quote = report.found.path, report.quote
    words = "As soon as a position has closed, its figures are here."
    return (
        section("No trades yet", None, element("p", words, class_="soft")),
        *((equity(path, quote),) if path else ()),
        section("Store", None, element("div", _group("", _store(report)), class_="groups")),
    )


def _header(report: Report) -> Markup:
    identity = report.found.identity.identity
    facts = [
        ("Mode", identity.mode),
        ("Market", identity.market),
        ("Account", f"{identity.account} at {identity.exchange}"),
        ("Symbols", ", ".join(report.symbols)),
        ("Head hash", report.found.head_hash[:16]),
    ]
    trades = counted(report.summary.trades, "trade")
    return element(
        "header",
        element("h1", "AEGIS trading report"),
        element("p", f"{_period(report.found)} UTC, {trades}"),
        element("dl", *(_fact(name, value) for name, value in facts), class_="facts"),
    )  # fmt: skip


def _fact(name: str, value: str) -> Markup:
    shown = element("code", value) if name == "Head hash" else value
    return element("div", element("dt", name), element("dd", shown))


def _period(found: Measures) -> str:
    if found.begin_at is None:
        return "nothing has happened yet"
    return f"{minute(found.begin_at)} to {minute(found.end_at)}"


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A key figure, and a few words that belong to it."""

    name: str
    figure: str
    unit: str = ""
    aside: str
    sign: str = ""


def _tiles(report: Report) -> Markup:
    summary, quote = report.summary, report.quote
    deepest, ratios = summary.drawdown, rounded(summary.sortino)
    tiles = (
        Tile(
            name="Total P&L",
            figure=money(summary.pnl_total, quote),
            unit=quote,
            aside=_of_first(summary),
            sign=sign_of(summary.pnl_total),
        ),
        Tile(
            name="Trades",
            figure=f"{summary.trades:,}",
            aside=f"{rounded(summary.win_rate_pct, ' %')} won",
        ),
        Tile(
            name="Average P&L",
            figure=money(summary.pnl_average, quote),
            unit=quote,
            aside=_likely(summary, quote),
            sign=sign_of(summary.pnl_average),
        ),
        Tile(
            name="Profit factor",
            figure=rounded(summary.profit_factor),
            aside="gross gain / gross loss",
        ),
        Tile(
            name="Worst drawdown",
            figure=percent(deepest.pct) if deepest else "none",
            aside=sum_of(deepest.quote, quote) if deepest else "the equity never fell",
        ),
        Tile(name="Sharpe ratio", figure=rounded(summary.sharpe), aside=f"Sortino {ratios}"),
        Tile(
            name="Fees",
            figure=money(summary.fees, quote),
            unit=quote,
            aside="already in the P&L",
        ),
        Tile(
            name="Exposure",
            figure=rounded(summary.exposure_pct, " %"),
            aside=f"{span(summary.duration_s_mean)} a trade",
        ),
    )
    return element("dl", *map(_tile, tiles), class_="tiles")


def _tile(tile: Tile) -> Markup:
    unit = element("small", f" {tile.unit}") if tile.unit else None
    return element(
        "div",
        element("dt", tile.name),
        element("dd", typeset(tile.figure), unit, class_=f"figure {tile.sign}".strip()),
        element("dd", typeset(tile.aside), class_="aside"),
        class_="tile",
    )


def _likely(summary: Summary, quote: Coin) -> str:
    interval = summary.pnl_interval
    if interval is None:
        return "too few trades for an interval"
    return f"{money(interval.low, quote)} to {money(interval.high, quote)} with 95 %"


def _of_first(summary: Summary) -> str:
    if summary.equity_first is None or summary.equity_first <= 0:
        return "after fees"
    return f"{percent(percentage(summary.pnl_total, summary.equity_first))} of the equity"


def _breakdowns(summary: Summary, trades: Sequence[Trade], quote: Coin) -> tuple[Markup, Markup]:
    several = len(summary.by_strategy) > 1
    return (
        days(summary.by_day, quote),
        element(
            "div",
            spread(trades, quote),
            element(
                "div",
                breakdown("By reason of the exit", summary.by_reason, quote),
                breakdown("By symbol", summary.by_symbol, quote),
                breakdown("By strategy", summary.by_strategy, quote) if several else None,
            ),
            class_="pair",
        ),
    )


def _all_figures(report: Report) -> Markup:
    summary, quote = report.summary, report.quote
    groups: tuple[tuple[str, Rows], ...] = (
        ("Trades", trade_rows(summary, quote)),
        ("Money", money_rows(summary, quote)),
        ("Risk", risk_rows(summary, quote)),
        ("Time", time_rows(summary)),
        ("Store", _store(report)),
    )
    return section(
        "All figures", None, element("div", *(_group(*each) for each in groups), class_="groups")
    )


def _store(report: Report) -> Rows:
    return [row for row in store_rows(report.found) if row[0] != "Head hash"]  # the footer has it


def _group(title: str, rows: Rows) -> Markup:
    made = [
        element("tr", element("th", name, scope="row"), element("td", typeset(value), class_="r"))
        for name, value in rows
    ]
    return element("div", element("h3", title), element("table", element("tbody", *made)))


def _notes(summary: Summary) -> Markup:
    told = [*notes(summary), *TAKEN_FOR_GRANTED]
    listed = element("ul", *(element("li", each) for each in told), class_="notes")
    return section("What is not measured, and what is taken for granted", None, listed)


def _footer(found: Measures) -> Markup:
    return element(
        "footer",
        f"Made by AEGIS from {counted(found.events, 'event')}; head hash ",
        element("code", found.head_hash),
    )
