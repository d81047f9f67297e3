from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from aegis.dialogue import RequestRefused
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrderStatus
from tests.exchange.paper_kit import FREE, Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def liquidity_of(table: Table, client_order_id: str) -> list[str]:
    return [trade.liquidity for trade in table.found(client_order_id)[1]]


def test_a_marketable_limit_fills_like_a_market_order(table: Table) -> None:
    table.tick("100")
    bought = table.limit(Side.BUY, "1", "105")
    assert table.fills(bought) == [("1", "100")]
    assert liquidity_of(table, bought) == ["taker"]


def test_slippage_never_takes_a_limit_beyond_its_limit(tmp_path: Path) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, slippage_bps=Decimal(100)))
    table.tick("100")
    assert table.fills(table.limit(Side.BUY, "1", "100.5")) == [("1", "100.5")]
    assert table.fills(table.limit(Side.SELL, "1", "99.5")) == [("1", "99.5")]


def test_a_resting_buy_is_not_filled_by_a_touch(table: Table) -> None:
    table.tick("100")
    resting = table.limit(Side.BUY, "1", "99")
    table.tick("99")
    assert table.fills(resting) == []


def test_a_resting_buy_fills_at_its_limit_once_traded_through(table: Table) -> None:
    table.tick("100")
    resting = table.limit(Side.BUY, "1", "99")
    table.tick("98.99")
    assert table.fills(resting) == [("1", "99")]
    assert liquidity_of(table, resting) == ["maker"]


def test_a_resting_sell_fills_at_its_limit_once_traded_through(table: Table) -> None:
    table.tick("100")
    resting = table.limit(Side.SELL, "1", "101")
    table.tick("101")
    assert table.fills(resting) == []
    table.tick("101.01")
    assert table.fills(resting) == [("1", "101")]


def test_trade_through_is_on_the_sides_own_path(tmp_path: Path) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, spread_bps=Decimal(200)))
    table.tick("100")
    resting = table.limit(Side.BUY, "1", "99")
    table.tick("98.5")  # the ask is 99.485
    assert table.fills(resting) == []
    table.tick("98")  # 98.98
    assert table.fills(resting) == [("1", "99")]


def test_a_limit_between_candles_is_tried_at_the_open_as_a_taker(table: Table) -> None:
    table.tick("100")
    table.close()
    waiting = table.limit(Side.BUY, "1", "99")
    table.tick("97", start="97")
    assert table.fills(waiting) == [("1", "97")]
    assert liquidity_of(table, waiting) == ["taker"]


def test_a_limit_that_rested_stays_a_maker_across_a_restart(table: Table) -> None:
    table.tick("100")
    resting = table.limit(Side.BUY, "1", "99")
    table.reopen()
    table.tick("97", start="97")
    assert table.fills(resting) == [("1", "99")]


def test_the_rest_of_a_marketable_limit_goes_on_while_the_market_is_within_it(
    table: Table,
) -> None:
    table.tick("100", volume="0.4")
    bought = table.limit(Side.BUY, "1", "101")
    table.tick("100.5", volume="0.4")
    assert table.fills(bought) == [("0.4", "100"), ("0.4", "100.5")]
    table.tick("102")
    assert table.found(bought)[0].filled == Decimal("0.8")
    table.tick("100.99")
    assert table.fills(bought)[2:] == [("0.2", "101")]


def test_a_limit_with_a_trigger_fills_at_the_trigger_or_worse(table: Table) -> None:
    table.tick("100")
    table.tick("98")
    limit = {"type": OrderType.LIMIT, "price": Decimal(97)}
    sold = table.place(Side.SELL, "1", trigger_price=Decimal(99), **limit)
    assert table.fills(sold) == [("1", "99")]


def test_a_canceled_limit_is_never_filled_and_frees_its_coins(table: Table) -> None:
    table.tick("100")
    resting = table.limit(Side.SELL, "1", "101")
    table.cancel(resting)
    table.tick("110")
    assert table.found(resting)[0].status is VenueOrderStatus.CANCELED
    assert table.fills(resting) == []
    assert table.fills(table.place(Side.SELL, "1")) == [("1", "110")]


