"""What an answer proves, over every code and every shape of body."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Place,
    ReadBalances,
    ReadQuote,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.client.classify import Result, judge
from aegis.exchange.live.client.evidence import SAID_LENGTH_MAX, Heard
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange.live.client.answers import BTC, CANCEL, PLACE, READ_ORDER, enveloped, refusal

PLACING, CANCELING = "private/create-order", "private/cancel-order"
LOOKING, BALANCE = "private/get-order-detail", "private/user-balance"
METHODS = {
    Place: PLACING, Cancel: CANCELING, ReadBalances: BALANCE, ReadQuote: "public/get-tickers",
}  # fmt: skip
ALL_CODES = (
    *range(200, 231), *range(301, 326), 401, 406, 407, 408, 409, 410, 415, 501, 604, 10001, 10002,
    10003, 10004, 10005, 10006, 10007, 20001, 20002, 30003, 40001, 40002, 40003, 40004, 40005,
    40006, 40007, 40101, 40102, 40103, 40104, 40107, 40401, 40801, 42901, 43003, 43004, 43005,
    43012, 50001, 140001, 9010001,
)  # fmt: skip

LOST_CODES = {
    205: "something with that id is there",
    224: "it was taken, and the matching engine rejected it",
    40006: "an earlier copy was taken",
    40401: "of a placing it is no documented answer",
    40801: "the exchange's own time-out",
    43003: "taken, then cancelled",
    43004: "taken, then cancelled, perhaps with fills",
    43005: "taken, then rejected",
    43012: "taken, then cancelled",
    50001: "an internal error",
    10001: "an internal error",
    9010001: "maintenance",
}


def judged(call: Call, body: str, status: int = 200, request_id: str | None = "11") -> Verdict:
    """Return the verdict on an answer to a call's own method."""
    method = LOOKING if call == READ_ORDER else METHODS[type(call)]
    heard = Heard(status=status, body=body, retry_after_s=7, request_id=request_id)
    verdict = judge(CRYPTOCOM, call, method, heard, lambda said: said)
    assert not isinstance(verdict, Result)
    return verdict


def test_a_placing_is_refused_by_the_codes_of_the_list_and_no_other() -> None:
    for code, status in itertools.product(ALL_CODES, (200, 400, 500)):
        verdict = judged(PLACE, refusal(PLACING, code), status)

        if str(code) in CRYPTOCOM.refusals:
            assert isinstance(verdict, Refused)
            assert (verdict.code, verdict.venue_code) == (CRYPTOCOM.refusals[str(code)], str(code))
        else:
            assert not isinstance(verdict, Refused | Answered), code


@pytest.mark.parametrize("code", LOST_CODES)
def test_codes_that_do_not_say_that_nothing_was_placed_leave_a_placing_lost(code: int) -> None:
    assert isinstance(judged(PLACE, refusal(PLACING, code), 400), Lost)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(42901, Limited), (10006, Limited), (40101, Denied), (40103, Denied), (40104, Denied),
     (10002, Denied), (10003, Denied), (10005, Denied), (202, Denied), (40102, Skewed),
     (10007, Skewed)],
)  # fmt: skip
@pytest.mark.parametrize("call", [PLACE, CANCEL, ReadBalances(), READ_ORDER])
def test_rate_key_and_time_are_told_by_their_codes(
    call: Call, code: int, verdict: type[Verdict]
) -> None:
    method = LOOKING if call == READ_ORDER else METHODS[type(call)]
    assert isinstance(judged(call, refusal(method, code), 400), verdict)


def test_a_duplicate_id_is_named_as_one() -> None:
    verdict = judged(PLACE, refusal(PLACING, 204, "DUPLICATE_CLORDID"), 400)

    assert isinstance(verdict, Refused)
    assert verdict.code == "duplicate_id"


@pytest.mark.parametrize("code", [212, 307, 316, 40401])
def test_a_cancel_that_finds_nothing_open_is_refused_as_not_open(code: int) -> None:
    verdict = judged(CANCEL, refusal(CANCELING, code), 500)

    assert isinstance(verdict, Refused)
    assert verdict.code == "not_open"


def test_a_look_up_that_finds_nothing_is_an_answer() -> None:
    assert judged(READ_ORDER, refusal(LOOKING, 40401)) == Answered(value=None)


@pytest.mark.parametrize("status", [404, 500, 502])
def test_not_found_with_another_status_than_the_documents_is_none(status: int) -> None:
    assert isinstance(judged(READ_ORDER, refusal(LOOKING, 40401), status), Lost)


NO_JSON = (
    "", " ", "null", "[]", "{}", '"code"', "306", '{"code": null}', '{"code": 306.0}',
    '{"code": true}', '{"code": 306', "<html><h1>502 Bad Gateway</h1></html>",
    '{"message": "code 306"}', '{"error": {"code": 306}}', "NaN", "[" * 100_000,
    '{"code": 306, "result": ' + "[" * 100_000, "\udcff", '{"code": 306}\x00',
)  # fmt: skip


