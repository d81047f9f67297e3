from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from aegis.dialogue import (
    CancelAccepted,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    OrderNotFound,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant, Symbol
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.paper import PaperExchange
from tests.exchange.paper_kit import BTC, BTC_USDT, FREE, START, USDT, USUAL, Table

LIMIT = OrderType.LIMIT


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path)
    table.tick("100")
    return table


def refusal(table: Table, request: PlaceOrder) -> str:
    """Return the code of a refusal; nothing of the request may have stayed behind."""
    before = table.view()
    answer = table.ask(request)
    assert isinstance(answer, RequestRefused), answer
    assert answer.reason
    assert table.view() == before
    return answer.code


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": Decimal("0.000011")},
        {"amount": Decimal(0)},
        {"amount": Decimal(-1)},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("sNaN")},
        {"amount": Decimal("Infinity")},
        {"amount": Decimal("1E+999999")},
        {"amount": Decimal("1E-999999")},
        {"amount": Decimal("0.00999")},  # a notional of 0.999
        {"amount": 1.0},
        {"price": Decimal(100)},  # a market order has none
        {"type": LIMIT},  # a limit has one
        {"type": LIMIT, "price": Decimal("100.001")},
        {"type": LIMIT, "price": Decimal(0)},
        {"type": LIMIT, "price": Decimal("NaN")},
        {"trigger_price": Decimal(0)},
        {"trigger_price": Decimal("-Infinity")},
        {"trigger_price": Decimal("1." + "1" * 40)},
        {"trigger_price": Decimal("1E-999999")},
        {"side": Side.BUY, "reduce_only": True},
        {"client_order_id": ""},
        {"client_order_id": "x" * 37},
        {"client_order_id": "sch\u00f6n"},
        {"client_order_id": "two\nlines"},
        {"client_order_id": None},
    ],
)
def test_what_is_no_order_is_refused_as_invalid(table: Table, fields: dict[str, object]) -> None:
    request = msgspec.structs.replace(table.order(Side.SELL, "1"), **fields)
    assert refusal(table, request) == "invalid_order"


def test_an_unknown_symbol_is_refused(table: Table) -> None:
    assert refusal(table, table.order(Side.SELL, "1", symbol="ETH/USDT")) == "unknown_symbol"
    answer = table.ask(FetchQuote(symbol=Symbol("ETH/USDT")))
    assert isinstance(answer, RequestRefused)
    assert answer.code == "unknown_symbol"


def test_an_inactive_symbol_takes_no_orders(table: Table) -> None:
    instrument = paper_instruments((BTC_USDT,))[BTC_USDT]
    asleep = msgspec.structs.replace(instrument, is_active=False)
    exchange = PaperExchange(
        ledger=table.ledger, rules=FREE, instruments={BTC_USDT: asleep}, clock=table.clock
    )
    answer = exchange.execute(table.order(Side.SELL, "1"))
    assert isinstance(answer, RequestRefused)
    assert answer.code == "invalid_order"
    assert "inactive" in answer.reason


def test_a_market_buy_before_the_first_tick_is_refused(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert refusal(table, table.order(Side.BUY, "1")) == "invalid_order"


def test_the_same_id_twice_is_one_order(table: Table) -> None:
    placed = table.place(Side.SELL, "0.5", type=LIMIT, price=Decimal(200))
    again = table.order(Side.SELL, "0.1", client_order_id=placed)
    assert refusal(table, again) == "duplicate_id"


def test_the_id_of_an_ended_order_is_never_free_again(table: Table) -> None:
    placed = table.place(Side.SELL, "0.5")
    table.reopen()
    assert refusal(table, table.order(Side.SELL, "0.1", client_order_id=placed)) == "duplicate_id"


def test_a_request_that_comes_too_late_makes_no_order(table: Table) -> None:
    sent_at = Instant(table.clock.now() - 60 * NANOS_PER_SECOND - 1)
    assert refusal(table, table.order(Side.SELL, "1", sent_at=sent_at)) == "too_late"


def test_a_request_just_within_the_patience_is_taken(table: Table) -> None:
    sent_at = Instant(table.clock.now() - 60 * NANOS_PER_SECOND)
    assert table.fills(table.place(Side.SELL, "1", sent_at=sent_at)) == [("1", "100")]


def test_a_late_duplicate_is_told_as_the_order_that_stands(table: Table) -> None:
    request = table.order(Side.SELL, "1", client_order_id=table.place(Side.SELL, "1"))
    late = msgspec.structs.replace(request, sent_at=START)
    table.clock.advance_to(Instant(START + 3600 * NANOS_PER_SECOND))
    assert refusal(table, late) == "duplicate_id"


def test_a_sell_beyond_the_balance_is_refused(table: Table) -> None:
    assert refusal(table, table.order(Side.SELL, "1.00001")) == "insufficient_funds"


def test_a_resting_sell_keeps_its_coins_from_the_next(table: Table) -> None:
    table.limit(Side.SELL, "0.6", "200")
    assert refusal(table, table.order(Side.SELL, "0.5")) == "insufficient_funds"


def test_a_buy_must_afford_its_slippage_and_fee(tmp_path: Path) -> None:
    rules = msgspec.structs.replace(FREE, fee_rate=Decimal("0.01"), slippage_bps=Decimal(100))
    table = Table(tmp_path, rules, usdt="102")
    table.tick("100")  # 101 with slippage, 102.01 with the fee
    assert refusal(table, table.order(Side.BUY, "1")) == "insufficient_funds"
    assert table.fills(table.place(Side.BUY, "0.9999")) == [("0.9999", "101")]


def test_a_limit_buy_sets_its_cost_and_fee_aside(tmp_path: Path) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, fee_rate=Decimal("0.01")), usdt="101")
    table.tick("100")
    table.limit(Side.BUY, "0.5", "50")  # 25.25
    too_much = table.order(Side.BUY, "0.76", type=LIMIT, price=Decimal(99))  # 75.99 of 75.75
    assert refusal(table, too_much) == "insufficient_funds"


