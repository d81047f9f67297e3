"""What no walk through the protocol looks at: when people are told, and how a request is signed."""

from __future__ import annotations

import pytest

from aegis.dialogue import NoAnswer, PlaceOrder
from aegis.domain.events import OrderOutcomeUnknown
from aegis.domain.ids import Instant
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.order import Order, OrderState
from aegis.exchange.heard import (
    UNWATCHED,
    AlarmDue,
    AlarmLater,
    FindHeard,
    Heard,
    Leave,
    Send,
    Step,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.protocol import step
from tests.domain.kit import START, Desk, entry, exit_of, seconds
from tests.protocol.life import StillClock
from tests.protocol.world import PATIENCE


def lost(order: Order) -> Order:
    desk = Desk()
    desk.unknown(order)
    return desk.order(order)


def lost_exit() -> Order:
    desk = Desk()
    return desk.order(desk.unknown(exit_of(desk.holding())))


def after(order: Order, heard: Heard, *, now_s: int = 0, watch: Watch = UNWATCHED) -> Step:
    return step(order, watch, heard, PATIENCE, StillClock(now_s))


def told_lost(order: Order) -> Told:
    return Told(event=OrderOutcomeUnknown(client_order_id=order.client_order_id, reason=""))


@pytest.mark.parametrize("heard", [told_lost(lost_exit()), TakenUp()])
def test_an_exit_out_of_sight_is_looked_after_though_nobody_answers(heard: Heard) -> None:
    _, effects = after(lost_exit(), heard)
    assert AlarmLater(delay_s=SECOND_EXIT_AFTER_S) in effects


@pytest.mark.parametrize("heard", [told_lost(lost(entry())), TakenUp()])
def test_an_entry_out_of_sight_is_no_alarm(heard: Heard) -> None:
    _, effects = after(lost(entry()), heard)
    assert not [each for each in effects if isinstance(each, AlarmLater)]


@pytest.mark.parametrize("heard", [AlarmDue(), FindHeard(answer=NoAnswer(reason=""))])
@pytest.mark.parametrize("early_s", [0, 1])
def test_people_are_told_when_an_exit_is_out_of_sight_for_so_long(
    heard: Heard, early_s: int
) -> None:
    _, effects = after(lost_exit(), heard, now_s=SECOND_EXIT_AFTER_S - early_s)
    assert (TellLost() in effects) is (early_s == 0)


def test_people_are_told_once() -> None:
    watch, _ = after(lost_exit(), AlarmDue(), now_s=SECOND_EXIT_AFTER_S)
    _, effects = after(lost_exit(), AlarmDue(), now_s=60, watch=watch)
    assert effects == ()


def test_who_was_told_that_an_exit_waits_is_told_as_well_that_it_is_out_of_sight() -> None:
    desk = Desk()
    waiting = desk.order(desk.intended(exit_of(desk.holding())))
    watch, effects = after(waiting, AlarmDue(), now_s=SECOND_EXIT_AFTER_S)
    assert effects == (TellWaiting(),)
    watch, _ = after(lost_exit(), told_lost(lost_exit()), now_s=60, watch=watch)
    _, effects = after(lost_exit(), AlarmDue(), now_s=60, watch=watch)
    assert effects == (TellLost(),)


def test_people_are_not_told_of_an_exit_that_was_found() -> None:
    desk = Desk()
    found = desk.order(desk.accepted(exit_of(desk.holding())))
    assert found.state is OrderState.OPEN
    _, effects = after(found, AlarmDue(), now_s=60)
    assert effects == ()


@pytest.mark.parametrize(("submitted_s", "now_s", "signed_s"), [(0, 30, 0), (30, 0, 0), (5, 5, 5)])
def test_a_request_is_signed_no_later_than_its_submission_nor_ahead_of_the_clock(
    submitted_s: int, now_s: int, signed_s: int
) -> None:
    leave = Leave(at=Instant(START + seconds(submitted_s)))
    _, effects = after(entry(state=OrderState.SUBMITTING), leave, now_s=now_s)
    (sent,) = (each.request for each in effects if isinstance(each, Send))
    assert isinstance(sent, PlaceOrder)
    assert sent.sent_at == START + seconds(signed_s)
