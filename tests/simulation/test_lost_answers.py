"""One intent is one order, whatever becomes of its request and of its answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from actors import names
from aegis.dialogue import CancelOrder, ExchangeRequest, FetchAccount, FindOrder, PlaceOrder
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.order import OrderState, Side
from aegis.exchange.paper import Fault
from aegis.messages import ReconcileNow
from supervisors.settings import barrier_s
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.faults import (
    ANSWER_LOST,
    LATE,
    REQUEST_LOST,
    UNREADABLE,
    Faults,
    either,
    on,
)
from tests.simulation.world import World

DONE_BUT_UNHEARD = [
    pytest.param(ANSWER_LOST, id="answer lost"),
    pytest.param(LATE, id="answer later than the deadline"),
    pytest.param(UNREADABLE, id="HTML 502 after acceptance"),
]
ENTRY_AND_EXIT = {"enters": [2], "leaves": [8]}
"""One trade."""


def states_of(world: World, client_order_id: str) -> list[object]:
    """Return the events of an order, in order."""
    return [
        event["event_type"]
        for event in world.history()
        if isinstance(event["data"], dict)
        and event["data"].get("client_order_id") == client_order_id
    ]


def lived(make_world: MakeWorld, faults: Faults, script: Mapping[str, object]) -> World:
    return make_world(flat(30), script=script, faults=faults).live()


@pytest.mark.parametrize("fault", DONE_BUT_UNHEARD)
@pytest.mark.parametrize("side", list(Side))
def test_an_order_whose_answer_did_not_come_is_found_and_adopted(
    make_world: MakeWorld, fault: Fault, side: Side
) -> None:
    faults = on(PlaceOrder, fault, times=1, side=side)
    world = lived(make_world, faults, ENTRY_AND_EXIT)

    (order,) = (o for o in world.ledger().orders if o.side is side)
    assert states_of(world, order.client_order_id or "") == [
        "OrderIntended",
        "OrderSubmitted",
        "OrderOutcomeUnknown",
        "OrderAccepted",
        "OrderFilled",
    ]
    assert len(world.positions("CLOSED")) == 1
    world.expect_truth()


def test_an_entry_whose_request_was_lost_ends_as_not_placed_after_the_barrier(
    make_world: MakeWorld,
) -> None:
    world = lived(make_world, on(PlaceOrder, REQUEST_LOST, times=1), {"enters": [2]})

    (order,) = world.evidence().orders.values()
    assert order.state is OrderState.NOT_PLACED
    assert order.submitted_at is not None
    assert order.ended_at is not None
    waited_s = (order.ended_at - order.submitted_at) / NANOS_PER_SECOND
    assert waited_s > barrier_s(world.config)
    assert order.end_reason == "not found after the barrier, and no trade since"


def test_an_exit_whose_request_was_lost_is_known_so_at_the_barrier(
    make_world: MakeWorld,
) -> None:
    faults = on(PlaceOrder, REQUEST_LOST, times=1, side=Side.SELL)
    world = lived(make_world, faults, ENTRY_AND_EXIT)

    (lost,) = (o for o in world.evidence().orders.values() if o.state is OrderState.NOT_PLACED)
    assert lost.submitted_at is not None
    assert lost.ended_at is not None
    after_s = (lost.ended_at - lost.submitted_at) / NANOS_PER_SECOND - barrier_s(world.config)
    assert 0 < after_s < 1


def test_an_entry_that_was_not_placed_leaves_a_void_position_and_no_order(
    make_world: MakeWorld,
) -> None:
    world = lived(make_world, on(PlaceOrder, REQUEST_LOST, times=1), {"enters": [2]})

    assert [position["status"] for position in world.positions()] == ["VOID"]
    assert world.ledger().orders == ()
    world.expect_truth()


def test_an_exit_whose_request_was_lost_goes_out_as_the_next_exit(make_world: MakeWorld) -> None:
    market = [*flat(8), candle(8, "100", "100", "97", "97"), *flat(20, price="97", first=9)]
    faults = on(PlaceOrder, REQUEST_LOST, times=1, side=Side.SELL)
    world = make_world(market, script={"enters": [2]}, faults=faults).live()

    orders = sorted(world.evidence().orders.values(), key=lambda order: order.intended_at)
    exits = [order for order in orders if order.role == "exit"]
    assert [o.state for o in exits] == [OrderState.NOT_PLACED, OrderState.FILLED]
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


def on_exit(placing: Fault, looking_up: Fault) -> Faults:
    """Let one fault befall the first exit's placing, and another each look-up of it."""
    lost: set[str] = set()

    def plan(request: ExchangeRequest) -> Fault | None:
        if isinstance(request, PlaceOrder) and request.side is Side.SELL and not lost:
            lost.add(request.client_order_id)
            return placing
        is_of_lost = isinstance(request, FindOrder) and request.client_order_id in lost
        return looking_up if is_of_lost else None

    return plan


FALLING = [*flat(8), candle(8, "100", "100", "97", "97"), *flat(20, price="97", first=9)]
"""Through the stop of what was bought at 100."""


