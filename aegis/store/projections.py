"""Rows of the projections: what a position, an order, a fill or an account looks like as columns.

Pure functions; `values` is the way back. The live write and the rebuild use the same ones, so
"projection = fold" is a comparison of tuples.

Invariants:
1. A row gives back its value, to the digit: what has no column is in the row's JSON.
2. A REAL column is rounded from the same figure as its exact twin, in the same row.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import Account
from aegis.domain.events import (
    DiagnosisCompleted,
    Discrepancy,
    OrderFilled,
    ReconciliationCompleted,
    Recorded,
)
from aegis.domain.ids import SYSTEM_POSITION, Coin, ExchangeOrderId, Instant
from aegis.domain.instants import text_of
from aegis.domain.instrument import Instrument
from aegis.domain.money import HUNDRED, ZERO, ratio, times
from aegis.domain.order import Order
from aegis.domain.position import Position, PositionStatus, StopPolicy

Cell = str | int | float | None
Row = tuple[Cell, ...]


class PositionMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a position is beyond its columns. `pnl` is here because its column may be NULL.

    What came later and is not there for most, as `imported_at`, is left out where it is None: the
    rows of older stores are what this program makes too.
    """

    strategy: str
    policy: StopPolicy
    instrument: Instrument
    intended_price: Decimal
    entered: Decimal
    paid: Decimal
    exited: Decimal
    received: Decimal
    pnl: Decimal
    fees: dict[Coin, Decimal]
    exits_ended: int
    leaving: str
    stop_first: Decimal | None
    price_high: Decimal | None
    price_low: Decimal | None
    imported_at: Instant | None = None


_ENCODER = msgspec.json.Encoder(decimal_format="string")


def exact(value: Decimal) -> str:
    """Return a figure as plain digits that give back the same figure, trailing zeros and all."""
    assert value.is_finite(), f"Expected a finite figure, was {value}"
    written = str(value)
    return f"{value:f}" if "E-" in written else written


def position_row(position: Position, exchange_order_id: ExchangeOrderId | None) -> Row:
    """Return a position's row. `exchange_order_id` is that of the first entry accepted, if any."""
    entry_price = _entry_price(position)
    trailing = position.policy.trailing_stop_pct
    pnl, pnl_pct = _result(position)
    metadata = PositionMetadata(
        strategy=position.strategy,
        policy=position.policy,
        instrument=position.instrument,
        intended_price=position.intended_price,
        entered=position.entered,
        paid=position.paid,
        exited=position.exited,
        received=position.received,
        pnl=position.pnl,
        fees=position.fees,
        exits_ended=position.exits_ended,
        leaving=position.leaving,
        stop_first=position.stop_first,
        price_high=position.price_high,
        price_low=position.price_low,
        imported_at=position.imported_at,
    )
    return (
        position.position_id,
        position.symbol,
        str(position.side),
        _real(entry_price),
        _real(position.amount),
        _real(position.mark),
        _real(position.stop_price),
        _real(position.take_profit_price),
        _real(trailing),
        text_of(position.opened_at),
        _text(position.closed_at),
        str(position.status),
        _real(pnl),
        _real(pnl_pct),
        _real(position.fees_quote),
        exchange_order_id,
        position.created_by,
        position.close_reason,
        _ENCODER.encode(metadata).decode(),
        position.version,
        int(position.is_unpriced),
        exact(entry_price),
        exact(position.amount),
        exact(position.cost),
        _exact(position.mark),
        _exact(position.stop_price),
        _exact(position.take_profit_price),
        exact(trailing),
        _exact(pnl),
        _exact(pnl_pct),
        exact(position.fees_quote),
    )


def account_row(account: Account) -> Row:
    """Return the row of the reserved position, which carries the account."""
    zero = exact(ZERO)
    return (
        *(SYSTEM_POSITION, "", "", 0.0, 0.0, None, None, None, 0.0),
        *(text_of(Instant(0)), None, str(PositionStatus.VOID), 0.0, 0.0, 0.0, None),
        *("system", "", _ENCODER.encode(account).decode(), account.version, 0),
        *(zero, zero, zero, None, None, None, zero, zero, zero, zero),
    )


def order_row(order: Order) -> Row:
    """Return an order's row."""
    return (
        order.client_order_id,
        order.position_id,
        order.symbol,
        str(order.state),
        str(order.role),
        str(order.side),
        str(order.type),
        _real(order.amount),
        _real(order.price),
        _real(order.trigger_price),
        int(order.reduce_only),
        _real(order.filled),
        _real(order.cost),
        _ENCODER.encode(order.fees).decode(),
        order.exchange_order_id,
        order.strategy,
        _real(order.decision_price),
        _real(order.bid),
        _real(order.ask),
        text_of(order.intended_at),
        _text(order.submitted_at),
        _text(order.unknown_at),
        _text(order.ended_at),
        order.reason,
        order.end_reason,
        _ENCODER.encode(order.trade_ids).decode(),
        exact(order.amount),
        _exact(order.price),
        _exact(order.trigger_price),
        exact(order.filled),
        exact(order.cost),
        exact(order.decision_price),
        _exact(order.bid),
        _exact(order.ask),
    )


def fill_row(event_id: int, event: OrderFilled) -> Row:
    """Return the row of a trade."""
    fill = event.fill
    return (
        event.symbol,
        fill.trade_id,
        event.client_order_id,
        str(event.side),
        _real(fill.amount),
        _real(fill.price),
        _real(fill.fee),
        fill.fee_currency,
        fill.liquidity,
        text_of(fill.filled_at),
        event_id,
        exact(fill.amount),
        exact(fill.price),
        exact(fill.fee),
    )


def reconciliation_row(recorded: Recorded, event: ReconciliationCompleted) -> Row:
    """Return the row of a reconciliation; its number is its event's."""
    return (
        recorded.event_id,
        text_of(recorded.at),
        event.exchange_positions,
        event.local_positions,
        len(event.discrepancies),
        _ENCODER.encode(event.discrepancies).decode(),
        _outcome(event.discrepancies, is_dry_run=event.is_dry_run),
    )


def health_rows(recorded: Recorded, event: DiagnosisCompleted) -> list[Row]:
    """Return a row for each check of a diagnosis."""
    at = text_of(recorded.at)
    return [
        (
            *(at, result.check, result.status, result.details),
            *(int(result.status == "fixed"), recorded.event_id),
        )
        for result in event.checks
    ]


def _entry_price(position: Position) -> Decimal:
    """Return what was paid for one unit so far; before any fill, what the decision saw."""
    if position.entered == 0:
        return position.intended_price
    return ratio(position.paid, position.entered)


def _result(position: Position) -> tuple[Decimal | None, Decimal | None]:
    """Return profit, and its per cent of what was paid; neither for an unknown price."""
    if position.is_unpriced:
        return None, None
    if position.paid == 0:
        return position.pnl, ZERO
    return position.pnl, ratio(times(position.pnl, HUNDRED), position.paid)


def _outcome(discrepancies: tuple[Discrepancy, ...], *, is_dry_run: bool) -> str:
    if is_dry_run:
        return "DRY_RUN"
    return "SUCCESS" if all(found.is_healed for found in discrepancies) else "PARTIAL"


def _real(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else exact(value)


def _text(instant: Instant | None) -> str | None:
    return None if instant is None else text_of(instant)
