"""A stop that rests at the exchange, in live mode over HTTP: beside ours, and instead of it."""

from __future__ import annotations

import pytest

from aegis.domain.money import floor_to
from aegis.domain.order import Role
from tests.crash.evidence import look
from tests.crash.process import RUN
from tests.exchange_server.faults import Fault
from tests.exchange_server.shapes import Order, Status
from tests.live.agreement import agrees
from tests.live.conftest import Make
from tests.live.scene import HOLDING, LiveScene

DISASTER = HOLDING.replace("[risk]", '[risk]\nexchange_stop = "disaster"')
"""Entered at 40,000: our stop at about 39,200, the one at the exchange at 38,416."""


def stops(scene: LiveScene) -> list[Order]:
    with scene.local.ledger() as ledger:
        return [order for order in ledger.orders() if order.type == "STOP_LOSS"]


def resting(scene: LiveScene) -> Order:
    """Wait until a stop rests at the exchange, and return it."""

    def found() -> Order | None:
        open_ones = [order for order in stops(scene) if order.is_open]
        return open_ones[0] if open_ones else None

    return scene.living.wait_until(found, lambda: "a stop at the exchange")


def who_filled(scene: LiveScene) -> list[Role]:
    """Return the roles of the orders that filled, in the order of their intents."""
    orders = sorted(look(scene.store).orders.values(), key=lambda order: order.intended_at)
    return [order.role for order in orders if order.filled > 0]


@pytest.mark.parametrize(
    "locks",
    [
        pytest.param(True, id="locks"),
        pytest.param(False, id="locks nothing", marks=pytest.mark.long),
    ],
)
def test_our_stop_sells_once_the_other_has_ended_though_a_cancels_answer_is_lost(
    make_live: Make, *, locks: bool
) -> None:
    scene = make_live(DISASTER, RUN, locks_triggers=locks)
    quantity = resting(scene).quantity
    held = look(scene.store).book.alive_positions()[0]
    assert quantity == floor_to(held.amount, held.instrument.amount_step)
    scene.local.control.fault(Fault.DROP_AFTER, "private/advanced/cancel-order", next=1)
    scene.local.control.price("BTC_USDT", "39000")
    scene.living.wait_for("PositionClosed")
    assert scene.ask("halt").is_done
    scene.check_settled(scene.living)
    scene.kill(scene.living)

    assert stops(scene)[0].status is Status.CANCELED
    assert who_filled(scene)[:2] == [Role.ENTRY, Role.EXIT]
    assert agrees(look(scene.store), scene.view()) == ()


def test_while_aegis_is_down_it_sells_and_the_next_start_books_it(make_live: Make) -> None:
    scene = make_live(DISASTER, RUN)
    resting(scene)
    assert scene.ask("halt").is_done
    scene.kill(scene.living)
    scene.local.control.price("BTC_USDT", "38000")
    scene.restart()
    scene.wait_until_flat()
    scene.kill(scene.living)

    (stop,) = stops(scene)
    assert stop.status is Status.FILLED
    assert who_filled(scene) == [Role.ENTRY, Role.PROTECTIVE]
    assert agrees(look(scene.store), scene.view()) == ()
