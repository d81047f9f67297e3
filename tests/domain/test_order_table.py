"""The order table as data: what the design's rows say is there, and nothing leads nowhere."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
)
from aegis.domain.fold import ORDER_EVENTS, STEP_OF, OrderEvent, evolve_order
from aegis.domain.ids import ExchangeOrderId
from aegis.domain.order import ENDED, TRANSITIONS, UNSETTLED, Order, OrderState, OrderStep
from tests.domain.kit import START, entry, fill

S, E = OrderState, OrderStep

ROWS = {
    "fresh, gates passed": (S.INTENT, E.SUBMIT, S.SUBMITTING),
    "a gate said no": (S.INTENT, E.REJECT, S.REJECTED),
    "an intent after a crash was never sent": (S.INTENT, E.EXPIRE, S.EXPIRED),
    "an answer with an exchange id": (S.SUBMITTING, E.ACCEPT, S.OPEN),
    "a refusal from the list": (S.SUBMITTING, E.REJECT, S.REJECTED),
    "anything else, and a crash": (S.SUBMITTING, E.LOSE_SIGHT, S.UNKNOWN),
    "found": (S.UNKNOWN, E.ACCEPT, S.OPEN),
    "not found after the barrier": (S.UNKNOWN, E.PROVE_ABSENT, S.NOT_PLACED),
    "no barrier to be had": (S.UNKNOWN, E.GIVE_UP, S.NEEDS_HUMAN),
    "a person says that it is there": (S.NEEDS_HUMAN, E.ACCEPT, S.OPEN),
    "a person says that it is not": (S.NEEDS_HUMAN, E.PROVE_ABSENT, S.NOT_PLACED),
    "the tombstone speaks": (S.NOT_PLACED, E.ACCEPT, S.OPEN),
    "refused, and there after all": (S.REJECTED, E.ACCEPT, S.OPEN),
    "given up unsent, and there after all": (S.EXPIRED, E.ACCEPT, S.OPEN),
    "cancelled, and more of it filled": (S.CANCELED, E.ACCEPT, S.OPEN),
    "filled twice under one id": (S.FILLED, E.COMPLETE, S.FILLED),
    "a first fill": (S.OPEN, E.FILL, S.PARTIAL),
    "a further fill": (S.PARTIAL, E.FILL, S.PARTIAL),
    "filled at once": (S.OPEN, E.COMPLETE, S.FILLED),
    "filled by and by": (S.PARTIAL, E.COMPLETE, S.FILLED),
    "rejected late": (S.OPEN, E.REJECT, S.REJECTED),
    "rejected late, in part": (S.PARTIAL, E.REJECT, S.REJECTED),
    "expired": (S.OPEN, E.EXPIRE, S.EXPIRED),
    "expired in part": (S.PARTIAL, E.EXPIRE, S.EXPIRED),
    "cancelled by others": (S.OPEN, E.CANCEL, S.CANCELED),
    "cancelled by others, in part": (S.PARTIAL, E.CANCEL, S.CANCELED),
    "cancel wanted": (S.OPEN, E.WANT_CANCEL, S.CANCELING),
    "cancel wanted, in part": (S.PARTIAL, E.WANT_CANCEL, S.CANCELING),
    "cancelled": (S.CANCELING, E.CANCEL, S.CANCELED),
    "filled while it was cancelled": (S.CANCELING, E.FILL, S.CANCELING),
    "filled before it was cancelled": (S.CANCELING, E.COMPLETE, S.FILLED),
    "rejected while it was cancelled": (S.CANCELING, E.REJECT, S.REJECTED),
    "expired while it was cancelled": (S.CANCELING, E.EXPIRE, S.EXPIRED),
}
"""The design's rows that concern paper, each with what it is for."""


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_of_the_design_is_in_the_table(row: tuple[OrderState, OrderStep, OrderState]) -> None:
    state, step, after = row
    assert TRANSITIONS[state, step] is after


def test_the_table_has_no_row_that_the_design_has_not() -> None:
    assert set(TRANSITIONS) == {(state, step) for state, step, _ in ROWS.values()}


