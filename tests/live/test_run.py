"""`python run.py --live` as a person starts it: it trades, it stops, and keeps to the limits."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import NamedTuple

import pytest

from aegis.domain.ids import NANOS_PER_SECOND
from tests.crash.evidence import look
from tests.crash.process import RUN
from tests.exchange_server.shapes import Order
from tests.live.agreement import agrees
from tests.live.conftest import Make
from tests.live.scene import HOLDING, LiveScene

POLL_S = 0.1
CALL_DEADLINE_S = 2
STOP_WITHIN_S = POLL_S + 1 + CALL_DEADLINE_S
"""A machine that does other things as well; to the point it is held on the seeded clock."""


class Ran(NamedTuple):
    scene: LiveScene
    fell_at: int


@pytest.fixture(scope="module")
def ran(make_live: Make) -> Ran:
    """Give a run whose price fell through its stop, at an exchange that limits rates."""
    scene = make_live(HOLDING, RUN, rate_limits=True, nonce_window_s=60.0)
    process = scene.restart()
    scene.wait_for_position(process)
    fell_at = time.time_ns()
    scene.local.control.price("BTC_USDT", "38000")
    process.wait_for("PositionClosed")
    assert scene.ask("halt").is_done
    scene.check_settled(process)
    scene.kill(process)
    return Ran(scene, fell_at)


def sales(scene: LiveScene) -> list[Order]:
    with scene.local.ledger() as ledger:
        return [order for order in ledger.orders() if order.side == "SELL"]


def test_it_trades_and_agrees_with_the_exchange(ran: Ran) -> None:
    assert agrees(look(ran.scene.store), ran.scene.view()) == ()
    assert len(ran.scene.view().trades) >= 2


def test_a_stop_is_on_the_wire_within_its_time(ran: Ran) -> None:
    sale = sales(ran.scene)[0]
    assert sale.quantity == Decimal("0.00249")
    assert (sale.created_at - ran.fell_at) / NANOS_PER_SECOND < STOP_WITHIN_S


def test_it_keeps_below_the_published_rates(ran: Ran) -> None:
    with ran.scene.local.ledger() as ledger:
        assert [each for each in ledger.requests() if each.outcome == "42901"] == []
