"""A price that leaps beyond the collar, in live mode over HTTP: out by limits, then at market."""

from __future__ import annotations

import time
from itertools import pairwise

from aegis.domain.ids import NANOS_PER_SECOND
from tests.crash.evidence import look
from tests.crash.process import RUN
from tests.exchange_server.shapes import Order
from tests.live.agreement import agrees
from tests.live.conftest import Make
from tests.live.scene import HOLDING, LiveScene

POLL_S = 0.1
EACH_WITHIN_S = POLL_S + 1
TRADES_EACH_S = 1
"""What the first one sold is booked before the next goes, and trades are told once a second."""


def sales(scene: LiveScene) -> list[Order]:
    with scene.local.ledger() as ledger:
        return [order for order in ledger.orders() if order.side == "SELL"]


def test_a_leap_into_a_thin_book_is_left_by_two_limits_and_then_at_market(make_live: Make) -> None:
    scene = make_live(HOLDING.replace("price_collar_pct = 10", "price_collar_pct = 1"), RUN)
    process = scene.restart()
    scene.wait_for_position(process)
    scene.local.control.settings(depth="1")  # some ten of a hundred, at each price together
    fell_at = time.time_ns()
    scene.local.control.price("BTC_USDT", "38000")
    process.wait_until(lambda: True if len(sales(scene)) >= 3 else None, lambda: "three exits")
    scene.local.control.settings(depth="1000000")
    process.wait_for("PositionClosed")
    assert scene.ask("halt").is_done
    scene.check_settled(process)
    scene.kill(process)

    first, second, third = sales(scene)[:3]
    kinds = [(each.type, each.tif) for each in (first, second, third)]
    immediate = ("LIMIT", "IMMEDIATE_OR_CANCEL")
    assert kinds == [immediate, immediate, ("MARKET", "GOOD_TILL_CANCEL")]
    assert first.limit_price is not None
    assert second.limit_price is not None
    assert second.limit_price < first.limit_price
    sent = [fell_at, *(each.created_at for each in (first, second, third))]
    waits_s = [(after - before) / NANOS_PER_SECOND for before, after in pairwise(sent)]
    assert waits_s[0] < EACH_WITHIN_S, waits_s
    assert max(waits_s) < EACH_WITHIN_S + TRADES_EACH_S, waits_s
    assert agrees(look(scene.store), scene.view()) == ()
