"""Rows of the paper exchange's ledger: an order and a trade as columns, and back to the digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol, TradeId
from aegis.domain.money import text
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.paper_matching import PaperOrder


def order_row(kept: PaperOrder) -> tuple[object, ...]:
    """Return an order's columns, without its number."""
    order = kept.order
    return (
        order.exchange_order_id,
        order.client_order_id,
        order.symbol,
        order.side,
        order.type,
        text(order.amount),
        _text(order.price),
        text(order.filled),
        order.status,
        order.reason,
        order.created_at,
        _text(kept.trigger_price),
        text(kept.reserved),
        kept.reserved_coin,
        kept.is_resting,
    )


def order_of(row: tuple[Any, ...]) -> PaperOrder:
    """Return the order that a row was made from."""
    (_, exchange_id, client_id, symbol, side, kind, amount, price, filled) = row[:9]
    (status, reason, created_at, trigger, reserved, reserved_coin, is_resting) = row[9:]
    return PaperOrder(
        order=VenueOrder(
            exchange_order_id=ExchangeOrderId(exchange_id),
            client_order_id=client_id,
            symbol=Symbol(symbol),
            side=Side(side),
            type=OrderType(kind),
            amount=Decimal(amount),
            price=None if price is None else Decimal(price),
            filled=Decimal(filled),
            status=VenueOrderStatus(status),
            reason=reason,
            created_at=Instant(created_at),
        ),
        trigger_price=None if trigger is None else Decimal(trigger),
        reserved=Decimal(reserved),
        reserved_coin=Coin(reserved_coin),
        is_resting=bool(is_resting),
    )


def trade_row(trade: VenueTrade) -> tuple[object, ...]:
    """Return a trade's columns, without its number."""
    return (
        trade.trade_id,
        trade.exchange_order_id,
        trade.client_order_id,
        trade.symbol,
        trade.side,
        text(trade.amount),
        text(trade.price),
        text(trade.fee),
        trade.fee_currency,
        trade.liquidity,
        trade.at,
    )


def trade_of(row: tuple[Any, ...]) -> VenueTrade:
    """Return the trade that a row was made from."""
    (_, trade_id, exchange_id, client_id, symbol, side, amount, price) = row[:8]
    (fee, fee_currency, liquidity, at) = row[8:]
    return VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId(exchange_id),
        client_order_id=client_id,
        symbol=Symbol(symbol),
        side=Side(side),
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=Coin(fee_currency),
        liquidity=liquidity,
        at=Instant(at),
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else text(value)
