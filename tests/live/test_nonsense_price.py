"""Live: a price that is nonsense, and comes twice, costs no position."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.live.test_only_looking import STOPS, killed


def test_a_price_that_is_nonsense_for_a_while_writes_no_position_off(tmp_path: Path) -> None:
    with killed(tmp_path, STOPS) as world:
        world.start()
        world.run_for(60)
        world.price("0.5")
        world.run_until(lambda: world.has_said("ExitTriggered"))
        world.run_for(1)
        world.price("40000")
        world.run_until(lambda: world.has_said("PositionClosed"))

        (closed,) = world.said("PositionClosed")
        assert closed.fields["reason"] == "stop_loss"
        assert abs(Decimal(closed.fields["pnl"])) < 1, closed.fields
