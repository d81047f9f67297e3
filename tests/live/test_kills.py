"""SIGKILL at each step of an order's way: what the next start finds is so, and is all there is.

Each order is known, none is there twice, fills and balances are equal to the last digit: that is
checked by each `restart`. The exchange takes a client id as often as it comes.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.order import OrderState, Role
from tests.live.conftest import Make
from tests.live.doomed import Doom, Moment
from tests.live.scene import LiveScene

ENDS = {
    (Moment.AFTER, "OrderIntended"): (OrderState.INTENT, OrderState.EXPIRED),
    (Moment.AFTER, "OrderSubmitted"): (OrderState.SUBMITTING, OrderState.NOT_PLACED),
    (Moment.UNANSWERED, "Place"): (OrderState.SUBMITTING, OrderState.FILLED),
    (Moment.AFTER, "OrderAccepted"): (OrderState.OPEN, OrderState.FILLED),
    (Moment.AFTER, "OrderFilled"): (OrderState.FILLED, OrderState.FILLED),
}
"""What the dead leaves on the disk, and what the next life makes of it."""

SAME_AGAIN = {
    (Moment.BEFORE, "OrderSubmitted"): ENDS[Moment.AFTER, "OrderIntended"],
    (Moment.BEFORE, "Place"): ENDS[Moment.AFTER, "OrderSubmitted"],
    (Moment.ANSWERED, "Place"): ENDS[Moment.UNANSWERED, "Place"],
    (Moment.BEFORE, "OrderAccepted"): ENDS[Moment.UNANSWERED, "Place"],
    (Moment.BEFORE, "OrderFilled"): ENDS[Moment.AFTER, "OrderAccepted"],
}
"""Moments between the same two commits, on the same side of the wire as one above."""

SEEN_FIRST = {
    (moment, "Place"): (OrderState.OPEN,) for moment in (Moment.UNANSWERED, Moment.ANSWERED)
}
"""What the minute's look at the account may have shown already: the exchange has it by then."""

LIFE = [
    pytest.param(doom, *ends, id=str(doom), marks=marks)
    for role in (Role.ENTRY, Role.EXIT)
    for steps, marks in ((ENDS, ()), (SAME_AGAIN, pytest.mark.long))
    for (moment, what), ends in steps.items()
    for doom in (Doom(moment=moment, what=what, role=role),)
]


@pytest.fixture(scope="module")
def scene(make_live: Make) -> LiveScene:
    return make_live()


@pytest.mark.parametrize(("doom", "left", "ends"), LIFE)
def test_an_order_at_which_it_died_ends_as_it_was(
    scene: LiveScene, doom: Doom, left: OrderState, ends: OrderState
) -> None:
    order = scene.youngest(scene.die_at(doom), Role(doom.role))
    assert order.state in {left, *SEEN_FIRST.get((doom.moment, doom.what), ())}

    scene.restart()

    assert scene.order(order).state is ends


def test_an_order_that_was_decided_and_not_written_down_never_was(scene: LiveScene) -> None:
    dead = scene.die_at(Doom(moment=Moment.BEFORE, what="OrderIntended"))
    assert not dead.book.active_orders()
    assert {*dead.orders} == {order.client_order_id for order in scene.view().orders} | {
        order.client_order_id for order in dead.in_state(OrderState.EXPIRED, OrderState.NOT_PLACED)
    }

    scene.restart()


# A cancel -----------------------------------------------------------------------------------------

CANCELS = (
    Doom(moment=Moment.AFTER, what="OrderCancelRequested"),
    Doom(moment=Moment.UNANSWERED, what="Cancel"),
    Doom(moment=Moment.BEFORE, what="OrderCanceled"),
)


@pytest.mark.parametrize("doom", CANCELS, ids=str)
def test_an_order_at_whose_cancel_it_died_is_cancelled_with_what_was_filled(
    halting: LiveScene, doom: Doom
) -> None:
    control, process = halting.local.control, halting.living
    control.settings(matching="by_hand")
    assert halting.ask("resume").is_done
    order = halting.wait_for_order(process, OrderState.OPEN, Role.ENTRY)
    control.fill(order.client_order_id, "0.00101", "40000")
    halting.wait_for_order(process, OrderState.PARTIAL, Role.ENTRY)

    dead = halting.die_at(doom, lambda: halting.ask("halt"))
    assert dead.orders[order.client_order_id].state is OrderState.CANCELING
    halting.restart()

    found = halting.order(order)
    assert (found.state, found.filled) == (OrderState.CANCELED, Decimal("0.00101"))
    control.settings(matching="market")
    halting.wait_until_flat()


@pytest.fixture(scope="module")
def halting(make_live: Make) -> LiveScene:
    return make_live()
