"""Answers that cannot be believed: each is lost as a whole, whatever part of it is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aegis.domain.candles import Candle, fault_of
from aegis.domain.commands import Quote
from aegis.domain.instrument import Instrument
from aegis.domain.money import FEE_DECIMALS_MAX, is_amount, is_figure
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Lost,
    Page,
    ReadBalances,
    ReadInstruments,
    ReadOpenOrders,
    ReadPositions,
    ReadQuote,
    Verdict,
)
from aegis.exchange.live.client import cryptocom
from aegis.exchange.live.client.evidence import Heard
from aegis.exchange.live.client.shapes import FIRST, LAST
from tests.exchange.live.client.answers import (
    AT,
    BTC,
    CANDLE,
    GOOD,
    INSTRUMENT,
    ORDER,
    POSITION,
    READ_ORDER,
    READ_TRADES,
    TICKER,
    TRADE,
    WALLET,
    enveloped,
)

METHODS = {type(call): method for call, method, _ in GOOD}
CANDLES = GOOD[-1][0]
COIN = {"instrument_name": "BTC", "quantity": "1"}


def read(call: Call, result: Any) -> Verdict:
    """Return what becomes of data that came with success."""
    method = METHODS[type(call)]
    heard = Heard(status=200, body=enveloped(method, result), request_id="11")
    return cryptocom.verdict_on(call, method, heard, lambda said: said)


NO_FIGURES: tuple[Any, ...] = (
    None, "", " ", "NaN", "nan", "Infinity", "-Infinity", "1_0", "٣", "0x10", "abc", "1e999999",
    "1" * 30, "0." + "0" * 60 + "1", 1, 1.5, True, [], {}, ["1"],
)  # fmt: skip
FIGURES: tuple[tuple[Call, dict[str, Any], str], ...] = (
    (READ_ORDER, ORDER, "quantity"),
    (READ_ORDER, ORDER, "cumulative_quantity"),
    (READ_ORDER, ORDER, "limit_price"),
    (READ_TRADES, TRADE, "traded_quantity"),
    (READ_TRADES, TRADE, "traded_price"),
    (READ_TRADES, TRADE, "fees"),
    (ReadPositions(), POSITION, "quantity"),
    (ReadInstruments(symbols=(BTC,)), INSTRUMENT, "price_tick_size"),
    (ReadInstruments(symbols=(BTC,)), INSTRUMENT, "qty_tick_size"),
    *((CANDLES, CANDLE, field) for field in "ohlcv"),
)
SIGNED = {"fees", ("quantity", ReadPositions)}


def listed(call: Call, *rows: object) -> object:
    """Return rows as the data of a call's answer."""
    if call == READ_ORDER:
        return rows[0]
    return {"data": list(rows), "instrument_name": "BTC_USDT"}


@pytest.mark.parametrize(("call", "row", "field"), FIGURES)
def test_a_figure_that_is_none_makes_the_whole_answer_lost(
    call: Call, row: dict[str, Any], field: str
) -> None:
    assert isinstance(read(call, listed(call, row)), Answered)
    for wrong in NO_FIGURES:
        assert isinstance(read(call, listed(call, row | {field: wrong})), Lost), wrong
    without = {name: value for name, value in row.items() if name != field}
    assert isinstance(read(call, listed(call, without)), Lost)


@pytest.mark.parametrize(("call", "row", "field"), FIGURES)
def test_a_figure_below_zero_is_lost_where_none_can_be(
    call: Call, row: dict[str, Any], field: str
) -> None:
    may_be = field in SIGNED or (field, type(call)) in SIGNED
    verdict = read(call, listed(call, row | {field: "-0.00001"}))

    assert isinstance(verdict, Answered if may_be else Lost)


@pytest.mark.parametrize("field", ["traded_quantity", "traded_price"])
def test_a_trade_of_nothing_or_for_nothing_is_lost(field: str) -> None:
    assert isinstance(read(READ_TRADES, {"data": [TRADE | {field: "0.0"}]}), Lost)


@pytest.mark.parametrize("wrong", [figure for figure in NO_FIGURES if figure is not None])
@pytest.mark.parametrize("side", ["b", "k"])
def test_a_price_that_is_none_is_no_quote(side: str, wrong: object) -> None:
    assert isinstance(read(ReadQuote(symbol=BTC), {"data": [TICKER | {side: wrong}]}), Lost)


@pytest.mark.parametrize(
    "ticker",
    [
        TICKER | {"b": "0"},
        TICKER | {"k": "-1"},
        TICKER | {"b": "51180.01"},
        TICKER | {"i": "ETH_USDT"},
        {name: value for name, value in TICKER.items() if name != "b"},
    ],
)
def test_a_ticker_without_sense_is_no_quote(ticker: dict[str, Any]) -> None:
    assert isinstance(read(ReadQuote(symbol=BTC), {"data": [ticker]}), Lost)


