"""Live: a position is left though an exit was lost, and though dust lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.quotes import UNPRICED_S
from aegis.control import Ask
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.second import SILENT_S
from supervisors.outing import RECONCILING, errand_of
from tests.domain.kit import BTC
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.shapes import Status
from tests.live.account import AccountWorld
from tests.live.world import INSTRUMENT, ORDERS, LiveWorld

STALE_S = 5
"""From the loss of an answer to the price that lets the next exit go, and the call."""


FLAT_WITHIN_S = 2 * UNPRICED_S + 2
"""A wait for a price that has just begun, the next look, and the calls."""

PAUSE_S_MAX = 90
"""A minute after the last refusal, and until Guard looks again whether prices still come."""

FIRST_LOOK_S = 20
"""For so long after a start an exit waits for a comparison that does not come."""

OF_STOPS = ("private/advanced/cancel-order", "private/advanced/get-order-detail")


@pytest.fixture
def beside_dust(tmp_path: Path) -> Iterator[LiveWorld]:
    """A world that holds its second position; the first left dust."""
    settings = {"risk": {"cooldown_s": 0}}
    with LiveWorld(tmp_path, period_s=5, settings=settings) as world:
        world.start().run_until(lambda: world.has_said("PositionOpened"))
        world.price("38000")
        world.run_until(lambda: len(world.said("PositionOpened")) > 1)
        assert world.status().account.dust[BTC] > 0
        yield world


@pytest.fixture
def left(beside_dust: LiveWorld) -> LiveWorld:
    """The same world after its stop was hit, and the first exit never arrived."""
    world = beside_dust
    world.fault(Fault.DROP_BEFORE, ORDERS, next=1)
    world.price("36000")
    world.run_until(lambda: len(world.said("PositionClosed")) > 1)
    return world


def test_own_dust_does_not_hold_back_the_exit_after_a_lost_one(left: LiveWorld) -> None:
    first, second = left.said("ExitTriggered")[-2:]
    waited_s = (second.fields["seen_at"] - first.fields["seen_at"]) / NANOS_PER_SECOND
    assert SECOND_EXIT_AFTER_S <= waited_s <= SECOND_EXIT_AFTER_S + 10 + STALE_S
    left.expect_truth()


def test_what_was_lost_is_no_failure_once_all_is_sold(left: LiveWorld) -> None:
    left.run_for(180)
    assert left.said("ExitFailed") == []
    left.expect_truth()


def test_an_exit_that_waits_for_a_stop_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    stops = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
    with LiveWorld(tmp_path, settings=stops) as world:
        world.start().run_until(lambda: len(world.core.ledger.orders()) > 1)
        world.run_for(5)
        world.faults(*(Rule(fault=Fault.SILENCE_BEFORE, endpoint=each) for each in OF_STOPS))
        world.price("39000")
        world.run_until(lambda: world.has_said("ExitWaits"))
        (triggered,), (told,) = world.said("ExitTriggered"), world.said("ExitWaits")
        waited_s = (told.fields["seen_at"] - triggered.fields["seen_at"]) / NANOS_PER_SECOND
        assert SECOND_EXIT_AFTER_S <= waited_s <= SECOND_EXIT_AFTER_S + 1
        assert len(world.core.ledger.orders()) == len(("the entry", "its stop"))
        world.faults()
        world.run_until(lambda: world.has_said("PositionClosed"))
        world.expect_truth()


def test_a_flatten_while_nobody_runs_leaves_though_the_exchange_tells_no_price(
    tmp_path: Path,
) -> None:
    with AccountWorld(tmp_path) as world:
        world.hold().drop()
        world.fault(Fault.HTML_429, "public")
        world.start(errand_of(Ask(command="flatten")))
        world.run_until(lambda: RECONCILING in world.people.replies)
        assert world.say("flatten").is_done
        world.run_until(lambda: world.has_said("PositionClosed"))
        world.run_for(UNPRICED_S)
        assert not world.status().account.is_flattening
        world.expect_truth()


@pytest.mark.parametrize("is_new", [False, True], ids=["seen before", "since a start"])
def test_a_flatten_leaves_though_the_exchange_tells_no_price(
    tmp_path: Path, *, is_new: bool
) -> None:
    with AccountWorld(tmp_path) as world:
        world.hold().fault(Fault.HTML_429, "public")
        if is_new:
            world.be_down(60)
            world.run_for(5)
        asked_at = world.now()
        world.say("flatten")
        world.run_until(lambda: world.has_said("PositionClosed"))
        assert world.now() - asked_at <= FLAT_WITHIN_S * NANOS_PER_SECOND
        world.run_for(UNPRICED_S)
        assert not world.status().account.is_flattening
        world.expect_truth()


READS = (
    "private/get-order-detail",
    "private/advanced/get-order-detail",
    "private/get-open-orders",
    "private/advanced/get-open-orders",
    "private/get-trades",
    "private/user-balance",
)


@pytest.fixture
def beside_stop(tmp_path: Path) -> Iterator[LiveWorld]:
    """A world that holds a position, a stop of it resting at the exchange for a while."""
    stops = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
    with LiveWorld(tmp_path, settings=stops) as world:
        world.start().run_until(lambda: len(world.core.ledger.orders()) > 1)
        world.run_for(5)
        yield world


def test_a_stop_rests_on_and_sells_while_no_read_is_answered(beside_stop: LiveWorld) -> None:
    world = beside_stop
    world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS))
    world.price("39000")
    world.run_for(60)
    (told,) = world.said("ExitWaits")
    assert "it rests on and guards" in told.fields["text"]
    assert world.core.ledger.orders()[1].is_open
    world.price("37500")
    world.run_for(5)
    assert world.core.ledger.orders()[1].status is Status.FILLED
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.expect_truth()


def lose_sight_of_the_cancel(world: LiveWorld) -> None:
    """Carry the cancel of the stop out and say nothing of it, nor of anything else from there."""
    lost = Rule(fault=Fault.DROP_AFTER, endpoint=OF_STOPS[0])
    world.faults(lost)
    world.price("39000")
    world.run_until(lambda: not world.core.ledger.orders()[1].is_open)
    world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS), lost)


def test_nobody_is_told_that_a_stop_guards_whose_cancel_may_have_gone(
    beside_stop: LiveWorld,
) -> None:
    world = beside_stop
    lose_sight_of_the_cancel(world)
    world.run_until(lambda: world.has_said("ExitWaits"))
    world.run_for(5)
    (told,) = world.said("ExitWaits")
    assert told.fields["text"].endswith("it rests on, or nothing guards")
    assert told.fields["text"] in str(world.history("AlarmRaised"))


def is_sold(world: LiveWorld) -> bool:
    return len(world.core.ledger.orders()) > len(("the entry", "its stop"))


def test_an_exit_goes_past_a_stop_whose_cancel_nobody_answers(beside_stop: LiveWorld) -> None:
    world = beside_stop
    lose_sight_of_the_cancel(world)
    world.run_for(SILENT_S + 1)
    assert is_sold(world)
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.run_until_settled()
    world.expect_truth()


def test_who_is_told_of_a_silent_stop_is_not_told_anew_of_each_exit_that_it_keeps_back(
    beside_stop: LiveWorld,
) -> None:
    world = beside_stop
    lost = Rule(fault=Fault.DROP_BEFORE, endpoint=OF_STOPS[0])  # so it rests, and locks the coins
    world.faults(lost)
    world.price("39000")
    world.run_for(2)
    world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS), lost)
    world.run_for(900)
    assert len(world.said("ExitFailed")) > len(("1 s", "2 s", "4 s", "8 s", "16 s", "32 s", "60 s"))
    assert len(world.said("ExitWaits")) <= len(("at once", "1 min", "2 min", "4 min", "8 min"))
    waits = [each for each in world.history("AlarmRaised") if "to be sold, and waits" in str(each)]
    assert len(waits) == len(world.said("ExitWaits"))


def test_what_the_stop_sells_of_coins_that_came_after_the_exit_went_past_it_is_told(
    tmp_path: Path,
) -> None:
    stops = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
    with LiveWorld(tmp_path, settings=stops, locks_triggers=False) as world:
        world.start().run_until(lambda: len(world.core.ledger.orders()) > 1)
        lost = Rule(fault=Fault.DROP_BEFORE, endpoint=OF_STOPS[0])
        world.faults(lost)
        world.price("39000")
        world.run_until(lambda: bool(world.requests(OF_STOPS[0])))
        world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS), lost)
        world.run_until(lambda: is_sold(world))
        world.owner("deposit", coin=BTC, quantity="0.5")
        world.price("37000")
        world.run_until(lambda: not world.core.ledger.orders()[1].is_open)
        world.faults()
        world.run_until(lambda: world.has_said("PositionClosed"))
        told = [str(each) for each in world.history("AlarmRaised")]
        assert "of your own were sold by AEGIS" in told[-1]


def test_it_waits_for_an_answer_where_nobody_remembers_whose_coins_were_there(
    beside_stop: LiveWorld,
) -> None:
    world = beside_stop
    lose_sight_of_the_cancel(world)
    world.drop()
    world.start().run_for(FIRST_LOOK_S + 2 * SILENT_S)
    assert not is_sold(world)
    (told,) = world.said("ExitWaits")
    assert told.fields["text"].endswith("it rests on, or nothing guards")
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.run_until_settled()
    world.expect_truth()


def test_it_waits_for_an_answer_where_coins_of_the_owner_could_be_sold(
    beside_stop: LiveWorld,
) -> None:
    world = beside_stop
    world.owner("deposit", coin=BTC, quantity="0.5")
    world.run_for(90)  # and a look at the account
    lose_sight_of_the_cancel(world)
    world.run_for(3 * SILENT_S)
    assert not is_sold(world)
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))


def test_it_waits_for_an_answer_where_somebody_moved_such_coins_since_the_stop_was_called_off(
    beside_stop: LiveWorld,
) -> None:
    world = beside_stop
    lost = Rule(fault=Fault.DROP_BEFORE, endpoint=OF_STOPS[0])
    world.faults(lost)
    world.price("39000")
    for act in ("deposit", "withdraw"):  # and there are no coins but ours again
        world.owner(act, coin=BTC, quantity="0.5")
        world.run_for(90)
    assert len(world.said("ExternalChangeSeen")) == len(("came", "went"))
    asked = len(world.requests(ORDERS))
    world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS), lost)
    world.run_for(3 * SILENT_S)
    assert len(world.requests(ORDERS)) == asked


@pytest.mark.parametrize("dead", [("private/advanced/get-order-detail",), READS[:2]])
def test_an_exit_goes_though_no_order_is_looked_up_for_it(
    beside_stop: LiveWorld, dead: tuple[str, ...]
) -> None:
    world = beside_stop
    world.faults(*(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in dead))
    world.price("39000")
    world.run_for(60)
    assert len(world.core.ledger.orders()) > len(("the entry", "its stop"))
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.run_until_settled()  # another may have been entered meanwhile
    world.expect_truth()


@pytest.fixture
def delisted(tmp_path: Path) -> Iterator[AccountWorld]:
    """A world whose flatten was refused, as what it holds is traded no more."""
    with AccountWorld(tmp_path) as world:
        world.hold().ways(delisted=[INSTRUMENT])
        world.say("flatten")
        world.run_until(lambda: world.has_said("ExitFailed"))
        yield world


def test_what_is_traded_no_more_is_told_at_the_first_refusal(delisted: AccountWorld) -> None:
    (unsold,) = delisted.status().unsold
    assert (unsold.tries, unsold.is_untraded) == (1, True)


def test_who_flattens_hears_what_could_not_be_sold_before(delisted: AccountWorld) -> None:
    told = delisted.say("flatten")
    assert told.is_done
    assert " already, and it goes on; BTC/USDT is to be sold (flatten), and cannot be" in told.text


def test_an_exit_of_what_is_traded_no_more_goes_again_and_after_a_restart(
    delisted: AccountWorld,
) -> None:
    delisted.run_for(240)
    tries = len(delisted.said("ExitFailed"))
    assert tries > len(("1 s", "2 s", "4 s", "8 s", "16 s", "32 s"))
    delisted.be_down(60)
    delisted.run_for(3 * UNPRICED_S)
    assert len(delisted.said("ExitFailed")) > tries
    delisted.ways(delisted=[])
    delisted.run_until(lambda: delisted.has_said("PositionClosed"))
    delisted.expect_truth()


def test_an_exit_of_what_is_traded_no_more_goes_again_though_nobody_flattens(
    delisted: AccountWorld,
) -> None:
    assert delisted.say("resume").is_done
    tries = len(delisted.said("ExitFailed"))
    delisted.run_for(3 * PAUSE_S_MAX)
    assert len(delisted.said("ExitFailed")) - tries >= 3


def test_a_start_that_nobody_answers_leaves_the_stop_where_it_rests(beside_stop: LiveWorld) -> None:
    world = beside_stop
    world.drop()
    world.faults(*(Rule(fault=Fault.SILENCE_BEFORE, endpoint=each) for each in READS))
    world.price("39000")
    world.start().run_until(lambda: world.has_said("ExitWaits"))
    assert world.core.ledger.orders()[1].is_open
    world.faults()
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.expect_truth()
