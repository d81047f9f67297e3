from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from aegis.domain.order import Side
from aegis.domain.venue import VenueOrderStatus
from tests.exchange.paper_kit import BTC, BTC_USDT, FREE, USDT, USUAL, Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def with_rules(folder: Path, **fields: object) -> Table:
    return Table(folder, msgspec.structs.replace(FREE, **fields), usdt="1000000", btc="10")


def test_a_market_order_fills_at_the_price_of_now(table: Table) -> None:
    table.tick("100")
    bought = table.place(Side.BUY, "1")
    assert table.fills(bought) == [("1", "100")]
    assert table.found(bought)[0].status is VenueOrderStatus.FILLED


def test_a_buy_pays_half_the_spread_above_the_mid(tmp_path: Path) -> None:
    table = with_rules(tmp_path, spread_bps=Decimal(100))
    table.tick("1000")
    assert table.fills(table.place(Side.BUY, "1")) == [("1", "1005")]


def test_a_sell_gets_half_the_spread_below_the_mid(tmp_path: Path) -> None:
    table = with_rules(tmp_path, spread_bps=Decimal(100))
    table.tick("1000")
    assert table.fills(table.place(Side.SELL, "1")) == [("1", "995")]


def test_slippage_comes_on_top_of_the_spread(tmp_path: Path) -> None:
    table = with_rules(tmp_path, spread_bps=Decimal(100), slippage_bps=Decimal(10))
    table.tick("1000")
    assert table.fills(table.place(Side.BUY, "1")) == [("1", "1006.01")]  # 1006.005, up


def test_a_sell_is_rounded_down_to_the_price_step(tmp_path: Path) -> None:
    table = with_rules(tmp_path, slippage_bps=Decimal(1))
    table.tick("100.01")
    assert table.fills(table.place(Side.SELL, "1")) == [("1", "99.99")]  # 99.999999, down


def test_a_buy_is_rounded_up_to_the_price_step(tmp_path: Path) -> None:
    table = with_rules(tmp_path, slippage_bps=Decimal(1))
    table.tick("100.01")
    assert table.fills(table.place(Side.BUY, "1")) == [("1", "100.03")]  # 100.020001, up


def test_an_order_between_candles_fills_at_the_next_open(table: Table) -> None:
    table.tick("100")
    table.close()
    bought = table.place(Side.BUY, "1")
    assert table.fills(bought) == []
    table.tick("103", start="103")
    assert table.fills(bought) == [("1", "103")]


def test_a_sell_before_the_first_tick_waits_for_it(table: Table) -> None:
    sold = table.place(Side.SELL, "1")
    assert table.fills(sold) == []
    table.tick("100")
    assert table.fills(sold) == [("1", "100")]


def test_a_trigger_within_the_path_fills_at_the_trigger(table: Table) -> None:
    table.tick("100")
    table.tick("98")
    assert table.fills(table.exit_at("99")) == [("1", "99")]


def test_a_target_within_a_rising_path_fills_at_the_target(table: Table) -> None:
    table.tick("100")
    table.tick("105")
    assert table.fills(table.exit_at("104")) == [("1", "104")]


def test_a_trigger_above_a_gap_fills_at_the_open_below_it(table: Table) -> None:
    table.tick("100")
    table.close()
    table.tick("90", start="90")
    assert table.fills(table.exit_at("99")) == [("1", "90")]


def test_a_target_below_a_gap_never_fills_better_than_the_target(table: Table) -> None:
    table.tick("100")
    table.close()
    table.tick("110", start="110")
    assert table.fills(table.exit_at("104")) == [("1", "104")]


def test_a_trigger_behind_the_path_fills_at_the_worse_price_of_now(table: Table) -> None:
    table.tick("100")
    table.tick("98")
    table.tick("97")
    assert table.fills(table.exit_at("99")) == [("1", "97")]


def test_a_trigger_between_candles_waits_for_the_open(table: Table) -> None:
    table.tick("98")
    table.close()
    sold = table.exit_at("99")
    table.tick("95", start="95")
    assert table.fills(sold) == [("1", "95")]


def test_a_sells_trigger_is_met_on_the_bid(tmp_path: Path) -> None:
    table = with_rules(tmp_path, spread_bps=Decimal(200))
    table.tick("100")
    table.tick("98")  # the bid goes from 99.00 to 97.02
    assert table.fills(table.exit_at("98")) == [("1", "98")]
    assert table.fills(table.exit_at("99.5")) == [("1", "97.02")]  # the bid was never there