def test_a_second_exit_sells_what_one_out_of_sight_has_not(make_world: MakeWorld) -> None:
    faults = on_exit(REQUEST_LOST, UNREADABLE)
    world = make_world(FALLING, script={"enters": [2]}, faults=faults).live()

    orders = sorted(world.evidence().orders.values(), key=lambda order: order.intended_at)
    first, second = (order for order in orders if order.role == "exit")
    assert [first.state, second.state] == [OrderState.UNKNOWN, OrderState.FILLED]
    assert first.unknown_at is not None
    waited_s = (second.intended_at - first.unknown_at) / NANOS_PER_SECOND
    assert waited_s >= SECOND_EXIT_AFTER_S


def test_people_are_told_of_a_lost_exit_in_time_though_no_look_up_is_answered(
    make_world: MakeWorld,
) -> None:
    faults = on_exit(UNREADABLE, ANSWER_LOST)
    slow = {"exchange": {"call_deadline_s": 45}}
    world = make_world(FALLING, script={"enters": [2]}, faults=faults, settings=slow).start()
    world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    assert not world.has_said("ExitOutcomeUnknown")
    world.run_for(SECOND_EXIT_AFTER_S)
    assert world.has_said("ExitOutcomeUnknown")


def test_no_second_entry_goes_out_while_the_first_is_unknown(make_world: MakeWorld) -> None:
    script: dict[str, object] = {"enters": [0], "period": 1}
    world = make_world(flat(6), script=script, faults=on(PlaceOrder, REQUEST_LOST)).start()
    world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    world.run_for(0.5)

    entries = world.history("OrderIntended")
    assert len(entries) == 1


def test_an_unknown_entry_is_called_off_by_its_client_id(make_world: MakeWorld) -> None:
    asked: list[ExchangeRequest] = []
    lost = on(PlaceOrder, REQUEST_LOST, times=1)

    def faults(request: ExchangeRequest) -> Fault | None:
        asked.append(request)
        return lost(request)

    world = lived(make_world, faults, {"enters": [2]})

    (order,) = world.evidence().orders.values()
    cancels = [r for r in asked if isinstance(r, CancelOrder)]
    assert [cancel.client_order_id for cancel in cancels] == [order.client_order_id]


def test_an_unknown_order_stays_unknown_while_look_ups_go_unanswered(
    make_world: MakeWorld,
) -> None:
    faults = either(
        on(PlaceOrder, ANSWER_LOST, times=1),
        on(FindOrder, UNREADABLE),
        on(FetchAccount, UNREADABLE),
    )
    world = make_world(flat(30), script={"enters": [2]}).start()
    world.run_until(lambda: world.has_said("StrategyArmed"))
    world.faults = faults
    world.run_until_candle(12)
    (order,) = world.evidence().orders.values()
    assert order.state is OrderState.UNKNOWN

    world.faults = lambda _request: None
    world.run_until(lambda: world.has_said("PositionOpened"))


def test_an_order_is_not_proven_absent_without_a_scan_of_the_trades(
    make_world: MakeWorld,
) -> None:
    faults = either(on(PlaceOrder, REQUEST_LOST, times=1), on(FetchAccount, UNREADABLE))
    world = make_world(flat(30), script={"enters": [2]}).start()
    world.run_until(lambda: world.has_said("StrategyArmed"))
    world.faults = faults
    world.run_until_candle(10)
    (order,) = world.evidence().orders.values()
    assert order.state is OrderState.UNKNOWN

    world.faults = lambda _request: None
    world.run_until(lambda: world.has_said("OrderNotPlaced"))


def test_an_unknown_outcome_asks_for_a_reconciliation(make_world: MakeWorld) -> None:
    world = lived(make_world, on(PlaceOrder, ANSWER_LOST, times=1), {"enters": [2]})

    triggers = [line.fields["trigger"] for line in world.said("ReconciliationCompleted")]
    assert triggers == ["start", "unknown outcome"]


def test_a_silent_exchange_holds_entries_back_and_lets_exits_through(
    make_world: MakeWorld,
) -> None:
    market = [*flat(20), candle(20, "100", "100", "97", "97"), *flat(40, price="97", first=21)]
    world = make_world(market, script={"enters": [2]}).start()
    world.run_until_candle(10)
    world.faults = on(FetchAccount, UNREADABLE)
    world.tell(names.RECONCILER, ReconcileNow(trigger="doubt"))
    world.run_until(lambda: world.has_said("BreakerOpened"))
    world.run_until(lambda: world.has_said("PositionClosed"))

    (closed,) = world.said("PositionClosed")
    assert closed.fields["reason"] == "stop_loss"


def test_an_entry_is_held_back_while_the_breaker_is_open(make_world: MakeWorld) -> None:
    world = make_world(flat(40), script={"enters": [20]}).start()
    world.run_until_candle(5)
    world.faults = on(FetchAccount, UNREADABLE)
    world.tell(names.RECONCILER, ReconcileNow(trigger="doubt"))
    world.run_until(lambda: world.has_said("BreakerOpened"))
    world.run_until_candle(22)

    (rejected,) = world.history("OrderRejected")
    assert "held_back" in str(rejected["data"])
    assert world.ledger().orders == ()
