"""What an exchange shows of an order of ours."""

from __future__ import annotations

import msgspec

from aegis.domain.ids import ExchangeOrderId
from aegis.domain.money import ZERO
from aegis.domain.order import Order
from aegis.domain.venue import VenueOrder, VenueOrderStatus
from tests.domain.kit import START


def shown(order: Order, **changes: object) -> VenueOrder:
    """Return an order as it is shown at rest with nothing filled, but for what is told."""
    there = VenueOrder(
        exchange_order_id=ExchangeOrderId("x-1"),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        filled=ZERO,
        status=VenueOrderStatus.OPEN,
        reason="",
        created_at=START,
    )
    return msgspec.structs.replace(there, **changes)
