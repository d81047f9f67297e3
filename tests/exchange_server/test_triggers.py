"""Trigger orders behind `private/advanced/*`, called through ccxt's own signing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.exchange_server.in_process import InProcess
from tests.exchange_server.shapes import Status
from tests.exchange_server.test_orders import OID, refusal


def advanced(ccxt: Any, name: str, **params: Any) -> Any:
    """Call an endpoint that ccxt does not list."""
    answer = ccxt.request(f"private/advanced/{name}", ["v1", "private"], "POST", params)
    return answer["result"]


def stop(ccxt: Any, **changes: Any) -> Any:
    wanted = {
        "instrument_name": "BTC_USDT",
        "side": "SELL",
        "type": "STOP_LOSS",
        "quantity": "0.5",
        "ref_price": "39000.00",
        "client_oid": OID,
        **changes,
    }
    return advanced(ccxt, "create-order", **wanted)


def test_a_stop_rests_out_of_plain_sight_and_locks_its_coins(ccxt: Any) -> None:
    stop(ccxt)
    (row,) = advanced(ccxt, "get-open-orders")["data"]
    assert (row["status"], row["ref_price"], row["client_oid"]) == ("ACTIVE", "39000.00", OID)
    assert ccxt.fetch_open_orders() == []
    assert ccxt.fetch_balance()["BTC"]["used"] == 0.5
    plain = ccxt.v1PrivatePostPrivateGetOrderDetail
    assert refusal(lambda: plain({"client_oid": OID})) == "40401"


def test_a_stop_fires_when_the_last_price_reaches_it(ccxt: Any, place: InProcess) -> None:
    stop(ccxt)
    place.price("39000.01")
    assert place.ledger.fills() == []
    place.price("39000")
    (fill,) = place.ledger.fills()
    assert fill.quantity == Decimal("0.5")
    assert fill.price < 39_000


def test_what_has_fired_trades_under_an_order_id_of_its_own(ccxt: Any, place: InProcess) -> None:
    placed = stop(ccxt)
    place.price("38000")
    detail = advanced(ccxt, "get-order-detail", client_oid=OID)
    (trade,) = ccxt.fetch_my_trades()
    assert detail["order_id"] == placed["order_id"]
    assert trade["order"] == detail["exchange_order_id"] != placed["order_id"]
    seen_plainly = ccxt.v1PrivatePostPrivateGetOrderDetail({"order_id": trade["order"]})["result"]
    assert (seen_plainly["order_type"], seen_plainly["status"]) == ("MARKET", "FILLED")


def test_a_cancelled_stop_frees_its_coins_and_never_fires(ccxt: Any, place: InProcess) -> None:
    stop(ccxt)
    advanced(ccxt, "cancel-order", client_oid=OID)
    place.price("30000")
    assert place.ledger.fills() == []
    assert ccxt.fetch_balance()["BTC"]["used"] == 0


def test_a_plain_cancel_does_not_reach_a_stop(ccxt: Any, place: InProcess) -> None:
    stop(ccxt)
    assert refusal(lambda: ccxt.v1PrivatePostPrivateCancelOrder({"client_oid": OID})) == "212"
    ccxt.cancel_all_orders()
    (order,) = place.ledger.orders()
    assert order.is_open


def test_cancelling_all_advanced_orders_leaves_plain_ones(ccxt: Any, place: InProcess) -> None:
    stop(ccxt)
    ccxt.create_order("BTC/USDT", "limit", "buy", 0.01, 39_500, {"client_oid": "b" * 32})
    advanced(ccxt, "cancel-all-orders")
    assert [order.status for order in place.ledger.orders()] == [Status.CANCELED, Status.ACTIVE]


def test_coins_that_a_stop_locks_cannot_be_sold(ccxt: Any) -> None:
    stop(ccxt, quantity="0.8")
    sell = {"client_oid": "b" * 32}
    assert (
        refusal(lambda: ccxt.create_order("BTC/USDT", "market", "sell", 0.5, None, sell)) == "306"
    )


def test_a_stop_that_locks_nothing_is_rejected_when_its_coins_are_gone(
    ccxt: Any, place: InProcess
) -> None:
    place.settings(locks_triggers=False)
    stop(ccxt)
    place.owner("withdraw", coin="BTC", quantity="1")
    place.price("38000")
    (order,) = place.ledger.orders()
    assert (order.status, order.reason) == (Status.REJECTED, 306)


def test_a_stop_limit_rests_at_its_limit_after_it_fired(ccxt: Any, place: InProcess) -> None:
    stop(ccxt, type="STOP_LIMIT", price="38900.00")
    place.price("38500")
    assert [each["clientOrderId"] for each in ccxt.fetch_open_orders()] == [OID]
    place.price("38950")
    place.wait(5)
    assert {fill.price for fill in place.ledger.fills()} == {Decimal("38900.00")}


def test_a_take_profit_fires_on_the_other_side(ccxt: Any, place: InProcess) -> None:
    stop(ccxt, type="TAKE_PROFIT", ref_price="41000.00")
    place.price("39000")
    assert place.ledger.fills() == []
    place.price("41000")
    assert len(place.ledger.fills()) >= 1


def test_a_stop_fires_once_however_often_the_price_returns(ccxt: Any, place: InProcess) -> None:
    stop(ccxt)
    for price in ("38000", "40000", "38000"):
        place.price(price)
    assert sum(fill.quantity for fill in place.ledger.fills()) == Decimal("0.5")


def test_history_of_triggers_is_apart(ccxt: Any) -> None:
    stop(ccxt)
    advanced(ccxt, "cancel-order", client_oid=OID)
    assert len(advanced(ccxt, "get-order-history")["data"]) == 1
    assert ccxt.fetch_orders() == []


def test_a_trigger_order_without_a_trigger_price_is_refused(ccxt: Any) -> None:
    assert refusal(lambda: stop(ccxt, ref_price="0")) == "229"
    assert refusal(lambda: stop(ccxt, type="LIMIT", price="39000.00")) == "218"
