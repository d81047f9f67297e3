"""What trades and endings make of an order and its position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import (
    AskForHuman,
    EndOrder,
    IntendOrder,
    MarkPosition,
    RecordFills,
    ResolveOrder,
)
from aegis.domain.events import (
    AlarmRaised,
    DustSetAside,
    Event,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionClosed,
    PositionOpened,
    PositionVoided,
)
from aegis.domain.ids import ClientOrderId, Coin
from aegis.domain.order import Fill, Order, OrderState, OrderStep
from aegis.domain.position import PositionStatus, StopPolicy
from aegis.domain.risk import equity_of, losses_of
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    CRO,
    USDT,
    Desk,
    accept,
    decimals,
    end,
    entry,
    exit_of,
    fill,
    opening,
)


def fills(order: Order, *trades: Fill) -> RecordFills:
    return RecordFills(client_order_id=order.client_order_id, fills=trades)


def test_a_first_fill_opens_the_position_with_its_stops() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    trade, opened = desk.fills(order, "1", "200")
    assert isinstance(trade, OrderFilled)
    assert isinstance(opened, PositionOpened)
    assert (opened.stop_price, opened.take_profit_price) == decimals(196, 208)
    assert desk.position().mark == 200


def test_a_further_fill_opens_nothing() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    desk.fills(order, "1", "200")
    assert [type(event) for event in desk.fills(order, "1", "100")] == [OrderFilled]
    assert desk.position().stop_price == 196


def test_a_known_trade_changes_nothing() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    trade = fill("t-1", "1")
    desk.does(fills(order, trade))
    assert desk.does(fills(order, trade)) == ()


def test_a_trade_told_twice_at_once_is_one() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    trade = fill("t-1", "1")
    desk.does(fills(order, trade, trade))
    assert desk.order(order).filled == 1


def test_known_trades_among_new_ones_change_nothing() -> None:
    desk = Desk()
    order = desk.accepted(entry("3"))
    desk.does(fills(order, fill("t-1", "1")))
    desk.does(fills(order, fill("t-1", "1"), fill("t-2", "1"), fill("t-3", "1")))
    assert desk.order(order).trade_ids == ("t-1", "t-2", "t-3")
    assert desk.order(order).state is OrderState.FILLED


def test_no_trades_are_no_news() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.does(fills(order)) == ()


def test_trades_of_an_order_that_nobody_knows_are_refused() -> None:
    command = RecordFills(client_order_id=ClientOrderId("nobody's"), fills=(fill("t"),))
    assert Desk().refuses(command).code == "unknown_order"


@pytest.mark.parametrize("amount", ["1.0001", "2"])
def test_more_than_was_ordered_is_refused(amount: str) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.refuses(fills(order, fill("t", amount))).code == "overfill"


def test_of_trades_of_which_one_does_not_fit_none_is_booked() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.refuses(fills(order, fill("a", "0.6"), fill("b", "0.6"))).code == "overfill"
    assert desk.order(order).filled == 0


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SUBMITTING, OrderState.UNKNOWN])
def test_a_trade_of_an_order_that_was_not_seen_yet_is_refused(state: OrderState) -> None:
    desk = Desk()
    order = {"INTENT": desk.intended, "SUBMITTING": desk.submitted, "UNKNOWN": desk.unknown}[state](
        entry("1")
    )
    assert desk.refuses(fills(order, fill("t"))).code == "unlawful"


@pytest.mark.parametrize("step", [OrderStep.CANCEL, OrderStep.REJECT, OrderStep.EXPIRE])
def test_a_trade_after_the_end_is_refused(step: OrderStep) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.ends(order, step)
    assert desk.refuses(fills(order, fill("t"))).code == "unlawful"


@pytest.mark.parametrize("figure", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+18", "1E-21"])
@pytest.mark.parametrize("name", ["amount", "price"])
def test_a_trade_that_cannot_be_reckoned_with_is_refused(name: str, figure: str) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    trade = fill("t", figure) if name == "amount" else fill("t", "1", figure)
    assert desk.refuses(fills(order, trade)).code == "bad_fill"


@pytest.mark.parametrize(
    ("fee", "coin"),
    [
        ("NaN", USDT),
        ("Infinity", CRO),
        ("1E-41", USDT),
        ("1E+18", USDT),
        ("1", BTC),
        ("1.0001", BTC),
        ("-1.0001", BTC),
    ],
)
def test_a_fee_that_cannot_be_is_refused(fee: str, coin: Coin) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.refuses(fills(order, fill("t", "1", "100", fee, coin))).code == "bad_fill"


def test_a_rebate_is_a_fee_below_zero() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "-0.01")
    assert desk.position().pnl == Decimal("0.01")


def two_exits_in_flight(desk: Desk | None = None) -> tuple[Desk, Order, Order]:
    """Return a desk whose first exit was given up for absent, then appeared beside the second."""
    desk = desk or Desk()
    held = desk.holding("1")
    first = desk.unknown(exit_of(held))
    desk.does(end(first, OrderStep.PROVE_ABSENT))
    second = desk.accepted(exit_of(desk.position()))
    desk.does(accept(first))
    return desk, first, second


def test_what_two_exits_sold_beyond_what_is_held_was_none_of_ours() -> None:
    desk, first, second = two_exits_in_flight()
    desk.fills(first, "0.7")
    desk.fills(second, "0.3")
    sold, *_ = desk.fills(first, "0.3")
    assert isinstance(sold, OrderFilled)
    assert sold.not_ours == Decimal("0.3")
    assert desk.position().amount == 0


def sold_beyond() -> tuple[Desk, Sequence[Event]]:
    """Return a desk of which two exits have sold half a coin of the owner's, and its last events.

    Each trade brought 100 a coin, and cost a fee of one.
    """
    desk, first, second = two_exits_in_flight(Desk().funded())
    desk.fills(first, "1", fee="1")
    return desk, (*desk.fills(second, "0.5", fee="1"), *desk.ends(second, OrderStep.CANCEL))


def test_what_was_sold_of_the_owner_s_is_in_fills_and_balances_and_in_no_result() -> None:
    desk, _ = sold_beyond()
    assert desk.book.account.balances == {USDT: Decimal(10048), BTC: Decimal("-0.5")}
    assert desk.last_position().pnl == -1  # the fee of the first
    assert desk.last_position().exited == 1


def test_what_was_sold_of_the_owner_s_is_told_with_what_it_brought() -> None:
    _, events = sold_beyond()
    (alarm,) = (each for each in events if isinstance(each, AlarmRaised))
    assert alarm.check == "oversold"
    assert "0.5 BTC of your own" in alarm.text
    assert "brought 49 USDT" in alarm.text


def test_loss_limits_go_on_from_what_the_owner_s_coins_brought() -> None:
    desk, _ = sold_beyond()
    losses = losses_of(desk.book.account, equity_of(desk.book, USDT), Decimal(20))
    assert losses is not None
    assert (losses.of_day, losses.drawdown) == decimals("1", "1")


def test_dust_is_no_more_than_what_the_owner_s_sale_has_left_of_the_coin() -> None:
    desk, first, second = two_exits_in_flight(Desk().funded())
    desk.book.account = msgspec.structs.replace(desk.book.account, dust={BTC: Decimal("0.0004")})
    desk.fills(first, "1")
    (sold, *_) = desk.fills(second, "0.5")
    assert isinstance(sold, OrderFilled)
    assert sold.not_ours == Decimal("0.4996")
    assert desk.book.account.dust[BTC] == 0


def test_a_position_that_two_exits_empty_closes_when_both_have_ended() -> None:
    desk, first, second = two_exits_in_flight()
    desk.fills(first, "1")
    assert desk.position().status is PositionStatus.CLOSING
    events = desk.ends(second, OrderStep.CANCEL)
    assert [type(event) for event in events] == [OrderCanceled, PositionClosed]
    assert desk.last_position().close_reason == "stop_loss"


# Ends -------------------------------------------------------------------------------------

ENDS = {
    OrderStep.CANCEL: OrderCanceled,
    OrderStep.REJECT: OrderRejected,
    OrderStep.EXPIRE: OrderExpired,
}


@pytest.mark.parametrize("step", ENDS)
def test_an_entry_that_ends_without_a_fill_voids_its_position(step: OrderStep) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    ended, voided = desk.ends(order, step)
    assert isinstance(ended, ENDS[step])
    assert isinstance(voided, PositionVoided)
    assert desk.last_position().status is PositionStatus.VOID


@pytest.mark.parametrize("step", ENDS)
def test_an_entry_that_ends_in_part_keeps_what_it_filled(step: OrderStep) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "0.4")
    assert [type(event) for event in desk.ends(order, step)] == [ENDS[step]]
    assert (desk.position().status, desk.position().amount) == (PositionStatus.OPEN, Decimal("0.4"))


@pytest.mark.parametrize("step", ENDS)
def test_an_exit_that_ends_in_part_leaves_the_rest_to_the_next(step: OrderStep) -> None:
    desk = Desk()
    held = desk.holding("1")
    order = desk.accepted(exit_of(held))
    desk.fills(order, "0.4")
    desk.ends(order, step)
    rest = desk.position()
    assert (rest.amount, rest.exits_ended) == (Decimal("0.6"), 1)
    assert exit_of(rest).client_order_id != order.client_order_id


def test_an_order_proven_absent_leaves_a_tombstone() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    absent, voided = desk.does(end(order, OrderStep.PROVE_ABSENT))
    assert isinstance(absent, OrderNotPlaced)
    assert isinstance(voided, PositionVoided)
    assert desk.order(order).state is OrderState.NOT_PLACED


@pytest.mark.parametrize("filled", ["0.3", "0.5", "1"])
def test_an_order_ends_only_at_the_exchange_s_cumulative_fill(filled: str) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "0.4")
    refusal = desk.refuses(end(order, OrderStep.CANCEL, filled))
    assert (refusal.code, refusal.mends_with_time) == ("fills_missing", True)
    desk.does(end(order, OrderStep.CANCEL, "0.40"))


def test_an_order_that_ended_ends_once() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.ends(order, OrderStep.CANCEL)
    for step in (*ENDS, OrderStep.PROVE_ABSENT):
        assert desk.does(end(order, step)) == ()


def test_an_intent_found_after_a_crash_expires_and_is_decided_anew() -> None:
    desk = Desk()
    held = desk.holding()
    order = desk.intended(exit_of(held))
    desk.does(end(order, OrderStep.EXPIRE))
    assert desk.order(order).state is OrderState.EXPIRED
    again = exit_of(desk.position())
    assert again.client_order_id != order.client_order_id
    desk.intended(again)


def test_an_order_that_was_sent_does_not_expire_without_an_answer() -> None:
    desk = Desk()
    order = desk.submitted(entry("1"))
    assert desk.refuses(end(order, OrderStep.EXPIRE)).code == "unlawful"


def test_an_end_of_an_order_that_nobody_knows_is_refused() -> None:
    command = EndOrder(
        client_order_id=ClientOrderId("nobody's"),
        step=OrderStep.CANCEL,
        filled=Decimal(0),
        reason="",
    )
    assert Desk().refuses(command).code == "unknown_order"


def test_a_step_that_is_no_end_is_our_bug() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    with pytest.raises(AssertionError, match="Expected a step that ends"):
        desk.execute(end(order, OrderStep.WANT_CANCEL))


# Closing ----------------------------------------------------------------------------------


def test_the_last_exit_closes_the_position_with_its_result_and_reason() -> None:
    desk = Desk()
    desk.holding("1", "100")
    closed = desk.left("97", reason="take_profit")
    assert (closed.status, closed.close_reason) == (PositionStatus.CLOSED, "take_profit")
    assert (closed.amount, closed.cost, closed.pnl) == decimals(0, 0, -3)


def test_what_is_below_the_lot_leaves_as_dust_at_the_expense_of_the_trade() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0.00105", BTC)
    held = desk.position()
    assert held.amount == Decimal("0.99895")
    out = desk.accepted(exit_of(held, "0.9989"))
    trade, dust, closed = desk.fills(out, "0.9989", "100")
    assert isinstance(trade, OrderFilled)
    assert dust == DustSetAside(coin=BTC, amount=Decimal("0.00005"), cost=Decimal("0.00500526"))
    assert isinstance(closed, PositionClosed)
    assert closed.pnl == desk.last_position().pnl == Decimal("-0.11")
    assert desk.book.account.dust == {BTC: Decimal("0.00005")}


def test_an_entry_that_ends_as_dust_is_no_position() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "0.0009")
    ended, dust, closed = desk.ends(order, OrderStep.CANCEL)
    assert isinstance(ended, OrderCanceled)
    assert isinstance(dust, DustSetAside)
    assert isinstance(closed, PositionClosed)
    assert closed.reason == "dust"


def test_dust_is_what_its_mark_makes_too_small_to_sell() -> None:
    desk = Desk()
    held = desk.holding("0.01", "100")
    assert not held.instrument.is_dust(held.amount, Decimal(100))
    assert held.instrument.is_dust(held.amount, Decimal("99.99"))
    assert held.instrument.is_dust(Decimal("0.0009"), Decimal(10**6))


@pytest.mark.parametrize(("mark", "is_left"), [("99.99", False), ("100", True)])
def test_what_is_left_is_judged_by_its_mark(mark: str, *, is_left: bool) -> None:
    desk = Desk()
    held = desk.holding("0.02", "50")
    order = desk.accepted(exit_of(held))
    desk.fills(order, "0.01")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(mark)))
    desk.ends(order, OrderStep.CANCEL)
    assert (desk.book.position_of(BTC_USDT) is not None) is is_left


def test_a_price_that_is_nonsense_makes_no_dust_of_what_was_paid_for() -> None:
    desk = Desk()
    held = desk.holding("0.02", "1000")
    order = desk.accepted(exit_of(held))
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal("0.5")))
    assert [type(event) for event in desk.ends(order, OrderStep.REJECT)] == [OrderRejected]
    assert (desk.position().amount, desk.position().mark) == (held.amount, Decimal("0.5"))


def test_what_is_below_the_least_amount_is_dust_whatever_was_paid_for_it() -> None:
    desk = Desk()
    held = desk.holding("0.02", "40000")
    order = desk.accepted(exit_of(held))
    desk.fills(order, "0.0191", "40000")
    desk.ends(order, OrderStep.CANCEL)
    assert desk.last_position().close_reason == "stop_loss"
    assert desk.book.account.dust == {BTC: Decimal("0.0009")}


def test_a_position_is_not_closed_while_an_entry_may_still_fill() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    desk.fills(order, "1")
    out = desk.accepted(exit_of(desk.position()))
    assert [type(event) for event in desk.fills(out, "1")] == [OrderFilled]
    assert desk.position().amount == 0
    desk.fills(order, "0.5")
    assert desk.position().amount == Decimal("0.5")
    desk.ends(order, OrderStep.CANCEL)
    assert desk.position().status is PositionStatus.OPEN


def test_a_position_left_before_its_entry_ends_closes_for_the_exit_s_reason() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    desk.fills(order, "1")
    out = desk.accepted(exit_of(desk.position(), reason="trailing_stop"))
    desk.fills(out, "1")
    closed = desk.ends(order, OrderStep.CANCEL)[-1]
    assert isinstance(closed, PositionClosed)
    assert closed.reason == "trailing_stop"


# An order that was given up and appears ---------------------------------------------------


def tombstone(policy: StopPolicy | None = None) -> tuple[Desk, Order]:
    desk = Desk()
    order = desk.unknown(entry("1"), policy or StopPolicy(stop_loss_pct=Decimal(2)))
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    return desk, order


def test_an_entry_that_appears_and_fills_is_a_position_with_stops() -> None:
    desk, order = tombstone()
    desk.does(accept(order))
    _, opened = desk.fills(order, "1")
    assert isinstance(opened, PositionOpened)
    held = desk.position()
    assert (held.status, held.stop_price) == (PositionStatus.OPEN, Decimal(98))
    assert (held.closed_at, held.close_reason) == (None, "")
    assert desk.left().status is PositionStatus.CLOSED


def test_an_entry_that_appears_where_another_position_is_by_now_is_for_a_person() -> None:
    desk, order = tombstone()
    desk.waits(60)
    desk.holding("1")
    desk.does(accept(order))
    refusal = desk.refuses(fills(order, fill("t")))
    assert (refusal.code, refusal.mends_with_time) == ("position_exists", True)
    desk.left()
    desk.does(fills(order, fill("t")))
    assert desk.position().position_id == order.position_id


def test_a_late_second_entry_reopens_a_position_that_was_closed() -> None:
    desk = Desk()
    held = desk.holding("1", "100")
    desk.waits(1)
    more = desk.unknown(entry("1", at=desk.now, into=held.position_id))
    desk.does(end(more, OrderStep.PROVE_ABSENT))
    desk.left("110")
    desk.does(accept(more))
    assert desk.book.position_of(BTC_USDT) is None
    desk.fills(more, "1", "120")
    again = desk.position()
    assert (again.position_id, again.amount, again.cost, again.pnl) == (
        held.position_id,
        *decimals(1, 120, 10),
    )
    assert again.stop_price == Decimal("117.6")
    assert desk.left("121").pnl == 11


def test_an_exit_that_appears_after_the_close_leaves_it_closed() -> None:
    desk = Desk()
    held = desk.holding("1")
    ghost = desk.unknown(exit_of(held))
    desk.does(end(ghost, OrderStep.PROVE_ABSENT))
    desk.left()
    desk.does(accept(ghost))
    assert desk.positions[held.position_id].status is PositionStatus.CLOSED
    before = desk.positions[held.position_id]
    events = desk.does(fills(ghost, fill("t")))
    assert [type(event) for event in events] == [OrderFilled, AlarmRaised]
    after = desk.positions[held.position_id]
    assert (after.status, after.pnl, after.exited) == (before.status, before.pnl, before.exited)
    assert desk.order(ghost).state is OrderState.FILLED
    assert desk.names().count("PositionClosed") == 1


def test_an_exit_that_appears_after_the_close_keeps_nobody_from_a_new_position() -> None:
    desk = Desk()
    held = desk.holding("1")
    ghost = desk.unknown(exit_of(held))
    desk.does(end(ghost, OrderStep.PROVE_ABSENT))
    desk.left()
    desk.waits(60)
    fresh = desk.holding("1")
    desk.does(accept(ghost))
    assert desk.position() == fresh
    command = IntendOrder(order=entry("1", at=desk.now), opening=opening())
    assert desk.does(command) == ()


def test_coins_that_a_later_position_may_have_held_are_not_called_the_owner_s_alone() -> None:
    desk = Desk()
    ghost = desk.unknown(exit_of(desk.holding("1")))
    desk.does(end(ghost, OrderStep.PROVE_ABSENT))
    desk.left()
    desk.waits(60)
    fresh = desk.holding("1")
    desk.does(accept(ghost))
    _, alarm = desk.does(fills(ghost, fill("t")))
    assert isinstance(alarm, AlarmRaised)
    assert f"of your own, or of position {fresh.position_id}," in alarm.text


# A person's word on an order -----------------------------------------------------------------


def needing_a_person(desk: Desk, order: Order) -> Order:
    desk.unknown(order)
    desk.does(AskForHuman(client_order_id=order.client_order_id, reason="no barrier"))
    return order


def word_on(order: Order) -> ResolveOrder:
    return ResolveOrder(client_order_id=order.client_order_id)


def test_an_entry_that_a_person_says_was_never_placed_leaves_a_void_position() -> None:
    desk = Desk()
    order = needing_a_person(desk, entry("1"))
    desk.does(word_on(order))
    assert desk.order(order).state is OrderState.NOT_PLACED
    assert desk.last_position().status is PositionStatus.VOID


def test_an_exit_that_a_person_says_was_never_placed_is_followed_by_the_next() -> None:
    desk = Desk()
    order = needing_a_person(desk, exit_of(desk.holding("1")))
    desk.does(word_on(order))
    assert (desk.position().status, desk.position().exits_ended) == (PositionStatus.OPEN, 1)


@pytest.mark.parametrize("leads_to", [Desk.unknown, Desk.accepted])
def test_no_word_is_taken_on_an_order_that_needs_none(
    leads_to: Callable[[Desk, Order], Order],
) -> None:
    desk = Desk()
    order = leads_to(desk, entry("1"))
    assert desk.refuses(word_on(order)).code == "not_needed"


def test_an_order_that_appears_after_a_person_s_word_is_adopted() -> None:
    desk = Desk()
    order = needing_a_person(desk, entry("1"))
    desk.does(word_on(order))
    desk.does(accept(order))
    desk.fills(order, "1")
    assert desk.position().amount == 1
