"""When a position must be left, how often it is tried again, and when a day begins."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.candles import Candle
from aegis.domain.commands import EndOrder, Quote, RaiseStop
from aegis.domain.guard import (
    ExitReason,
    ExitWanted,
    Seen,
    exit_order,
    is_mark_due,
    is_mark_due_of,
    is_peak_due,
    is_stopless,
    mid_of,
    opening_stops,
    quote_of,
    raised_along,
    seen_with,
    watch,
)
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.instants import day_start
from aegis.domain.leaving import exit_limit, is_last_resort, last_resort, retry_after_s
from aegis.domain.money import ZERO, floor_to, minus, percent_of, times
from aegis.domain.order import OrderStep, OrderType, Role, Side
from aegis.domain.position import Position, StopPolicy
from aegis.exchange.outcomes import request_to_place
from tests.domain.kit import BTC_USDT, START, Desk, decimals, end, entry, exit_of, quote, seconds

NO_POLICY = StopPolicy(stop_loss_pct=Decimal(0))
FIXED = StopPolicy(stop_loss_pct=Decimal(2), take_profit_pct=Decimal(4))
TRAILING = StopPolicy(stop_loss_pct=Decimal(2), trailing_stop_pct=Decimal(1))
KEY = ClientOrderId("an-exit")
STOP = ExitWanted(reason=ExitReason.STOP_LOSS, trigger_price=Decimal(98))


def holding(policy: StopPolicy = FIXED, price: str = "100") -> Position:
    return Desk().holding("1", price, policy)


def after(position: Position, wanted: object) -> Position:
    """Return a position after what Guard wanted of it was done."""
    assert isinstance(wanted, RaiseStop), f"Expected a raise, was {wanted}"
    return msgspec.structs.replace(position, stop_price=wanted.stop_price)


# Stops ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "stop", "target"),
    [
        (FIXED, "98", "104"),
        (NO_POLICY, None, None),
        (StopPolicy(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(4)), None, "104"),
        (StopPolicy(stop_loss_pct=Decimal(0), trailing_stop_pct=Decimal(3)), "97", None),
        (TRAILING, "99", None),
        (StopPolicy(stop_loss_pct=Decimal(1), trailing_stop_pct=Decimal(3)), "99", None),
    ],
)
def test_the_policy_sets_stop_and_target(
    policy: StopPolicy, stop: str | None, target: str | None
) -> None:
    expected = tuple(None if each is None else Decimal(each) for each in (stop, target))
    assert opening_stops(holding(policy), Decimal(100)) == expected


def test_stop_and_target_are_rounded_away_from_the_price() -> None:
    assert opening_stops(holding(), Decimal("33.33")) == decimals("32.66", "34.67")


def test_a_stop_on_a_coarse_grid_is_never_zero() -> None:
    stop, _ = opening_stops(holding(), Decimal("0.01"))
    assert stop == Decimal("0.01")


@pytest.mark.parametrize("bid", ["98", "97.99", "0.01"])
def test_a_bid_at_the_stop_or_below_leaves(bid: str) -> None:
    assert watch(holding(), Decimal(bid)) == STOP


@pytest.mark.parametrize("bid", ["104", "104.01", "9999"])
def test_a_bid_at_the_target_or_above_leaves(bid: str) -> None:
    wanted = watch(holding(), Decimal(bid))
    assert wanted == ExitWanted(reason=ExitReason.TAKE_PROFIT, trigger_price=Decimal(104))


@pytest.mark.parametrize("bid", ["98.01", "100", "103.99"])
def test_a_bid_between_stop_and_target_wants_nothing(bid: str) -> None:
    assert watch(holding(), Decimal(bid)) is None


def test_a_position_without_a_policy_is_left_alone() -> None:
    for bid in decimals("0.01", 1, 100, 10**6):
        assert watch(holding(NO_POLICY), bid) is None


def test_a_stop_comes_before_a_target_that_was_reached_as_well() -> None:
    crossed = msgspec.structs.replace(holding(), stop_price=Decimal(105))
    wanted = watch(crossed, Decimal("104.5"))
    assert isinstance(wanted, ExitWanted)
    assert wanted.reason is ExitReason.STOP_LOSS


# Trailing ---------------------------------------------------------------------------------


def test_a_trailing_stop_follows_the_bid_up_at_its_distance() -> None:
    wanted = watch(holding(TRAILING), Decimal(110))
    assert wanted == RaiseStop(
        position_id=holding(TRAILING).position_id,
        stop_price=Decimal("108.9"),
        price=Decimal(110),
    )


@pytest.mark.parametrize(("bid", "is_raised"), [("100.06", False), ("100.07", True)])
def test_a_trailing_stop_is_raised_in_steps_that_are_worth_an_event(
    bid: str, *, is_raised: bool
) -> None:
    assert isinstance(watch(holding(TRAILING), Decimal(bid)), RaiseStop) is is_raised


def test_a_trailing_stop_that_rose_leaves_under_its_own_name() -> None:
    raised = after(holding(TRAILING), watch(holding(TRAILING), Decimal(110)))
    assert watch(raised, Decimal(109)) is None
    assert watch(raised, Decimal("108.9")) == ExitWanted(
        reason=ExitReason.TRAILING_STOP, trigger_price=Decimal("108.9")
    )


def test_a_trailing_stop_that_never_rose_is_a_stop_loss() -> None:
    assert watch(holding(TRAILING), Decimal(99)) == ExitWanted(
        reason=ExitReason.STOP_LOSS, trigger_price=Decimal(99)
    )


def test_a_fixed_stop_never_moves() -> None:
    assert watch(holding(), Decimal("103.99")) is None


@given(bids=st.lists(st.integers(9_000, 12_000), min_size=1, max_size=40))
def test_a_trailing_stop_never_falls_and_keeps_its_distance_from_the_height(
    bids: list[int],
) -> None:
    position, height = holding(TRAILING), Decimal(100)
    for cents in bids:
        bid, stop = Decimal(f"{cents}E-2"), position.stop_price
        assert stop is not None
        wanted = watch(position, bid)
        if isinstance(wanted, ExitWanted):
            assert bid <= stop
            return
        assert bid > stop
        if wanted is not None:
            position = after(position, wanted)
        height = max(height, bid)
        assert position.stop_price is not None
        assert position.stop_price >= stop
        assert position.stop_price <= minus(height, percent_of(height, Decimal(1)))
        nearest = minus(height, percent_of(height, Decimal("1.06")))
        assert position.stop_price >= floor_to(nearest, Decimal("0.01"))


# The exit ---------------------------------------------------------------------------------


def test_an_exit_sells_all_that_is_held_at_the_market() -> None:
    desk = Desk()
    held = desk.holding("1.5")
    order = exit_order(desk.book, held, STOP, quote("97"), KEY)
    assert order is not None
    assert (order.role, order.side, order.type) == (Role.EXIT, Side.SELL, OrderType.MARKET)
    assert (order.amount, order.trigger_price, order.decision_price) == decimals("1.5", 98, 98)
    assert (order.reason, order.reduce_only, order.client_order_id) == ("stop_loss", True, KEY)


def limit_of(desk: Desk, wanted: ExitWanted, bid: str, *, has_leapt: bool) -> Decimal | None:
    return exit_limit(
        desk.book, desk.position(), wanted, quote(bid), Decimal(1), has_leapt=has_leapt
    )


def test_a_leap_makes_an_exit_a_limit_a_collar_below_the_bid() -> None:
    desk = Desk()
    held = desk.holding()
    assert limit_of(desk, STOP, "97", has_leapt=False) is None
    limit = limit_of(desk, STOP, "97", has_leapt=True)
    assert limit == Decimal("96.03")
    order = exit_order(desk.book, held, STOP, quote("97"), KEY, limit=limit)
    assert order is not None
    assert (order.type, order.price) == (OrderType.LIMIT, limit)
    assert request_to_place(order, START).is_immediate


def test_a_limit_beyond_a_target_counts_from_the_target() -> None:
    desk = Desk()
    desk.holding()
    target = ExitWanted(reason=ExitReason.TAKE_PROFIT, trigger_price=Decimal(104))
    assert limit_of(desk, target, "110", has_leapt=True) == Decimal("102.96")


def test_limits_that_found_no_takers_widen_and_then_give_way_to_the_market() -> None:
    desk = Desk()
    held = desk.holding()
    limits: list[Decimal | None] = []
    for _ in range(4):
        limit = limit_of(desk, STOP, "50", has_leapt=not limits)
        limits.append(limit)
        assert is_last_resort(desk.book, desk.position()) is (len(limits) == 3)
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        order = desk.accepted(exit_of(desk.position(), type=kind, price=limit))
        desk.ends(order, OrderStep.EXPIRE)
    assert limits == [Decimal("49.5"), Decimal(49), None, None]
    assert held.position_id in last_resort(held, quote("50")).text


def test_an_exit_that_was_never_sent_widens_nothing() -> None:
    desk = Desk()
    held = desk.holding()
    order = desk.intended(exit_of(held, type=OrderType.LIMIT, price=Decimal(95)))
    desk.ends(order, OrderStep.EXPIRE)
    assert limit_of(desk, STOP, "50", has_leapt=False) is None


def refused(desk: Desk, limit: Decimal | None, reason: str) -> None:
    order = desk.submitted(exit_of(desk.position(), type=OrderType.LIMIT, price=limit))
    end = EndOrder(
        client_order_id=order.client_order_id, step=OrderStep.REJECT, filled=ZERO, reason=reason
    )
    desk.does(end)


def never_placed(desk: Desk, limit: Decimal | None, reason: str) -> None:
    order = desk.unknown(exit_of(desk.position(), type=OrderType.LIMIT, price=limit))
    end = EndOrder(
        client_order_id=order.client_order_id,
        step=OrderStep.PROVE_ABSENT,
        filled=ZERO,
        reason=reason,
    )
    desk.does(end)


@pytest.mark.parametrize("happens", [refused, never_placed])
def test_an_exit_that_no_book_has_seen_widens_nothing_and_brings_no_alarm(
    happens: Callable[[Desk, Decimal | None, str], None],
) -> None:
    desk = Desk()
    desk.holding()
    limits = []
    for attempt in range(4):
        limits.append(limit_of(desk, STOP, "50", has_leapt=attempt == 0))
        assert not is_last_resort(desk.book, desk.position())
        happens(desk, limits[-1], "key_denied: HTTP 401")
    assert limits == [Decimal("49.5")] * 4


def test_an_exit_goes_at_market_where_its_limit_itself_was_refused() -> None:
    desk = Desk()
    desk.holding()
    refused(desk, limit_of(desk, STOP, "50", has_leapt=True), "invalid_order: code 315 FAR_AWAY")
    assert limit_of(desk, STOP, "50", has_leapt=True) is None
    assert not is_last_resort(desk.book, desk.position())


def test_an_exit_goes_at_market_where_its_limit_was_taken_and_rejected_later() -> None:
    desk = Desk()
    desk.holding()
    limit = limit_of(desk, STOP, "50", has_leapt=True)
    order = desk.accepted(exit_of(desk.position(), type=OrderType.LIMIT, price=limit))
    desk.ends(order, OrderStep.REJECT)
    assert limit_of(desk, STOP, "50", has_leapt=True) is None


@given(bid=st.integers(1, 10**6), collar=st.integers(1, 300))
def test_a_limit_is_a_price_on_its_step_and_never_above_the_bid(bid: int, collar: int) -> None:
    desk = Desk()
    desk.holding()
    price = times(Decimal(bid), Decimal("0.01"))
    wide = times(Decimal(collar), Decimal("0.5"))
    limit = exit_limit(desk.book, desk.position(), STOP, quote(price), wide, has_leapt=True)
    assert limit is not None
    assert Decimal("0.01") <= limit <= price
    assert floor_to(limit, Decimal("0.01")) == limit


def test_an_exit_without_a_level_is_decided_at_the_bid() -> None:
    desk = Desk()
    wanted = ExitWanted(reason=ExitReason.FLATTEN, trigger_price=None)
    order = exit_order(desk.book, desk.holding(), wanted, quote("97"), KEY)
    assert order is not None
    assert (order.decision_price, order.trigger_price) == (Decimal(97), None)


def test_an_exit_is_floored_to_the_lot() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0.00105", desk.position().instrument.base)
    made = exit_order(desk.book, desk.position(), STOP, quote(), KEY)
    assert made is not None
    assert made.amount == Decimal("0.9989")


def test_an_exit_leaves_alone_what_another_may_yet_sell() -> None:
    desk = Desk()
    held = desk.holding("1")
    ghost = desk.unknown(exit_of(held, "0.4"))
    made = exit_order(desk.book, desk.position(), STOP, quote(), KEY)
    assert made is not None
    assert made.amount == Decimal("0.6")
    desk.does(end(ghost, OrderStep.PROVE_ABSENT))
    made = exit_order(desk.book, desk.position(), STOP, quote(), KEY)
    assert made is not None
    assert made.amount == 1


def test_there_is_no_exit_where_nothing_is_left_to_sell() -> None:
    desk = Desk()
    desk.unknown(exit_of(desk.holding("1")))
    assert exit_order(desk.book, desk.position(), STOP, quote(), KEY) is None


def test_there_is_no_exit_before_anything_was_entered() -> None:
    desk = Desk()
    desk.accepted(entry("1"))
    assert exit_order(desk.book, desk.position(), STOP, quote(), KEY) is None


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (999, 60)]
)
def test_a_failed_exit_is_tried_again_after_a_pause_that_doubles_to_a_bound(
    failures: int, pause_s: int
) -> None:
    assert retry_after_s(failures) == pause_s


# What is looked at ------------------------------------------------------------------------


def test_a_quote_lies_around_its_mid() -> None:
    seen = quote_of(Decimal(100), Decimal(3), START)
    assert (seen.bid, seen.ask) == decimals("99.985", "100.015")


@pytest.mark.parametrize("policy", [FIXED, TRAILING])
def test_a_held_position_that_lost_its_stop_is_stopless(policy: StopPolicy) -> None:
    held = holding(policy)
    assert not is_stopless(held)
    assert is_stopless(msgspec.structs.replace(held, stop_price=None))


def test_no_stop_is_a_lawful_policy() -> None:
    assert not is_stopless(holding(NO_POLICY))


def test_what_is_opening_has_no_stop_yet() -> None:
    desk = Desk()
    desk.accepted(entry("1"))
    assert not is_stopless(desk.position())


@pytest.mark.parametrize(
    ("price", "is_due"), [("100", False), ("100.09", False), ("100.1", True), ("99.9", True)]
)
def test_a_mark_is_due_when_the_price_has_moved_enough(price: str, *, is_due: bool) -> None:
    assert is_mark_due(holding(), Decimal(price)) is is_due


def test_a_first_mark_is_due() -> None:
    assert is_mark_due(msgspec.structs.replace(holding(), mark=None), Decimal(1))


def test_what_is_seen_is_the_highest_and_the_lowest_bid() -> None:
    seen = seen_with(seen_with(seen_with(None, Decimal(100)), Decimal(102)), Decimal(99))
    assert (seen.high, seen.low) == decimals(102, 99)


@pytest.mark.parametrize(
    ("high", "low", "is_due"),
    [
        ("100.09", "99.91", False),
        ("100.1", "100", True),
        ("100", "99.9", True),
    ],
)
def test_a_mark_is_due_when_an_extreme_is_far_enough_beyond_the_last(
    high: str, low: str, *, is_due: bool
) -> None:
    assert is_mark_due_of(holding(), Seen(high=Decimal(high), low=Decimal(low))) is is_due


def test_a_mid_lies_between_bid_and_ask() -> None:
    assert mid_of(Quote(bid=Decimal("99.9"), ask=Decimal("100.2"), at=START)) == Decimal("100.05")


@pytest.mark.parametrize(
    ("peak", "equity", "is_due"),
    [("1000", "1005", True), ("1000", "1004.99", False), ("0", "5", False)],
)
def test_a_peak_is_due_when_the_equity_is_high_enough_above_it(
    peak: str, equity: str, *, is_due: bool
) -> None:
    assert is_peak_due(Decimal(peak), Decimal(equity)) is is_due


# The day ----------------------------------------------------------------------------------

HOUR = 3600
MIDNIGHT = START


def at(seconds: int) -> Instant:
    return Instant(MIDNIGHT + seconds * NANOS_PER_SECOND)


@pytest.mark.parametrize(
    ("now_s", "starts_at_s", "began_s"),
    [
        (0, 0, 0),
        (24 * HOUR - 1, 0, 0),
        (24 * HOUR, 0, 24 * HOUR),
        (-1, 0, -24 * HOUR),
        (8 * HOUR, 9 * HOUR, -15 * HOUR),
        (9 * HOUR - 1, 9 * HOUR, -15 * HOUR),
        (9 * HOUR, 9 * HOUR, 9 * HOUR),
        (23 * HOUR, 23 * HOUR + 59 * 60, -60),
    ],
)
def test_a_day_begins_at_its_second_of_the_clock(
    now_s: int, starts_at_s: int, began_s: int
) -> None:
    assert day_start(at(now_s), starts_at_s) == at(began_s)


@given(now_ns=st.integers(0, 4 * 10**18), starts_at_s=st.integers(0, 24 * HOUR - 1))
def test_an_instant_lies_within_its_own_day(now_ns: int, starts_at_s: int) -> None:
    began, day_ns = day_start(Instant(now_ns), starts_at_s), 24 * HOUR * NANOS_PER_SECOND
    assert began <= now_ns < began + day_ns
    assert day_start(began, starts_at_s) == began


# What candles say afterwards ------------------------------------------------------------------


def minute(offset_s: int, high: str) -> Candle:
    """Return a candle from 100 to 100 that opens so long after the position did."""
    low, top = decimals("100", high)
    return Candle(
        symbol=BTC_USDT,
        open_at=Instant(START + seconds(offset_s)),
        length_s=60,
        open=low,
        high=top,
        low=low,
        close=low,
        volume=low,
    )


def test_a_candle_raises_a_trailing_stop_along_its_high() -> None:
    raised = raised_along(
        holding(TRAILING), [minute(0, "110"), minute(60, "105")], decimals("0")[0]
    )
    assert raised == watch(holding(TRAILING), Decimal(110))


def test_the_candle_of_the_opening_itself_raises_nothing() -> None:
    assert raised_along(holding(TRAILING), [minute(-1, "150")], decimals("0")[0]) is None


def test_a_high_counts_as_the_bid_that_one_had_there() -> None:
    raised = raised_along(holding(TRAILING), [minute(0, "110")], decimals("200")[0])
    assert raised == watch(holding(TRAILING), Decimal("108.9"))


def test_a_stop_that_does_not_trail_is_raised_by_no_candle() -> None:
    assert raised_along(holding(FIXED), [minute(0, "110")], decimals("0")[0]) is None
