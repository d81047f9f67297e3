"""Looking up over the line: trades that add up, retries, bans, keys, and the exchange's clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.dialogue import (
    BalanceFetched,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Place,
    ReadBalances,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadQuote,
    ReadTrades,
    Skewed,
    Verdict,
)
from aegis.exchange.live.line.breaker import PAUSE_S_FIRST
from aegis.exchange.live.line.line import TALLY_S
from aegis.exchange.live.line.retry import JITTER_LEAST
from aegis.exchange.live.line.tally import Tally
from aegis.vitals import CallFigures
from supervisors.seeded import Fate
from tests.domain.kit import BTC_USDT, START
from tests.exchange.live.line.kit import (
    DAY_S,
    KEY,
    OID,
    Rig,
    cancel,
    find,
    page,
    replace,
    seconds,
    telling,
    trade,
    venue_order,
)

LOOKS, ORDERS = "exchange-looks", "exchange-orders"
LOST = Lost(reason="502 Bad Gateway")


# One order ------------------------------------------------------------------------------------


def test_an_order_without_fills_is_found_with_one_call() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, Answered(value=venue_order()))
    assert rig.ask(find()) == OrderFound(order=venue_order(), trades=())
    assert len(rig.venue.calls) == 1


def test_an_order_with_fills_is_found_with_its_own_trades() -> None:
    rig = Rig()
    mine, other = trade(1), trade(2, oid="another")
    rig.venue.say(ReadOrder, Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, page(other, mine))
    assert rig.ask(find()) == OrderFound(order=venue_order("1"), trades=(mine,))


def test_trades_that_are_listed_a_moment_later_are_waited_for() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, page(trade(1, "0.4")), page(trade(1, "0.4"), trade(2, "0.6")))
    found = rig.ask(find())
    assert isinstance(found, OrderFound)
    assert [each.trade_id for each in found.trades] == ["t1", "t2"]


def test_an_order_whose_trades_do_not_add_up_is_no_answer() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, page(trade(1, "0.4")))
    assert rig.ask(find()) == NoAnswer(reason="trades lag: order says 1, its trades 0.4")
    assert len(rig.venue.of(ReadOrder)) == 3


def test_an_order_that_fills_while_it_is_looked_at_is_looked_at_again() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, Answered(value=venue_order("0.4")), Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, page(trade(1, "0.4"), trade(2, "0.6")))
    found = rig.ask(find())
    assert isinstance(found, OrderFound)
    assert found.order == venue_order("1")


def test_an_order_of_another_id_is_no_answer() -> None:
    rig = Rig()
    other = replace(venue_order(), client_order_id="another")
    rig.venue.say(ReadOrder, Answered(value=other))
    assert isinstance(rig.ask(find()), NoAnswer)


def test_trades_of_an_order_that_rested_for_days_are_read_back_to_the_first() -> None:
    rig = Rig()
    first, last = trade(1, "0.4", at=START + 7), trade(2, "0.6", at=START + seconds(3 * DAY_S))
    rig.clock.advance_to(Instant(START + seconds(3 * DAY_S + 60)))
    rig.venue.say(ReadOrder, Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, telling([first, last]))
    assert rig.ask(find()) == OrderFound(order=venue_order("1"), trades=(first, last))
    windows = rig.venue.of(ReadTrades)
    assert all(
        isinstance(call, ReadTrades) and call.until - call.since <= seconds(DAY_S)
        for call in windows
    )
    assert len(windows) == 4


def test_no_more_trades_are_read_than_it_takes() -> None:
    rig = Rig()
    rig.clock.advance_to(Instant(START + seconds(9 * DAY_S)))
    rig.venue.say(ReadOrder, Answered(value=venue_order("1")))
    rig.venue.say(ReadTrades, telling([trade(1, at=START + seconds(9 * DAY_S - 5))]))
    rig.ask(find())
    assert len(rig.venue.of(ReadTrades)) == 1


def test_an_unknown_order_is_not_found_as_of_before_the_look() -> None:
    rig = Rig()
    began = rig.clock.now()
    answer = rig.ask(find())
    assert isinstance(answer, OrderNotFound)
    assert answer.as_of <= began + seconds(0.05)


@pytest.mark.parametrize(("ahead_s", "expected_s"), [(0.0, 30.0), (3600.0, 30.0), (-3600.0, -3570)])
def test_not_found_counts_as_of_the_earlier_clock(ahead_s: float, expected_s: float) -> None:
    rig = Rig()
    rig.venue.ahead_s = ahead_s
    rig.runtime.run_for(30)
    answer = rig.ask(find())
    assert isinstance(answer, OrderNotFound)
    assert (answer.as_of - START) / 1e9 == pytest.approx(expected_s, abs=1.1)


def test_not_found_counts_no_more_time_than_has_passed_since_the_placing() -> None:
    rig = Rig().measure()
    placed = replace(rig.exit(), client_order_id=KEY, sent_at=Instant(rig.clock.now() - seconds(9)))
    rig.ask(placed)
    rig.runtime.run_for(5)
    answer = rig.ask(find())
    assert isinstance(answer, OrderNotFound)
    assert (answer.as_of - placed.sent_at) / 1e9 == pytest.approx(5.0, abs=0.1)


def test_trades_of_many_digits_make_up_exactly_what_was_filled() -> None:
    """More of them than a decimal has by default."""
    rig = Rig()
    rig.venue.say(ReadOrder, Answered(value=venue_order("100000000000.00000000000000000001")))
    rig.venue.say(ReadTrades, page(trade(1, "100000000000"), trade(2, "0.00000000000000000001")))
    assert isinstance(rig.ask(find()), OrderFound)


# The market -----------------------------------------------------------------------------------


def test_a_symbol_without_a_price_has_no_quote() -> None:
    answer = Rig().ask(FetchQuote(symbol=BTC_USDT))
    assert isinstance(answer, QuoteFetched)
    assert answer.quote is None


def test_what_anybody_may_ask_is_no_measure_of_the_exchange_s_clock() -> None:
    rig = Rig()
    assert isinstance(rig.ask(FetchQuote(symbol=BTC_USDT)), QuoteFetched)
    assert rig.line.hold() == "the exchange's clock was not measured yet"


@pytest.mark.parametrize("is_anew", [False, True])
def test_instruments_are_fetched(*, is_anew: bool) -> None:
    rig = Rig()
    answer = rig.ask(FetchInstruments(symbols=(BTC_USDT,), is_anew=is_anew))
    assert answer == InstrumentsFetched(instruments=())
    assert rig.venue.of(ReadInstruments) == [ReadInstruments(symbols=(BTC_USDT,), is_anew=is_anew)]


def test_a_quote_is_asked_for_once_because_the_next_one_is_fresher() -> None:
    rig = Rig()
    rig.venue.say(ReadQuote, LOST)
    assert isinstance(rig.ask(FetchQuote(symbol=BTC_USDT)), NoAnswer)
    assert len(rig.venue.calls) == 1


# Again ----------------------------------------------------------------------------------------


def test_a_look_in_vain_is_tried_again_after_a_pause() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, LOST, Answered(value=venue_order()))
    assert isinstance(rig.ask(find()), OrderFound)
    first_s, second_s = rig.venue.times_of(ReadOrder)
    assert 0.125 <= second_s - first_s <= 0.35


def test_tries_are_bounded() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, LOST)
    assert rig.ask(find()) == NoAnswer(reason="502 Bad Gateway")
    assert len(rig.venue.of(ReadOrder)) == 3


def test_a_cancel_in_vain_is_its_askers_to_repeat() -> None:
    rig = Rig()
    rig.venue.say(Cancel, LOST)
    assert rig.ask(cancel()) == NoAnswer(reason="502 Bad Gateway")
    assert len(rig.venue.of(Cancel)) == 1


@pytest.mark.parametrize("verdict", [Answered(value={}), Answered(value=7)])  # type: ignore[arg-type]
def test_an_answer_of_another_kind_is_no_answer(verdict: Verdict) -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, verdict)
    assert isinstance(rig.ask(find()), NoAnswer)


def test_a_look_that_was_one_too_many_is_made_when_it_may_be() -> None:
    rig = Rig()
    rig.venue.say(
        ReadOrder, Limited(retry_after_s=None, reason="42901"), Answered(value=venue_order())
    )
    assert isinstance(rig.ask(find()), OrderFound)
    first_s, second_s = rig.venue.times_of(ReadOrder)
    assert 0.5 <= second_s - first_s <= 1.1


def test_pauses_begin_anew_once_a_call_was_not_too_many() -> None:
    rig = Rig()
    limited, found = Limited(retry_after_s=None, reason="42901"), Answered(value=venue_order())
    rig.venue.say(ReadOrder, limited, limited, found, limited, found)
    rig.ask(find())
    rig.ask(find())
    times_s = rig.venue.times_of(ReadOrder)
    assert 1.0 <= times_s[2] - times_s[1] <= 2.1
    assert 0.5 <= times_s[4] - times_s[3] <= 1.1


def test_a_limit_of_one_kind_of_call_leaves_the_others_alone() -> None:
    rig = Rig().measure()
    rig.venue.say(ReadOrder, Limited(retry_after_s=None, reason="42901"))
    rig.submit(find())
    rig.runtime.run_for(0.2)
    assert isinstance(rig.ask(rig.entry()), OrderPlaced)


def test_a_time_that_was_refused_is_measured_and_the_look_repeated_once() -> None:
    rig = Rig()
    rig.venue.ahead_s = 90.0
    rig.venue.say(ReadOrder, Skewed(reason="40102"))
    assert isinstance(rig.ask(find()), NoAnswer)
    assert len(rig.venue.of(ReadOrder)) == 2
    assert rig.server_clock.now() - rig.clock.now() == pytest.approx(seconds(90), abs=seconds(1))


# The breaker ----------------------------------------------------------------------------------


def broken() -> Rig:
    """Give a line whose looks were in vain until its breaker opened."""
    rig = Rig().measure()
    rig.venue.say(ReadOrder, LOST)
    rig.ask(find())
    rig.submit(find())
    rig.runtime.run_for(0.5)
    assert "LaneOpened" in rig.events()
    return rig


def test_silence_in_a_row_holds_entries_and_no_exit() -> None:
    rig = broken()
    assert rig.line.hold() == "nobody answered the last 5 calls of looks"
    refused = rig.ask(rig.entry(1))
    assert isinstance(refused, RequestRefused)
    assert refused.code == "held_back"
    assert isinstance(rig.ask(rig.exit(2)), OrderPlaced)


def test_an_open_breaker_lets_a_probe_go_after_its_pause_and_an_answer_closes_it() -> None:
    rig = broken()
    rig.venue.say(ReadOrder, Answered(value=venue_order()))
    assert isinstance(rig.ask(find()), OrderFound)
    assert rig.line.hold() is None
    assert rig.events()[-1] == "LaneClosed"


def test_an_open_breaker_keeps_no_kind_of_call_back_that_was_not_in_vain_itself() -> None:
    rig = broken()
    rig.venue.say(ReadBalances, Answered(value={}))
    assert isinstance(rig.ask(FetchBalance(symbol=BTC_USDT, asked_at=START)), BalanceFetched)
    (left_s,) = rig.venue.times_of(ReadBalances)
    assert left_s - rig.venue.times_of(ReadOrder)[4] < PAUSE_S_FIRST * JITTER_LEAST


def test_of_a_kind_whose_last_call_was_in_vain_an_open_breaker_lets_no_more_go() -> None:
    rig = broken()
    rig.venue.say(ReadBalances, LOST, Answered(value={}))
    rig.submit(FetchBalance(symbol=BTC_USDT, asked_at=START))
    rig.runtime.run_for(0.3)
    assert len(rig.venue.of(ReadBalances)) == 1
    assert rig.line.hold() is not None


def test_a_lane_that_rests_is_probed_until_somebody_answers_and_nobody_has_to_ask() -> None:
    rig = broken()
    rig.venue.say(ReadOpenOrders, LOST, LOST, Answered(value=()))
    rig.runtime.run_for(60)
    assert rig.line.hold() is None
    assert rig.events()[-1] == "LaneClosed"
    times_s = rig.venue.times_of(ReadOpenOrders)
    pauses_s = [after - before for before, after in pairwise(times_s)]
    assert len(times_s) == 3
    assert all(0.5 <= pause_s <= 9.0 for pause_s in pauses_s)


def test_probes_come_ever_later_while_nobody_answers() -> None:
    rig = broken()
    rig.venue.say(ReadOpenOrders, LOST)
    rig.runtime.run_for(600)
    assert 20 <= len(rig.venue.of(ReadOpenOrders)) <= 45


def test_a_lane_that_is_well_is_not_probed() -> None:
    rig = Rig().measure()
    rig.ask(find())
    rig.runtime.run_for(600)
    assert len(rig.venue.calls) == 1


def test_an_exit_waits_for_a_probe_no_longer_than_two_seconds() -> None:
    faults = {(ORDERS, ordinal): Fate(is_answer_lost=True) for ordinal in range(1, 10)}
    rig = Rig(faults=faults).measure()
    for number in range(5):
        rig.submit(rig.exit(number))
        rig.runtime.run_for(10.5)
    assert "LaneOpened" in rig.events()
    rig.runtime.run_for(1.1)
    assert len(rig.venue.of(ReadOpenOrders)) == 1  # under way, and never answered
    began_s = rig.clock.monotonic()
    rig.submit(rig.exit(9))
    rig.runtime.run_for(5)
    assert rig.venue.times_of(Place)[5] - began_s <= 2.1


# The key --------------------------------------------------------------------------------------


def denied() -> Rig:
    rig = Rig().measure()
    rig.venue.say(ReadOrder, Denied(reason="40101"))
    answer = rig.ask(find())
    assert answer == RequestRefused(code="key_denied", reason="40101")
    return rig


def test_a_denied_key_is_said_once_and_tried_slowly() -> None:
    rig = denied()
    for _ in range(59):
        assert getattr(rig.ask(find()), "code", "") == "key_denied"
        rig.runtime.run_for(1.0)
    assert len(rig.venue.of(ReadOrder)) == 1
    rig.runtime.run_for(2.0)
    rig.ask(find())
    assert len(rig.venue.of(ReadOrder)) == 2
    assert rig.events().count("KeyDenied") == 1


def test_a_denied_key_holds_entries_and_lets_exits_try() -> None:
    rig = denied()
    assert rig.line.hold() == "the exchange does not take the key: 40101"
    assert isinstance(rig.ask(rig.entry(1)), RequestRefused)
    assert isinstance(rig.ask(rig.exit(2)), OrderPlaced)
    rig.runtime.run_for(61)
    assert rig.line.hold() is None


def test_a_key_that_is_taken_again_is_said() -> None:
    rig = denied()
    rig.venue.say(ReadOrder, Answered(value=None))
    rig.runtime.run_for(61)
    assert isinstance(rig.ask(find()), OrderNotFound)
    assert rig.line.hold() is None
    assert rig.events()[-1] == "KeyAccepted"


def test_a_denial_is_told_as_what_no_time_ends_while_it_is_fresh() -> None:
    rig = denied()
    assert rig.line.vitals().needs_person == "the exchange does not take the key: 40101"
    rig.venue.say(ReadOrder, Answered(value=None))
    rig.runtime.run_for(61)
    rig.ask(find())
    assert rig.line.vitals().needs_person is None


def test_a_denied_key_lets_no_exit_pass_until_it_is_taken_however_long_ago_it_was_tried() -> None:
    rig = denied()
    rig.runtime.run_for(61)
    assert rig.line.vitals().exits_wait == "the exchange does not take the key: 40101"
    rig.venue.say(ReadOrder, Answered(value=None))
    rig.ask(find())
    assert rig.line.vitals().exits_wait is None


@pytest.mark.parametrize(("retry_after_s", "lasts_s"), [(None, 3), (20.0, 21)])
def test_a_ban_and_a_limit_of_placings_let_no_exit_pass_until_they_are_over(
    retry_after_s: float | None, lasts_s: float
) -> None:
    rig = Rig().measure()
    rig.venue.say(Place, Limited(retry_after_s=retry_after_s, reason="42901"))
    rig.ask(rig.exit(1))
    assert "42901" in (rig.line.vitals().exits_wait or "")
    rig.runtime.run_for(lasts_s)
    assert rig.line.vitals().exits_wait is None


def test_a_key_that_one_lane_finds_taken_is_tried_by_the_others_at_once() -> None:
    rig = Rig().measure()
    rig.venue.say(ReadOrder, Denied(reason="40101"))
    rig.ask(find())
    rig.runtime.run_for(30)
    rig.venue.say(Place, Denied(reason="40101"), Answered(value=OID))
    rig.ask(rig.exit(1))
    rig.runtime.run_for(31)
    rig.venue.say(ReadOrder, Answered(value=None))
    rig.ask(find())
    assert rig.line.vitals().exits_wait is None
    assert isinstance(rig.ask(rig.entry(2)), OrderPlaced)


def test_new_keys_are_tried_at_once_with_a_client_of_their_own() -> None:
    rig = denied()
    rig.venue.say(ReadOrder, Answered(value=None))
    rig.line.renew(rig.venue.make)
    clients = rig.venue.clients
    assert isinstance(rig.ask(find()), OrderNotFound)
    assert rig.venue.clients == clients + 1


# The clock ------------------------------------------------------------------------------------


def test_entries_wait_until_the_clock_was_measured() -> None:
    rig = Rig()
    assert isinstance(rig.ask(rig.entry(1)), RequestRefused)
    rig.ask(find())
    assert isinstance(rig.ask(rig.entry(2)), OrderPlaced)


@pytest.mark.parametrize("ahead_s", [5.0, -5.0])
def test_entries_wait_while_the_clocks_are_apart_and_exits_do_not(ahead_s: float) -> None:
    rig = Rig().measure()
    rig.venue.ahead_s = ahead_s
    rig.ask(find())
    assert isinstance(rig.ask(rig.entry(1)), RequestRefused)
    assert isinstance(rig.ask(rig.exit(2)), OrderPlaced)
    rig.venue.ahead_s = 0.0
    rig.ask(find())
    assert isinstance(rig.ask(rig.entry(3)), OrderPlaced)
    assert rig.events() == ["ClocksAgree", "ClocksApart", "ClocksAgree"]


def test_clocks_that_are_apart_are_compared_again_though_nobody_asks() -> None:
    rig = Rig().measure()
    rig.venue.ahead_s = 5.0
    rig.ask(find())
    assert rig.line.hold() is not None
    rig.venue.ahead_s = 0.0
    rig.runtime.run_for(61)
    assert rig.line.hold() is None


# Bounds ---------------------------------------------------------------------------------------


def test_each_request_is_answered_once_through_all_faults() -> None:
    faults = {
        (LOOKS, ordinal): Fate(
            is_answer_lost=ordinal % 3 == 0, is_effect_lost=ordinal % 4 == 0, answer_delay_s=3.0
        )
        for ordinal in range(0, 200, 2)
    }
    rig = Rig(faults=faults)
    verdicts: list[Verdict] = [LOST, Limited(retry_after_s=0.5, reason="x"), Skewed(reason="y")]
    rig.venue.say(ReadOrder, *verdicts * 5, Answered(value=venue_order()))
    rig.submit(*(find() for _ in range(20)))
    rig.runtime.run_until_quiet()
    assert len(rig.heard) == 20


def test_more_requests_than_can_be_answered_are_refused_at_once() -> None:
    rig = Rig(faults={(LOOKS, 0): Fate(is_answer_lost=True)})
    rig.submit(*(find() for _ in range(1001)))
    assert [type(each.answer) for each in rig.heard] == [NoAnswer]


def test_instruments_in_vain_are_tried_again() -> None:
    rig = Rig()

    def bug(_call: Call) -> Verdict:
        raise ValueError

    rig.venue.say(ReadInstruments, bug, LOST, Answered(value=()))
    assert isinstance(rig.ask(FetchInstruments(symbols=())), InstrumentsFetched)
    assert len(rig.venue.of(Place)) == 0


# How calls fared ------------------------------------------------------------------------------


def figures(rig: Rig) -> dict[str, CallFigures]:
    """Return the figures of the first interval, by call."""
    rig.runtime.run_for(TALLY_S + 1)
    (note,) = rig.notes
    assert note.interval_s == TALLY_S
    return {each.call: each for each in note.calls}


def test_calls_are_told_by_kind_once_an_interval() -> None:
    rig = Rig()
    for _ in range(3):
        rig.ask(find())
    rig.ask(cancel())
    told = figures(rig)
    assert {name: (each.count, each.failed) for name, each in told.items()} == {
        "ReadOrder": (3, 0),
        "Cancel": (1, 0),
    }


def test_an_interval_without_calls_is_not_told() -> None:
    rig = Rig()
    rig.ask(find())
    rig.runtime.run_for(5 * TALLY_S)
    assert len(rig.notes) == 1


def test_failures_are_counted_with_the_last_of_them() -> None:
    rig = Rig()
    rig.venue.say(ReadOrder, Limited(retry_after_s=None, reason="x"), LOST, Answered(value=None))
    rig.ask(find())
    told = figures(rig)["ReadOrder"]
    assert (told.count, told.failed, told.last_error) == (3, 2, "Lost")


def test_a_call_that_overran_counts_with_all_of_its_time() -> None:
    rig = Rig(faults={(LOOKS, 0): Fate(is_answer_lost=True)})
    rig.ask(find())
    rig.ask(find())
    told = figures(rig)["ReadOrder"]
    assert (told.count, told.failed) == (2, 1)
    assert told.ms_max == pytest.approx(10_000, abs=50)
    assert told.ms_p50 < 50


def test_a_call_that_never_left_is_not_counted() -> None:
    rig = Rig().measure()
    rig.venue.ahead_s = 90.0
    rig.ask(find())
    rig.ask(rig.entry())
    assert "Place" not in figures(rig)


@given(st.lists(st.integers(min_value=0, max_value=9_999), min_size=1, max_size=300))
def test_ranks_are_durations_that_were_measured(durations_ms: list[int]) -> None:
    tally = Tally()
    for duration_ms in durations_ms:
        tally.note(ReadOrder, duration_ms / 1000, Answered(value=None), 200)
    (told,) = tally.take()
    ranked = sorted(durations_ms)
    assert told.ms_max == ranked[-1]
    assert sum(each <= told.ms_p50 for each in ranked) * 2 >= len(ranked)
    assert sum(each < told.ms_p50 for each in ranked) * 2 < len(ranked)
    assert sum(each < told.ms_p99 for each in ranked) < 0.99 * len(ranked)
    assert tally.take() == ()


# How it is ------------------------------------------------------------------------------------


def test_the_state_of_each_lane_is_there_to_be_seen() -> None:
    rig = broken()
    seen = rig.line.vitals()
    assert {lane.name: lane.breaker for lane in seen.lanes} == {
        "orders": "closed",
        "looks": "open",
        "quotes": "closed",
    }
    assert seen.hold == rig.line.hold()
    assert seen.offset_s == pytest.approx(0.0, abs=0.6)
