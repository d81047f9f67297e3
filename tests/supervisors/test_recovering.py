"""How forgotten orders are looked up: each where the exchange keeps its kind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.ids import ExchangeOrderId, Instant
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueAccount, VenueOrder, VenueOrderStatus
from supervisors.recovering import wanted_of
from tests.domain.kit import BTC_USDT, START, TAG

KEY = f"{TAG}{1:024d}"


def at_rest(kind: OrderType, key: str | None = KEY) -> VenueOrder:
    return VenueOrder(
        exchange_order_id=ExchangeOrderId("x-1"),
        client_order_id=key,
        symbol=BTC_USDT,
        side=Side.SELL,
        type=kind,
        amount=Decimal(1),
        price=None,
        filled=Decimal(0),
        status=VenueOrderStatus.OPEN,
        reason="",
        created_at=START,
    )


def account(*orders: VenueOrder) -> VenueAccount:
    return VenueAccount(balances={}, open_orders=orders, trades=(), trades_since=START, as_of=START)


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.LIMIT])
def test_a_forgotten_stop_at_rest_is_looked_up_among_the_stops(kind: OrderType) -> None:
    (wanted,) = wanted_of(account(at_rest(kind)), TAG, Instant(7))
    assert (wanted.client_order_id, wanted.symbol, wanted.since) == (KEY, BTC_USDT, 7)
    assert wanted.is_stop is (kind is OrderType.STOP)


def test_an_order_of_others_is_not_looked_up() -> None:
    assert wanted_of(account(at_rest(OrderType.STOP, None)), TAG, Instant(7)) == ()
