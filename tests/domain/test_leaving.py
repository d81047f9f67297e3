"""Which exit comes next: one at a time, and a second only where it can sell nothing too much."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.commands import (
    AskForHuman,
    IntendOrder,
    LoseSight,
    Reading,
    RequestCancel,
    StartBalances,
)
from aegis.domain.events import OrderFilled
from aegis.domain.guard import ExitReason, ExitWanted
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.leaving import SECOND_EXIT_AFTER_S, Departure, departure, lost_before
from aegis.domain.money import ZERO
from aegis.domain.order import Order, OrderState, OrderStep, OrderType
from aegis.domain.position import PositionStatus
from aegis.domain.second import is_fresh
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    ETH_USDT,
    INCARNATION,
    LIMITS,
    START,
    TAG,
    USDT,
    Desk,
    accept,
    exit_of,
    quote,
    submit,
    unresolved,
)

WANTED = ExitWanted(reason=ExitReason.STOP_LOSS, trigger_price=None)


def way_out(desk: Desk, reading: Reading | None = None) -> Departure:
    """Return how the position is left; without a reading, by the balance of now."""
    return departure(
        desk.book,
        desk.position(),
        WANTED,
        quote("98"),
        tag=TAG,
        incarnation=INCARNATION,
        lost_before=lost_before(desk.now, NANOS_PER_SECOND),
        collar_pct=LIMITS.price_collar_pct,
        has_leapt=False,
        reading=reading or desk.reading(),
    )


def wanted_exit(desk: Desk) -> Order:
    order = way_out(desk).exit
    assert order is not None
    return order


def goes(desk: Desk, order: Order) -> Order:
    """Let an exit be intended and get its leave, by the balance of now."""
    desk.does(IntendOrder(order=order, reading=desk.reading()))
    desk.does(submit(order, reading=desk.reading()))
    assert desk.order(order).state is OrderState.SUBMITTING, desk.order(order)
    return order


@pytest.fixture
def desk() -> Desk:
    """Return a desk that holds one coin, all that the account has of it."""
    desk = Desk().funded()
    desk.holding()
    return desk


def lost(desk: Desk, seconds: int = SECOND_EXIT_AFTER_S) -> Order:
    """Let an exit go out of sight for some seconds."""
    order = goes(desk, wanted_exit(desk))
    desk.does(LoseSight(client_order_id=order.client_order_id, reason="timed out"))
    desk.waits(seconds)
    return order


def test_nothing_goes_beside_an_exit_that_is_in_sight(desk: Desk) -> None:
    desk.accepted(wanted_exit(desk))
    desk.waits(1000)
    assert way_out(desk) == Departure(ordinal=1, cancels=(), exit=None)


def test_a_second_exit_of_its_own_goes_for_all_of_it_when_the_first_is_lost(desk: Desk) -> None:
    first = lost(desk)
    second = wanted_exit(desk)
    assert second.client_order_id != first.client_order_id
    assert second.amount == desk.position().amount
    goes(desk, second)


@pytest.mark.parametrize("is_given_up", [False, True])
def test_an_exit_that_a_person_has_to_find_is_lost_too(desk: Desk, *, is_given_up: bool) -> None:
    first = lost(desk)
    if is_given_up:
        desk.does(AskForHuman(client_order_id=first.client_order_id, reason="no barrier"))
    goes(desk, wanted_exit(desk))


def test_an_exit_is_waited_for_as_long_as_it_takes_to_tell_somebody(desk: Desk) -> None:
    lost(desk, SECOND_EXIT_AFTER_S - 1)
    assert way_out(desk).exit is None


def test_real_seconds_are_waited_whatever_the_market_counts() -> None:
    assert lost_before(Instant(10**15), 600 * NANOS_PER_SECOND) == 10**15 - 6_000 * 10**9


def test_no_third_exit_goes_beside_two_that_are_lost(desk: Desk) -> None:
    lost(desk)
    lost(desk)
    assert way_out(desk).exit is None


def test_the_next_exit_after_a_second_one_has_an_id_that_neither_had(desk: Desk) -> None:
    first = lost(desk)
    second = goes(desk, wanted_exit(desk))
    desk.does(accept(second))
    desk.ends(second, OrderStep.REJECT)
    third = wanted_exit(desk)
    desk.does(AskForHuman(client_order_id=first.client_order_id, reason="test"))
    assert wanted_exit(desk).client_order_id == third.client_order_id
    assert third.client_order_id not in (first.client_order_id, second.client_order_id)


@pytest.mark.parametrize(("owned", "goes"), [("0.00009999", True), ("0.0001", False), ("1", False)])
def test_coins_of_the_owner_that_could_be_sold_forbid_a_second_exit(
    *, owned: str, goes: bool
) -> None:
    desk = Desk()
    desk.does(StartBalances(balances={BTC: Decimal(owned), USDT: Decimal(10_000)}))
    desk.holding()
    lost(desk)
    assert (way_out(desk).exit is not None) is goes


def test_a_deposit_since_the_books_were_compared_forbids_a_second_exit(desk: Desk) -> None:
    lost(desk)
    assert way_out(desk, desk.reading(base=Decimal("1.0001"))).exit is None


def test_coins_beside_what_a_sale_has_brought_perhaps_are_the_owner_s(desk: Desk) -> None:
    lost(desk)
    assert desk.reading().quote == Decimal(9900)
    assert way_out(desk, desk.reading(quote=Decimal("9900.01"))).exit is None
    assert way_out(desk, desk.reading(quote=Decimal(9000))).exit is not None


def test_a_balance_that_was_asked_for_before_the_first_was_lost_bounds_nothing(desk: Desk) -> None:
    first = lost(desk)
    before = desk.order(first).unknown_at
    assert before is not None
    asked = desk.reading(asked_at=before)
    assert way_out(desk, asked).exit is None
    assert way_out(desk, asked).is_reading_wanted


def test_a_balance_that_no_longer_has_the_coins_lets_no_second_exit_go(desk: Desk) -> None:
    lost(desk)
    assert way_out(desk, desk.reading(base=Decimal("0.9999"))).exit is None


def test_another_symbol_s_balance_bounds_nothing(desk: Desk) -> None:
    lost(desk)
    assert way_out(desk, desk.reading(symbol=ETH_USDT)).exit is None


def test_a_first_exit_wants_no_balance(desk: Desk) -> None:
    assert not way_out(desk).is_reading_wanted


def test_a_second_exit_gets_no_leave_without_a_balance(desk: Desk) -> None:
    lost(desk)
    second = wanted_exit(desk)
    assert desk.refuses(IntendOrder(order=second)).code == "in_flight"
    desk.does(IntendOrder(order=second, reading=desk.reading()))
    desk.does(submit(second))
    assert desk.order(second).state is OrderState.REJECTED


@pytest.mark.parametrize(("age_s", "counts"), [(0, True), (5, True), (5.1, False), (-1, False)])
def test_a_balance_bounds_for_a_few_seconds(*, age_s: float, counts: bool) -> None:
    now = Instant(START + int(age_s * NANOS_PER_SECOND))
    reading = Reading(symbol=BTC_USDT, base=ZERO, quote=ZERO, asked_at=START)
    assert is_fresh(reading, now, NANOS_PER_SECOND) is counts
    assert is_fresh(reading, now, NANOS_PER_SECOND // 600) is (age_s == 0)


def beside_dust(owned: str = "0") -> Desk:
    """Return a desk that holds one coin beside 0.0004 of its own dust, and the owner's coins."""
    desk = Desk()
    desk.does(StartBalances(balances={BTC: Decimal(owned), USDT: Decimal(10_000)}))
    desk.holding("1.0004")
    sold = desk.accepted(exit_of(desk.position(), "1"))
    desk.fills(sold, "1")
    assert desk.book.account.dust == {BTC: Decimal("0.0004")}
    desk.waits(60)
    desk.holding()
    return desk


