"""What the measurement of orders makes of what it sees."""

from __future__ import annotations

import json

import pytest

from tests.bench.gateway import command
from tests.bench.gateway.command import took_of
from tests.bench.gateway.trading import Stamps, Way

MS = 1_000_000


def way(*ms: int) -> Way:
    beat, intended, submitted, wired = (each * MS for each in ms)
    return Way(beat=beat, intended=intended, submitted=submitted, wired=wired)


def test_each_step_is_timed_from_the_end_of_the_one_before() -> None:
    took = took_of([way(0, 1, 3, 7)] * 5, "alone")
    assert [each.p50_ms for each in took] == [1, 2, 4, 7]
    assert [each.goal_ms for each in took] == [None, None, None, 1_000]


@pytest.mark.parametrize(("last_ms", "is_met"), [(1_000, True), (1_001, False)])
def test_a_goal_is_of_the_slowest_but_a_hundredth(last_ms: int, *, is_met: bool) -> None:
    ways = [way(0, 1, 2, 10)] * 2 + [way(0, 1, 2, last_ms)] * 98
    assert took_of(ways, "alone")[-1].is_met is is_met


def test_a_line_is_passed_on_and_waited_for_in_its_turn() -> None:
    passed: list[tuple[str, object]] = []
    stamps = Stamps(lambda event, /, **fields: passed.append((event, fields)))
    stamps("OrderFilled", client_order_id="a")
    stamps("OrderIntended", client_order_id="a")
    stamps("OrderSubmitted", client_order_id="a")
    heard = stamps.wait_for("OrderSubmitted")
    assert heard is not None
    assert heard[0] == "a"
    assert stamps.wait_for("OrderIntended", wait_s=0) is None
    assert [event for event, _ in passed] == ["OrderFilled", "OrderIntended", "OrderSubmitted"]


@pytest.mark.long
def test_orders_are_measured_alone_and_beside_a_busy_thread(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.compare(4, is_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["beside"] for each in told["steps"]] == ["alone"] * 4 + [command.BUSY] * 4
    assert all(each["p50_ms"] > 0 for each in told["steps"])