@pytest.mark.parametrize(
    "at",
    [str(AT // 10**6), str(AT // 10**9), str(AT * 1000), "0", "-1", "", "NaN", "1e18", AT, 1.5,
     "9" * 5000, None],
)  # fmt: skip
@pytest.mark.parametrize(("call", "row"), [(READ_ORDER, ORDER), (READ_TRADES, TRADE)])
def test_an_instant_in_another_unit_or_of_another_age_is_lost(
    call: Call, row: dict[str, Any], at: object
) -> None:
    wrong = row | {"create_time_ns": at, "create_time": None}

    assert isinstance(read(call, listed(call, wrong)), Lost)


@pytest.mark.parametrize("at", [AT, AT // 1000, AT // 10**9, -1, 0, "1", 10**30, None, 1.5])
def test_milliseconds_in_another_unit_are_lost(at: object) -> None:
    without_ns = {name: value for name, value in TRADE.items() if name != "create_time_ns"}

    assert isinstance(read(READ_TRADES, {"data": [without_ns]}), Answered)
    assert isinstance(read(READ_TRADES, {"data": [without_ns | {"create_time": at}]}), Lost)
    assert isinstance(read(CANDLES, listed(CANDLES, CANDLE | {"t": at})), Lost)


@pytest.mark.parametrize(
    "other",
    [
        {"cumulative_quantity": "0.0101"},
        {"status": "FILLED"},
        {"status": "FILLED", "cumulative_quantity": "0.0099"},
        {"status": "SLEEPING"},
        {"status": None},
        {"side": "buy"},
        {"side": None},
        {"order_type": "ICEBERG"},
        {"order_id": ""},
        {"order_id": 19848525.5},
        {"order_id": "1 or 2"},
        {"order_id": "1" * 65},
        {"limit_price": "0"},
        {"client_oid": None},
        {"client_oid": 5},
        {"instrument_name": None},
        {"instrument_name": "ETH_USDT"},
    ],
)
def test_an_order_that_contradicts_itself_or_the_question_is_lost(other: dict[str, Any]) -> None:
    assert isinstance(read(READ_ORDER, ORDER | other), Lost)


def test_trades_of_two_symbols_may_have_one_id() -> None:
    """A trade's name is its symbol and its id together, here as in the store."""
    call = replace(READ_TRADES, symbol=None)
    page = read(call, listed(call, TRADE, TRADE | {"instrument_name": "ETH_USDT"}))
    assert isinstance(page, Answered)
    assert isinstance(page.value, Page)
    assert {trade.symbol for trade in page.value.trades} == {"BTC/USDT", "ETH/USDT"}


@pytest.mark.parametrize(
    ("call", "row"),
    [(READ_TRADES, TRADE), (ReadOpenOrders(), ORDER), (ReadPositions(), POSITION),
     (ReadInstruments(symbols=(BTC,)), INSTRUMENT), (CANDLES, CANDLE)],
)  # fmt: skip
def test_exact_repeats_are_one_row_and_contradicting_ones_lost(
    call: Call, row: dict[str, Any]
) -> None:
    changes: dict[Call, dict[str, Any]] = {
        READ_TRADES: {"traded_price": "1"},
        ReadOpenOrders(): {"quantity": "2"},
        ReadPositions(): {"quantity": "2"},
        ReadInstruments(symbols=(BTC,)): {"tradable": False},
        CANDLES: {"v": "2"},
    }
    changed = changes[call]

    assert read(call, listed(call, row, row)) == read(call, listed(call, row))
    assert isinstance(read(call, listed(call, row, row | changed)), Lost)


@pytest.mark.parametrize(
    "data",
    [
        [],
        [WALLET, WALLET | {"position_balances": [COIN]}],
        [WALLET | {"position_balances": None}],
        [WALLET | {"position_balances": []}],
        [WALLET | {"position_balances": [], "total_cash_balance": None}],
        [WALLET | {"position_balances": [COIN, COIN | {"quantity": "2"}]}],
        [WALLET | {"position_balances": [COIN | {"quantity": "-1"}]}],
        [WALLET | {"position_balances": [COIN | {"quantity": None}]}],
        [WALLET | {"position_balances": [COIN | {"quantity": 1}]}],
        [WALLET | {"position_balances": [COIN | {"instrument_name": ""}]}],
        [WALLET | {"position_balances": [{"instrument_name": "BTC"}]}],
        [None],
        None,
        "",
        {},
    ],
)
def test_a_wallet_that_is_not_told_whole_is_never_an_empty_one(data: object) -> None:
    assert isinstance(read(ReadBalances(), {"data": data}), Lost)


def test_a_wallet_that_is_worth_nothing_is_empty() -> None:
    worthless = WALLET | {"position_balances": [], "total_cash_balance": "0.00"}

    assert read(ReadBalances(), {"data": [worthless]}) == Answered(value={})


@pytest.mark.parametrize("call", [call for call, _, _ in GOOD[2:]])
@pytest.mark.parametrize("result", [None, [], {}, "", 0, {"data": None}, {"data": {}}, [[]]])
def test_data_that_are_missing_are_lost_and_never_none_at_all(call: Call, result: object) -> None:
    assert isinstance(read(call, result), Lost)


@pytest.mark.parametrize("call", [READ_TRADES, ReadOpenOrders(), ReadPositions()])
def test_a_list_without_rows_says_that_there_are_none(call: Call) -> None:
    verdict = read(call, {"data": []})

    assert isinstance(verdict, Answered)
    assert verdict.value in (Page(trades=(), is_full=False), (), {})


def test_an_order_in_the_list_of_open_ones_is_open() -> None:
    assert isinstance(read(ReadOpenOrders(), {"data": [ORDER | {"status": "CANCELED"}]}), Lost)


def test_an_order_of_the_owner_by_notional_hides_no_other() -> None:
    theirs = ORDER | {"order_id": "7", "client_oid": "", "order_type": "MARKET", "quantity": "0",
                      "limit_price": None, "cumulative_quantity": "0.1"}  # fmt: skip
    verdict = read(ReadOpenOrders(), {"data": [ORDER, theirs]})

    assert isinstance(verdict, Answered)
    assert isinstance(verdict.value, tuple)
    assert len(verdict.value) == 2


def test_an_instrument_whose_coins_are_others_than_its_name_says_is_lost() -> None:
    other = INSTRUMENT | {"base_ccy": "ETH"}

    assert isinstance(read(ReadInstruments(symbols=(BTC,)), {"data": [other]}), Lost)


@pytest.mark.parametrize("symbol", [[], {}, None, 1])
def test_an_instrument_without_a_name_is_lost(symbol: object) -> None:
    other = INSTRUMENT | {"symbol": symbol}

    assert isinstance(read(ReadInstruments(symbols=(BTC,)), {"data": [other]}), Lost)


@pytest.mark.parametrize(
    "other", [{"h": "50000"}, {"l": "50600"}, {"o": "0"}, {"t": CANDLE["t"] + 1}]
)
def test_a_candle_that_contradicts_itself_is_lost(other: dict[str, Any]) -> None:
    assert isinstance(read(CANDLES, listed(CANDLES, CANDLE | other)), Lost)


def test_candles_of_another_symbol_are_lost() -> None:
    assert isinstance(read(CANDLES, {"data": [CANDLE], "instrument_name": "ETH_USDT"}), Lost)


# Any one thing wrong, anywhere ----------------------------------------------------------------

WRONG = st.one_of(
    st.sampled_from([*NO_FIGURES, "-1", "0", "2", "BTC_USDT", "SELL", "1613575617173", 10**18]),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.lists(st.none(), max_size=2),
)


def places(data: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each part of some data."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from places(value, (*path, index))


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Call, object]:
    """Draw a good answer of which one part is replaced, taken out or told twice."""
    call, _, good = draw(st.sampled_from(GOOD))
    result: Any = copy.deepcopy(good)
    *way, last = draw(st.sampled_from([path for path in places(result) if path]))
    holder: Any = result
    for key in way:
        holder = holder[key]
    deed = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
    if deed == "replace":
        holder[last] = draw(WRONG)
    elif deed == "remove":
        del holder[last]
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    return call, result


@given(spoilt())
def test_of_a_spoilt_answer_nothing_comes_out_but_sound_values(case: tuple[Call, object]) -> None:
    call, result = case
    verdict = read(call, json.loads(json.dumps(result)))

    assert isinstance(verdict, Answered | Lost)
    if isinstance(verdict, Answered):
        assert is_sound(verdict.value)


def is_sound(value: object) -> bool:
    """Say whether a value may be reckoned with."""
    match value:
        case VenueOrder():
            is_over = value.status is VenueOrderStatus.FILLED and value.filled != value.amount
            fits = not value.amount or (value.filled <= value.amount and not is_over)
            is_priced = value.price is None or is_amount(value.price)
            return fits and is_priced and value.filled >= 0 and FIRST <= value.created_at < LAST
        case VenueTrade():
            is_fee = is_figure(value.fee, FEE_DECIMALS_MAX)
            return is_amount(value.amount) and is_amount(value.price) and is_fee
        case Candle():
            return fault_of(value) is None
        case Quote():
            return is_amount(value.bid) and value.bid <= value.ask
        case Instrument():
            return is_amount(value.amount_step) and is_amount(value.price_step)
        case Page():
            ids = [trade.trade_id for trade in value.trades]
            return len(ids) == len(set(ids)) and all(is_sound(each) for each in value.trades)
        case tuple():
            return all(is_sound(each) for each in value)
        case dict():
            return all(isinstance(each, Decimal) and is_figure(each) for each in value.values())
        case _:
            return value is None or isinstance(value, str)
