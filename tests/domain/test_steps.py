"""Steps of an order that are said and not filled: accepted, lost, to be cancelled, given up."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import (
    AskForHuman,
    ChangeInstrument,
    Command,
    LoseSight,
    MarkPosition,
    RaiseStop,
    RequestCancel,
)
from aegis.domain.events import (
    InstrumentChanged,
    OrderAccepted,
    OrderCancelRequested,
    OrderNeedsHuman,
    OrderOutcomeUnknown,
    PositionMarked,
    StopRaised,
)
from aegis.domain.guard import ExitReason, ExitWanted, exit_order
from aegis.domain.ids import PositionId
from aegis.domain.order import Order, OrderState, OrderStep
from aegis.domain.position import PositionStatus
from tests.domain.kit import (
    ETH_USDT,
    START,
    Desk,
    accept,
    decimals,
    end,
    entry,
    exit_of,
    instrument,
    quote,
)


def lose(order: Order) -> LoseSight:
    return LoseSight(client_order_id=order.client_order_id, reason="timed out")


def cancel(order: Order) -> RequestCancel:
    return RequestCancel(client_order_id=order.client_order_id, reason="changed my mind")


def give_up(order: Order) -> AskForHuman:
    return AskForHuman(client_order_id=order.client_order_id, reason="no barrier")


Say = Callable[[Order], Command]


def test_an_answer_with_an_id_accepts_the_order() -> None:
    desk = Desk()
    order = desk.submitted(entry("1"))
    (event,) = desk.does(accept(order, "x-7"))
    assert isinstance(event, OrderAccepted)
    assert desk.order(order).exchange_order_id == "x-7"


def test_a_lost_answer_makes_the_outcome_unknown_since_now() -> None:
    desk = Desk()
    order = desk.submitted(entry("1"))
    desk.waits(5)
    (event,) = desk.does(lose(order))
    assert isinstance(event, OrderOutcomeUnknown)
    assert desk.order(order).unknown_at == desk.now > START


def test_an_unknown_order_that_is_found_is_known_again() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.does(accept(order))
    assert (desk.order(order).state, desk.order(order).unknown_at) == (OrderState.OPEN, None)


def test_a_cancel_is_wanted_before_it_is_sent() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    (event,) = desk.does(cancel(order))
    assert isinstance(event, OrderCancelRequested)
    assert desk.order(order).state is OrderState.CANCELING


def test_an_order_without_a_barrier_needs_a_person() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    (event,) = desk.does(give_up(order))
    assert isinstance(event, OrderNeedsHuman)


@pytest.mark.parametrize(
    ("prepare", "say"),
    [("submitted", lose), ("accepted", cancel), ("unknown", give_up), ("submitted", accept)],
)
def test_a_step_that_is_told_twice_is_known(prepare: str, say: Say) -> None:
    desk = Desk()
    order: Order = getattr(desk, prepare)(entry("1"))
    assert len(desk.does(say(order))) == 1
    assert desk.does(say(order)) == ()


@pytest.mark.parametrize("say", [lose, cancel, give_up, accept])
def test_a_step_of_an_order_that_nobody_knows_is_refused(say: Say) -> None:
    assert Desk().refuses(say(entry("1"))).code == "unknown_order"


@pytest.mark.parametrize(
    ("prepare", "say"),
    [
        ("intended", lose),
        ("intended", cancel),
        ("intended", accept),
        ("submitted", cancel),
        ("submitted", give_up),
        ("unknown", cancel),
        ("accepted", lose),
        ("accepted", give_up),
    ],
)
def test_a_step_that_the_table_does_not_have_is_refused(prepare: str, say: Say) -> None:
    desk = Desk()
    order: Order = getattr(desk, prepare)(entry("1"))
    assert desk.refuses(say(order)).code == "unlawful"


def test_a_late_acceptance_of_what_has_filled_is_known() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1")
    assert desk.does(accept(order)) == ()


def test_an_order_has_one_id_at_the_exchange() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.refuses(accept(order, "another")).code == "unlawful"


def test_an_order_proven_absent_may_appear() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    desk.does(accept(order))
    assert desk.order(order).state is OrderState.OPEN


@pytest.mark.parametrize("step", [OrderStep.REJECT, OrderStep.CANCEL])
def test_an_order_that_ended_short_may_be_taken_up_again(step: OrderStep) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.does(end(order, step))
    desk.does(replace(accept(order), takes_up_again=True))
    assert desk.order(order).state is OrderState.OPEN


@pytest.mark.parametrize("step", [OrderStep.REJECT, OrderStep.CANCEL])
def test_an_acceptance_that_comes_after_the_end_is_known(step: OrderStep) -> None:
    desk = Desk()
    held = desk.holding("1")
    order = desk.accepted(exit_of(held))
    desk.does(end(order, step))
    assert desk.does(accept(order)) == ()
    assert (desk.order(order).is_ended, desk.position().exits_ended) == (True, 1)


def test_an_order_that_filled_is_known_whatever_is_said_of_it_later() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1")
    assert desk.does(accept(order)) == ()
    assert desk.refuses(accept(order, "another")).code == "unlawful"


replace = msgspec.structs.replace


# Marks and stops --------------------------------------------------------------------------


def mark(position: PositionId, price: str) -> MarkPosition:
    return MarkPosition(position_id=position, price=Decimal(price))


def stop(position: PositionId, price: str) -> RaiseStop:
    return RaiseStop(position_id=position, stop_price=Decimal(price), price=Decimal(100))


def test_a_mark_is_written_once() -> None:
    desk = Desk()
    held = desk.holding().position_id
    assert desk.does(mark(held, "105")) == (PositionMarked(price=Decimal(105)),)
    assert desk.does(mark(held, "105.00")) == ()
    assert desk.position().mark == 105


def test_a_mark_at_the_same_price_is_news_only_when_it_has_seen_more() -> None:
    desk = Desk()
    held = desk.holding().position_id
    same = mark(held, "100")
    assert desk.does(replace(same, high=Decimal(100), low=Decimal(100))) == ()
    assert len(desk.does(replace(same, high=Decimal(101), low=Decimal(100)))) == 1
    assert len(desk.does(replace(same, high=Decimal(101), low=Decimal(99)))) == 1
    assert desk.does(replace(same, high=Decimal("100.5"), low=Decimal("99.5"))) == ()
    assert (desk.position().price_high, desk.position().price_low) == decimals(101, 99)


@pytest.mark.parametrize("field", ["high", "low"])
@pytest.mark.parametrize("price", ["0", "NaN"])
def test_an_extreme_that_is_no_price_is_refused(field: str, price: str) -> None:
    desk = Desk()
    made = mark(desk.holding().position_id, "105")
    assert desk.refuses(replace(made, **{field: Decimal(price)})).code == "no_price"


@pytest.mark.parametrize("price", ["97", "98", "98.00"])
def test_a_stop_never_falls(price: str) -> None:
    desk = Desk()
    held = desk.holding()
    assert held.stop_price == 98
    assert desk.does(stop(held.position_id, price)) == ()


def test_a_stop_rises() -> None:
    desk = Desk()
    held = desk.holding()
    (event,) = desk.does(stop(held.position_id, "99"))
    assert isinstance(event, StopRaised)
    assert desk.position().stop_price == 99


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+18"])
@pytest.mark.parametrize("say", [mark, stop])
def test_a_price_that_is_none_is_refused(
    say: Callable[[PositionId, str], Command], price: str
) -> None:
    desk = Desk()
    held = desk.holding().position_id
    assert desk.refuses(say(held, price)).code == "no_price"


@pytest.mark.parametrize("say", [mark, stop])
def test_what_is_not_alive_has_neither_mark_nor_stop(
    say: Callable[[PositionId, str], Command],
) -> None:
    desk = Desk(keeps=True)
    held = desk.holding().position_id
    desk.left()
    assert desk.refuses(say(held, "99")).code == "no_position"
    assert desk.refuses(say(PositionId("nobody's"), "99")).code == "no_position"


# What the exchange lists --------------------------------------------------------------------


def test_a_position_goes_by_what_the_exchange_lists_now() -> None:
    desk = Desk()
    held = desk.holding("3.1234").position_id
    coarser = instrument(amount_step=Decimal("0.01"))
    listed = ChangeInstrument(position_id=held, instrument=coarser)
    assert desk.does(listed) == (InstrumentChanged(instrument=coarser),)
    assert desk.does(listed) == ()
    assert desk.position().instrument == coarser


def test_what_is_below_the_present_lot_becomes_dust_with_the_last_exit() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("3.1234")
    coarser = instrument(amount_step=Decimal("0.01"))
    desk.does(ChangeInstrument(position_id=held.position_id, instrument=coarser))
    stop = ExitWanted(reason=ExitReason.STOP_LOSS, trigger_price=None)
    key = exit_of(held).client_order_id
    made = exit_order(desk.book, desk.position(), stop, quote(), key)
    assert made is not None
    assert made.amount == Decimal("3.12")
    desk.fills(desk.accepted(made), made.amount, "100")
    assert desk.positions[held.position_id].status is PositionStatus.CLOSED
    assert desk.book.account.dust == {"BTC": Decimal("0.0034")}


def test_an_instrument_is_taken_by_what_is_alive_and_of_its_coins_alone() -> None:
    desk = Desk(keeps=True)
    held = desk.holding().position_id
    other = ChangeInstrument(position_id=held, instrument=instrument(ETH_USDT))
    assert desk.refuses(other).code == "other_instrument"
    desk.left()
    late = ChangeInstrument(position_id=held, instrument=instrument(amount_step=Decimal(1)))
    assert desk.refuses(late).code == "no_position"
