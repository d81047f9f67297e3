"""Stops at Crypto.com: the product's client on the local exchange, without a socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from aegis.domain.ids import Instant
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Page,
    Place,
    ReadOpenOrders,
    ReadOrder,
    ReadTrades,
    Refused,
    Verdict,
)
from aegis.exchange.live.client.client import Client
from aegis.exchange.live.profiles import PROFILES
from tests.exchange.live.client.answers import BTC, ORDER_ID, PLACE
from tests.exchange.live.client.on_core import client_on
from tests.exchange_server.in_process import InProcess

STOP = Place(
    order=msgspec.structs.replace(
        PLACE.order,
        side=Side.SELL,
        type=OrderType.STOP,
        amount=Decimal("0.5"),
        price=None,
        trigger_price=Decimal(39_000),
        reduce_only=True,
    )
)
LOOK = ReadOrder(client_order_id=ORDER_ID, symbol=BTC, is_stop=True)
CANCEL = Cancel(client_order_id=ORDER_ID, symbol=BTC, is_stop=True)


class Desk:
    """An exchange at 40,000, and our client there."""

    def __init__(self, **settings: Any) -> None:
        self.place = InProcess(**settings)
        self.place.price("40000")
        self.client: Client = client_on(self.place)

    def says(self, call: Call) -> Verdict:
        return self.client.execute(call).verdict

    def value(self, call: Call) -> object:
        verdict = self.says(call)
        assert isinstance(verdict, Answered), verdict
        return verdict.value

    def found(self) -> VenueOrder:
        order = self.value(LOOK)
        assert isinstance(order, VenueOrder)
        return order


@pytest.fixture(params=[True, False], ids=["locks", "locks nothing"])
def desk(request: pytest.FixtureRequest) -> Desk:
    made = Desk(locks_triggers=request.param)
    made.value(STOP)
    return made


def test_it_rests_out_of_sight_of_plain_calls(desk: Desk) -> None:
    order = desk.found()
    assert (order.type, order.side, order.amount) == (OrderType.STOP, Side.SELL, Decimal("0.5"))
    assert (order.status, order.client_order_id) == (VenueOrderStatus.OPEN, ORDER_ID)
    assert desk.value(ReadOpenOrders(is_stop=True)) == (order,)
    assert desk.value(ReadOpenOrders()) == ()
    assert desk.value(ReadOrder(client_order_id=ORDER_ID, symbol=BTC)) is None


def test_it_is_called_off_by_our_id(desk: Desk) -> None:
    assert desk.value(CANCEL) is None
    assert desk.found().status is VenueOrderStatus.CANCELED
    again = desk.says(CANCEL)
    assert isinstance(again, Refused)
    assert again.code == "not_open"


def test_what_it_sold_is_found_under_the_id_of_its_trades(desk: Desk) -> None:
    resting = desk.found()
    desk.place.price("38000")
    fired = desk.found()
    now = Instant(desk.place.now)
    page = desk.value(ReadTrades(symbol=BTC, since=Instant(now - 10**10), until=now))
    assert isinstance(page, Page)
    assert (fired.status, fired.filled) == (VenueOrderStatus.FILLED, Decimal("0.5"))
    assert {each.exchange_order_id for each in page.trades} == {fired.exchange_order_id}
    assert {each.client_order_id for each in page.trades} == {ORDER_ID}
    assert fired.exchange_order_id != resting.exchange_order_id


def test_one_without_coins_is_refused_where_it_locks_them() -> None:
    desk = Desk(locks_triggers=True)
    order = msgspec.structs.replace(STOP.order, amount=Decimal(2))
    refused = desk.says(Place(order=order))
    assert isinstance(refused, Refused)
    assert refused.code == "insufficient_funds"


def test_every_exchange_that_may_trade_money_takes_stops() -> None:
    assert all(each.has_exchange_stops for each in PROFILES.values() if each.is_proven)
