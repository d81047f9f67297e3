"""The pictures of a report: equity, drawdown, P&L by day, and how the results are spread."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from aegis.cli.figures import sum_of
from aegis.cli.page.axes import date_text, nice_step
from aegis.cli.page.drawing import Bar, Point, Words, bars, curve
from aegis.cli.page.markup import Markup, element
from aegis.cli.page.pieces import minute, section, typeset
from aegis.cli.wording import counted, moment, percent
from aegis.domain.ids import Coin, Instant
from aegis.domain.instants import instant_of
from aegis.domain.money import floor_to, minus, plus, ratio, text, times
from aegis.domain.statistics.path import DAY_NS, EquityPath, ShownPoint
from aegis.domain.statistics.trades import Share, Trade, histogram

NANOS_PER_MILLISECOND = 1_000_000

BINS, LABELS = 24, 5
"""About how many bars a histogram has, and how many of them are labelled."""


def equity(path: EquityPath, quote: Coin) -> Markup:
    """Return what the account was worth over time."""
    points = [Point(at=each.at, value=float(each.equity)) for each in path.shown]
    told = f"From {sum_of(path.first, quote)} to {sum_of(path.last, quote)}"
    words = Words(key="equity", title="Equity over time", text=told)
    readout = element("output", "  \u00b7  ".join(_read(path.shown[-1], quote)), id="readout")
    return section("Equity", readout, curve(points, words, height=230))


def drawdown(path: EquityPath) -> Markup:
    """Return how far below its height the equity was, over the same time."""
    if path.drawdown is None:
        return section("Drawdown", None, element("p", "The equity never fell.", class_="soft"))
    points = [Point(at=each.at, value=float(each.drawdown_pct)) for each in path.shown]
    told = f"At worst {percent(path.drawdown.pct)} below the height"
    words = Words(key="drawdown", title="Drawdown over time", text=told)
    return section(
        "Drawdown",
        element("p", "below the highest equity so far"),
        curve(points, words, height=120, hangs=True, unit=" %"),
    )


def _read(point: ShownPoint, quote: Coin) -> tuple[str, ...]:
    """Return what a pointer is told of a point."""
    words = (minute(point.at), sum_of(point.equity, quote), percent(point.drawdown_pct))
    return tuple(typeset(word) for word in words)


def hover_points(path: EquityPath | None, quote: Coin) -> list[tuple[int | str, ...]]:
    """Return the curves' points as the page's script reads them: milliseconds, then words."""
    return [
        (each.at // NANOS_PER_MILLISECOND, *_read(each, quote))
        for each in (path.shown if path else ())
    ]


def days(shares: Sequence[Share], quote: Coin) -> Markup:
    """Return the P&L of each day."""
    words = Words(key="days", title="P&L by day", text=f"In {quote}, by the day of the close")
    return section(
        f"P&L by day, {quote}",
        element("p", f"{counted(len(shares), 'day')} with a closed trade"),
        bars(_day_bars(shares, quote), words, height=170, is_signed=True),
    )


def _day_bars(shares: Sequence[Share], quote: Coin) -> list[Bar]:
    """Return a bar for each day from the first to the last, those without a trade as well."""
    by_name = {day.name: day for day in shares}
    first, last = (_midnight(shares[place].name) // DAY_NS for place in (0, -1))
    count = last - first + 1
    every = -(-count // LABELS)
    made = []
    for number in range(first, last + 1):
        name = moment(Instant(number * DAY_NS))[:10]
        day = by_name.get(name)
        told = f"{name}: no trade closed"
        if day is not None:
            told = f"{name}: {sum_of(day.pnl, quote)}, {counted(day.trades, 'trade')}"
        label = date_text(name) if (number - first) % every == every // 2 else ""
        made.append(Bar(name=told, label=label, value=float(day.pnl) if day else 0.0))
    return made


def _midnight(name: str) -> Instant:
    return instant_of(f"{name}T00:00:00.000000000Z")


def spread(trades: Sequence[Trade], quote: Coin) -> Markup:
    """Return how the results are spread: in R where trades had a stop, else in the quote coin."""
    r_multiples = [r for trade in trades if (r := trade.r_multiple) is not None]
    values = r_multiples or [trade.pnl for trade in trades]
    unit = "R" if r_multiples else quote
    what = "1 R is what was risked" if r_multiples else "no trade had a stop"
    words = Words(key="spread", title="Spread of the results", text=f"Trades by result in {unit}")
    title = "Trades by R-multiple" if r_multiples else f"Trades by P&L, {quote}"
    drawn = bars(_bins(values, unit), words, height=226, is_signed=False)
    return section(title, element("p", what), drawn)


def _bins(values: Sequence[Decimal], unit: str) -> list[Bar]:
    """Return how many values lie in each of some round bins; one in a few is labelled, zero too."""
    low, high = min(values), max(values)
    step = Decimal(f"{nice_step(float(minus(high, low)) or 1.0, BINS):.10g}")
    first, last = (int(ratio(floor_to(each, step), step)) for each in (low, high))
    edges = [times(step, Decimal(number)) for number in range(first, last + 2)]
    every = -(-len(edges) // LABELS)
    return [
        Bar(
            name=f"{text(edge)} to {text(plus(edge, step))} {unit}: {counted(each.count, 'trade')}",
            label=typeset(text(edge)) if number % every == 0 else "",
            value=float(each.count),
        )
        for number, edge, each in zip(
            range(first, last + 1), edges, histogram(values, edges)[1:-1], strict=False
        )
    ]