def test_what_has_ended_short_stays_so_until_the_exchange_shows_it() -> None:
    steps = {state: step for state, step in TRANSITIONS if state in ENDED}
    assert steps.pop(S.FILLED) is E.COMPLETE
    assert steps == dict.fromkeys(ENDED - {S.FILLED}, E.ACCEPT)


def test_what_was_filled_stays_filled() -> None:
    assert {after for (state, _), after in TRANSITIONS.items() if state is S.FILLED} == {S.FILLED}


@pytest.mark.parametrize("state", sorted(set(S) - ENDED))
def test_an_end_can_be_reached_from_each_state(state: OrderState) -> None:
    reached, grown = {state}, True
    while grown:
        further = {after for (here, _), after in TRANSITIONS.items() if here in reached}
        grown = not further <= reached
        reached |= further
    assert reached & ENDED


@pytest.mark.parametrize("state", sorted(set(S) - {S.INTENT}))
def test_each_state_can_be_reached_from_the_intent(state: OrderState) -> None:
    reached, grown = {S.INTENT}, True
    while grown:
        further = {after for (here, _), after in TRANSITIONS.items() if here in reached}
        grown = not further <= reached
        reached |= further
    assert state in reached


def test_nobody_knows_of_an_order_exactly_between_sending_and_an_answer() -> None:
    assert {S.SUBMITTING, S.UNKNOWN, S.NEEDS_HUMAN} == UNSETTLED


def test_a_fill_is_no_way_out_of_doubt() -> None:
    doubtful = {(state, step) for state, step in TRANSITIONS if state in UNSETTLED}
    assert not {step for _, step in doubtful} & {E.FILL, E.COMPLETE, E.CANCEL, E.EXPIRE}


ORDER = entry("1")
KEY = ORDER.client_order_id

EVENTS: dict[OrderStep, OrderEvent] = {
    E.SUBMIT: OrderSubmitted(client_order_id=KEY),
    E.ACCEPT: OrderAccepted(client_order_id=KEY, exchange_order_id=ExchangeOrderId("x-1")),
    E.LOSE_SIGHT: OrderOutcomeUnknown(client_order_id=KEY, reason="timed out"),
    E.FILL: OrderFilled(
        client_order_id=KEY,
        symbol=ORDER.symbol,
        side=ORDER.side,
        fill=fill("t-1", "0.25"),
        is_complete=False,
    ),
    E.COMPLETE: OrderFilled(
        client_order_id=KEY,
        symbol=ORDER.symbol,
        side=ORDER.side,
        fill=fill("t-2", "1"),
        is_complete=True,
    ),
    E.WANT_CANCEL: OrderCancelRequested(client_order_id=KEY, reason="changed my mind"),
    E.CANCEL: OrderCanceled(client_order_id=KEY, filled=Decimal(0), reason="cancelled"),
    E.REJECT: OrderRejected(client_order_id=KEY, filled=Decimal(0), reason="rejected"),
    E.EXPIRE: OrderExpired(client_order_id=KEY, filled=Decimal(0), reason="expired"),
    E.PROVE_ABSENT: OrderNotPlaced(client_order_id=KEY, reason="absent"),
    E.GIVE_UP: OrderNeedsHuman(client_order_id=KEY, reason="no barrier"),
}


def in_state(state: OrderState) -> Order:
    return entry("1", state=state)


@pytest.mark.parametrize("step", OrderStep)
@pytest.mark.parametrize("state", OrderState)
def test_the_fold_takes_a_step_exactly_where_the_table_has_it(
    state: OrderState, step: OrderStep
) -> None:
    after = TRANSITIONS.get((state, step))
    if after is None:
        with pytest.raises(AssertionError, match="does not follow"):
            evolve_order(in_state(state), EVENTS[step], START)
    else:
        assert evolve_order(in_state(state), EVENTS[step], START).state is after


def test_each_step_has_its_event_and_each_event_of_an_order_its_step() -> None:
    assert set(EVENTS) == set(OrderStep)
    assert {type(event) for event in EVENTS.values()} == set(ORDER_EVENTS)
    for step, event in EVENTS.items():
        if not isinstance(event, OrderFilled):
            assert STEP_OF[type(event)] is step
