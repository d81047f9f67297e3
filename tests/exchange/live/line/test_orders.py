"""Placing and cancelling over the line: sent once, in time, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from aegis.dialogue import (
    CancelAccepted,
    ExchangeAnswer,
    FetchQuote,
    NoAnswer,
    OrderPlaced,
    RequestRefused,
)
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Outcome,
    Place,
    ReadOrder,
    ReadQuote,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.profile import Rate
from supervisors.seeded import Fate
from tests.domain.kit import BTC_USDT
from tests.exchange.live.line.kit import OID, PROFILE, Rig, cancel, find, replace, seconds

ORDERS = "exchange-orders"


def code_of(answer: ExchangeAnswer) -> str:
    assert isinstance(answer, RequestRefused), answer
    return answer.code


def test_an_order_is_placed_with_one_call() -> None:
    rig = Rig().measure()
    request = rig.entry()
    placed = OrderPlaced(client_order_id=request.client_order_id, exchange_order_id=OID)
    assert rig.ask(request) == placed
    (call,) = rig.venue.of(Place)
    assert isinstance(call, Place)
    assert call.order == request


def test_a_placing_is_dated_on_the_exchange_s_clock_no_later_than_it_may_leave() -> None:
    rig = Rig().measure()
    rig.venue.ahead_s = 2.0
    rig.ask(find())
    request = rig.exit()
    rig.ask(request)
    (call,) = rig.venue.of(Place)
    assert isinstance(call, Place)
    assert call.dated_ms_max is not None
    latest_s = call.dated_ms_max / 1000 - request.sent_at / NANOS_PER_SECOND
    assert latest_s == pytest.approx(2.0 + 15.0, abs=0.6)


def test_a_cancel_is_made_with_one_call() -> None:
    rig = Rig()
    assert rig.ask(cancel()) == CancelAccepted(client_order_id=cancel().client_order_id)
    assert len(rig.venue.of(Cancel)) == 1


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Refused(code="insufficient_funds", venue_code="306", reason="no"), "insufficient_funds"),
        (Refused(code="duplicate_id", venue_code="204", reason="known"), "duplicate_id"),
        (Limited(retry_after_s=None, reason="slow down"), "held_back"),
        (Skewed(reason="nonce"), "held_back"),
        (Denied(reason="no such key"), "key_denied"),
    ],
)
def test_a_definite_no_to_a_placing_is_a_refusal(verdict: Verdict, code: str) -> None:
    rig = Rig().measure()
    rig.venue.say(Place, verdict)
    assert code_of(rig.ask(rig.exit())) == code


@pytest.mark.parametrize(
    "verdict",
    [
        Lost(reason="reset"),
        Answered(value=None),
        Answered(value={}),
        Refused(code="a", venue_code="1", reason="b"),
        Limited(retry_after_s=0.1, reason="slow down"),
        Skewed(reason="nonce"),
        Denied(reason="no such key"),
    ],
)
def test_a_placing_is_never_sent_twice(verdict: Verdict) -> None:
    rig = Rig().measure()
    rig.venue.say(Place, verdict, Answered(value=OID))
    rig.ask(rig.exit())
    assert len(rig.venue.of(Place)) == 1


@pytest.mark.parametrize("verdict", [Lost(reason="reset"), Answered(value=None)])
def test_what_is_nothing_definite_is_no_answer(verdict: Verdict) -> None:
    rig = Rig().measure()
    rig.venue.say(Place, verdict)
    assert isinstance(rig.ask(rig.exit()), NoAnswer)


def test_a_placing_whose_answer_is_lost_is_no_answer() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_answer_lost=True)}).measure()
    assert rig.ask(rig.exit()) == NoAnswer(reason="no answer within 10 s")
    assert len(rig.venue.of(Place)) == 1


def test_a_placing_that_never_left_is_a_definite_no() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_effect_lost=True)}).measure()
    assert code_of(rig.ask(rig.exit())) == "held_back"
    assert rig.venue.of(Place) == []


def test_a_placing_that_was_given_up_before_it_left_never_leaves() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(effect_delay_s=11)}).measure()
    assert code_of(rig.ask(rig.exit())) == "held_back"
    rig.runtime.run_for(60)
    assert rig.venue.of(Place) == []


def test_a_placing_does_not_leave_long_after_its_time() -> None:
    rig = Rig().measure()
    late = replace(rig.exit(), sent_at=Instant(rig.clock.now() - seconds(16)))
    assert code_of(rig.ask(late)) == "held_back"
    assert rig.venue.of(Place) == []


def test_a_client_whose_call_overran_is_replaced() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_answer_lost=True)}).measure()
    rig.ask(rig.exit(1))
    rig.ask(rig.exit(2))
    assert rig.venue.clients == 2
    assert "ClientReplaced" in rig.events()


def test_what_a_replaced_client_says_later_is_not_heard() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(answer_delay_s=15)}).measure()
    rig.submit(rig.exit(1))
    rig.runtime.run_for(60)
    assert [type(each.answer) for each in rig.heard] == [NoAnswer]


def test_a_client_that_cannot_be_made_leaves_an_order_definitely_unsent() -> None:
    rig = Rig().measure()

    def broken() -> Callable[[Call], Outcome]:
        raise PermissionError("/run/keys/SECRET")

    rig.line.renew(broken)
    answer = rig.ask(rig.exit())
    assert answer == RequestRefused(code="held_back", reason="the client failed: PermissionError")


def test_a_client_that_raises_in_a_placing_says_nothing_definite() -> None:
    rig = Rig().measure()

    def bug(_call: Call) -> Verdict:
        raise KeyError("SECRET")

    rig.venue.say(Place, bug)
    assert rig.ask(rig.exit()) == NoAnswer(reason="the client failed: KeyError")
    assert "SECRET" not in str(rig.lines)


def test_exits_and_cancels_go_before_entries() -> None:
    rig = Rig().measure()
    rig.submit(rig.entry(1), rig.entry(2), cancel(), rig.exit(3))
    rig.runtime.run_until_quiet()
    kinds = [
        call.order.reduce_only if isinstance(call, Place) else "cancel"
        for _, call in rig.venue.calls
    ]
    assert kinds == [False, True, "cancel", False]  # the first was under way already


def test_an_exit_waits_for_the_call_before_it_and_no_longer() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_answer_lost=True)}).measure()
    began_s = rig.clock.monotonic()
    rig.submit(rig.entry(1))
    rig.submit(rig.exit(2))
    rig.runtime.run_until_quiet()
    assert rig.venue.times_of(Place)[1] - began_s <= 10.1


def test_an_entry_that_would_have_to_wait_is_held_back() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_answer_lost=True)}).measure()
    entry = rig.entry(2)
    rig.submit(rig.exit(1), entry)
    rig.runtime.run_for(2.1)
    assert code_of(rig.answer_to(entry)) == "held_back"
    rig.runtime.run_for(60)
    assert len(rig.venue.of(Place)) == 1


def test_an_exit_tries_a_key_that_was_denied_to_the_order_before() -> None:
    rig = Rig().measure()
    rig.venue.say(Place, Denied(reason="40101"), Answered(value=OID))
    assert code_of(rig.ask(rig.exit(1))) == "key_denied"
    assert isinstance(rig.ask(rig.exit(2)), OrderPlaced)


def test_a_look_does_not_wait_for_an_order() -> None:
    rig = Rig(faults={(ORDERS, 1): Fate(is_answer_lost=True)}).measure()
    rig.submit(rig.exit(1), find())
    rig.runtime.run_for(1)
    assert len(rig.venue.of(ReadOrder)) == 1
    assert len(rig.heard) == 1


def test_placings_stay_below_the_published_limit_and_exits_have_room() -> None:
    profile = replace(PROFILE, rates={"Place": Rate(calls=10, per_s=60.0)})
    rig = Rig(profile).measure()
    entries = [rig.ask(rig.entry(number)) for number in range(7)]
    assert [type(answer) for answer in entries] == [OrderPlaced] * 6 + [RequestRefused]
    exits = [rig.ask(rig.exit(10 + number)) for number in range(3)]
    assert [type(answer) for answer in exits] == [OrderPlaced] * 2 + [RequestRefused]


def test_an_exit_waits_out_a_short_ban() -> None:
    rig = Rig().measure()
    rig.venue.say(Cancel, Limited(retry_after_s=5.0, reason="too fast"), Answered(value=None))
    rig.submit(cancel())
    rig.runtime.run_for(0.5)
    began_s = rig.clock.monotonic()
    assert isinstance(rig.ask(rig.exit()), OrderPlaced)
    assert rig.venue.times_of(Place)[0] - began_s == pytest.approx(4.5, abs=0.2)


def test_nothing_is_called_in_a_ban_and_an_exit_is_told_at_once() -> None:
    rig = Rig().measure()
    rig.venue.say(Cancel, Limited(retry_after_s=300.0, reason="banned"))
    rig.ask(cancel())
    called = len(rig.venue.calls)
    assert code_of(rig.ask(rig.exit())) == "held_back"
    assert isinstance(rig.ask(find()), NoAnswer)
    assert len(rig.venue.calls) == called
    assert rig.line.hold() == "the exchange wants no calls for 300 s: banned"
    rig.runtime.run_for(301)
    assert rig.line.hold() is None
    assert isinstance(rig.ask(rig.exit()), OrderPlaced)


def test_a_ban_of_what_anybody_may_ask_keeps_no_order_back() -> None:
    rig = Rig().measure()
    rig.venue.say(ReadQuote, Limited(retry_after_s=300.0, reason="too fast"))
    rig.ask(FetchQuote(symbol=BTC_USDT))
    assert isinstance(rig.ask(rig.exit()), OrderPlaced)
    assert isinstance(rig.ask(rig.entry(1)), OrderPlaced)
    rig.ask(FetchQuote(symbol=BTC_USDT))
    assert len(rig.venue.of(ReadQuote)) == 1


def test_an_amount_reaches_the_client_as_it_was_asked() -> None:
    rig = Rig().measure()
    request = replace(rig.entry(), amount=Decimal("0.123456789012345678"))
    rig.ask(request)
    (call,) = rig.venue.of(Place)
    assert isinstance(call, Place)
    assert call.order == request