@pytest.mark.parametrize(("owned", "goes"), [("0", True), ("0.00009999", True), ("0.0001", False)])
def test_own_dust_beside_it_forbids_no_second_exit(*, owned: str, goes: bool) -> None:
    desk = beside_dust(owned)
    lost(desk)
    assert (way_out(desk).exit is not None) is goes


def two_exits_of_one_position() -> tuple[Desk, Order, Order]:
    """Return both, where the first has sold three steps of it, and the second is about to fill."""
    desk = beside_dust()
    first = lost(desk)
    second = goes(desk, wanted_exit(desk))
    desk.does(accept(second))
    desk.does(accept(first))
    desk.fills(first, "0.0003", "98")
    return desk, first, second


def test_what_two_exits_sold_beyond_the_position_was_dust() -> None:
    desk, first, second = two_exits_of_one_position()
    desk.fills(second, second.amount, "98")
    desk.ends(first, OrderStep.CANCEL)
    assert desk.last_position().status is PositionStatus.CLOSED
    assert desk.last_position().pnl == Decimal("-1.9706")  # 1.0003 sold at 98, 1 bought at 100
    assert desk.book.account.dust[BTC] == Decimal("0.0001")
    assert desk.book.account.balances[BTC] == Decimal("0.0001")


def test_what_was_sold_beyond_position_and_dust_was_the_owner_s() -> None:
    desk, first, second = two_exits_of_one_position()
    desk.fills(first, "0.0002", "98")
    desk.fills(second, second.amount, "98")
    desk.ends(first, OrderStep.CANCEL)
    sold = [each.event for each in desk.log if isinstance(each.event, OrderFilled)]
    assert [each.not_ours for each in sold[-2:]] == [0, Decimal("0.0001")]
    assert desk.last_position().status is PositionStatus.CLOSED
    assert desk.last_position().pnl == Decimal("-1.9608")  # 1.0004 sold at 98, 1 bought at 100
    assert desk.book.account.dust[BTC] == 0
    assert desk.book.account.balances[BTC] == Decimal("-0.0001")  # until the deposit is recorded


