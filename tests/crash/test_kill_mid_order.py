"""SIGKILL while the outcome of a request is in the dark: it is found out, never guessed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis.domain.order import Order, OrderState, Role
from aegis.exchange.paper_ledger import read_ledger
from tests.crash.evidence import look
from tests.crash.paper_process import Hold
from tests.crash.process import Process
from tests.crash.scene import UNHURRIED, Scene

IMPATIENT = UNHURRIED.replace("call_deadline_s = 5", "call_deadline_s = 1")
"""What was not placed within 2 s, the deadline and a margin, never will be."""

SLOW_FILLS = UNHURRIED.replace("period_s = 900", "period_s = 7200") + (
    "[paper]\nvolume_share_max = 0.0002\n[sizing]\nvalue = 900\n"
)


@pytest.mark.parametrize("role", [Role.ENTRY, Role.EXIT])
def test_an_order_that_was_placed_unheard_is_found_and_booked_once(
    make_scene: Callable[..., Scene], role: Role
) -> None:
    scene = make_scene(UNHURRIED)
    process = scene.restart()
    for _ in range(3):
        process = die_with_an_answer_held_back(scene, process, role)


def die_with_an_answer_held_back(scene: Scene, process: Process, role: Role) -> Process:
    """Kill with an order in SUBMITTING that the exchange has; return the next life, recovered."""
    wait_for_turn(scene, process, role)
    order = scene.wait_for_unheard(process, role)
    kill_while_submitting(scene, process, order)
    process = scene.restart()
    found = look(scene.store).orders[order.client_order_id]
    assert found.state is OrderState.FILLED
    assert len(found.trade_ids) == 1
    return process


@pytest.mark.parametrize("role", [Role.ENTRY, Role.EXIT])
def test_an_order_that_never_arrived_is_proven_absent_and_never_sent_again(
    make_scene: Callable[..., Scene], role: Role
) -> None:
    scene = make_scene(IMPATIENT)
    process = scene.restart()
    wait_for_turn(scene, process, role)
    scene.hold(Hold.REQUEST)
    order = scene.wait_for_order(process, OrderState.SUBMITTING, role)
    kill_while_submitting(scene, process, order)

    scene.restart()

    assert look(scene.store).orders[order.client_order_id].state is OrderState.NOT_PLACED
    placed = {placed.client_order_id for placed in read_ledger(scene.ledger).orders}
    assert order.client_order_id not in placed


def wait_for_turn(scene: Scene, process: Process, role: Role) -> None:
    """Wait until the next order will be of a role."""
    scene.wait_for_position(process)
    if role is Role.ENTRY:
        process.wait_until(lambda: is_flat(scene), lambda: "no position")


def is_flat(scene: Scene) -> bool | None:
    return True if not look(scene.store).book.alive_positions() else None


def kill_while_submitting(scene: Scene, process: Process, order: Order) -> None:
    """Kill, check that the disk says SUBMITTING, and let the next life through."""
    left = scene.kill(process)
    assert left.orders[order.client_order_id].state is OrderState.SUBMITTING
    scene.hold(None)


def test_a_cancel_that_was_done_unheard_is_booked_with_what_was_filled(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(SLOW_FILLS)
    process = scene.restart()
    order = scene.wait_for_order(process, OrderState.PARTIAL, Role.ENTRY)
    scene.hold(Hold.CANCEL)
    assert scene.ask("halt").is_done
    scene.wait_for_order(process, OrderState.CANCELING, Role.ENTRY)
    scene.kill(process)
    scene.hold(None)

    process = scene.restart()

    found = look(scene.store).orders[order.client_order_id]
    assert found.state is OrderState.CANCELED
    assert 0 < found.filled < found.amount
