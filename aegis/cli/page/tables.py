"""The tables of a report: breakdowns, each trade, and what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from aegis.cli.figures import rounded, share_row
from aegis.cli.page.markup import Markup, element
from aegis.cli.page.pieces import minute, section, sign_of, table, typeset
from aegis.cli.wording import money, price, span
from aegis.domain.ids import Coin
from aegis.domain.money import minus, plus, text, times
from aegis.domain.position import Position
from aegis.domain.statistics.trades import Share, Trade

TRADE_HEADS = (
    "Symbol", "Opened", "Closed", "Held for", "Reason", "Amount", "Entry", "Exit", "P&L", "Fees",
    "Best", "Worst", "R",
)  # fmt: skip
LEFT_HEADS = 5


def breakdown(title: str, shares: Sequence[Share], quote: Coin) -> Markup:
    """Return what trades add up to by name."""
    rows = []
    for share in shares:
        name, trades, won, pnl, fees = share_row(share, quote)
        sign = sign_of(share.pnl)
        rows.append(
            element(
                "tr",
                element("th", name, scope="row"),
                element("td", trades, class_="r"),
                element("td", won, class_="r"),
                element("td", typeset(pnl), class_=f"r {sign}".strip()),
                element("td", fees, class_="r"),
            )
        )
    heads = ("", "Trades", "Won", f"P&L {quote}", "Fees")
    return section(title, None, element("div", table(heads, rows, left=1), class_="scroll"))


def trade_table(trades: Sequence[Trade], quote: Coin) -> Markup:
    """Return every trade, in the order of their close."""
    if not trades:
        return section("Trades", None, element("p", "No trades yet.", class_="soft"))
    rows = [_trade_row(trade, quote) for trade in trades]
    made = table(TRADE_HEADS, rows, left=LEFT_HEADS, name="trades sorts")
    return section(
        "Trades",
        element("p", f"P&L, fees and excursions in {quote}; times in UTC"),
        element("div", made, class_="scroll", tabindex="0", role="region", aria_label="Trades"),
    )


def _trade_row(trade: Trade, quote: Coin) -> Markup:
    sign = sign_of(trade.pnl)
    figures = (
        (text(trade.amount), ""),
        (price(trade.entry_price), ""),
        (price(trade.exit_price), ""),
        (money(trade.pnl, quote), sign),
        (money(trade.fees, quote), ""),
        (money(trade.best, quote), ""),
        (money(trade.worst, quote), ""),
        (rounded(trade.r_multiple), sign),
    )
    return element(
        "tr",
        element("td", trade.symbol),
        element("td", minute(trade.opened_at)),
        element("td", minute(trade.closed_at)),
        element("td", span(trade.duration_s), data_by=trade.duration_s),
        element("td", trade.reason),
        *(element("td", typeset(cell), class_=f"r {kind}".strip()) for cell, kind in figures),
        title=f"position {trade.position_id}, {trade.strategy}",
    )


def left_open(alive: Sequence[Position], quote: Coin) -> Markup:
    """Return what is held now."""
    if not alive:
        return section("Left open", None, element("p", "Nothing is held.", class_="soft"))
    rows = [
        element(
            "tr",
            element("td", each.symbol),
            element("td", each.status),
            element("td", minute(each.opened_at)),
            *(
                element("td", typeset(cell), class_="r")
                for cell in (
                    text(each.amount),
                    price(each.entry_price),
                    price(each.mark),
                    price(each.stop_price),
                    price(each.take_profit_price),
                    money(_gain(each), quote),
                )
            ),
            title=f"position {each.position_id}, {each.strategy}",
        )
        for each in alive
    ]
    heads = (
        *("Symbol", "Status", "Opened", "Amount", "Entry", "Mark", "Stop", "Target"),
        f"P&L {quote}",
    )
    made = table(heads, rows, left=3, name="left")
    return section(
        "Left open", element("p", "in no figure above but equity and exposure"),
        element("div", made, class_="scroll"),
    )  # fmt: skip


def _gain(position: Position) -> Decimal | None:
    """Return what an open position has gained so far, with what is held at its last mark."""
    if position.mark is None:
        return None
    return plus(position.pnl, minus(times(position.amount, position.mark), position.cost))