@pytest.mark.parametrize(("missing", "amount"), [("0.8", "0.2"), ("1", "1"), ("0.9999", "1")])
def test_an_exit_is_for_what_the_last_look_saw_there_or_for_all_of_it(
    desk: Desk, missing: str, amount: str
) -> None:
    unresolved(desk, desk.position(), missing)
    assert wanted_exit(desk).amount == Decimal(amount)


def test_a_second_exit_for_what_is_there_goes_as_well(desk: Desk) -> None:
    unresolved(desk, desk.position(), "0.8")
    lost(desk)
    assert wanted_exit(desk).amount == Decimal("0.2")
    goes(desk, wanted_exit(desk))


def test_an_account_that_was_never_looked_at_bounds_nothing() -> None:
    desk = Desk()
    desk.holding()
    lost(desk)
    assert way_out(desk).exit is None


def test_the_store_refuses_a_second_exit_whose_bound_is_none() -> None:
    desk = Desk()
    held = desk.holding()
    desk.unknown(exit_of(held))
    second = exit_of(held, client_order_id="ae" + "0" * 30)
    assert desk.refuses(IntendOrder(order=second)).code == "in_flight"


def test_a_second_exit_is_refused_leave_when_the_first_has_been_found(desk: Desk) -> None:
    first = lost(desk)
    second = wanted_exit(desk)
    desk.does(IntendOrder(order=second, reading=desk.reading()))
    desk.does(accept(first))
    desk.does(submit(second, reading=desk.reading()))
    assert desk.order(second).state is OrderState.REJECTED
    assert desk.order(second).end_reason.startswith("oversell: ")


def test_a_position_closes_when_its_second_exit_sold_it_and_the_first_never_came(
    desk: Desk,
) -> None:
    first = lost(desk)
    second = goes(desk, wanted_exit(desk))
    desk.does(accept(second))
    desk.fills(second, second.amount, "98")
    assert desk.last_position().status is PositionStatus.CLOSING
    desk.ends(first, OrderStep.PROVE_ABSENT)
    assert desk.last_position().status is PositionStatus.CLOSED
    assert desk.last_position().pnl == Decimal(-2)


@pytest.mark.parametrize(
    ("kind", "price", "is_called_off"),
    [(OrderType.LIMIT, Decimal(104), True), (OrderType.MARKET, None, False)],
)
def test_an_exit_that_rests_is_called_off_before_another_goes(
    desk: Desk, kind: OrderType, price: Decimal | None, *, is_called_off: bool
) -> None:
    resting = exit_of(desk.position(), reason="strategy", type=kind, price=price)
    desk.accepted(resting)
    cancel = RequestCancel(client_order_id=resting.client_order_id, reason="stop_loss")
    assert way_out(desk).cancels == ((cancel,) if is_called_off else ())
    assert way_out(desk).exit is None


def test_what_follows_an_exit_that_was_called_off_is_the_next_one(desk: Desk) -> None:
    resting = exit_of(desk.position(), type=OrderType.LIMIT, price=Decimal(104))
    desk.accepted(resting)
    for cancel in way_out(desk).cancels:
        desk.does(cancel)
    desk.ends(resting, OrderStep.CANCEL)
    after = way_out(desk)
    assert (after.ordinal, after.cancels) == (1, ())
    assert after.exit is not None