@pytest.mark.parametrize("call", [PLACE, CANCEL])
@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504])
def test_without_json_of_the_exchanges_nothing_is_proved_of_an_order(
    call: Call, status: int
) -> None:
    for body in NO_JSON:
        assert isinstance(judged(call, body, status), Lost), body[:40]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(401, Denied), (403, Denied), (418, Limited), (429, Limited), (500, Lost), (502, Lost),
     (503, Lost), (200, Lost), (404, Lost), (302, Lost)],
)  # fmt: skip
def test_a_read_believes_the_status_that_speaks_of_key_and_rate(
    status: int, verdict: type[Verdict]
) -> None:
    told = judged(ReadBalances(), "<html></html>", status)

    assert isinstance(told, verdict)
    if isinstance(told, Limited):
        assert told.retry_after_s == 7


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", ["<html></html>", refusal("public/get-tickers", 40101)])
def test_who_turns_a_call_without_a_key_away_says_nothing_of_the_key(
    status: int, body: str
) -> None:
    assert isinstance(judged(ReadQuote(symbol=BTC), body, status), Lost)


@pytest.mark.parametrize(
    "body",
    [
        refusal(CANCELING, 306),
        refusal(PLACING, 306, id=12),
        refusal(PLACING, 306, id="eleven"),
        json.dumps({"code": 306, "method": PLACING}),
        json.dumps({"code": 306, "id": 11}),
        json.dumps({"code": 306}),
    ],
)
def test_a_refusal_that_does_not_name_this_very_request_refuses_nothing(body: str) -> None:
    assert isinstance(judged(PLACE, body, 400), Lost)


@pytest.mark.parametrize("call", [CANCEL, ReadBalances(), READ_ORDER])
def test_what_refuses_a_placing_refuses_nothing_else(call: Call) -> None:
    method = LOOKING if call == READ_ORDER else METHODS[type(call)]

    assert isinstance(judged(call, refusal(method, 306), 500), Lost)


@pytest.mark.parametrize("echo", [{}, {"id": -1}, {"id": -1, "method": "ERROR"}])
def test_a_key_is_denied_also_where_the_exchange_read_no_further(echo: dict[str, object]) -> None:
    body = json.dumps({"code": 40101, "message": "UNAUTHORIZED", **echo})

    assert isinstance(judged(PLACE, body, 401), Denied)
    assert isinstance(judged(PLACE, body.replace("40101", "306"), 400), Lost)


def test_success_in_the_answer_of_another_request_is_lost() -> None:
    assert isinstance(judged(PLACE, enveloped(PLACING, {}, id=12)), Lost)


def test_success_with_a_status_of_failure_is_lost() -> None:
    assert isinstance(judged(PLACE, enveloped(PLACING, {}), 500), Lost)


@pytest.mark.parametrize("status", [201, 302, 401, 404, 408, 429, 502, 503])
def test_a_refusal_with_a_status_that_no_refusal_has_is_lost(status: int) -> None:
    assert isinstance(judged(PLACE, refusal(PLACING, 306), status), Lost)


def test_what_the_exchange_says_is_cleaned_cut_and_on_one_line() -> None:
    body = refusal(PLACING, 306, "a-key\n\x1b[31m" + "x" * 5000)
    heard = Heard(status=400, body=body, request_id="11")
    verdict = judge(CRYPTOCOM, PLACE, PLACING, heard, lambda said: said.replace("a-key", "***"))

    assert isinstance(verdict, Refused)
    assert "***" in verdict.reason
    assert verdict.reason.isprintable()
    assert len(verdict.reason) < 200


def test_no_secret_is_cut_in_two_and_half_of_it_told() -> None:
    for before in range(SAID_LENGTH_MAX):
        heard = Heard(status=400, body=refusal(PLACING, 306, "x" * before + "a-key"))
        verdict = judge(CRYPTOCOM, PLACE, PLACING, heard, lambda said: said.replace("a-key", "***"))
        assert "a-" not in getattr(verdict, "reason", ""), before


CODES = st.one_of(st.sampled_from([str(code) for code in ALL_CODES]), st.text(max_size=6))


@given(
    status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace")),
        st.text(max_size=200),
        st.builds(
            lambda **fields: json.dumps({k: v for k, v in fields.items() if v is not None}),
            code=st.one_of(CODES, st.sampled_from(ALL_CODES), st.floats(), st.booleans()),
            id=st.one_of(st.none(), st.just(11), st.integers(), st.text(max_size=3)),
            method=st.one_of(st.none(), st.just(PLACING), st.text(max_size=3)),
            result=st.one_of(st.none(), st.just({}), st.lists(st.integers(), max_size=2)),
        ),
    ),
)
def test_no_bytes_refuse_a_placing_but_a_listed_code(status: int, body: str) -> None:
    heard = Heard(status=status, body=body, request_id="11")
    verdict = judge(CRYPTOCOM, PLACE, PLACING, heard, lambda said: said)

    if isinstance(verdict, Refused):
        told = json.loads(body)
        assert str(told["code"]) in CRYPTOCOM.refusals
        assert (told["method"], str(told["id"])) == (PLACING, "11")
    if isinstance(verdict, Result):
        assert str(json.loads(body)["code"]) == "0"
    assert not isinstance(verdict, Answered)
