"""The exchange's own records, as values: what it says of orders, trades and balances.

They are evidence, not our state; `reconcile` compares the two.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol, TradeId
from aegis.domain.order import OrderType, Side


class VenueOrderStatus(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange knows it; `filled` is cumulative, in base."""

    exchange_order_id: ExchangeOrderId
    client_order_id: str | None
    symbol: Symbol
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None
    filled: Decimal
    status: VenueOrderStatus
    reason: str
    created_at: Instant


class VenueTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade as the exchange booked it; `fee` is positive, in `fee_currency`."""

    trade_id: TradeId
    exchange_order_id: ExchangeOrderId
    client_order_id: str | None
    symbol: Symbol
    side: Side
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: Coin
    liquidity: str  # "taker" or "maker"
    at: Instant


class VenueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the account: total balances by coin, orders open, trades since an instant.

    `positions` are those that an exchange of derivatives tells, by symbol; None on spot.
    """

    balances: dict[Coin, Decimal]
    open_orders: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]
    trades_since: Instant
    as_of: Instant
    positions: dict[Symbol, Decimal] | None = None