def test_a_buy_whose_price_ran_away_fills_what_can_be_paid_and_is_canceled(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path, msgspec.structs.replace(FREE, fee_rate=Decimal("0.001")), usdt="100.1")
    table.tick("100")
    table.close()
    bought = table.place(Side.BUY, "1")
    table.tick("110", start="110")
    order, trades = table.found(bought)
    assert order.status is VenueOrderStatus.CANCELED
    assert "insufficient_funds" in order.reason
    assert [trade.amount for trade in trades] == [Decimal("0.90909")]
    assert Decimal(0) <= table.account().balances[USDT] < Decimal("0.0012")


def test_funds_that_are_short_by_a_hair_do_not_pay_for_the_last_lot(tmp_path: Path) -> None:
    table = Table(tmp_path, usdt="99." + "9" * 41)  # a 34-digit quotient says that it pays for 1
    table.tick("99")
    table.close()
    bought = table.place(Side.BUY, "1")
    table.tick("100", start="100")
    assert table.fills(bought) == [("0.99999", "100")]


def test_a_buy_never_spends_what_is_set_aside_for_another(tmp_path: Path) -> None:
    table = Table(tmp_path, usdt="100")
    table.tick("100")
    table.limit(Side.BUY, "1", "60")
    table.close()
    bought = table.place(Side.BUY, "0.4")
    table.tick("200", start="200")
    assert table.fills(bought) == [("0.2", "200")]


def test_a_sell_whose_coins_were_taken_away_sells_what_is_left(table: Table) -> None:
    table.close()
    sold = table.place(Side.SELL, "1")
    table.exchange._book = None
    connection = table.ledger._connection
    connection.execute("UPDATE balances SET total = '0.25' WHERE coin = 'BTC'")
    table.tick("100")
    assert table.fills(sold) == [("0.25", "100")]
    assert table.account().balances[BTC] == 0


def test_a_cancel_ends_an_open_order(table: Table) -> None:
    resting = table.limit(Side.SELL, "1", "200")
    assert table.cancel(resting) == CancelAccepted(client_order_id=ClientOrderId(resting))
    assert table.found(resting)[0].status is VenueOrderStatus.CANCELED
    assert table.account().open_orders == ()
    kept = table.ledger.find(resting)
    assert kept is not None
    assert kept.reserved == 0


@pytest.mark.parametrize("case", ["unknown", "filled", "canceled"])
def test_a_cancel_of_what_is_not_open_is_refused(table: Table, case: str) -> None:
    known = {"unknown": "never-placed", "filled": table.place(Side.SELL, "0.1")}
    known["canceled"] = table.limit(Side.SELL, "0.1", "200")
    table.cancel(known["canceled"])
    answer = table.cancel(known[case])
    assert isinstance(answer, RequestRefused)
    assert answer.code == "not_open"


def test_not_found_says_as_of_when_on_the_exchanges_clock(table: Table) -> None:
    nobody = ClientOrderId("never-placed")
    answer = table.ask(FindOrder(client_order_id=nobody, symbol=BTC_USDT, since=Instant(0)))
    assert answer == OrderNotFound(client_order_id=nobody, as_of=table.clock.now())


def test_an_account_has_the_trades_booked_at_or_after_an_instant(table: Table) -> None:
    table.place(Side.SELL, "0.1")
    table.tick("101")
    since = table.clock.now()
    table.place(Side.SELL, "0.2")
    account = table.account(since)
    assert [trade.amount for trade in account.trades] == [Decimal("0.2")]
    assert (account.trades_since, account.as_of) == (since, since)
    assert len(table.account(Instant(since + 1)).trades) == 0


def test_an_account_has_total_balances_with_what_is_set_aside(table: Table) -> None:
    resting = table.limit(Side.SELL, "1", "200")
    account = table.account()
    assert account.balances == {BTC: Decimal(1), USDT: Decimal(10000)}
    assert [order.client_order_id for order in account.open_orders] == [resting]


def test_ids_of_orders_and_trades_are_counted(tmp_path: Path) -> None:
    table = Table(tmp_path, USUAL)
    table.tick("100")
    first, second = table.place(Side.SELL, "0.1"), table.place(Side.SELL, "0.1")
    table.reopen()
    table.tick("100")
    third = table.place(Side.SELL, "0.1")
    found = [table.found(each) for each in (first, second, third)]
    assert [order.exchange_order_id for order, _ in found] == ["x-1", "x-2", "x-3"]
    assert [trade.trade_id for _, trades in found for trade in trades] == ["t-1", "t-2", "t-3"]


def test_instruments_are_told_of_the_symbols_that_are_listed(table: Table) -> None:
    asked = FetchInstruments(symbols=(BTC_USDT, Symbol("ETH/USDT")))
    answer = table.ask(asked)
    assert answer == InstrumentsFetched(instruments=tuple(paper_instruments((BTC_USDT,)).values()))


@pytest.mark.parametrize(
    "fields",
    [
        {"fee_rate": Decimal("-0.001")},
        {"fee_rate": Decimal("NaN")},
        {"spread_bps": Decimal(10_000)},
        {"slippage_bps": Decimal("Infinity")},
        {"volume_share_max": Decimal(0)},
        {"volume_share_max": Decimal("1.1")},
        {"fee_currency": "base"},
        {"late_after_s": 0},
    ],
)
def test_rules_that_make_no_market_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        msgspec.structs.replace(FREE, **fields)
