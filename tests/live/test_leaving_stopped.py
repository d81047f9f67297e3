"""Live: `flatten` of an AEGIS that is stopped gets out as the running one would, reads or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.quotes import UNPRICED_S
from aegis.control import Answer
from aegis.domain.first_look import WITHIN_S
from aegis.domain.ids import NANOS_PER_SECOND
from supervisors.paces import REAL_S_MAX
from tests.exchange_server.faults import Fault, Rule
from tests.live.account import AccountWorld
from tests.live.test_first_look import OWNED, by_hand, sales, sold_since_a_copy
from tests.live.test_leaving import READS
from tests.live.test_only_looking import STOPS, killed
from tests.live.world import INSTRUMENT, ORDERS

LAG_S = 10
"""How far answers lag behind at Crypto.com; see `tests.live.test_first_look`."""

SOLD_WITHIN_S = LAG_S + WITHIN_S + 2 * UNPRICED_S + 2
"""The bound of a first look, a wait for a price that begins with it, and the call."""

STUCK_WITHIN_S = SOLD_WITHIN_S + 10

DEAD = {
    "its trades": ("private/get-trades",),
    "its balance": ("private/user-balance",),
    "its orders": ("private/get-open-orders",),
    "all that is private": READS,
    "all, prices and markets too": (*READS, "public"),
}


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[AccountWorld]:
    """A world that holds a position, and whose process was killed."""
    with AccountWorld(tmp_path) as world:
        world.hold().drop()
        yield world


def dead(world: AccountWorld, fault: Fault, *endpoints: str) -> None:
    world.faults(*(Rule(fault=fault, endpoint=each) for each in endpoints))


def flattened(world: AccountWorld) -> tuple[Answer, float]:
    """Say flatten; return the answer and after how many seconds it came."""
    began = world.now()
    answer = world.flatten()
    assert answer is not None
    return answer, (world.now() - began) / NANOS_PER_SECOND


def sold_after_s(world: AccountWorld, began: int) -> float:
    """Return after how many seconds the one sale of ours was made at the exchange."""
    (sale,) = [each for each in world.core.ledger.orders() if each.side == "SELL"]
    return (sale.created_at - began) / NANOS_PER_SECOND


def test_a_flatten_of_a_stopped_aegis_sells_and_says_so(stopped: AccountWorld) -> None:
    answer, _ = flattened(stopped)
    assert answer.is_done
    assert answer.text.startswith("ACTIVE -> REDUCING (flatten)")
    assert "still open" not in answer.text
    assert len(sales(stopped)) == 1
    stopped.expect_truth()


def test_a_flatten_is_in_the_books_before_the_exchange_is_asked(stopped: AccountWorld) -> None:
    asked = len(stopped.requests())
    assert stopped.flatten(killed_after_s=0) is None
    assert len(stopped.requests()) == asked
    account = stopped.status().account
    assert (str(account.trading_state), account.is_flattening) == ("REDUCING", True)


@pytest.mark.parametrize("fault", [Fault.HTML_502_BEFORE, Fault.SILENCE_BEFORE])
@pytest.mark.parametrize("what", DEAD)
def test_a_flatten_sells_once_within_the_bound_of_a_running_one_though_reads_fail(
    stopped: AccountWorld, what: str, fault: Fault
) -> None:
    dead(stopped, fault, *DEAD[what])
    began = stopped.now()
    answer, took_s = flattened(stopped)
    assert len(sales(stopped)) == 1
    assert sold_after_s(stopped, began) <= SOLD_WITHIN_S
    assert took_s <= REAL_S_MAX + 15
    assert answer.is_done == (stopped.status().positions == ())

    stopped.faults()
    answer, _ = flattened(stopped)
    assert answer.is_done
    assert len(sales(stopped)) == 1
    stopped.expect_truth()


def test_what_was_sold_and_is_not_told_is_named_with_its_order(stopped: AccountWorld) -> None:
    dead(stopped, Fault.HTML_502_BEFORE, *READS)
    answer, _ = flattened(stopped)
    assert not answer.is_done
    _, open_, later = answer.text.splitlines()
    assert open_.startswith("still open: BTC/USDT ")
    assert "never repeat it by hand" in open_
    assert sales(stopped)[0] in open_
    assert "say flatten again" in later
    assert stopped.status().account.is_flattening


def test_nothing_is_sold_twice_where_the_flatten_is_killed_and_said_again(
    stopped: AccountWorld,
) -> None:
    dead(stopped, Fault.HTML_502_BEFORE, *READS)
    assert stopped.flatten(killed_after_s=SOLD_WITHIN_S) is None
    assert len(sales(stopped)) == 1
    assert stopped.flatten(killed_after_s=SOLD_WITHIN_S) is None
    stopped.faults()
    answer, _ = flattened(stopped)
    assert answer.is_done
    assert len(sales(stopped)) == 1
    stopped.expect_truth()


def test_the_owner_s_coins_beside_are_not_sold_though_reads_fail(stopped: AccountWorld) -> None:
    stopped.owner("deposit", coin="BTC", quantity=OWNED)
    stopped.faults(
        *(Rule(fault=Fault.HTML_502_BEFORE, endpoint=each) for each in READS),
        Rule(fault=Fault.DROP_AFTER, endpoint=ORDERS),
    )
    answer, _ = flattened(stopped)
    assert not answer.is_done
    assert "has no answer, and may be carried out" in answer.text
    stopped.faults()
    assert flattened(stopped)[0].is_done
    assert len(sales(stopped)) == 1
    stopped.expect_truth(BTC=OWNED)


def test_a_restored_store_sells_nothing_before_it_was_compared_and_says_why(
    stopped: AccountWorld,
) -> None:
    stopped.restore(stopped.keep_copy())
    dead(stopped, Fault.HTML_502_BEFORE, *READS)
    answer, _ = flattened(stopped)
    assert (answer.is_done, sales(stopped)) == (False, [])
    assert "; the store was restored, and not compared" in answer.text
    assert stopped.status().account.is_flattening

    stopped.faults()
    assert flattened(stopped)[0].is_done
    stopped.expect_truth()


def test_a_key_that_is_denied_ends_it_soon_with_what_is_open_and_why(
    stopped: AccountWorld,
) -> None:
    dead(stopped, Fault.REVOKED, "private")
    answer, took_s = flattened(stopped)
    assert (answer.is_done, sales(stopped)) == (False, [])
    assert "still open: BTC/USDT" in answer.text
    assert "does not take the key" in answer.text
    assert took_s <= STUCK_WITHIN_S


def test_where_no_order_is_taken_it_ends_in_time_and_names_the_one_without_an_answer(
    stopped: AccountWorld,
) -> None:
    dead(stopped, Fault.SILENCE_BEFORE, "private/create-order")
    answer, took_s = flattened(stopped)
    assert (answer.is_done, sales(stopped)) == (False, [])
    assert "still open: BTC/USDT" in answer.text
    assert took_s <= REAL_S_MAX + 15


def test_what_is_traded_no_more_ends_it_at_its_refusal(stopped: AccountWorld) -> None:
    stopped.ways(delisted=[INSTRUMENT])
    answer, took_s = flattened(stopped)
    assert "the exchange does not trade it" in answer.text
    assert took_s <= STUCK_WITHIN_S


def test_a_flatten_that_finds_nothing_held_says_that_it_could_not_look(tmp_path: Path) -> None:
    with AccountWorld(tmp_path) as world:
        world.start()
        world.drop()
        dead(world, Fault.HTML_502_BEFORE, *READS)
        answer, took_s = flattened(world)
        assert answer.is_done
        assert "not compared with the exchange's" in answer.text
        assert LAG_S + WITHIN_S <= took_s <= SOLD_WITHIN_S


def test_what_an_entry_bought_that_nobody_heard_of_is_sold_too(tmp_path: Path) -> None:
    with AccountWorld(tmp_path) as world:
        world.start()
        world.fault(Fault.DROP_AFTER, ORDERS)
        world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
        world.drop()
        world.faults()
        answer, _ = flattened(world)
        assert answer.is_done
        assert len(sales(world)) == 1
        world.expect_truth()


def test_what_orders_unknown_to_the_store_may_have_sold_is_left_to_a_person(
    tmp_path: Path,
) -> None:
    with killed(tmp_path, STOPS) as world:
        kept = sold_since_a_copy(world)
        sold = sales(world)
        by_hand(world, kept)
        answer, took_s = flattened(world)
        assert (answer.is_done, sales(world)) == (False, sold)
        assert "may have sold it; stop AEGIS: run.py recover" in answer.text
        assert took_s <= STUCK_WITHIN_S


@pytest.mark.parametrize("fault", [Fault.HTML_502_BEFORE, Fault.SILENCE_BEFORE])
def test_beside_a_stop_at_the_exchange_it_sells_once_and_names_that_stop_meanwhile(
    tmp_path: Path, fault: Fault
) -> None:
    resting = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
    with AccountWorld(tmp_path, settings=resting) as world:
        world.start().run_until(lambda: len(world.core.ledger.orders()) > 1)
        world.run_for(5)
        world.drop()
        dead(world, fault, *READS)
        answer, _ = flattened(world)
        stop = world.core.ledger.orders()[1]
        assert not answer.is_done
        assert f"its stop {stop.client_oid} is being called off, and until" in answer.text
        assert stop.is_open

        world.faults()
        assert flattened(world)[0].is_done
        assert [each.quantity for each in world.core.ledger.fills()][1:] == [stop.quantity]
        world.expect_truth()
