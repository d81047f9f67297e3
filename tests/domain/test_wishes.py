"""What a wish becomes: an opening, an addition, an exit, a word to a person, or nothing."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import IntendOrder, Refusal
from aegis.domain.ids import Instant
from aegis.domain.order import OrderStep, Role, Side
from aegis.domain.position import StopPolicy
from aegis.domain.sizing import Sizing
from aegis.domain.wishes import Origin, Plan, Wish, entry_intent, exit_intent
from tests.domain.kit import (
    BTC_USDT,
    INCARNATION,
    POLICY,
    START,
    TAG,
    Desk,
    entry,
    exit_of,
    instrument,
    seconds,
)

ORIGIN = Origin(tag=TAG, incarnation=INCARNATION)
PLAN = Plan(
    name="test",
    symbols=(BTC_USDT,),
    sizing=Sizing(method="notional", value=Decimal(100)),
    policy=POLICY,
    spread_bps=Decimal(0),
    entries_max=3,
)


def wish(price: str = "100", *, was_holding: bool = False, at_s: int = 60) -> Wish:
    return Wish(
        symbol=BTC_USDT,
        decided_at=Instant(START + seconds(at_s)),
        price=Decimal(price),
        was_holding=was_holding,
        atr=None,
    )


def entered(desk: Desk, wanted: Wish, **changes: object) -> IntendOrder | Refusal | None:
    plan = msgspec.structs.replace(PLAN, **changes)
    return entry_intent(desk.book, wanted, plan, ORIGIN, instrument())


ADDING = wish(was_holding=True)


def test_with_nothing_held_it_opens() -> None:
    intent = entered(Desk().funded(), wish("50"))
    assert isinstance(intent, IntendOrder)
    assert intent.opening is not None
    assert (intent.order.side, intent.order.amount) == (Side.BUY, Decimal(2))


def test_what_is_held_is_added_to_under_its_own_id() -> None:
    desk = Desk().funded()
    held = desk.holding("1", "100")
    intent = entered(desk, ADDING)
    assert isinstance(intent, IntendOrder)
    assert intent.opening is None
    assert (intent.order.position_id, intent.order.role) == (held.position_id, Role.ENTRY)
    desk.does(intent)


def test_two_additions_at_two_instants_are_two_orders_and_at_one_instant_one() -> None:
    desk = Desk().funded()
    desk.holding()
    wishes = [wish(was_holding=True, at_s=second) for second in (60, 60, 120)]
    ids = [
        intent.order.client_order_id
        for intent in (entered(desk, each) for each in wishes)
        if isinstance(intent, IntendOrder)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_who_was_told_that_it_holds_nothing_adds_nothing() -> None:
    desk = Desk().funded()
    desk.holding()
    assert entered(desk, wish(was_holding=False)) is None


def test_at_the_maximum_a_wish_is_nothing() -> None:
    desk = Desk().funded()
    desk.holding()
    assert entered(desk, ADDING, entries_max=1) is None


@pytest.mark.parametrize("role", ["entry", "exit"])
def test_nothing_is_added_while_an_order_is_under_way(role: str) -> None:
    desk = Desk().funded()
    held = desk.holding()
    more = entry("1", "100", at=Instant(START + seconds(5)), into=held.position_id)
    desk.accepted(more if role == "entry" else exit_of(held))
    assert entered(desk, ADDING) is None


def test_an_entry_that_came_to_nothing_takes_no_place() -> None:
    desk = Desk().funded()
    held = desk.holding()
    more = entry("1", "100", at=Instant(START + seconds(5)), into=held.position_id)
    desk.intended(more)
    desk.ends(more, OrderStep.EXPIRE)
    assert isinstance(entered(desk, ADDING, entries_max=2), IntendOrder)


def test_a_halt_makes_a_wish_to_enter_nothing() -> None:
    desk = Desk().funded()
    desk.halted()
    assert entered(desk, wish()) is None


def test_an_addition_is_sized_to_the_stop_in_force() -> None:
    """A hundredth of 9,900 is risked down to the stop at 98, and not to 2 % below the price."""
    desk = Desk().funded()
    desk.holding("1", "100")
    risky = Sizing(method="risk_per_trade", value=Decimal(1))
    intent = entered(desk, wish("103", was_holding=True), sizing=risky)
    assert isinstance(intent, IntendOrder)
    assert intent.order.amount == Decimal(20)


def test_a_new_policy_changes_nothing_for_what_is_held() -> None:
    desk = Desk().funded()
    before = desk.holding("1", "100")
    far = StopPolicy(stop_loss_pct=Decimal(50))
    intent = entered(desk, ADDING, policy=far)
    assert isinstance(intent, IntendOrder)
    desk.accepted(intent.order)
    desk.fills(intent.order, intent.order.amount, "90")
    after = desk.position()
    assert (after.stop_price, after.take_profit_price) == (
        before.stop_price,
        before.take_profit_price,
    )


def test_an_exit_leaves_all_that_is_held() -> None:
    desk = Desk().funded()
    held = desk.holding("3", "100")
    intent = exit_intent(desk.book, wish("99"), PLAN, ORIGIN)
    assert intent is not None
    assert (intent.order.amount, intent.order.reason) == (held.amount, "strategy")


def test_an_exit_of_nothing_and_a_second_exit_are_nothing() -> None:
    desk = Desk().funded()
    assert exit_intent(desk.book, wish(), PLAN, ORIGIN) is None
    desk.accepted(exit_of(desk.holding()))
    assert exit_intent(desk.book, wish(), PLAN, ORIGIN) is None
