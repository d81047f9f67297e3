"""A market with holes, and one that has gone quiet."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulation.candles import candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import BEATING, FREE, merged

GAP = range(10, 20)
WITH_GAP = [*flat(GAP.start), *flat(15, first=GAP.stop)]


def test_a_gap_is_told(make_world: MakeWorld) -> None:
    world = make_world(WITH_GAP).live()

    assert len(world.said("MarketGap")) == 1


def test_the_first_candle_after_a_gap_is_not_traded_on(make_world: MakeWorld) -> None:
    script = {"enters": [GAP.stop]}
    world = make_world(WITH_GAP, script=script).live()

    assert world.positions() == ()


def test_the_second_candle_after_a_gap_is_traded_on(make_world: MakeWorld) -> None:
    script = {"enters": [GAP.stop + 1]}
    world = make_world(WITH_GAP, script=script).live()

    assert len(world.positions()) == 1


def test_a_position_is_guarded_on_the_far_side_of_a_gap(make_world: MakeWorld) -> None:
    market = [*flat(10), candle(20, "90", "91", "90", "90"), *flat(5, price="90", first=21)]
    world = make_world(market, script={"enters": [2]}, settings=FREE).live()

    (sale,) = (trade for trade in world.ledger().trades if trade.side == "sell")
    assert sale.price == Decimal(90)


def test_a_stale_price_takes_no_entries(make_world: MakeWorld) -> None:
    """A strategy that beats inside the gap wants to enter on a price of minutes ago."""
    script = {"beats_from": GAP.start + 2}
    world = make_world(WITH_GAP, strategy=BEATING, script=script).start()
    world.run_until_candle(GAP.stop - 1)

    refusals = [str(event["data"]) for event in world.history("OrderRejected")]
    assert len(refusals) > 5
    assert all("no fresh price" in refusal for refusal in refusals)
    assert world.ledger().orders == ()


@pytest.mark.parametrize(("timeframe", "length_s"), [("1m", 60), ("5m", 300), ("1h", 3600)])
def test_candles_of_any_length_are_traded_on_at_full_speed(
    make_world: MakeWorld, timeframe: str, length_s: int
) -> None:
    market = flat(12, length_s=length_s)
    settings = merged({"market": {"timeframe": timeframe}}, {"diagnose": {"interval_s": 86_400}})
    world = make_world(market, script={"enters": [2], "leaves": [6]}, settings=settings).live()

    assert [position["status"] for position in world.positions()] == ["CLOSED"]
