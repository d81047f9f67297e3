"""An order comes to be once, in a shape that makes sense, where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import IntendOrder, SubmitOrder
from aegis.domain.events import OrderIntended
from aegis.domain.ids import ClientOrderId, PositionId
from aegis.domain.order import Order, OrderState, OrderStep, OrderType, Role, Side
from aegis.domain.position import PositionSide, PositionStatus
from tests.domain.kit import (
    BTC_USDT,
    ETH_USDT,
    Desk,
    accept,
    end,
    entry,
    exit_of,
    instrument,
    opening,
    quote,
    stop_at_exchange,
    submit,
)


def test_an_entry_opens_its_position() -> None:
    desk = Desk()
    (event,) = desk.does(IntendOrder(order=entry("1"), opening=opening()))
    assert isinstance(event, OrderIntended)
    assert desk.position().status is PositionStatus.OPENING
    assert desk.position().intended_price == 100


def test_the_same_intent_twice_is_one_order() -> None:
    desk = Desk()
    order = desk.intended(entry("1"))
    assert desk.does(IntendOrder(order=order, opening=opening())) == ()
    assert len(desk.orders) == 1


@pytest.mark.parametrize("state", ["INTENT", "OPEN", "FILLED", "REJECTED"])
def test_the_same_intent_is_one_order_whatever_became_of_it(state: str) -> None:
    desk = Desk()
    order = entry("1")
    if state == "REJECTED":
        desk.halted()
        desk.intended(order)
        desk.does(submit(order))
    elif state == "INTENT":
        desk.intended(order)
    else:
        desk.accepted(order)
        if state == "FILLED":
            desk.fills(order, "1")
            desk.left()
    assert desk.order(order).state == state
    assert desk.does(IntendOrder(order=order, opening=opening())) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal("1.1")},
        {"price": Decimal(100), "type": OrderType.LIMIT},
        {"side": Side.SELL},
        {"role": Role.EXIT},
    ],
)
def test_the_same_id_with_other_parameters_is_a_conflict(changes: dict[str, object]) -> None:
    desk = Desk()
    order = desk.intended(entry("1"))
    other = msgspec.structs.replace(order, **changes)
    assert desk.refuses(IntendOrder(order=other)).code == "intent_conflict"
    assert desk.order(order).amount == 1


def test_the_same_amount_written_otherwise_is_the_same_intent() -> None:
    desk = Desk()
    order = desk.intended(entry("1"))
    other = msgspec.structs.replace(order, amount=Decimal("1.000"))
    assert desk.does(IntendOrder(order=other, opening=opening())) == ()


def test_a_stop_and_a_target_that_fire_together_are_one_exit() -> None:
    desk = Desk()
    held = desk.holding()
    stop = desk.intended(exit_of(held, reason="stop_loss", trigger_price=Decimal(98)))
    target = exit_of(held, reason="take_profit", trigger_price=Decimal(104))
    assert target.client_order_id == stop.client_order_id
    assert desk.does(IntendOrder(order=target)) == ()


FIGURES = ["0", "-1", "NaN", "sNaN", "Infinity", "1E+18", "1E-21"]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("name", ["amount", "decision_price", "trigger_price", "bid", "ask"])
def test_a_figure_that_cannot_be_reckoned_with_is_refused(name: str, figure: str) -> None:
    order = msgspec.structs.replace(entry("1"), **{name: Decimal(figure)})
    refusal = Desk().refuses(IntendOrder(order=order, opening=opening()))
    assert (refusal.code, refusal.mends_with_time) == ("bad_intent", False)
    assert name in refusal.text


@pytest.mark.parametrize("figure", FIGURES)
def test_a_limit_that_is_no_price_is_refused(figure: str) -> None:
    order = entry("1", type=OrderType.LIMIT, price=Decimal(figure))
    assert Desk().refuses(IntendOrder(order=order, opening=opening())).code == "bad_intent"


@pytest.mark.parametrize(
    ("kind", "price"), [(OrderType.LIMIT, None), (OrderType.MARKET, Decimal(100))]
)
def test_a_limit_has_a_price_and_a_market_order_none(
    kind: OrderType, price: Decimal | None
) -> None:
    order = entry("1", type=kind, price=price)
    assert Desk().refuses(IntendOrder(order=order, opening=opening())).code == "bad_intent"


def test_spot_takes_no_shorts() -> None:
    short = opening(side=PositionSide.SHORT)
    refusal = Desk().refuses(IntendOrder(order=entry("1", side=Side.SELL), opening=short))
    assert refusal.code == "no_shorts"


def test_an_entry_that_sells_is_none() -> None:
    command = IntendOrder(order=entry("1", side=Side.SELL), opening=opening())
    assert Desk().refuses(command).code == "bad_intent"


@pytest.mark.parametrize("make", [exit_of, stop_at_exchange])
def test_an_exit_that_buys_is_none(make: Callable[..., Order]) -> None:
    desk = Desk()
    order = make(desk.holding(), side=Side.BUY)
    assert desk.refuses(IntendOrder(order=order)).code == "bad_intent"


@pytest.mark.parametrize(
    "changes", [{"trigger_price": None}, {"price": Decimal(95)}, {"type": OrderType.MARKET}]
)
def test_a_stop_at_the_exchange_has_a_trigger_and_no_price(changes: dict[str, object]) -> None:
    desk = Desk()
    order = msgspec.structs.replace(stop_at_exchange(desk.holding()), **changes)
    assert desk.refuses(IntendOrder(order=order)).code == "bad_intent"


def test_nobody_intends_what_only_the_exchange_can_force() -> None:
    desk = Desk()
    order = exit_of(desk.holding(), role=Role.FORCED)
    assert desk.refuses(IntendOrder(order=order)).code == "bad_intent"


def test_an_exit_opens_nothing() -> None:
    command = IntendOrder(order=entry("1", role=Role.EXIT), opening=opening())
    assert Desk().refuses(command).code == "bad_intent"


def test_an_entry_opens_a_position_in_its_own_symbol() -> None:
    other = opening(instrument=instrument(ETH_USDT))
    assert Desk().refuses(IntendOrder(order=entry("1"), opening=other)).code == "bad_intent"


def test_an_order_without_a_position_is_refused() -> None:
    assert Desk().refuses(IntendOrder(order=entry("1"))).code == "no_position"


def test_an_exit_from_what_is_closed_is_refused() -> None:
    desk = Desk()
    held = desk.holding()
    desk.left()
    order = exit_of(desk.positions[held.position_id], "1")
    assert desk.refuses(IntendOrder(order=order)).code == "no_position"


def test_a_symbol_has_one_position_at_a_time() -> None:
    desk = Desk()
    desk.holding()
    desk.waits(60)
    other = IntendOrder(order=entry("1", at=desk.now), opening=opening())
    assert desk.refuses(other).code == "position_exists"


def test_a_position_that_has_been_is_not_opened_again() -> None:
    desk = Desk()
    held = desk.holding()
    desk.left()
    order = entry("1", at=desk.now, client_order_id=ClientOrderId("other"))
    assert order.position_id == held.position_id
    command = IntendOrder(order=order, opening=opening())
    assert desk.refuses(command).code == "position_exists"


def test_a_further_entry_goes_into_the_position_that_is_there() -> None:
    desk = Desk()
    held = desk.holding()
    desk.waits(60)
    more = desk.intended(entry("1", at=desk.now, into=held.position_id))
    assert desk.order(more).position_id == held.position_id


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.UNKNOWN, OrderState.OPEN])
def test_one_entry_of_a_position_is_in_flight_at_a_time(state: OrderState) -> None:
    desk = Desk()
    first = {"INTENT": desk.intended, "UNKNOWN": desk.unknown, "OPEN": desk.accepted}[state](
        entry("1")
    )
    desk.waits(1)
    more = IntendOrder(order=entry("1", at=desk.now, into=first.position_id))
    refusal = desk.refuses(more)
    assert (refusal.code, refusal.mends_with_time) == ("in_flight", True)


def test_one_exit_of_a_position_is_in_flight_at_a_time() -> None:
    desk = Desk()
    held = desk.holding()
    desk.accepted(exit_of(held, "0.5"))
    other = exit_of(held, "0.5", client_order_id=ClientOrderId("other"))
    assert desk.refuses(IntendOrder(order=other)).code == "in_flight"


def test_nothing_enters_what_is_being_left() -> None:
    desk = Desk()
    held = desk.holding()
    desk.accepted(exit_of(held))
    desk.waits(1)
    more = IntendOrder(order=entry("1", at=desk.now, into=held.position_id))
    assert desk.refuses(more).code == "in_flight"


def test_a_stop_that_rests_keeps_neither_an_entry_nor_an_exit_waiting() -> None:
    desk = Desk()
    held = desk.holding("1")
    desk.accepted(stop_at_exchange(held))
    desk.intended(entry("1", at=desk.now, into=held.position_id))
    desk.intended(exit_of(desk.position()))


def test_nothing_enters_what_is_being_left_though_its_exit_has_failed() -> None:
    desk = Desk()
    held = desk.holding("1")
    desk.intended(exit_of(held))
    desk.does(end(exit_of(held), OrderStep.EXPIRE))
    desk.waits(1)
    again = entry("1", at=desk.now, into=held.position_id)
    assert desk.refuses(IntendOrder(order=again)).code == "leaving"
    desk.intended(exit_of(desk.position()))


def test_an_exit_is_not_kept_waiting_by_an_entry() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    desk.fills(order, "1")
    desk.intended(exit_of(desk.position()))
    assert desk.position().status is PositionStatus.CLOSING


@pytest.mark.parametrize("amount", ["1.0001", "2"])
def test_an_exit_beyond_what_is_held_is_refused(amount: str) -> None:
    desk = Desk()
    order = exit_of(desk.holding("1"), amount)
    refusal = desk.refuses(IntendOrder(order=order))
    assert (refusal.code, refusal.mends_with_time) == ("oversell", True)


def test_what_has_not_been_entered_cannot_be_left() -> None:
    desk = Desk()
    desk.accepted(entry("1"))
    order = exit_of(desk.position(), "1")
    assert desk.refuses(IntendOrder(order=order)).code == "oversell"
    assert desk.position().status is PositionStatus.OPENING


def test_an_exit_is_intended_whatever_halts() -> None:
    desk = Desk()
    held = desk.holding()
    desk.halted()
    desk.intended(exit_of(held))
    assert desk.names()[-1] == "OrderIntended"


# Leave to send ----------------------------------------------------------------------------


def test_leave_to_send_is_given_once() -> None:
    desk = Desk()
    order = desk.submitted(entry("1"))
    assert desk.refuses(submit(order)).code == "not_intent"


def test_leave_to_send_is_not_given_to_an_unknown_order() -> None:
    command = SubmitOrder(client_order_id=ClientOrderId("nobody's"), quote=quote())
    assert Desk().refuses(command).code == "not_intent"


def test_an_entry_that_a_gate_refuses_ends_with_the_reason_and_voids_its_position() -> None:
    desk = Desk()
    order = desk.intended(entry("1"))
    desk.halted()
    desk.does(submit(order))
    assert desk.order(order).state is OrderState.REJECTED
    assert desk.order(order).end_reason.startswith("halted: ")
    assert desk.last_position().status is PositionStatus.VOID
    assert desk.book.position_of(BTC_USDT) is None


def test_a_further_entry_that_a_gate_refuses_leaves_the_position_as_it_was() -> None:
    desk = Desk()
    held = desk.holding()
    more = desk.intended(entry("1", at=desk.now, into=held.position_id, client_order_id=KEY))
    desk.halted()
    desk.does(submit(more))
    assert desk.position().status is PositionStatus.OPEN
    assert desk.position().amount == held.amount


KEY = ClientOrderId(f"{0:032x}")


def test_an_exit_whose_coins_are_sold_meanwhile_is_refused_at_the_last_moment() -> None:
    desk = Desk()
    held = desk.holding()
    ghost = desk.unknown(exit_of(held, "0.6"))
    desk.does(end(ghost, OrderStep.PROVE_ABSENT))
    late = desk.intended(exit_of(desk.position(), "1"))
    desk.does(accept(ghost))
    desk.does(submit(late))
    assert desk.order(late).end_reason.startswith("oversell: expected at most 0.4 BTC")
    assert desk.position().exits_ended == 2


def test_an_order_of_nobody_s_position_is_told_by_its_id() -> None:
    order = entry("1", position_id=PositionId("p-9"))
    assert "p-9" in Desk().refuses(IntendOrder(order=order)).text
