"""What is read through the real ccxt class: markets, prices, candles, balances, history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_server.ccxt_peer import cryptocom, wired
from tests.exchange_server.in_process import BALANCES, SECRET, START, InProcess
from tests.exchange_server.shapes import MS
from tests.exchange_server.test_orders import OID, PAIR, buy, rest

MINUTE_MS = 60_000
START_MS = START // MS
FIRST_MINUTE_MS = START_MS // MINUTE_MS * MINUTE_MS


@pytest.fixture
def walk() -> Any:
    """Give ccxt on a market whose price nobody holds."""
    return InProcess().ccxt


def test_markets_carry_their_steps(ccxt: Any) -> None:
    market = ccxt.load_markets()[PAIR]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert ccxt.markets["BTC/USD:USD"]["swap"] is True


def test_a_halted_market_is_not_active(ccxt: Any, place: InProcess) -> None:
    place.settings(halted=["ETH_USDT"])
    assert ccxt.load_markets()["ETH/USDT"]["active"] is False


def test_a_delisted_market_is_unknown(ccxt: Any, place: InProcess) -> None:
    place.settings(delisted=["ETH_USDT"])
    assert "ETH/USDT" not in ccxt.load_markets()


def test_loading_currencies_is_the_private_call(ccxt: Any, place: InProcess) -> None:
    ccxt.options["fetchCurrencies"]["skipFetchCurrencies"] = False
    ccxt.load_markets()
    assert place.ledger.request_counts()["private/get-currency-networks"] == 1


def test_a_ticker_stands_around_the_last_price(walk: Any) -> None:
    ticker = walk.fetch_ticker(PAIR)
    assert ticker["low"] <= ticker["bid"] < ticker["last"] < ticker["ask"] <= ticker["high"] * 1.01


def test_the_running_candle_closes_at_the_tickers_last_price(walk: Any) -> None:
    candles = walk.fetch_ohlcv(PAIR, "1m", since=START_MS - 10 * MINUTE_MS, limit=20)
    assert candles[-1][0] == FIRST_MINUTE_MS
    assert candles[-1][4] == walk.fetch_ticker(PAIR)["last"]


def test_candles_come_without_a_gap_from_since_on(walk: Any) -> None:
    since = FIRST_MINUTE_MS - 400 * MINUTE_MS
    candles = walk.fetch_ohlcv(PAIR, "1m", since=since, limit=500)
    assert [each[0] for each in candles] == [since + n * MINUTE_MS for n in range(300)]


def test_a_page_of_candles_goes_on_where_the_one_before_ended(walk: Any) -> None:
    since = FIRST_MINUTE_MS - 40 * MINUTE_MS
    first = walk.fetch_ohlcv(PAIR, "1m", since=since, limit=20)
    then = walk.fetch_ohlcv(PAIR, "1m", since=first[-1][0] + MINUTE_MS, limit=20)
    assert first + then == walk.fetch_ohlcv(PAIR, "1m", since=since, limit=40)


def test_the_start_that_is_named_is_left_out(place: InProcess) -> None:
    start = FIRST_MINUTE_MS - 5 * MINUTE_MS
    query = {"instrument_name": "BTC_USDT", "start_ts": start}
    rows = place.ccxt.v1PublicGetPublicGetCandlestick(query)["result"]["data"]
    assert rows[0]["t"] == start + MINUTE_MS


def test_without_a_count_the_exchange_gives_its_usual_25(walk: Any) -> None:
    assert len(walk.fetch_ohlcv(PAIR, "1m", since=START_MS - 400 * MINUTE_MS)) <= 25


def test_five_minutes_are_their_minutes(walk: Any) -> None:
    since = (START_MS // (5 * MINUTE_MS) - 2) * 5 * MINUTE_MS
    minutes = walk.fetch_ohlcv(PAIR, "1m", since=since, limit=5)
    (five,) = walk.fetch_ohlcv(PAIR, "5m", since=since, limit=1)
    assert five[1] == minutes[0][1]
    assert five[2] == max(each[2] for each in minutes)
    assert five[3] == min(each[3] for each in minutes)
    assert five[4] == minutes[-1][4]
    assert five[5] == pytest.approx(sum(each[5] for each in minutes))


def test_a_closed_candle_never_changes(place: InProcess) -> None:
    def closed() -> Any:
        return place.ccxt.fetch_ohlcv(PAIR, "1m", since=START_MS - 30 * MINUTE_MS, limit=29)

    before = closed()
    place.price("55000")
    place.wait(600)
    assert closed() == before


def test_a_price_that_is_let_go_walks_on_from_where_it_stood(place: InProcess) -> None:
    place.price("50000", is_held=False)
    assert place.ccxt.fetch_ticker(PAIR)["last"] == 50_000
    place.wait(120)
    last = place.ccxt.fetch_ticker(PAIR)["last"]
    assert last != 50_000
    assert last == pytest.approx(50_000, rel=0.05)


def test_a_client_with_a_session_of_its_own_can_be_led_to_a_core(place: InProcess) -> None:
    with wired(place.core, lambda: place.now) as base_url, wired(place.core, lambda: 0) as other:
        assert base_url != other
        made = cryptocom(base_url, place.core.key, SECRET)
        made.milliseconds = lambda: place.now // MS
        buy(made)
    assert len(place.ledger.orders()) == 1


def test_the_book_has_levels_apart_from_best_to_worst(ccxt: Any) -> None:
    book = ccxt.fetch_order_book(PAIR, 5)
    asks = [level[0] for level in book["asks"]]
    assert asks == sorted(set(asks))
    assert book["bids"][0][0] < asks[0]


def test_the_markets_trades_are_at_its_prices(ccxt: Any) -> None:
    assert {trade["price"] for trade in ccxt.fetch_trades(PAIR, limit=1)} == {40_000}


def test_balances_are_exact_text(ccxt: Any) -> None:
    buy(ccxt)
    rows = ccxt.fetch_balance()["info"]["result"]["data"][0]["position_balances"]
    assert {row["instrument_name"]: Decimal(row["quantity"]) for row in rows} == {
        "BTC": BALANCES["BTC"] + Decimal("0.01") * (1 - Decimal("0.00075")),
        "USDT": BALANCES["USDT"] - Decimal("400.04"),
    }


def test_spot_holdings_are_no_positions(ccxt: Any) -> None:
    buy(ccxt)
    assert ccxt.fetch_positions() == []


def test_a_derivatives_position_is_told(ccxt: Any, place: InProcess) -> None:
    place.owner("position", instrument="BTCUSD-PERP", quantity="-0.5", price="40000")
    (position,) = ccxt.fetch_positions()
    assert (position["side"], position["contracts"]) == ("short", 0.5)


def test_fees_are_told_as_rates(ccxt: Any) -> None:
    assert ccxt.fetch_trading_fee(PAIR)["taker"] == 0.00075
    assert ccxt.fetch_trading_fees()[PAIR]["maker"] == 0.0005


def test_a_trade_names_its_order_and_its_fee(ccxt: Any) -> None:
    placed = buy(ccxt)
    (trade,) = ccxt.fetch_my_trades(PAIR)
    assert (trade["order"], trade["info"]["client_oid"]) == (placed["id"], OID)
    assert trade["fee"] == {"currency": "BTC", "cost": 0.0000075}


def test_trades_are_a_hundred_at_most_the_newest_first(ccxt: Any, place: InProcess) -> None:
    for number in range(120):
        place.owner("trade", side="BUY", quantity="0.0001", client_oid=f"owner-{number}")
        place.wait(1)
    page = ccxt.v1PrivatePostPrivateGetTrades({})["result"]["data"]
    assert [row["client_oid"] for row in page] == [f"owner-{n}" for n in range(119, 19, -1)]
    rest_of_it = {"end_time": page[-1]["create_time_ns"]}
    page = ccxt.v1PrivatePostPrivateGetTrades(rest_of_it)["result"]["data"]
    assert [row["client_oid"] for row in page] == [f"owner-{n}" for n in range(19, -1, -1)]


def test_history_reaches_back_a_day_and_no_further(ccxt: Any, place: InProcess) -> None:
    buy(ccxt)
    place.wait(86_400 + 60)
    long_ago = START_MS - 1_000
    assert ccxt.fetch_my_trades(PAIR) == []
    assert ccxt.fetch_my_trades(PAIR, since=long_ago) == []
    assert len(ccxt.fetch_my_trades(PAIR, since=long_ago, params={"until": START_MS + 1})) == 1
    window = {"start_time": str(START), "end_time": str(START + 1)}
    assert len(ccxt.v1PrivatePostPrivateGetOrderHistory(window)["result"]["data"]) == 1


def test_order_history_holds_what_has_ended_alone(ccxt: Any) -> None:
    rest(ccxt, oid="1" * 32)
    buy(ccxt, oid="2" * 32)
    assert [each["clientOrderId"] for each in ccxt.fetch_orders(PAIR)] == ["2" * 32]


def test_the_owners_deeds_are_in_the_account_and_not_ours(ccxt: Any, place: InProcess) -> None:
    place.owner("trade", side="SELL", quantity="0.1", price="41000")
    place.owner("deposit", coin="USDT", quantity="50")
    place.owner("withdraw", coin="BTC", quantity="0.2")
    assert {order.maker for order in place.ledger.orders()} == {"owner"}
    assert ccxt.fetch_balance()["BTC"]["total"] == pytest.approx(0.7)
    assert [trade["price"] for trade in ccxt.fetch_my_trades(PAIR)] == [41_000]


def test_a_foreign_order_rests_under_any_client_id(ccxt: Any, place: InProcess) -> None:
    place.owner("order", side="BUY", quantity="0.01", price="39000", client_oid=OID)
    assert [each["clientOrderId"] for each in ccxt.fetch_open_orders()] == [OID]


@pytest.mark.parametrize(
    ("act", "status"), [("cancel", "canceled"), ("reject", "rejected"), ("expire", "expired")]
)
def test_an_order_can_end_from_outside(ccxt: Any, place: InProcess, act: str, status: str) -> None:
    placed = rest(ccxt)
    place.owner("fill", client_oid=OID, quantity="0.004")
    place.owner(act, client_oid=OID)
    order = ccxt.fetch_order(placed["id"])
    assert (order["status"], order["filled"]) == (status, 0.004)


def test_a_liquidation_is_a_trade_at_its_price_and_the_cash_that_it_leaves() -> None:
    place = InProcess(balances={"USD": Decimal(10_000)})
    place.owner("position", instrument="BTCUSD-PERP", quantity="0.5", price="40000")
    place.owner("liquidate", instrument="BTCUSD-PERP", price="39000")
    (trade,) = place.ccxt.fetch_my_trades("BTC/USD:USD")
    assert (trade["side"], trade["amount"], trade["price"]) == ("sell", 0.5, 39000)
    assert place.ccxt.fetch_positions() == []
    fee = place.ledger.fills()[0].fee
    assert place.ledger.balances() == {"USD": Decimal(9500) - fee}