def test_a_buys_trigger_is_met_on_the_ask(tmp_path: Path) -> None:
    table = with_rules(tmp_path, spread_bps=Decimal(200))
    table.tick("100")
    table.tick("102")  # the ask goes from 101.00 to 103.02
    assert table.fills(table.exit_at("102.5", side=Side.BUY)) == [("1", "102.5")]
    assert table.fills(table.exit_at("100.5", side=Side.BUY)) == [("1", "103.02")]


def test_slippage_makes_a_trigger_worse_not_better(tmp_path: Path) -> None:
    table = with_rules(tmp_path, slippage_bps=Decimal(10))
    table.tick("1010")
    table.tick("990")
    assert table.fills(table.exit_at("1000")) == [("1", "999")]


def test_a_tick_offers_its_share_of_the_volume_and_the_rest_fills_at_the_next(
    tmp_path: Path,
) -> None:
    table = with_rules(tmp_path, volume_share_max=Decimal("0.1"))
    table.tick("100", volume="4")
    bought = table.place(Side.BUY, "1")
    assert table.fills(bought) == [("0.4", "100")]
    assert table.found(bought)[0].status is VenueOrderStatus.OPEN
    table.tick("101", volume="4")
    table.tick("102", volume="4")
    assert table.fills(bought) == [
        ("0.4", "100"), ("0.4", "101"), ("0.2", "102"),
    ]  # fmt: skip


def test_what_a_tick_offers_is_offered_to_all_orders_together(tmp_path: Path) -> None:
    table = with_rules(tmp_path, volume_share_max=Decimal("0.1"))
    table.tick("100", volume="10")
    first, second = table.place(Side.BUY, "0.7"), table.place(Side.SELL, "0.7")
    assert table.fills(first) == [("0.7", "100")]
    assert table.fills(second) == [("0.3", "100")]


def test_a_tick_without_volume_gives_nothing(table: Table) -> None:
    table.tick("100", volume="0")
    bought = table.place(Side.BUY, "1")
    assert table.fills(bought) == []
    table.tick("101", volume="0.000001")  # less than a lot
    assert table.fills(bought) == []
    table.tick("102")
    assert table.fills(bought) == [("1", "102")]


def test_a_quote_fee_is_taken_from_the_quote_coin(tmp_path: Path) -> None:
    table = with_rules(tmp_path, fee_rate=Decimal("0.001"))
    table.tick("100.01")
    _, (trade,) = table.found(table.place(Side.BUY, "0.12345"))
    assert (trade.fee, trade.fee_currency) == (Decimal("0.0123462345"), USDT)
    assert table.account().balances == {
        BTC: Decimal("10.12345"),
        USDT: Decimal(1000000) - Decimal("12.3462345") - Decimal("0.0123462345"),
    }


def test_a_received_fee_of_a_buy_is_taken_from_the_coins_bought(tmp_path: Path) -> None:
    table = with_rules(tmp_path, fee_rate=Decimal("0.001"), fee_currency="received")
    table.tick("100")
    _, (trade,) = table.found(table.place(Side.BUY, "1"))
    assert (trade.fee, trade.fee_currency) == (Decimal("0.001"), BTC)
    assert table.account().balances == {BTC: Decimal("10.999"), USDT: Decimal(999900)}


def test_a_received_fee_of_a_sell_is_taken_from_the_proceeds(tmp_path: Path) -> None:
    table = with_rules(tmp_path, fee_rate=Decimal("0.001"), fee_currency="received")
    table.tick("100")
    _, (trade,) = table.found(table.place(Side.SELL, "1"))
    assert (trade.fee, trade.fee_currency) == (Decimal("0.1"), USDT)
    assert table.account().balances == {BTC: Decimal(9), USDT: Decimal("1000099.9")}


def test_there_is_no_quote_before_the_market_moves(table: Table) -> None:
    assert table.quote().quote is None


def test_the_quote_stands_around_the_mid_and_carries_the_ticks_instant(tmp_path: Path) -> None:
    table = Table(tmp_path, USUAL)
    table.tick("40000.55")
    quote = table.quote().quote
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("39996.54"), Decimal("40004.56"))
    assert quote.at == table.clock.now()


def test_a_tick_of_an_unknown_symbol_moves_nothing(table: Table) -> None:
    table.tick("100")
    other = msgspec.structs.replace
    table.exchange.observe(
        other(table.exchange._levels[BTC_USDT].tick, symbol="ETH/USDT", price=Decimal(1))
    )
    assert table.fills(table.place(Side.BUY, "1")) == [("1", "100")]
