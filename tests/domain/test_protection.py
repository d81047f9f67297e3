"""The stop at the exchange: equal to what is held, never in the way of who leaves, never twice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.commands import (
    EndOrder,
    IntendOrder,
    LoseSight,
    RaiseStop,
    Reading,
    RecordExternalChange,
    Refusal,
    RequestCancel,
    SubmitOrder,
)
from aegis.domain.events import OrderCancelRequested, ReconciliationCompleted
from aegis.domain.money import ZERO, total
from aegis.domain.order import Order, OrderState, OrderStep, OrderType, Role
from aegis.domain.position import PositionStatus, StopPolicy
from aegis.domain.protection import (
    Keeper,
    called_off,
    disaster_price,
    protection,
    released,
    stop_of,
)
from tests.domain.kit import (
    BTC,
    INCARNATION,
    POLICY,
    TAG,
    Desk,
    accept,
    entry,
    exit_of,
    orphan,
    quote,
    reconciled,
    seconds,
    stop_at_exchange,
    submit,
)


def wanted(desk: Desk, *, bid: str = "100", is_wanted: bool = True) -> object:
    return protection(
        desk.book,
        desk.position(),
        quote(bid),
        tag=TAG,
        incarnation=INCARNATION,
        is_wanted=is_wanted,
    ).command


def stop_wanted(desk: Desk) -> Order:
    command = wanted(desk)
    assert isinstance(command, IntendOrder), command
    return command.order


@pytest.fixture
def desk() -> Desk:
    """Return a desk that holds one coin, all that the account has of it."""
    desk = Desk(keeps=True).funded()
    desk.holding("1")
    return desk


@pytest.fixture
def protected(desk: Desk) -> Desk:
    desk.accepted(stop_wanted(desk))
    return desk


def stop(desk: Desk) -> Order:
    found = stop_of(desk.book, desk.position())
    assert found is not None
    return found


# Where and how much ---------------------------------------------------------------------------


def test_it_rests_as_far_below_our_stop_as_that_was_below_the_price(desk: Desk) -> None:
    order = stop_wanted(desk)
    assert (order.role, order.type, order.amount) == (Role.PROTECTIVE, OrderType.STOP, Decimal(1))
    assert (order.trigger_price, order.price, order.reduce_only) == (Decimal("96.04"), None, True)


@pytest.mark.parametrize(
    ("policy", "price"),
    [
        (StopPolicy(stop_loss_pct=ZERO), None),
        (StopPolicy(stop_loss_pct=ZERO, trailing_stop_pct=Decimal(1)), Decimal("98.01")),
        (StopPolicy(stop_loss_pct=Decimal(99)), Decimal("0.01")),
    ],
)
def test_it_follows_the_policy_that_was_recorded_with_the_entry(
    policy: StopPolicy, price: Decimal | None
) -> None:
    desk = Desk()
    assert disaster_price(desk.holding(policy=policy)) == price


def test_below_its_own_trigger_it_is_not_placed(desk: Desk) -> None:
    assert wanted(desk, bid="96") is None


def test_one_that_rests_for_all_that_is_held_is_left_alone(protected: Desk) -> None:
    assert wanted(protected) is None
    assert protected.position().status is PositionStatus.OPEN


def test_a_raised_stop_alone_does_not_move_it(protected: Desk) -> None:
    held = protected.position()
    protected.does(
        RaiseStop(position_id=held.position_id, stop_price=Decimal(99), price=Decimal(101))
    )
    assert wanted(protected) is None


def test_another_amount_is_another_order_after_the_end_of_the_first(protected: Desk) -> None:
    protected.waits(1)
    more = entry("1", at=protected.now, into=protected.position().position_id)
    protected.fills(protected.accepted(more), "1")
    first = stop(protected)
    command = wanted(protected)
    assert command == RequestCancel(
        client_order_id=first.client_order_id, reason="the position's amount changed"
    )
    assert isinstance(command, RequestCancel)
    protected.does(command)
    assert wanted(protected) is None
    protected.ends(first, OrderStep.CANCEL)
    second = stop_wanted(protected)
    assert (second.amount, second.client_order_id != first.client_order_id) == (Decimal(2), True)


def test_while_an_entry_fills_none_is_placed(desk: Desk) -> None:
    desk.waits(1)
    more = desk.accepted(entry("1", at=desk.now, into=desk.position().position_id))
    assert wanted(desk) is None
    desk.ends(more, OrderStep.CANCEL)
    assert wanted(desk) is not None


def test_what_is_too_small_for_an_order_gets_none() -> None:
    desk = Desk(keeps=True).funded()
    desk.holding("0.0105")  # 1.008 USDT at its trigger, and the least is 1
    assert wanted(desk) is not None
    desk = Desk(keeps=True).funded()
    desk.holding("0.0104")
    assert wanted(desk) is None


def test_one_that_is_wanted_no_more_is_called_off(protected: Desk) -> None:
    assert isinstance(wanted(protected, is_wanted=False), RequestCancel)


# Whoever leaves goes first --------------------------------------------------------------------


def test_an_exit_calls_it_off_and_is_sent_after_its_end(protected: Desk) -> None:
    leaving = protected.intended(exit_of(protected.position()))
    cancel = called_off(protected.book, protected.position())
    assert cancel is not None
    assert protected.refuses(submit(leaving)).code == "stop_rests"
    protected.does(cancel)
    assert protected.refuses(submit(leaving)).mends_with_time
    assert protected.order(leaving).state is OrderState.INTENT
    protected.ends(stop(protected), OrderStep.CANCEL)
    protected.does(submit(leaving))
    assert protected.order(leaving).state is OrderState.SUBMITTING


def test_what_it_has_sold_meanwhile_is_not_sold_again(protected: Desk) -> None:
    leaving = protected.intended(exit_of(protected.position()))
    resting = stop(protected)
    protected.fills(resting, "0.4", "95")
    protected.ends(resting, OrderStep.CANCEL)
    protected.does(submit(leaving))
    assert protected.order(leaving).state is OrderState.REJECTED
    assert "oversell" in protected.order(leaving).end_reason


def test_a_stop_that_was_only_intended_gives_way_to_an_exit(desk: Desk) -> None:
    late = desk.intended(stop_at_exchange(desk.position()))
    leaving = desk.intended(exit_of(desk.position()))
    desk.does(submit(leaving))
    desk.does(submit(late))
    assert desk.order(leaving).state is OrderState.SUBMITTING
    assert desk.order(late).state is OrderState.REJECTED


def test_beside_an_exit_none_is_placed(desk: Desk) -> None:
    leaving = desk.intended(exit_of(desk.position()))
    assert wanted(desk) is None
    assert desk.refuses(IntendOrder(order=stop_at_exchange(desk.position()))).code == "in_flight"
    desk.ends(leaving, OrderStep.EXPIRE)
    assert wanted(desk) is None
    assert desk.refuses(IntendOrder(order=stop_at_exchange(desk.position()))).code == "leaving"


def test_one_that_is_out_of_sight_is_not_waited_for_where_the_balance_bounds_both(
    protected: Desk,
) -> None:
    protected.ends(stop(protected), OrderStep.CANCEL)
    lost = stop_at_exchange(protected.position(), client_order_id="ghost")
    protected.unknown(lost)
    leaving = protected.intended(exit_of(protected.position()))
    assert protected.refuses(submit(leaving)).code == "stop_rests"
    protected.waits(1)
    protected.does(submit(leaving, reading=protected.reading()))
    assert protected.order(leaving).state is OrderState.SUBMITTING


def test_one_that_is_out_of_sight_is_waited_for_beside_foreign_coins() -> None:
    desk = Desk(keeps=True)  # it knows of no balances, so nobody can say whose coins there are
    desk.unknown(stop_at_exchange(desk.holding("1")))
    leaving = desk.intended(exit_of(desk.position()))
    assert desk.refuses(submit(leaving)).code == "stop_rests"


@pytest.fixture
def silenced(protected: Desk) -> Desk:
    """Return a desk whose stop was called off, and whose exit waits for word of it."""
    protected.intended(exit_of(protected.position()))
    cancel = called_off(protected.book, protected.position())
    assert cancel is not None
    protected.does(cancel)
    return protected


def past_silence(desk: Desk, reading: Reading | None = None) -> SubmitOrder:
    """Return the asking for leave of the exit of a position whose stop is silent."""
    return submit(exit_of(desk.position()), reading=reading, silent_stop=stop(desk).client_order_id)


def test_a_silent_one_is_not_waited_for_where_no_coins_are_there_but_ours(silenced: Desk) -> None:
    silenced.does(past_silence(silenced))
    assert silenced.order(exit_of(silenced.position())).state is OrderState.SUBMITTING


def test_past_a_silent_one_that_has_sold_in_part_the_next_exit_goes_for_the_rest(
    silenced: Desk,
) -> None:
    first = exit_of(silenced.position())
    silenced.fills(stop(silenced), "0.4", "95")
    silenced.does(submit(first, silent_stop=stop(silenced).client_order_id))
    assert "oversell" in silenced.order(first).end_reason
    rest = silenced.intended(exit_of(silenced.position(), client_order_id="rest"))
    assert rest.amount == Decimal("0.6")
    silenced.does(submit(rest, silent_stop=stop(silenced).client_order_id))
    assert silenced.order(rest).state is OrderState.SUBMITTING


def test_a_silent_one_is_waited_for_beside_coins_of_the_owner(silenced: Desk) -> None:
    brought = RecordExternalChange(
        kind="deposit", coin=BTC, amount=Decimal("0.1"), reference="", note=""
    )
    silenced.does(brought)
    assert silenced.refuses(past_silence(silenced)).code == "stop_rests"


def test_a_silent_one_is_waited_for_where_more_was_just_told(silenced: Desk) -> None:
    told = silenced.reading(base=Decimal("1.1"))
    assert silenced.refuses(past_silence(silenced, told)).code == "stop_rests"


def test_a_silent_one_is_waited_for_where_nobody_knows_what_there_is() -> None:
    desk = Desk(keeps=True)
    resting = desk.accepted(stop_at_exchange(desk.holding("1")))
    leaving = desk.intended(exit_of(desk.position()))
    desk.does(RequestCancel(client_order_id=resting.client_order_id, reason="left"))
    silent = submit(leaving, silent_stop=resting.client_order_id)
    assert desk.refuses(silent).code == "stop_rests"


def test_a_stop_that_was_not_called_off_is_waited_for(protected: Desk) -> None:
    protected.intended(exit_of(protected.position()))
    assert protected.refuses(past_silence(protected)).code == "stop_rests"


def test_one_that_has_fired_closes_the_position_by_its_own_reason(protected: Desk) -> None:
    held = protected.position()
    protected.fills(stop(protected), "1", "95")
    closed = protected.positions[held.position_id]
    assert (closed.status, closed.close_reason) == (PositionStatus.CLOSED, "exchange_stop")
    assert closed.exits_ended == held.exits_ended


def test_its_end_is_no_end_of_an_exit(protected: Desk) -> None:
    protected.ends(stop(protected), OrderStep.CANCEL)
    assert protected.position().exits_ended == 0


# What is remembered ---------------------------------------------------------------------------


def due(keeper: Keeper, desk: Desk, now_ns: int = 0) -> object:
    return keeper.due(desk.book, desk.position(), quote(), INCARNATION, now_ns)


def test_one_is_asked_for_once(desk: Desk) -> None:
    keeper = Keeper(TAG, is_wanted=True)
    assert isinstance(due(keeper, desk), IntendOrder)
    assert due(keeper, desk) is None


def test_one_that_was_lost_is_placed_again_after_a_pause_that_doubles(desk: Desk) -> None:
    keeper = Keeper(TAG, is_wanted=True)
    held = desk.position().position_id
    assert keeper.lost(held, 0) == (1, 1)
    assert due(keeper, desk, seconds(1) - 1) is None
    assert due(keeper, desk, seconds(1)) is not None
    assert keeper.lost(held, seconds(1)) == (2, 2)


def test_where_none_is_wanted_and_none_rests_there_is_nothing_to_do(desk: Desk) -> None:
    assert due(Keeper(TAG, is_wanted=False), desk) is None


# Whatever comes -------------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from([
        "enter", "protect", "call off", "end stop", "lose stop", "fill stop", "leave", "send",
        "fill exit", "end exit",
    ]),
    max_size=30,
)  # fmt: skip


@given(STEPS, st.booleans())
def test_nothing_is_ever_promised_twice(steps: list[str], is_alone: bool) -> None:  # noqa: FBT001  a drawn value
    """Of what is held, stop and exit that may be at the exchange never sell more, in any order."""
    desk = Desk(keeps=True)
    if is_alone:
        desk.funded()
    held = desk.holding("1", policy=POLICY)
    for step in steps:
        if not desk.positions[held.position_id].is_alive:
            return
        _take(desk, step)
        sent = [
            each
            for each in desk.book.active_orders(held.position_id)
            if each.role is not Role.ENTRY and each.state is not OrderState.INTENT
        ]
        is_bounded = is_alone and any(each.state is OrderState.UNKNOWN for each in sent)
        left = desk.positions[held.position_id].amount
        assert is_bounded or total(each.remaining for each in sent) <= left


def _take(desk: Desk, step: str) -> None:
    """Do one thing as far as the store lets it."""
    position = desk.position()
    active = desk.book.active_orders(position.position_id)
    stops = [each for each in active if each.role is Role.PROTECTIVE]
    exits = [each for each in active if each.role is Role.EXIT]
    match step:
        case "enter":
            desk.waits(1)
            desk.execute(IntendOrder(order=entry("1", at=desk.now, into=position.position_id)))
        case "protect":
            command = wanted(desk)
            if isinstance(command, IntendOrder | RequestCancel):
                desk.execute(command)
            for each in desk.book.active_orders(position.position_id):
                if each.role is Role.PROTECTIVE and not isinstance(
                    desk.execute(submit(each)), Refusal
                ):
                    desk.execute(accept(each))
        case "leave":
            desk.execute(IntendOrder(order=exit_of(position)))
        case "send":
            for each in exits:
                desk.execute(submit(each))
        case "call off":
            command = called_off(desk.book, position)
            if command is not None:
                desk.does(command)
        case "lose stop":
            for each in stops:
                desk.execute(LoseSight(client_order_id=each.client_order_id, reason="lost"))
        case "end stop" | "end exit":
            for each in stops if step == "end stop" else exits:
                desk.execute(
                    EndOrder(
                        client_order_id=each.client_order_id,
                        step=OrderStep.CANCEL,
                        filled=each.filled,
                        reason="ended",
                    )
                )
        case _:
            _fill_some(desk, stops if step == "fill stop" else exits)


def _fill_some(desk: Desk, orders: list[Order]) -> None:
    for each in orders:
        if each.state in (OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCELING):
            desk.fills(each, "0.25", "95")
        elif each.state is OrderState.SUBMITTING:
            desk.execute(accept(each))


def test_an_exit_gets_no_leave_while_nobody_knows_what_of_it_is_left() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("1")
    leaving = desk.intended(exit_of(held))
    reconciled(desk, orphan("o", of=held))
    refused = desk.refuses(submit(leaving))
    assert (refused.code, refused.mends_with_time) == ("doubted", True)
    reconciled(desk)
    desk.does(submit(leaving))
    assert desk.order(leaving).state is OrderState.SUBMITTING


def test_after_each_look_at_the_account_exits_ask_for_leave_again() -> None:
    desk = Desk(keeps=True)
    leaving = desk.intended(exit_of(desk.holding("1")))
    reconciled(desk)
    looked = desk.log[-1].event
    assert isinstance(looked, ReconciliationCompleted)
    assert released(desk.book, looked) == (leaving.client_order_id,)


@pytest.mark.parametrize(("brought", "is_alone"), [("0", True), ("0.1", False)])
def test_its_calling_off_says_whether_coins_of_others_were_there(
    protected: Desk, brought: str, *, is_alone: bool
) -> None:
    if Decimal(brought):
        protected.does(
            RecordExternalChange(
                kind="deposit", coin=BTC, amount=Decimal(brought), reference="", note=""
            )
        )
    protected.does(RequestCancel(client_order_id=stop(protected).client_order_id, reason="left"))
    event = protected.log[-1].event
    assert isinstance(event, OrderCancelRequested)
    assert event.is_alone is is_alone
