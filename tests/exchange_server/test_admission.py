"""Who is let in, and when: keys, signatures, time, rates, and words that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchange_server.core import PUBLIC
from tests.exchange_server.in_process import InProcess
from tests.exchange_server.shapes import MS
from tests.exchange_server.signed import body_of, code_of, send
from tests.exchange_server.signing import params_text
from tests.exchange_server.test_orders import buy, refusal

BALANCE = "private/user-balance"
TRADES = "private/get-trades"
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    "other", [{"api_key": "another"}, {"sig": "0" * 64}, {"params": {"more": "1"}}, {"nonce": 1}]
)
def test_what_was_not_signed_so_is_not_let_in(place: InProcess, other: dict[str, Any]) -> None:
    reply = place.core.answer(BALANCE, "POST", body_of(place, BALANCE, {}, other), place.now)
    assert (reply.status, code_of(reply)) == (401, 40101)


def test_a_wrong_secret_is_not_let_in(ccxt: Any) -> None:
    ccxt.secret = "another"  # noqa: S105  wrong on purpose
    with pytest.raises(Exception, match="40101"):
        ccxt.fetch_balance()


@pytest.mark.parametrize(("ms_old", "code"), [(60_000, 0), (60_001, 40102), (-60_001, 40102)])
def test_a_request_lives_a_minute_to_each_side(
    ccxt: Any, place: InProcess, ms_old: int, code: int
) -> None:
    ccxt.milliseconds = lambda: place.now // MS - ms_old
    if code:
        assert refusal(lambda: buy(ccxt)) == str(code)
    else:
        buy(ccxt)
    assert len(place.ledger.orders()) == (0 if code else 1)


def test_the_exchanges_clock_may_be_wrong(ccxt: Any, place: InProcess) -> None:
    place.settings(clock_offset_s=61)
    assert refusal(lambda: buy(ccxt)) == "40102"
    place.settings(clock_offset_s=30)
    placed = buy(ccxt)
    assert ccxt.fetch_order(placed["id"])["timestamp"] == place.now // MS + 30_000


@pytest.mark.parametrize(
    ("key", "status"), [("revoked", 401), ("html_401", 401), ("html_403", 403)]
)
def test_a_key_can_be_taken_away_while_prices_go_on(
    place: InProcess, key: str, status: int
) -> None:
    place.settings(key=key)
    assert send(place, BALANCE).status == status
    assert place.core.answer("public/get-tickers", "GET", {}, place.now).status == 200


def test_maintenance_shuts_all_doors(ccxt: Any, place: InProcess) -> None:
    place.settings(maintenance=True)
    for call in (ccxt.fetch_balance, ccxt.v1PublicGetPublicGetTickers):
        assert refusal(call) == "9010001"


@pytest.mark.parametrize(
    ("endpoint", "params", "calls"),
    [(TRADES, {}, 1), (BALANCE, {}, 3), ("private/get-order-detail", {"client_oid": "x"}, 30)],
)
def test_calls_beyond_an_endpoints_rate_are_refused_until_its_time_has_passed(
    place: InProcess, endpoint: str, params: dict[str, Any], calls: int
) -> None:
    place.settings(rate_limits=True)
    codes = [code_of(send(place, endpoint, params)) for _ in range(calls + 1)]
    assert codes.index(42901) == calls
    place.wait(1)
    assert code_of(send(place, endpoint, params)) != 42901


@pytest.mark.parametrize(
    "endpoint", ["private/no-such", "public/no-such", "", "private/advanced/x"]
)
def test_an_unknown_endpoint_is_a_page_with_404(place: InProcess, endpoint: str) -> None:
    reply = send(place, endpoint)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html")


def test_methods_are_strict(place: InProcess) -> None:
    assert code_of(place.core.answer("public/get-tickers", "POST", b"{}", place.now)) == 50001
    assert code_of(place.core.answer(BALANCE, "GET", {}, place.now)) == 40003


def test_parameters_are_signed_sorted_and_flat() -> None:
    params = {"b": [{"y": "2", "x": 1}, "z"], "a": None, "c": True}
    assert params_text(params) == "anullbx1y2zcTrue"


ODD: list[Any] = [
    *(None, True, 0, -1, 10**40, 1.5, float("nan"), float("inf")),
    *("", "x", "NaN", "-1", "1e400", "\u0000", "9" * 40),
    *([], [None], ["POST_ONLY"], [["POST_ONLY"]], {}, {"a": {"b": ["c"]}}),
]
NAMES = ("instrument_name", "side", "type", "quantity", "price", "ref_price", "client_oid")
MORE_NAMES = ("order_id", "exec_inst", "time_in_force", "start_time", "end_time", "limit")
LAWFUL = {
    "instrument_name": "BTC_USDT",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.01",
    "price": "39000.00",
    "ref_price": "39000.00",
    "client_oid": "x",
}
ENDPOINTS = (
    *("create-order", "advanced/create-order", "cancel-order", "get-order-detail"),
    *("get-open-orders", "get-order-history", "get-trades", "user-balance", "get-positions"),
)


@given(
    endpoint=st.sampled_from(ENDPOINTS),
    changes=st.dictionaries(st.sampled_from(NAMES + MORE_NAMES), st.sampled_from(ODD), max_size=3),
)
def test_any_parameters_are_answered_by_a_code(endpoint: str, changes: dict[str, Any]) -> None:
    place = InProcess()
    reply = send(place, f"private/{endpoint}", {**LAWFUL, **changes})
    assert code_of(reply) >= 0
    place.ledger.close()


@given(sent=st.binary(max_size=30) | st.sampled_from(ODD).map(lambda odd: json.dumps(odd).encode()))
def test_any_body_is_answered(sent: bytes) -> None:
    place = InProcess()
    assert place.core.answer(BALANCE, "POST", sent, place.now).status == 401
    place.ledger.close()


@given(
    endpoint=st.sampled_from(sorted(PUBLIC)),
    query=st.dictionaries(
        st.sampled_from(["count", "depth", "start_ts", "end_ts", "timeframe", "instrument_name"]),
        st.sampled_from(["", "0", "-1", "1", "x", "BTC_USDT", "1m", "9" * 30]),
    ),
)
def test_any_query_is_answered_by_a_code(endpoint: str, query: dict[str, str]) -> None:
    place = InProcess()
    reply = place.core.answer(endpoint, "GET", {"instrument_name": "BTC_USDT", **query}, place.now)
    assert code_of(reply) >= 0
    place.ledger.close()
