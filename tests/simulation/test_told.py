"""Positions that a person booked by hand, under a whole AEGIS that comes later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from aegis.clock import ManualClock
from aegis.domain.ids import Coin, Instant
from aegis.store import PositionStateManager
from aegis.store.copying import booked_trades
from supervisors.settings import identity_of
from tests.simulation.candles import START, closes, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, World

BTC = "BTC/USDT"
FALLING = [
    *flat(3),
    *closes(["100", "99", "96", "94", "93"], first=3),
    *flat(3, price="93", first=8),
]


@contextmanager
def by_hand(world: World) -> Iterator[PositionStateManager]:
    identity = identity_of(world.config)
    clock = ManualClock(Instant(START - 1))
    with PositionStateManager(world.store_path, identity=identity, clock=clock) as manager:
        yield manager


def test_what_was_booked_by_hand_is_guarded_by_the_aegis_that_comes_later(
    make_world: MakeWorld,
) -> None:
    world = make_world(FALLING, settings=FREE)
    with by_hand(world) as manager:
        held = manager.open_position(BTC, "long", "100", "2", stop_price="95")

    world.live()

    with by_hand(world) as manager:
        row = manager.get_position(held)
    assert (row["status"], row["notes"], row["pnl"]) == ("CLOSED", "stop_loss", Decimal(-10))
    assert world.verified().ok
    assert world.status().account.balances == world.ledger().balances


def test_a_paper_account_begins_with_the_coins_that_were_booked_by_hand(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(5))
    with by_hand(world) as manager:
        manager.open_position(BTC, "long", "100", "2")
        manager.close_position(manager.open_position("ETH/USDT", "long", "10", "3"), "11")

    world.live()

    assert world.ledger().balances == {"USDT": Decimal(10_000), "BTC": Decimal(2)}
    assert world.history("ReconciliationCompleted")[0]["data"]["discrepancies"] == []  # type: ignore[index]


def test_a_store_with_what_was_booked_by_hand_starts_again_and_again(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(9))
    with by_hand(world) as manager:
        manager.open_position(BTC, "long", "100", "2")

    for _ in range(3):
        world.live()

    assert world.verified().ok
    assert [row["status"] for row in world.positions()] == ["OPEN"]


def test_a_store_with_trades_that_a_script_told_of_starts_again_and_again(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(9))
    with by_hand(world) as manager:
        manager.open_position(BTC, "long", "100", "2")
        sold = {"id": "t1", "symbol": BTC, "side": "sell", "amount": "0.5", "price": "110"}
        told = {**sold, "timestamp": START // 1_000_000}
        assert manager.reconcile_with_exchange({BTC: "1.5"}, [told])["healed"] == 1

    for _ in range(2):
        world.live()

    assert [row["amount"] for row in world.positions("OPEN")] == ["1.5"]
    assert world.ledger().balances[Coin("BTC")] == Decimal("1.5")
    assert booked_trades(world.store_path) == frozenset(), "a backup would ask its account for it"


def test_coins_that_a_script_told_to_be_missing_do_not_come_back_by_themselves(
    make_world: MakeWorld,
) -> None:
    world = make_world(FALLING, settings=FREE)
    with by_hand(world) as manager:
        held = manager.open_position(BTC, "long", "100", "2", stop_price="95")
        assert manager.reconcile_with_exchange({BTC: "0.5"})["unresolved"] == [held]

    world.live()

    assert world.status().account.unresolved == {held: Decimal("1.5")}
    assert sum(trade.amount for trade in world.ledger().trades) <= Decimal("0.5")


def test_what_the_paper_exchange_never_had_is_found_missing(make_world: MakeWorld) -> None:
    world = make_world(flat(9)).live()
    with by_hand(world) as manager:
        held = manager.open_position(BTC, "long", "100", "2")

    world.live()

    account = world.status().account
    assert account.unresolved == {held: Decimal(2)}
    assert account.blocked == (BTC,)