# Orders that take what is there and end -------------------------------------------------------


def immediate(table: Table, amount: str, price: str) -> str:
    fields = {"type": OrderType.LIMIT, "price": Decimal(price), "is_immediate": True}
    return table.place(Side.SELL, amount, **fields)


def test_an_immediate_limit_takes_what_is_there_and_ends(tmp_path: Path) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, volume_share_max=Decimal("0.1")))
    table.tick("100", volume="4")
    sold = immediate(table, "1", "99")
    order, trades = table.found(sold)
    assert [trade.amount for trade in trades] == [Decimal("0.4")]
    assert (order.status, order.filled) == (VenueOrderStatus.EXPIRED, Decimal("0.4"))
    table.tick("101")
    assert len(table.fills(sold)) == 1


@pytest.mark.parametrize("price", ["99", "101"])
def test_an_immediate_limit_never_rests(table: Table, price: str) -> None:
    table.tick("100")
    if price == "99":
        table.close()
    sold = immediate(table, "1", price)
    assert table.found(sold)[0].status is VenueOrderStatus.EXPIRED
    assert table.account().open_orders == ()
    table.tick("102")
    assert table.fills(sold) == []


def test_what_an_immediate_limit_left_may_be_sold_at_once(table: Table) -> None:
    table.tick("100")
    immediate(table, "1", "101")
    assert table.fills(table.place(Side.SELL, "1")) == [("1", "100")]


def test_an_immediate_limit_before_the_first_price_ends(table: Table) -> None:
    assert table.found(immediate(table, "1", "99"))[0].status is VenueOrderStatus.EXPIRED


# Stops that rest ------------------------------------------------------------------------------


def stop(table: Table, trigger: str, amount: str = "1") -> str:
    fields = {"type": OrderType.STOP, "trigger_price": Decimal(trigger)}
    return table.place(Side.SELL, amount, **fields)


def test_a_stop_rests_above_its_trigger_and_locks_its_coins(table: Table) -> None:
    table.tick("100")
    resting = stop(table, "96")
    for price in ("99", "96.01", "110"):
        table.tick(price)
    assert table.found(resting)[0].status is VenueOrderStatus.OPEN
    refused = table.ask(table.order(Side.SELL, "0.1"))
    assert isinstance(refused, RequestRefused)
    assert refused.code == "insufficient_funds"
    table.cancel(resting)
    assert table.fills(table.place(Side.SELL, "1")) == [("1", "110")]


@pytest.mark.parametrize(("start", "price"), [("100", "96"), ("90", "90")])
def test_a_stop_sells_at_its_trigger_or_after_a_gap_at_the_open(
    table: Table, start: str, price: str
) -> None:
    table.tick("100")
    resting = stop(table, "96")
    table.tick("90", start=start)
    assert table.fills(resting) == [("1", price)]
    assert table.found(resting)[0].status is VenueOrderStatus.FILLED


def test_a_stop_that_has_fired_goes_on_though_the_price_comes_back(tmp_path: Path) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, volume_share_max=Decimal("0.1")))
    table.tick("100")
    resting = stop(table, "96")
    table.tick("95", volume="4")
    table.reopen()
    table.tick("99")
    assert table.fills(resting) == [("0.4", "96"), ("0.6", "96")]


def test_a_stop_placed_after_a_rise_does_not_fire_for_where_that_began(table: Table) -> None:
    table.tick("100", start="90")
    assert table.fills(stop(table, "96")) == []


def test_a_stop_without_a_trigger_is_refused(table: Table) -> None:
    table.tick("100")
    refused = table.ask(table.order(Side.SELL, "1", type=OrderType.STOP))
    assert isinstance(refused, RequestRefused)
    assert refused.code == "invalid_order"
