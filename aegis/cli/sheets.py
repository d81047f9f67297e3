"""Rows for an accountant's program: as CSV or as JSON lines, every figure exact, as text.

Pure. CSV is that of RFC 4180, in UTF-8.

Invariants:
1. A figure is written in full, never in exponents; what is not known is an empty cell, or null.
2. No text in a CSV can be a formula: one that begins like one gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

import msgspec

from aegis.domain.contrast import exit_price
from aegis.domain.ids import Coin, Instant, Symbol, coins_of
from aegis.domain.instants import text_of
from aegis.domain.money import text, times
from aegis.domain.order import Order
from aegis.domain.position import Position
from aegis.store.exporting import EventRow, FillRow

CHUNK_ROWS = 1_000
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With these a spreadsheet takes a text for something to be worked out."""

Cell = str | int | Decimal | None | tuple[str, ...] | Mapping[Coin, Decimal] | msgspec.Raw
Row = tuple[Cell, ...]

FILL_COLUMNS = (
    "at", "symbol", "base", "quote", "side", "amount", "price", "cost", "fee", "fee_coin", "role",
    "reason", "strategy", "liquidity", "trade_id", "order_id", "exchange_order_id", "position_id",
    "event_id",
)  # fmt: skip

TRADE_COLUMNS = (
    "opened_at", "closed_at", "symbol", "base", "quote", "side", "amount", "entry_price",
    "exit_price", "cost", "proceeds", "fees", "fees_in_quote", "pnl", "reason", "strategy",
    "created_by", "position_id", "order_ids", "trade_ids",
)  # fmt: skip

EVENT_COLUMNS = ("event_id", "at", "type", "position_id", "version", "actor", "data", "hash")


def fill_cells(fill: FillRow) -> Row:
    """Return a fill; `cost` is amount x price, without the fee."""
    return (
        *(fill.filled_at, fill.symbol, *coins_of(Symbol(fill.symbol)), fill.side),
        *(fill.amount, fill.price, times(fill.amount, fill.price), fill.fee, fill.fee_coin),
        *(fill.role, fill.reason, fill.strategy, fill.liquidity),
        *(fill.trade_id, fill.client_order_id, fill.exchange_order_id, fill.position_id),
        fill.event_id,
    )


def trade_cells(trade: Position, orders: Sequence[Order]) -> Row:
    """Return a closed trade; its P&L is after fees, and unknown of one that is unpriced.

    What fees come to in quote is unknown where one was in a third coin.
    Prices are means, rounded to 34 digits; cost and proceeds are the exact sums.
    """
    filled = [order for order in orders if order.trade_ids]
    return (
        *(text_of(trade.opened_at), text_of(trade.closed_at or Instant(0))),
        *(trade.symbol, trade.instrument.base, trade.instrument.quote, trade.side),
        *(trade.entered, trade.entry_price, exit_price(trade), trade.paid, trade.received),
        *(trade.fees, None if trade.has_unvalued_fees else trade.fees_quote),
        None if trade.is_unpriced else trade.pnl,
        *(trade.close_reason, trade.strategy, trade.created_by, trade.position_id),
        tuple(order.client_order_id for order in filled),
        tuple(trade_id for order in filled for trade_id in order.trade_ids),
    )


def event_cells(event: EventRow) -> Row:
    """Return an event; `data` is the stored JSON, byte by byte."""
    return (
        *(event.event_id, event.at, event.event_type, event.position_id, event.version),
        *(event.actor, msgspec.Raw(event.data.encode()), event.hash),
    )


# The two forms ------------------------------------------------------------------------------


def csv_chunks(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield pieces of a CSV, the header first."""
    return _chunks(rows, _csv_text, _csv_text([columns]))


def jsonl_chunks(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield pieces of JSON lines, an object a row."""

    def written(some: Sequence[Row]) -> str:
        objects = (dict(zip(columns, map(_plain, row), strict=True)) for row in some)
        return "".join(f"{msgspec.json.encode(each).decode()}\n" for each in objects)

    return _chunks(rows, written, "")


def _chunks(
    rows: Iterable[Row], written: Callable[[Sequence[Row]], str], header: str
) -> Iterator[str]:
    if header:
        yield header
    left = iter(rows)
    while some := tuple(islice(left, CHUNK_ROWS)):
        yield written(some)


def _csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    return made.getvalue()


def _csv_cell(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Decimal():
            return text(cell)
        case int():
            return str(cell)
        case msgspec.Raw():
            return bytes(cell).decode()
        case tuple():
            return _no_formula(" ".join(cell))
        case str():
            return _no_formula(cell)
        case _:
            return _no_formula("; ".join(f"{coin} {text(much)}" for coin, much in cell.items()))


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_BEGINS) else cell


def _plain(cell: Cell) -> object:
    if isinstance(cell, Decimal):
        return text(cell)
    if isinstance(cell, Mapping):
        return {coin: text(much) for coin, much in cell.items()}
    return cell
