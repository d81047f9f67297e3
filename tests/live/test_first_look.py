"""Live: no exit of a fresh process goes before the account was looked at, where that can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.domain.first_look import WITHIN_S
from aegis.domain.ids import NANOS_PER_SECOND
from tests.exchange_server.faults import Fault
from tests.live.account import AccountWorld
from tests.live.test_only_looking import BELOW_OUR_STOP, STOPS, killed

PutBack = Callable[[AccountWorld, Path], None]
OWNED = "0.5"
LOOK_S = 15.0


def by_the_command(world: AccountWorld, kept: Path) -> None:
    world.restore(kept)


def by_hand(world: AccountWorld, kept: Path) -> None:
    """Copy every file back, the mark too: what a machine's own snapshot brings back."""
    for file in world.folder.glob(f"{world.store_path.name}*"):
        if file.is_file():
            file.unlink()
    for file in kept.parent.iterdir():
        shutil.copy(file, world.folder)


def sales(world: AccountWorld) -> list[str]:
    """Return which of our sales reached the exchange, by their ids."""
    orders = [each for each in world.core.ledger.orders() if each.side == "SELL"]
    return [str(each.client_oid) for each in orders if each.maker != "owner"]


def sold_since_a_copy(world: AccountWorld) -> Path:
    """Let a killed world sell what it held, and the owner bring coins; return a copy of before."""
    kept = world.keep_copy()
    world.start()
    world.price(BELOW_OUR_STOP)
    world.run_until(lambda: world.has_said("PositionClosed"))
    world.drop()
    world.owner("deposit", coin="BTC", quantity=OWNED)
    return kept


@pytest.mark.parametrize("put_back", [by_the_command, by_hand], ids=lambda way: way.__name__)
def test_the_stop_of_what_was_sold_since_the_backup_sells_nobody_s_coins(
    tmp_path: Path, put_back: PutBack
) -> None:
    with killed(tmp_path, STOPS) as world:
        kept = sold_since_a_copy(world)
        sold = sales(world)
        put_back(world, kept)
        world.start()
        world.run_for(300)

        assert sales(world) == sold
        (position,) = world.positions("OPEN")
        (alarm,) = world.said("AlarmRaised")
        assert "run.py recover" in alarm.fields["text"]
        assert world.has_said("ExitHeldBack", position=position["position_id"])


def test_the_stop_of_a_restored_store_waits_for_an_exchange_that_does_not_answer(
    tmp_path: Path,
) -> None:
    with killed(tmp_path, STOPS) as world:
        world.restore(world.keep_copy())
        world.owner("deposit", coin="BTC", quantity=OWNED)
        world.price(BELOW_OUR_STOP)
        world.fault(Fault.HTML_502_BEFORE, "private/user-balance")
        world.start()
        world.run_for(120)
        assert sales(world) == []
        assert len(world.said("AlarmRaised")) == 1

        world.faults()
        world.run_until(lambda: world.has_said("PositionClosed"))
        world.run_for(5)
        assert len(sales(world)) == 1
        world.expect_truth(BTC=OWNED)


def test_the_stop_of_a_killed_process_goes_once_the_next_has_looked(tmp_path: Path) -> None:
    with killed(tmp_path, STOPS) as world:
        world.price(BELOW_OUR_STOP)
        world.start()
        began = world.now()
        world.run_until(lambda: world.has_said("ExitTriggered"))

        looked = world.place_of("ReconciliationCompleted", after=world.place_of("StoreOpened"))
        assert world.place_of("ExitTriggered") > looked
        assert (world.now() - began) / NANOS_PER_SECOND < LOOK_S


def test_where_the_account_cannot_be_read_it_goes_when_its_time_is_over(tmp_path: Path) -> None:
    with killed(tmp_path, STOPS) as world:
        world.price(BELOW_OUR_STOP)
        world.fault(Fault.HTML_502_BEFORE, "private/user-balance")
        world.start()
        began = world.now()
        world.run_until(lambda: bool(sales(world)))

        assert world.system.desk.proof.lag_s == 10
        waited_s = (world.now() - began) / NANOS_PER_SECOND
        assert 10 + WITHIN_S <= waited_s < 10 + WITHIN_S + LOOK_S
