"""Each fault of an exchange while a position is held and its stop is due: what AEGIS does then.

A fault is there for half a minute before the price falls through the stop, and for as long after;
then it is over. One of each kind runs always, those alike with --long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.order import Order, OrderState, Role
from tests.exchange_server.faults import Fault, Rule
from tests.live.kinds import (
    ANSWER_LOST,
    APART,
    BANNED,
    EMPTY_LISTS,
    FORGETFUL,
    KEY_GONE,
    KINDS,
    LAGGING,
    LATE,
    NEVER_ARRIVED,
    REJECTED_LATE,
    SECONDS,
    TOO_MANY,
    TWICE,
    UNBELIEVABLE,
)
from tests.live.world import ORDERS, LiveWorld

ALL = [
    pytest.param(fault, id=fault.value, marks=pytest.mark.long if number else ())
    for kind in KINDS
    for number, fault in enumerate(kind)
]

POLL_S = 2.0
STOP_WITHIN_S = POLL_S + 1
"""From a price to the request for a sale: looks that hang are on another lane than orders."""

FAULT_S, AFTER_S = 30, 150
"""Absence is proved after some 90 s."""

LOOKS_MAX = 60
"""Of each private endpoint, in the minute of a fault."""


class Case:
    """One fault, lived through."""

    def __init__(self, world: LiveWorld, fault: Fault) -> None:
        self.world, self.fault = world, fault
        world.start()
        world.run_until(lambda: world.has_said("PositionOpened"))
        self.began = len(world.requests())
        world.trouble(fault, self._rule(), seconds=SECONDS.get(fault, 5.0))
        world.people.say("reconcile")
        world.run_for(FAULT_S)
        self.fell_at = world.now()
        world.price("38000")
        world.run_for(FAULT_S)
        self.unsure = world.evidence()
        self.ended = len(world.requests())
        world.trouble_ends()
        world.run_for(AFTER_S)

    def _rule(self) -> Rule:
        seconds = SECONDS.get(self.fault, 5.0)
        endpoint = "private/user-balance" if self.fault is Fault.BAN else "private"
        return Rule(fault=self.fault, endpoint=endpoint, seconds=seconds)

    @property
    def wait_s(self) -> float:
        """How long after the price the first sale was on the wire."""
        asked = (each.at for each in self.world.requests(ORDERS) if each.at > self.fell_at)
        return (next(asked) - self.fell_at) / NANOS_PER_SECOND

    @property
    def exits(self) -> list[Order]:
        """The exits as they were at the end of the fault, eldest first."""
        exits = [each for each in self.unsure.orders.values() if each.role is Role.EXIT]
        return sorted(exits, key=lambda order: order.intended_at)


@pytest.fixture(scope="module", params=ALL)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    settings = {"risk": {"cooldown_s": 3600}}
    with LiveWorld(tmp_path_factory.mktemp("fault"), period_s=5, settings=settings) as world:
        yield Case(world, request.param)


def test_store_and_exchange_agree_when_it_is_over(case: Case) -> None:
    case.world.expect_truth()


def test_no_order_was_sent_twice(case: Case) -> None:
    times = Counter(each.client_oid for each in case.world.requests(ORDERS))
    assert set(times.values()) == {1}


def test_the_position_was_sold_and_by_nothing_but_its_stop(case: Case) -> None:
    closed = case.world.said("PositionClosed")
    held = [each for each in case.world.positions() if each["status"] != "VOID"]
    assert [each["status"] for each in held] == ["CLOSED"]
    assert [each.fields["reason"] for each in closed] == ["stop_loss"]


def test_the_stop_was_on_the_wire_in_its_time(case: Case) -> None:
    if case.fault is Fault.BAN:  # nobody hears a price
        return
    assert case.wait_s < STOP_WITHIN_S


def test_what_was_asked_again_was_bounded(case: Case) -> None:
    during = case.world.requests()[case.began : case.ended]
    times = Counter(each.endpoint for each in during if each.endpoint.startswith("private"))
    assert max(times.values()) <= LOOKS_MAX


SAID = {
    **dict.fromkeys(NEVER_ARRIVED, ("OrderOutcomeUnknown", "ExitOutcomeUnknown", "OrderNotPlaced")),
    **dict.fromkeys(ANSWER_LOST, ("OrderOutcomeUnknown", "LaneOpened")),
    **dict.fromkeys(UNBELIEVABLE, ("LaneOpened",)),
    **dict.fromkeys(TOO_MANY, ("CallsLimited",)),
    **dict.fromkeys(BANNED, ("CallsLimited", "FeedSilent", "MarketUnreachable")),
    **dict.fromkeys(KEY_GONE, ("KeyDenied", "TradingStateChanged", "KeyAccepted")),
    **dict.fromkeys(LATE, ("OrderOutcomeUnknown",)),
    **dict.fromkeys(REJECTED_LATE, ("ExitFailed",)),
    **dict.fromkeys(APART, ("ClocksApart", "ClocksAgree")),
    **dict.fromkeys(EMPTY_LISTS, ("LaneOpened",)),
}


def test_it_was_said(case: Case) -> None:
    said = {line.event for line in case.world.lines}
    assert set(SAID.get(case.fault, ())) <= said


SEEN_AS: dict[Fault, tuple[OrderState, ...]] = {
    **dict.fromkeys(NEVER_ARRIVED + ANSWER_LOST + LATE, (OrderState.UNKNOWN,)),
    **dict.fromkeys(TOO_MANY + KEY_GONE, (OrderState.UNKNOWN,)),
    **dict.fromkeys(UNBELIEVABLE, (OrderState.OPEN, OrderState.UNKNOWN)),
    **dict.fromkeys(FORGETFUL, (OrderState.FILLED,)),  # by its trades, at the look of the minute
    **dict.fromkeys(EMPTY_LISTS, (OrderState.OPEN,)),
    **dict.fromkeys((*REJECTED_LATE, Fault.CODE_42901, Fault.REVOKED), (OrderState.REJECTED,)),
    **dict.fromkeys(LAGGING + TWICE + APART, (OrderState.FILLED,)),
    **dict.fromkeys(BANNED, ()),
}
"""What the first exit is while the fault is there; none where no price is heard.

A refusal in the exchange's own words is definite; a page of HTML is nobody's word.
"""


def test_no_more_was_claimed_of_the_order_than_was_known(case: Case) -> None:
    expected = SEEN_AS[case.fault]
    assert [each.state in expected for each in case.exits[:1]] == [True for _ in expected[:1]]
