"""A canary that is too small for any order says so when it is armed, and before it trades."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.world import ORDERS, LiveWorld


@pytest.mark.parametrize(("notional", "is_enough"), [("0.0001", False), ("15", True)])
def test_what_no_entry_can_pass_is_said_once_and_first(
    tmp_path: Path, notional: str, *, is_enough: bool
) -> None:
    settings = {"live": {"canary_notional": notional}}
    with LiveWorld(tmp_path, period_s=5, settings=settings).start() as world:
        world.run_until(lambda: bool(world.said("PositionOpened", "EntryRefused")))
        assert bool(world.requests(ORDERS)) is is_enough
        told = world.said("CanaryTooSmall")
        assert len(told) == (not is_enough)
        if told:
            assert told[0].fields["symbol"] == "BTC/USDT"
            assert str(told[0].fields["text"]).startswith("live.canary_notional 0.0001 buys 0 BTC;")
            assert world.place_of("CanaryTooSmall") < world.place_of("EntryRefused")
