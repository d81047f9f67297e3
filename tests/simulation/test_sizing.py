"""Each sizing method in a whole system: what reaches the exchange, and what it makes of the money.

Nothing costs anything here, so that the figures can be named: 10000 of equity, a price of 100.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.candles import Candle
from aegis.domain.sizing import ATR_PERIOD
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, NO_STOPS, World, merged

ENTRY = 20


def swinging(count: int) -> list[Candle]:
    """Return candles that each reach from 98.5 to 101 and close at 100: a range of 2.5."""
    return [candle(number, "100", "101", "98.5", "100") for number in range(count)]


def sized(method: str, value: str) -> dict[str, dict[str, object]]:
    return {"sizing": {"method": method, "value": Decimal(value)}}


def bought(world: World) -> list[Decimal]:
    return [order.amount for order in world.ledger().orders]


@pytest.mark.parametrize(
    ("method", "value", "amount"),
    [("notional", "700", 7), ("equity_pct", "3", 3), ("volatility", "0.05", 2)],
)
def test_an_entry_has_the_size_that_its_method_says(
    make_world: MakeWorld, method: str, value: str, amount: int
) -> None:
    settings = merged(FREE, NO_STOPS, sized(method, value))
    world = make_world(swinging(30), script={"enters": [ENTRY]}, settings=settings).live()

    assert bought(world) == [amount]
    world.expect_truth()


def test_a_stop_loses_the_risk_that_was_taken(make_world: MakeWorld) -> None:
    market = [*flat(25), candle(25, "100", "100", "97", "97"), *flat(5, price="97", first=26)]
    settings = merged(FREE, sized("risk_per_trade", "0.1"))
    world = make_world(market, script={"enters": [ENTRY]}, settings=settings).live()

    assert bought(world) == [5, 5]
    (position,) = world.positions("CLOSED")
    assert world.has_said("PositionClosed", reason="stop_loss")
    assert Decimal(str(position["pnl"])) == -10


def test_the_size_follows_the_equity(make_world: MakeWorld) -> None:
    market = [*flat(5), candle(5, "100", "200", "100", "200"), *flat(30, price="200", first=6)]
    settings = merged(FREE, NO_STOPS, sized("equity_pct", "5"))
    script = {"enters": [2, 20], "leaves": [12]}
    world = make_world(market, script=script, settings=settings).live()

    assert bought(world) == [5, 5, Decimal("2.625")]


def test_a_volatility_is_known_from_history_after_a_restart(make_world: MakeWorld) -> None:
    settings = merged(FREE, NO_STOPS, sized("volatility", "0.05"))
    market = swinging(40)
    world = make_world(market, script={"enters": [ENTRY]}, settings=settings).start()
    world.run_until_candle(ENTRY - 2)
    assert world.say("reconcile").is_done  # it goes on from its last event
    world.restart().run_to_the_end()

    assert bought(world) == [2]


def test_a_volatility_takes_no_entry_before_its_candles(make_world: MakeWorld) -> None:
    settings = merged(FREE, NO_STOPS, sized("volatility", "0.05"))
    enters = list(range(30))
    world = make_world(swinging(30), script={"enters": enters}, settings=settings).live()

    refused = world.said("EntryRefused")
    assert {line.fields["code"] for line in refused} == {"no_range"}
    assert len(refused) == ATR_PERIOD
    assert bought(world) == [2]


def test_an_entry_beyond_a_limit_is_refused_and_not_made_smaller(make_world: MakeWorld) -> None:
    settings = merged(FREE, sized("equity_pct", "50"))
    world = make_world(swinging(30), script={"enters": [ENTRY]}, settings=settings).live()

    assert bought(world) == []
    (voided,) = world.said("PositionVoided")
    assert str(voided.fields["reason"]).startswith("order_notional_max: expected at most 1000, was")
