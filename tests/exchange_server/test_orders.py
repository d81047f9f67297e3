"""Orders through the real ccxt class: what it is answered, and what the ledger holds then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_server.in_process import InProcess
from tests.exchange_server.shapes import Status
from tests.exchange_server.signed import code_of, send

OID = "a" * 32
PAIR = "BTC/USDT"


def buy(ccxt: Any, *, amount: float = 0.01, oid: str = OID, **params: Any) -> Any:
    return ccxt.create_order(PAIR, "market", "buy", amount, None, {"client_oid": oid, **params})


def rest(ccxt: Any, *, price: float = 39_000, oid: str = OID, **params: Any) -> Any:
    """Place a purchase below the market, unless the price says otherwise."""
    return ccxt.create_order(PAIR, "limit", "buy", 0.01, price, {"client_oid": oid, **params})


def look(ccxt: Any, oid: str = OID) -> Any:
    answer = ccxt.v1PrivatePostPrivateGetOrderDetail({"client_oid": oid})
    return ccxt.parse_order(answer["result"])


def refusal(call: Any) -> str:
    """Return the code in the text of what ccxt raises."""
    with pytest.raises(Exception, match='"code":') as raised:
        call()
    return str(raised.value).partition('"code":')[2].partition(",")[0]


def test_placing_answers_ids_alone(ccxt: Any) -> None:
    placed = buy(ccxt)
    assert (placed["clientOrderId"], placed["status"], placed["filled"]) == (OID, None, None)


def test_a_market_purchase_fills_and_pays_its_fee_in_the_base_coin(
    ccxt: Any, place: InProcess
) -> None:
    buy(ccxt)
    (fill,) = place.ledger.fills()
    assert (fill.price, fill.fee, fill.fee_coin) == (
        Decimal("40004.00"),
        Decimal("0.0000075"),
        "BTC",
    )
    assert look(ccxt)["status"] == "closed"


def test_a_sale_pays_its_fee_in_the_quote_coin(ccxt: Any, place: InProcess) -> None:
    ccxt.create_order(PAIR, "market", "sell", 0.01, None, {"client_oid": OID})
    (fill,) = place.ledger.fills()
    assert (fill.fee, fill.fee_coin) == (Decimal("0.01") * fill.price * Decimal("0.00075"), "USDT")


def test_what_does_not_cross_rests_and_locks_its_cost(ccxt: Any) -> None:
    rest(ccxt)
    assert ccxt.fetch_balance()["USDT"]["used"] == 390
    assert [each["clientOrderId"] for each in ccxt.fetch_open_orders()] == [OID]


def test_a_resting_order_trades_at_its_own_price_when_the_market_comes(
    ccxt: Any, place: InProcess
) -> None:
    rest(ccxt)
    place.price("38000")
    (fill,) = place.ledger.fills()
    assert (fill.price, fill.liquidity) == (Decimal("39000.00"), "MAKER")


def test_a_thin_book_fills_a_resting_order_in_parts(ccxt: Any, place: InProcess) -> None:
    place.settings(depth="100")
    rest(ccxt)
    place.price("38000")
    assert look(ccxt)["status"] == "open"
    assert 0 < look(ccxt)["filled"] < 0.01
    place.wait(10)
    assert look(ccxt)["filled"] == 0.01


def test_what_a_part_fill_leaves_is_what_stays_locked(ccxt: Any, place: InProcess) -> None:
    rest(ccxt)
    place.owner("fill", client_oid=OID, quantity="0.004")
    assert ccxt.fetch_balance()["USDT"]["used"] == 234


def test_a_thin_book_is_taken_level_by_level(ccxt: Any, place: InProcess) -> None:
    place.settings(depth="100")
    buy(ccxt, amount=0.01)
    prices = [fill.price for fill in place.ledger.fills()]
    assert len(prices) == 5
    assert prices == sorted(set(prices))


def test_a_cancelled_order_frees_what_it_locked(ccxt: Any) -> None:
    rest(ccxt)
    ccxt.v1PrivatePostPrivateCancelOrder({"client_oid": OID})
    assert look(ccxt)["status"] == "canceled"
    assert ccxt.fetch_balance()["USDT"]["used"] == 0


def test_a_cancel_with_a_lag_comes_too_late_for_what_trades_first(
    ccxt: Any, place: InProcess
) -> None:
    place.settings(cancel_lag_s=5)
    rest(ccxt)
    ccxt.cancel_order(look(ccxt)["id"])
    place.price("38000")
    place.wait(6)
    assert look(ccxt)["status"] == "closed"


def test_cancelling_all_ends_each_open_order(ccxt: Any) -> None:
    rest(ccxt, oid="1" * 32)
    rest(ccxt, oid="2" * 32)
    ccxt.cancel_all_orders()
    assert ccxt.fetch_open_orders() == []


@pytest.mark.parametrize("word", ["PENDING", "NEW"])
def test_a_creation_with_a_lag_does_not_trade_at_first(
    ccxt: Any, place: InProcess, word: str
) -> None:
    place.settings(creation_lag_s=1, unborn_as=word)
    buy(ccxt)
    assert look(ccxt)["status"] == word
    place.wait(1)
    assert look(ccxt)["status"] == "closed"


@pytest.mark.parametrize("word", ["CANCELED", "EXPIRED"])
def test_an_ioc_order_ends_with_what_the_book_gave(ccxt: Any, place: InProcess, word: str) -> None:
    place.settings(unfilled_ends_as=word, depth="100")
    rest(ccxt, price=40_010, timeInForce="IOC")
    (order,) = place.ledger.orders()
    assert order.status == Status(word)
    assert 0 < order.filled < order.quantity


def test_a_fok_order_takes_all_or_nothing(ccxt: Any, place: InProcess) -> None:
    place.settings(depth="100")
    rest(ccxt, price=40_010, timeInForce="FOK")
    (order,) = place.ledger.orders()
    assert order.filled == 0
    assert order.reason == 43003


def test_a_post_only_order_that_would_cross_is_cancelled(ccxt: Any, place: InProcess) -> None:
    rest(ccxt, price=41_000, postOnly=True)
    (order,) = place.ledger.orders()
    assert order.status is Status.CANCELED
    assert order.filled == 0


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("306", {"quantity": "10"}),
        ("315", {"price": "1000.00"}),
        ("308", {"price": "39000.001"}),
        ("308", {"price": 39000}),
        ("213", {"quantity": "0.000001"}),
        ("213", {"quantity": "-1"}),
        ("213", {"quantity": "NaN"}),
        ("415", {"quantity": "0.00001"}),
        ("314", {"quantity": "100000"}),
        ("209", {"instrument_name": "NO_SUCH"}),
        ("208", {"instrument_name": "BTCUSD-PERP"}),
        ("218", {"type": "HOPE"}),
        ("140001", {"type": "STOP_LOSS"}),
        ("220", {"side": "HOLD"}),
        ("221", {"time_in_force": "SOMETIME"}),
        ("43005", {"exec_inst": ["POST_ONLY"], "time_in_force": "FILL_OR_KILL"}),
        ("40004", {"client_oid": "x" * 37}),
    ],
)
def test_what_is_wrong_is_refused_by_its_code_and_leaves_no_order(
    ccxt: Any, place: InProcess, code: str, change: dict[str, Any]
) -> None:
    wanted = {
        "instrument_name": "BTC_USDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01",
        "price": "39000.00",
        "client_oid": OID,
        **change,
    }
    assert refusal(lambda: ccxt.v1PrivatePostPrivateCreateOrder(wanted)) == code
    assert place.ledger.orders() == []


@pytest.mark.parametrize(
    ("dedupe", "refused_while_open", "refused_after_its_end"),
    [("off", False, False), ("open", True, False), ("all", True, True)],
)
def test_a_client_id_twice_is_refused_as_far_as_dedupe_goes(
    place: InProcess, dedupe: str, *, refused_while_open: bool, refused_after_its_end: bool
) -> None:
    wanted = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "client_oid": OID}

    def is_refused() -> bool:
        reply = send(place, "private/create-order", {**wanted, "quantity": "0.1", "price": "39000"})
        return code_of(reply) == 204

    place.settings(dedupe=dedupe)
    assert not is_refused()
    assert is_refused() == refused_while_open
    place.ccxt.cancel_all_orders()
    assert is_refused() == refused_after_its_end
    assert bool(place.ledger.doubles()) == (dedupe != "all")


def test_open_orders_have_a_highest_number(ccxt: Any, place: InProcess) -> None:
    place.settings(open_orders_max=1)
    rest(ccxt, oid="1" * 32)
    assert refusal(lambda: rest(ccxt, oid="2" * 32)) == "318"


def test_cancelling_what_has_ended_or_never_was_is_refused(ccxt: Any) -> None:
    buy(ccxt)
    cancel = ccxt.v1PrivatePostPrivateCancelOrder
    assert refusal(lambda: cancel({"client_oid": OID})) == "316"
    assert refusal(lambda: cancel({"client_oid": "b" * 32})) == "212"


def test_looking_for_what_never_was_is_not_found(ccxt: Any, place: InProcess) -> None:
    assert refusal(lambda: look(ccxt)) == "40401"
    assert place.ledger.requests("private/get-order-detail")[-1].http_status == 200


def test_without_a_client_id_the_order_has_the_requests(ccxt: Any, place: InProcess) -> None:
    ccxt.create_order(PAIR, "market", "buy", 0.01)
    (order,) = place.ledger.orders()
    assert order.client_oid == str(place.now // 1_000_000)
