"""A position whose stop should rest at the exchange, and does not: found, but never too early."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.diagnose import Bounds, bare_positions, examine
from aegis.domain.ids import Instant, protective_order_id
from aegis.domain.money import ZERO
from aegis.domain.order import Order, OrderState, OrderStep, Role
from aegis.domain.position import StopPolicy
from tests.domain.kit import (
    INCARNATION,
    LIMITS,
    START,
    TAG,
    Desk,
    entry,
    exit_of,
    stop_at_exchange,
    submit,
)

AFTER_S = 60
LONG_AGO = Instant(0)


def found(desk: Desk, guarded_since: Instant = LONG_AGO) -> str:
    result = bare_positions(desk.book, desk.now, AFTER_S, guarded_since).result
    assert (result.check, result.status == "finding") == ("exchange_stop", bool(result.details))
    return result.details


@pytest.fixture
def desk() -> Desk:
    """Return a desk that holds one coin, and no stop of it at the exchange."""
    desk = Desk(keeps=True).funded()
    desk.holding("1")
    return desk


def next_stop(desk: Desk, amount: str | None = None) -> Order:
    position = desk.position()
    ordinal = sum(o.role is Role.PROTECTIVE for o in desk.book.orders_of(position.position_id))
    key = protective_order_id(TAG, INCARNATION, position.position_id, ordinal)
    return stop_at_exchange(position, amount, client_order_id=key)


def without(desk: Desk) -> str:
    return f"no stop rests at the exchange for: {desk.position().position_id}"


@pytest.mark.parametrize(("age_s", "is_found"), [(AFTER_S - 1, False), (AFTER_S, True)])
def test_a_position_without_it_is_found_when_it_had_the_time(
    desk: Desk, age_s: int, *, is_found: bool
) -> None:
    desk.waits(age_s)
    assert found(desk) == (without(desk) if is_found else "")


def test_one_that_rests_for_what_is_held_is_no_finding(desk: Desk) -> None:
    desk.accepted(next_stop(desk))
    desk.waits(10 * AFTER_S)
    assert found(desk) == ""


def test_whoever_guards_since_lately_is_given_the_time_as_well(desk: Desk) -> None:
    desk.waits(10 * AFTER_S)
    assert found(desk, guarded_since=desk.now) == ""


@pytest.mark.parametrize(("age_s", "is_found"), [(AFTER_S - 1, False), (AFTER_S, True)])
def test_one_that_was_lost_is_missed_from_then_on(
    desk: Desk, age_s: int, *, is_found: bool
) -> None:
    stop = desk.accepted(next_stop(desk))
    desk.waits(1000)
    desk.ends(stop, OrderStep.CANCEL)
    desk.waits(age_s)
    assert bool(found(desk)) is is_found


def test_one_that_is_refused_again_and_again_never_rested(desk: Desk) -> None:
    for _ in range(4):
        desk.waits(20)
        refused = desk.submitted(next_stop(desk))
        desk.ends(refused, OrderStep.REJECT)
    assert found(desk) == without(desk)


def test_one_that_is_out_of_sight_is_the_orders_finding(desk: Desk) -> None:
    desk.unknown(next_stop(desk))
    desk.waits(10 * AFTER_S)
    assert found(desk) == ""


def test_one_that_waits_for_leave_for_so_long_does_not_rest(desk: Desk) -> None:
    desk.intended(next_stop(desk))
    desk.waits(AFTER_S)
    assert found(desk) == without(desk)


def test_one_for_another_amount_is_found_with_both(desk: Desk) -> None:
    desk.accepted(next_stop(desk))
    desk.waits(1)
    more = desk.accepted(entry("1", at=desk.now, into=desk.position().position_id))
    assert found(desk) == ""
    desk.fills(more, "1")
    desk.waits(AFTER_S - 1)
    assert found(desk) == ""
    desk.waits(1)
    held = desk.position().position_id
    assert found(desk) == f"it rests for another amount than: {held} (for 1, and 2 is held)"


def test_what_is_being_left_needs_none(desk: Desk) -> None:
    leaving = desk.intended(exit_of(desk.position()))
    desk.waits(AFTER_S)
    assert found(desk) == ""
    desk.does(submit(leaving))
    assert desk.order(leaving).state is OrderState.SUBMITTING
    assert found(desk) == ""


@pytest.mark.parametrize(
    ("amount", "policy"),
    [("0.0104", StopPolicy(stop_loss_pct=Decimal(2))), ("1", StopPolicy(stop_loss_pct=ZERO))],
)
def test_what_can_have_none_is_not_missed(amount: str, policy: StopPolicy) -> None:
    desk = Desk(keeps=True).funded()
    desk.holding(amount, policy=policy)
    desk.waits(10 * AFTER_S)
    assert found(desk) == ""


@pytest.mark.parametrize(("after_s", "is_asked"), [(AFTER_S, True), (None, False)])
def test_it_is_asked_where_a_stop_is_wanted_there(
    desk: Desk, after_s: int | None, *, is_asked: bool
) -> None:
    bounds = Bounds(limits=LIMITS, stuck_after_days=7, unknown_after_s=60)
    bounds = msgspec.structs.replace(bounds, bare_after_s=after_s)
    checks = {
        each.result.check for each in examine(desk.book, START, bounds, LONG_AGO, has_looked=True)
    }
    assert ("exchange_stop" in checks) is is_asked
