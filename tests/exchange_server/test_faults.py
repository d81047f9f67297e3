"""Each fault does what it says: seen through the real ccxt class, and judged at the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.exchange_server.faults import (
    DELAYS,
    GATES,
    KILLS,
    SPOILS,
    VIEWS,
    Fault,
    Faults,
    Rule,
    storm,
)
from tests.exchange_server.in_process import InProcess
from tests.exchange_server.replies import Conduct
from tests.exchange_server.shapes import MS, Status
from tests.exchange_server.signed import send
from tests.exchange_server.test_orders import OID, buy, look, refusal, rest

CREATE = "private/create-order"
DETAIL = "private/get-order-detail"
BALANCE = "private/user-balance"
TRADES = "private/get-trades"
TICKERS = "public/get-tickers"

WANTED = {
    "instrument_name": "BTC_USDT",
    "side": "BUY",
    "type": "MARKET",
    "quantity": "0.01",
    "client_oid": OID,
}


def test_every_fault_is_of_one_kind() -> None:
    kinds = (GATES, DELAYS, SPOILS, VIEWS, KILLS)
    assert sum(len(kind) for kind in kinds) == len(Fault)
    assert frozenset().union(*kinds) == frozenset(Fault)


@pytest.mark.parametrize("fault", sorted(GATES))
def test_a_gate_lets_nothing_happen(place: InProcess, fault: Fault) -> None:
    place.fault(fault, CREATE, next=1)
    send(place, CREATE, WANTED)
    assert place.ledger.orders() == []
    (request,) = place.ledger.requests(CREATE)
    assert (request.fault, request.outcome) == (fault.value, "not carried out")
    assert request.client_oid == OID


@pytest.mark.parametrize("fault", sorted(SPOILS))
def test_a_spoiled_answer_hides_what_has_happened(place: InProcess, fault: Fault) -> None:
    honest = send(InProcess(), CREATE, WANTED)
    place.fault(fault, CREATE, next=1)
    spoiled = send(place, CREATE, WANTED)
    assert len(place.ledger.orders()) == 1
    (request,) = place.ledger.requests(CREATE)
    assert (request.fault, request.outcome) == (fault.value, "0")
    if fault in {Fault.MALFORMED, Fault.EMPTY, Fault.MISSING, Fault.OTHER_ID}:
        assert spoiled.body != honest.body


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (Fault.HTML_502_BEFORE, 502, "text/html"),
        (Fault.HTML_503_BEFORE, 503, "text/html"),
        (Fault.HTML_429, 429, "text/html"),
        (Fault.HTML_401, 401, "text/html"),
        (Fault.HTML_403, 403, "text/html"),
        (Fault.HTML_502_AFTER, 502, "text/html"),
        (Fault.CODE_42901, 429, "application/json"),
        (Fault.REVOKED, 401, "application/json"),
        (Fault.MAINTENANCE, 503, "application/json"),
        (Fault.EMPTY, 200, "application/json"),
    ],
)
def test_a_page_or_a_code_comes_with_its_status(
    place: InProcess, fault: Fault, status: int, kind: str
) -> None:
    place.fault(fault)
    reply = send(place, CREATE, WANTED)
    assert (reply.status, reply.headers["Content-Type"]) == (status, kind)
    assert reply.body.startswith(b"<html>") == (kind == "text/html")


@pytest.mark.parametrize("fault", [Fault.CODE_42901, Fault.REVOKED, Fault.LAG])
def test_an_answer_of_the_exchange_names_the_request(place: InProcess, fault: Fault) -> None:
    place.fault(fault)
    answer = json.loads(send(place, CREATE, WANTED).body)
    assert (answer["method"], answer["id"]) == (CREATE, place.now // MS)


@pytest.mark.parametrize(
    ("fault", "conduct"),
    [
        (Fault.DROP_BEFORE, Conduct.RESET),
        (Fault.DROP_AFTER, Conduct.RESET),
        (Fault.LATE_EFFECT, Conduct.RESET),
        (Fault.SILENCE_BEFORE, Conduct.SILENCE),
        (Fault.SILENCE, Conduct.SILENCE),
        (Fault.TRUNCATED, Conduct.TRUNCATE),
        (Fault.DRIP, Conduct.DRIP),
    ],
)
def test_a_fault_of_the_wire_is_a_conduct(place: InProcess, fault: Fault, conduct: Conduct) -> None:
    place.fault(fault)
    assert send(place, CREATE, WANTED).conduct is conduct


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROP_AFTER, "NetworkError"),
        (Fault.TRUNCATED, "NetworkError"),
        (Fault.SILENCE, "RequestTimeout"),
        (Fault.EMPTY, "ExchangeError"),
        (Fault.HTML_502_AFTER, "ExchangeError"),
    ],
)
def test_without_a_socket_ccxt_raises_what_it_raises_with_one(
    place: InProcess, fault: Fault, error: str
) -> None:
    place.fault(fault, CREATE)
    with pytest.raises(Exception, match="cryptocom") as raised:
        buy(place.ccxt)
    assert type(raised.value).__name__ == error


def test_a_ban_shuts_every_endpoint_until_it_ends(place: InProcess) -> None:
    place.fault(Fault.BAN, CREATE, next=1, seconds=30)
    assert send(place, CREATE, WANTED).headers["Retry-After"] == "30"
    place.wait(29.5)
    assert send(place, BALANCE).headers["Retry-After"] == "1"
    place.wait(0.5)
    assert send(place, BALANCE).status == 200


def test_a_late_effect_comes_when_nobody_expects_it(ccxt: Any, place: InProcess) -> None:
    place.fault(Fault.LATE_EFFECT, CREATE, next=1, seconds=75)
    with pytest.raises(Exception, match="cryptocom"):
        buy(ccxt)
    place.wait(74.9)
    assert refusal(lambda: look(ccxt)) == "40401"
    place.wait(0.1)
    assert look(ccxt)["status"] == "closed"
    assert place.ledger.requests(CREATE)[0].outcome == "late, 0"


def test_a_cancel_may_be_what_comes_late(ccxt: Any, place: InProcess) -> None:
    rest(ccxt)
    place.fault(Fault.LATE_EFFECT, "private/cancel-order", next=1, seconds=5)
    with pytest.raises(Exception, match="cryptocom"):
        ccxt.v1PrivatePostPrivateCancelOrder({"client_oid": OID})
    assert look(ccxt)["status"] == "open"
    place.wait(5)
    assert look(ccxt)["status"] == "canceled"


def test_a_late_effect_may_be_a_refusal(ccxt: Any, place: InProcess) -> None:
    place.fault(Fault.LATE_EFFECT, CREATE, next=1, seconds=5)
    with pytest.raises(Exception, match="cryptocom"):
        buy(ccxt)
    place.owner("withdraw", coin="USDT", quantity="9990")
    place.wait(5)
    assert place.ledger.requests(CREATE)[0].outcome == "late, 306"
    assert place.ledger.orders() == []


def test_what_is_not_signed_is_not_carried_out_late_either(place: InProcess) -> None:
    place.fault(Fault.LATE_EFFECT, seconds=1)
    place.core.answer(CREATE, "POST", b'{"params": {}}', place.now)
    assert place.core.engine.dues == []


def test_a_late_rejection_looks_accepted_first(ccxt: Any, place: InProcess) -> None:
    place.fault(Fault.LATE_REJECTION, CREATE, next=1, seconds=3)
    buy(ccxt)
    assert look(ccxt)["status"] == "open"
    place.price("39000")
    place.wait(3)
    assert look(ccxt)["status"] == "rejected"
    assert place.ledger.fills() == []


@pytest.mark.parametrize(
    ("endpoint", "read", "seen"),
    [
        (DETAIL, lambda x: look(x)["status"], ["open", "closed"]),
        ("private/get-open-orders", lambda x: len(x.fetch_open_orders()), [1, 0]),
        (TRADES, lambda x: len(x.fetch_my_trades()), [0, 1]),
        (BALANCE, lambda x: x.fetch_balance()["USDT"]["total"], [10_000, 9_610]),
        (BALANCE, lambda x: x.fetch_balance()["USDT"]["used"], [390, 0]),
    ],
)
def test_a_lagging_read_shows_the_past(
    place: InProcess, endpoint: str, read: Callable[[Any], Any], seen: list[Any]
) -> None:
    rest(place.ccxt)
    place.wait(10)
    place.price("38000")
    place.wait(2)
    place.fault(Fault.LAG, endpoint, seconds=5)
    earlier = read(place.ccxt)
    place.wait(5)
    assert [earlier, read(place.ccxt)] == seen


def test_a_lagging_ticker_tells_an_old_price_with_its_old_time(ccxt: Any, place: InProcess) -> None:
    place.wait(10)
    place.price("50000")
    place.fault(Fault.LAG, TICKERS, seconds=5)
    ticker = ccxt.fetch_ticker("BTC/USDT")
    assert (ticker["last"], ticker["timestamp"]) == (40_000, place.now // MS - 5_000)
    assert ticker["ask"] < 41_000


def test_a_lagging_look_up_does_not_know_a_new_order(ccxt: Any, place: InProcess) -> None:
    buy(ccxt)
    place.fault(Fault.LAG, DETAIL, seconds=5)
    place.wait(4)
    assert refusal(lambda: look(ccxt)) == "40401"
    place.wait(1)
    assert look(ccxt)["status"] == "closed"


def test_what_is_forgotten_has_its_trades_still(ccxt: Any, place: InProcess) -> None:
    buy(ccxt)
    place.fault(Fault.FORGET)
    assert refusal(lambda: look(ccxt)) == "40401"
    assert ccxt.fetch_orders() == []
    assert [trade["info"]["client_oid"] for trade in ccxt.fetch_my_trades()] == [OID]


def test_an_open_order_is_not_forgotten(ccxt: Any, place: InProcess) -> None:
    rest(ccxt)
    place.fault(Fault.FORGET)
    assert look(ccxt)["status"] == "open"


def test_one_order_alone_can_be_forgotten(ccxt: Any, place: InProcess) -> None:
    buy(ccxt)
    place.owner("forget", client_oid=OID)
    assert refusal(lambda: look(ccxt)) == "40401"


def test_skew_is_the_exchanges_clock_running_ahead(ccxt: Any, place: InProcess) -> None:
    place.fault(Fault.SKEW, seconds=61)
    assert refusal(lambda: buy(ccxt)) == "40102"
    assert ccxt.last_response_headers["Date"] == "Tue, 14 Nov 2023 22:14:21 GMT"


@pytest.mark.parametrize(
    ("fault", "bid"),
    [
        (Fault.NULLS, None),
        (Fault.NANS, "NaN"),
        (Fault.NEGATIVES, "-39996.00"),
        (Fault.WORDS, "soon"),
        (Fault.HUGE, "1e400"),
        (Fault.MISSING, "absent"),
    ],
)
def test_figures_are_bent(ccxt: Any, place: InProcess, fault: Fault, bid: Any) -> None:
    place.fault(fault, TICKERS)
    query = {"instrument_name": "BTC_USDT"}
    (row,) = ccxt.v1PublicGetPublicGetTickers(query)["result"]["data"]
    assert row.get("b", "absent") == bid


def test_rows_are_repeated_left_out_or_anothers(ccxt: Any, place: InProcess) -> None:
    buy(ccxt)

    def rows() -> Any:
        return ccxt.v1PrivatePostPrivateGetTrades({})["result"]["data"]

    (honest,) = rows()
    place.fault(Fault.REPEATED, TRADES)
    assert rows() == [honest, honest]
    place.fault(Fault.NO_DATA, TRADES)
    assert rows() == []
    place.fault(Fault.OTHER_ID, TRADES)
    assert rows()[0]["client_oid"] != OID
    place.fault(Fault.OTHER_INSTRUMENT, TRADES)
    assert rows()[0]["instrument_name"] != "BTC_USDT"
    place.fault(Fault.TIMES, TRADES)
    assert rows()[0]["create_time"] == honest["create_time"] * 1_000


def test_no_data_crashes_the_library_as_the_real_one_does(ccxt: Any, place: InProcess) -> None:
    place.fault(Fault.NO_DATA, BALANCE)
    with pytest.raises(IndexError):
        ccxt.fetch_balance()


def test_a_rule_waits_then_counts_then_is_over() -> None:
    faults = Faults(seed=1)
    faults.set([Rule(fault=Fault.EMPTY, endpoint=CREATE, after=2, next=2)])
    met = [faults.meet(CREATE).spoil is not None for _ in range(6)]
    assert met == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("endpoint", "meets"),
    [("any", True), ("private", True), ("public", False), (CREATE, True), (TRADES, False)],
)
def test_a_rule_is_for_its_endpoints(endpoint: str, meets: bool) -> None:  # noqa: FBT001  a case
    faults = Faults(seed=1)
    faults.set([Rule(fault=Fault.EMPTY, endpoint=endpoint)])
    assert (faults.meet(CREATE).spoil is not None) == meets


def test_a_probability_is_kept_and_repeats_with_its_seed() -> None:
    def met(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.set([Rule(fault=Fault.EMPTY, probability=0.3)])
        return [faults.meet(CREATE).spoil is not None for _ in range(1_000)]

    assert met(1) == met(1) != met(2)
    assert 250 < sum(met(1)) < 350


def test_a_storm_meets_its_share_of_calls() -> None:
    faults = Faults(seed=1)
    faults.set(storm(0.3))
    met = [faults.meet(CREATE).names() for _ in range(2_000)]
    assert 0.25 < sum(name is not None for name in met) / len(met) < 0.35
    assert len({name for name in met if name and "," not in name}) == len(faults.rules)


def test_rules_of_different_kinds_add_up(place: InProcess) -> None:
    place.core.faults.set(
        [Rule(fault=Fault.LAG), Rule(fault=Fault.EMPTY), Rule(fault=Fault.KILL_AFTER_ANSWER)]
    )
    reply = send(place, BALANCE)
    assert reply.body == b""
    assert [rule.fault for rule in reply.kills] == [Fault.KILL_AFTER_ANSWER]


def test_what_is_no_rule_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="probabilty"):
        msgspec.convert({"fault": "empty", "probabilty": 0.3}, Rule)


def test_orders_and_dues_outlive_a_restart(tmp_path: Any) -> None:
    first = InProcess(path=tmp_path / "ledger.db")
    first.price("40000")
    rest(first.ccxt)
    buy(first.ccxt, oid="1" * 32)
    first.fault(Fault.LATE_EFFECT, CREATE, next=1, seconds=50)
    with pytest.raises(Exception, match="cryptocom"):
        buy(first.ccxt, oid="2" * 32)
    before = first.state()
    first.ledger.close()

    again = InProcess(path=tmp_path / "ledger.db", now=first.now)
    after = again.state()
    for part in ("balances", "orders", "fills", "prices", "settings"):
        assert after[part] == before[part], part
    again.wait(50)
    assert look(again.ccxt, "2" * 32)["status"] == "closed"
    again.price("38000")
    assert {order.status for order in again.ledger.orders()} == {Status.FILLED}
    assert len({fill.trade_id for fill in again.ledger.fills()}) == 3
    assert again.ledger.balances()["BTC"] > Decimal(1)
    again.ledger.close()
