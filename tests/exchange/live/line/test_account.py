"""Looking at a whole account over the line: windows, pages, and figures that belong together."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.clock import seeded_random
from aegis.dialogue import AccountFetched, NoAnswer, OrderFound
from aegis.domain.ids import Instant, Symbol
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Lost,
    ReadBalances,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadTrades,
    Verdict,
)
from tests.domain.kit import BTC, START, USDT
from tests.exchange.live.line.kit import (
    DAY_S,
    PROFILE,
    Rig,
    account,
    find,
    page,
    replace,
    seconds,
    telling,
    trade,
    venue_order,
)

RICH = Answered(value={USDT: Decimal(1000)})
POOR = Answered(value={USDT: Decimal(900), BTC: Decimal(1)})


def at(days: float) -> Rig:
    """Give a line some days after the start."""
    rig = Rig()
    rig.clock.advance_to(Instant(START + seconds(days * DAY_S)))
    return rig


def test_an_account_at_rest_is_read_with_four_calls() -> None:
    rig = Rig()
    rig.venue.say(ReadOpenOrders, Answered(value=(venue_order(),)))
    answer = rig.ask(account())
    assert isinstance(answer, AccountFetched)
    assert answer.account.balances == {USDT: Decimal(1000)}
    assert answer.account.open_orders == (venue_order(),)
    kinds = [type(call) for _, call in rig.venue.calls]
    assert kinds == [ReadBalances, ReadOpenOrders, ReadTrades, ReadBalances]


def test_an_account_that_moved_while_it_was_read_is_read_again() -> None:
    rig = Rig()
    rig.venue.say(ReadBalances, RICH, POOR)
    rig.venue.say(ReadTrades, page(), page(trade(1, at=START + 5)))
    answer = rig.ask(account())
    assert isinstance(answer, AccountFetched)
    assert answer.account.balances == {USDT: Decimal(900), BTC: Decimal(1)}
    assert [each.trade_id for each in answer.account.trades] == ["t1"]


def test_an_account_that_never_rests_is_no_answer() -> None:
    rig = Rig()
    rig.venue.say(ReadBalances, *([RICH, POOR] * 20))
    answer = rig.ask(account())
    assert answer == NoAnswer(reason="the account moved in each of 5 readings")
    assert len(rig.venue.of(ReadBalances)) == 6


def test_positions_are_read_where_there_are_some() -> None:
    rig = Rig(has_positions=True)
    told = {Symbol("BTC/USD:USD"): Decimal(-2)}
    rig.venue.say(ReadPositions, Answered(value=told))
    answer = rig.ask(account())
    assert isinstance(answer, AccountFetched)
    assert answer.account.positions == told


@pytest.mark.parametrize("has_positions", [False, True])
def test_a_loss_may_be_owed_where_there_are_positions_alone(*, has_positions: bool) -> None:
    rig = Rig(has_positions=has_positions)
    rig.venue.say(ReadPositions, Answered(value={}))
    rig.ask(account())
    assert set(rig.venue.of(ReadBalances)) == {ReadBalances(may_owe=has_positions)}


def test_a_spot_account_has_no_positions() -> None:
    answer = Rig().ask(account())
    assert isinstance(answer, AccountFetched)
    assert answer.account.positions is None


def test_a_look_counts_as_of_its_first_call() -> None:
    rig = at(10)
    began = rig.clock.now()
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, AccountFetched)
    assert rig.clock.now() - began > seconds(10)
    assert answer.account.as_of - began <= seconds(0.05)


def test_only_the_newest_trades_are_read_again_where_the_account_moved() -> None:
    rig = at(10)
    rig.venue.say(ReadBalances, RICH, POOR)
    assert isinstance(rig.ask(account(Instant(START + 1))), AccountFetched)
    assert len(rig.venue.of(ReadTrades)) == 11 + 1


def test_a_long_reading_says_that_it_is_under_way() -> None:
    rig = at(28)
    rig.ask(account(Instant(START + 1)))
    told = [fields for event, fields in rig.lines if event == "RequestUnderWay"]
    assert told == [{"request": "FetchAccount", "calls": 25}]


def test_a_long_reading_comes_to_its_end_with_three_of_ten_calls_lost() -> None:
    rig, chance = at(28), seeded_random(3)
    tell = telling([trade(n, at=START + seconds(n * DAY_S / 2)) for n in range(1, 50)])

    def tell_or_not(call: Call) -> Verdict:
        return Lost(reason="reset") if chance.random() < 0.3 else tell(call)

    rig.venue.say(ReadTrades, tell_or_not)
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, AccountFetched)
    assert len(answer.account.trades) == 49


@pytest.mark.parametrize("kind", [ReadBalances, ReadOpenOrders, ReadTrades])
def test_an_account_of_which_a_part_is_missing_is_no_answer(kind: type) -> None:
    rig = Rig()
    rig.venue.say(kind, Lost(reason="HTML"))
    assert rig.ask(account()) == NoAnswer(reason="HTML")


def test_one_lost_page_is_read_again_and_no_other() -> None:
    rig = at(3)
    rig.venue.say(ReadTrades, page(), Lost(reason="reset"), page())
    assert isinstance(rig.ask(account(Instant(START + 1))), AccountFetched)
    assert len(rig.venue.of(ReadTrades)) == 5


def test_a_long_downtime_is_read_day_by_day_below_the_limit() -> None:
    rig = at(10)
    trades = [trade(n, at=START + seconds(n * DAY_S / 3)) for n in range(1, 30)]
    rig.venue.say(ReadTrades, telling(trades))
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, AccountFetched)
    assert list(answer.account.trades) == trades
    times_s = rig.venue.times_of(ReadTrades)
    assert len(times_s) == 11
    assert all(b - a >= 1.2 for a, b in pairwise(times_s))


def test_other_looks_go_in_between() -> None:
    rig = at(10)
    rig.venue.say(ReadOrder, Answered(value=venue_order()))
    rig.submit(account(Instant(START + 1)))
    rig.runtime.run_for(3)
    look = find()
    rig.submit(look)
    rig.runtime.run_for(0.5)
    assert isinstance(rig.answer_to(look), OrderFound)


def test_trades_are_read_no_further_back_than_they_are_kept_and_that_is_told() -> None:
    rig = at(100)
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, AccountFetched)
    kept = START + seconds(70 * DAY_S)
    assert answer.account.trades_since == pytest.approx(kept, abs=seconds(2))


def test_a_first_look_reads_a_day_of_trades_in_one_call() -> None:
    rig = at(100)
    answer = rig.ask(account(Instant(0)))
    assert isinstance(answer, AccountFetched)
    begun = START + seconds(99 * DAY_S)
    assert answer.account.trades_since == pytest.approx(begun, abs=seconds(600))
    assert len(rig.venue.of(ReadTrades)) == 1


def test_a_trade_that_is_told_in_two_ways_is_no_answer() -> None:
    rig = at(2)
    told = trade(1, at=START + seconds(DAY_S))
    rig.venue.say(ReadTrades, page(told), page(replace(told, amount=Decimal(2))))
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, NoAnswer)
    assert "t1" in answer.reason


@given(
    st.lists(st.integers(min_value=0, max_value=90), min_size=8, max_size=60),
    st.integers(min_value=1, max_value=7),
    st.sampled_from([seconds(1), 1_000_000_007]),
    st.sampled_from(["eldest", "newest"]),
)
def test_no_trade_is_left_out_whatever_pages_and_windows_there_are(
    offsets_s: list[int], rows: int, step: int, end: str
) -> None:
    rows = max(rows, max((offsets_s.count(each) for each in offsets_s), default=0) + 1)
    rig = Rig(replace(PROFILE, trades_window_s=60, rates={}))
    rig.clock.advance_to(Instant(START + seconds(401)))
    trades = [trade(n, at=START + 1 + each * step) for n, each in enumerate(offsets_s)]
    trades = [each for each in trades if each.at <= rig.clock.now()]
    rig.venue.say(ReadTrades, telling(trades, rows, end=end))
    answer = rig.ask(account(Instant(START + 1)))
    assert isinstance(answer, AccountFetched)
    assert {each.trade_id for each in answer.account.trades} == {each.trade_id for each in trades}
