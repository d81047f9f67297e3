"""An account of derivatives over the whole live stack: the owner's positions, and one of our own.

Nothing in AEGIS opens one of its own yet; here it is taken over by the command that an import is.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors import names
from aegis.cli.holdings import worth_of
from aegis.domain.commands import ImportPosition
from aegis.domain.events import Opening
from aegis.domain.ids import Coin, PositionId, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.position import PositionSide, StopPolicy
from aegis.messages import Execute
from tests.exchange_server.shapes import Order
from tests.live.world import LiveWorld
from tests.simulation.world import data_of

PERPETUAL, INSTRUMENT = Symbol("BTC/USD:USD"), "BTCUSD-PERP"
SETTINGS = {"exchange": {"kind": "derivatives", "symbols": [PERPETUAL]}}


class DerivativesWorld(LiveWorld):
    """An account of 10,000 USD in which the owner holds what a test says, bought at 40,000."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, settings=SETTINGS)
        self.core.market.pin(INSTRUMENT, 0, Decimal(40_000), is_held=True)
        self.owner("withdraw", coin="USDT", quantity="10000")
        self.owner("deposit", coin="USD", quantity="10000")

    def holds(self, quantity: str) -> None:
        self.owner("position", instrument=INSTRUMENT, quantity=quantity, price="40000")

    def liquidate(self, price: str) -> None:
        self.owner("liquidate", instrument=INSTRUMENT, price=price)

    def perpetual(self, price: str) -> None:
        wish = {"instrument": INSTRUMENT, "price": price}
        self.desk.handle("/control/price", "POST", msgspec.json.encode(wish), self.now())

    def takes_over(self, amount: str, stop: str | None = None) -> None:
        """Make a part of what the owner holds a position of AEGIS' own."""
        instrument = Instrument(
            symbol=PERPETUAL,
            base=Coin("BTC"),
            quote=Coin("USD"),
            amount_step=Decimal("0.0001"),
            price_step=Decimal("0.1"),
            amount_min=Decimal("0.0001"),
            notional_min=Decimal(1),
        )
        policy = StopPolicy(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
        command = ImportPosition(
            position_id=PositionId("taken-over"),
            opening=Opening(
                side=PositionSide.LONG, created_by="import", policy=policy, instrument=instrument
            ),
            amount=Decimal(amount),
            entry_price=Decimal(40_000),
            price=Decimal(40_000),
            stop_price=None if stop is None else Decimal(stop),
            take_profit_price=None,
            opened_at=self.now(),
            reference="test",
        )
        self.tell(names.POSITION_STORE, Execute(command=command, by="test"))
        self.run_until(lambda: self.positions("OPEN") != ())

    def armed(self) -> DerivativesWorld:
        self.start()
        self.run_until(lambda: self.has_said("StrategyArmed"))
        return self

    def orders_of_ours(self) -> list[Order]:
        return [each for each in self.core.ledger.orders() if each.maker == "api"]

    def roles(self) -> list[object]:
        """Return the roles of all orders that the store knows."""
        return [data_of(event)["role"] for event in self.history("OrderIntended")]

    def expect_equal_cash(self) -> None:
        held = {coin: amount for coin, amount in self.core.ledger.balances().items() if amount}
        account = self.status().account
        known = {coin: amount for coin, amount in account.balances.items() if amount}
        assert known == held


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DerivativesWorld]:
    with DerivativesWorld(tmp_path) as made:
        yield made


def found(world: DerivativesWorld) -> list[tuple[str, str, bool]]:
    lines = world.said("DiscrepancyFound")
    return [(ln.fields["kind"], ln.fields["found"], ln.fields["healed"]) for ln in lines]


def test_a_strategy_that_always_wants_in_sends_nothing(world: DerivativesWorld) -> None:
    world.armed()
    world.run_until(lambda: len(world.said("EntryRefused")) >= 3)
    assert len(world.said("EntriesRefused")) == 1
    assert world.positions() == ()
    assert world.core.ledger.orders() == []


def test_the_owners_position_is_told_and_its_liquidation_is_cash_that_went(
    world: DerivativesWorld,
) -> None:
    world.holds("0.5")
    world.armed()
    world.liquidate("39000")
    world.say("reconcile")
    assert found(world) == [
        ("external", "long 0.5 BTC/USD:USD that is not ours", True),
        ("external", "9485.375", True),
    ]
    first, second = world.history("ReconciliationCompleted")
    counted = [data_of(each)["exchange_positions"] for each in (first, second)]
    assert (counted, world.orders_of_ours()) == ([1, 0], [])
    world.expect_equal_cash()


def test_a_stop_of_our_own_goes_out_reduce_only_and_leaves_the_owners_part(
    world: DerivativesWorld,
) -> None:
    world.holds("0.5")
    world.armed().takes_over("0.2", stop="39500")
    world.perpetual("39400")
    world.run_until(lambda: world.positions("CLOSED") != ())
    (order,) = world.orders_of_ours()
    assert (order.side, order.quantity, order.exec_inst) == (
        "SELL",
        Decimal("0.2"),
        ("REDUCE_ONLY",),
    )
    assert world.core.books.position(INSTRUMENT)[0] == Decimal("0.3")
    world.expect_equal_cash()
    assert world.verified().problems == ()


def test_what_is_taken_over_at_its_price_is_worth_nothing_yet(world: DerivativesWorld) -> None:
    world.holds("0.2")
    world.armed().takes_over("0.2")
    assert [worth_of(each) for each in world.positions("OPEN")] == [0]


def test_a_liquidation_of_our_own_is_a_forced_order_with_its_real_fill(
    world: DerivativesWorld,
) -> None:
    world.holds("0.2")
    world.armed().takes_over("0.2")
    world.liquidate("39000")
    world.say("reconcile")
    (position,) = world.positions("CLOSED")
    (fill,) = world.core.ledger.fills()
    assert Decimal(str(position["pnl"])) == Decimal(-200) - fill.fee
    assert world.roles() == ["forced"]
    world.expect_equal_cash()
    assert world.verified().problems == ()


def test_our_own_told_at_zero_with_no_trade_closes_unpriced_and_restarts_so(
    world: DerivativesWorld,
) -> None:
    world.holds("0.2")
    world.armed().takes_over("0.2")
    world.holds("0")
    world.say("reconcile")
    world.restart()
    world.run_until(lambda: world.has_said("ReconciliationCompleted", generation=1))
    (position,) = world.positions("CLOSED")
    assert (position["unpriced"], world.orders_of_ours()) == (1, [])
    assert world.verified().problems == ()
