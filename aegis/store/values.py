"""From rows back to values: what `projections` wrote, read to the digit.

A row that `projections` cannot have made raises `StoreCorrupt`: the projection is damaged, the
log is not, and a rebuild mends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from aegis.domain.account import Account
from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, Instant, PositionId, Symbol
from aegis.domain.instants import instant_of
from aegis.domain.order import Fill, Order, OrderState, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide, PositionStatus
from aegis.store.errors import StoreCorrupt
from aegis.store.projections import Cell, PositionMetadata, Row
from aegis.store.statements import FILL_COLUMNS, ORDER_COLUMNS, POSITION_COLUMNS

_METADATA = msgspec.json.Decoder(PositionMetadata)
_ACCOUNT = msgspec.json.Decoder(Account)
_FEES = msgspec.json.Decoder(dict[Coin, Decimal])
_TRADE_IDS = msgspec.json.Decoder(tuple[str, ...])


class _Cells:
    """A row's cells by name, each asked for as what it must be."""

    def __init__(self, names: tuple[str, ...], row: Row) -> None:
        self._cells: dict[str, Cell] = dict(zip(names, row, strict=True))

    def text(self, name: str) -> str:
        cell = self._cells[name]
        if not isinstance(cell, str):
            raise ValueError(f"expected text in {name}, was {cell!r}")  # noqa: TRY004  a value
        return cell

    def text_or_none(self, name: str) -> str | None:
        return None if self._cells[name] is None else self.text(name)

    def number(self, name: str) -> int:
        cell = self._cells[name]
        if not isinstance(cell, int):
            raise ValueError(f"expected a number in {name}, was {cell!r}")  # noqa: TRY004  a value
        return cell

    def figure(self, name: str) -> Decimal:
        return Decimal(self.text(name))

    def figure_or_none(self, name: str) -> Decimal | None:
        return None if self._cells[name] is None else self.figure(name)

    def instant(self, name: str) -> Instant:
        return instant_of(self.text(name))

    def instant_or_none(self, name: str) -> Instant | None:
        return None if self._cells[name] is None else self.instant(name)


def position_of(row: Row) -> Position:
    """Return the position that a row was made from."""
    with _reading("position", row):
        return _position_of(_Cells(POSITION_COLUMNS, row))


def account_of(row: Row) -> Account:
    """Return the account that the reserved position's row carries."""
    with _reading("position", row):
        return _ACCOUNT.decode(_Cells(POSITION_COLUMNS, row).text("metadata"))


def order_of(row: Row) -> Order:
    """Return the order that a row was made from."""
    with _reading("order", row):
        return _order_of(_Cells(ORDER_COLUMNS, row))


def fill_of(row: Row) -> Fill:
    """Return the trade that a row was made from."""
    with _reading("fill", row):
        cells = _Cells(FILL_COLUMNS, row)
        return Fill(
            trade_id=cells.text("trade_id"),
            amount=cells.figure("amount_exact"),
            price=cells.figure("price_exact"),
            fee=cells.figure("fee_exact"),
            fee_currency=Coin(cells.text("fee_currency")),
            liquidity=cells.text("liquidity"),
            filled_at=cells.instant("filled_at"),
        )


@contextmanager
def _reading(what: str, row: Row) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, ValueError, ArithmeticError) as error:
        text = f"the row of {what} {row[0]} cannot be read: {error}"
        raise StoreCorrupt("projections", text) from error


def _position_of(cells: _Cells) -> Position:
    metadata = _METADATA.decode(cells.text("metadata"))
    return Position(
        position_id=PositionId(cells.text("position_id")),
        symbol=Symbol(cells.text("symbol")),
        side=PositionSide(cells.text("side")),
        strategy=metadata.strategy,
        created_by=cells.text("created_by"),
        policy=metadata.policy,
        instrument=metadata.instrument,
        intended_price=metadata.intended_price,
        status=PositionStatus(cells.text("status")),
        amount=cells.figure("amount_exact"),
        cost=cells.figure("cost_exact"),
        entered=metadata.entered,
        paid=metadata.paid,
        exited=metadata.exited,
        received=metadata.received,
        pnl=metadata.pnl,
        fees=metadata.fees,
        fees_quote=cells.figure("fees_exact"),
        mark=cells.figure_or_none("current_price_exact"),
        stop_price=cells.figure_or_none("stop_price_exact"),
        take_profit_price=cells.figure_or_none("take_profit_price_exact"),
        stop_first=metadata.stop_first,
        price_high=metadata.price_high,
        price_low=metadata.price_low,
        exits_ended=metadata.exits_ended,
        leaving=metadata.leaving,
        opened_at=cells.instant("opened_at"),
        imported_at=metadata.imported_at,
        closed_at=cells.instant_or_none("closed_at"),
        close_reason=cells.text("notes"),
        is_unpriced=bool(cells.number("unpriced")),
        version=cells.number("version"),
    )


def _order_of(cells: _Cells) -> Order:
    exchange_order_id = cells.text_or_none("exchange_order_id")
    return Order(
        client_order_id=ClientOrderId(cells.text("client_order_id")),
        position_id=PositionId(cells.text("position_id")),
        symbol=Symbol(cells.text("symbol")),
        role=Role(cells.text("role")),
        side=Side(cells.text("side")),
        type=OrderType(cells.text("type")),
        amount=cells.figure("amount_exact"),
        strategy=cells.text("strategy"),
        reason=cells.text("reason"),
        decision_price=cells.figure("decision_price_exact"),
        price=cells.figure_or_none("price_exact"),
        trigger_price=cells.figure_or_none("trigger_price_exact"),
        bid=cells.figure_or_none("bid_exact"),
        ask=cells.figure_or_none("ask_exact"),
        reduce_only=bool(cells.number("reduce_only")),
        state=OrderState(cells.text("state")),
        filled=cells.figure("filled_exact"),
        cost=cells.figure("cost_exact"),
        fees=_FEES.decode(cells.text("fees")),
        trade_ids=_TRADE_IDS.decode(cells.text("trade_ids")),
        exchange_order_id=None if exchange_order_id is None else ExchangeOrderId(exchange_order_id),
        intended_at=cells.instant("intended_at"),
        submitted_at=cells.instant_or_none("submitted_at"),
        unknown_at=cells.instant_or_none("unknown_at"),
        ended_at=cells.instant_or_none("ended_at"),
        end_reason=cells.text("end_reason"),
    )
