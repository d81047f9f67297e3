"""Live: while nobody tells a price, an entry goes out at a fresh one alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.ids import NANOS_PER_SECOND
from tests.exchange_server.faults import Fault
from tests.live.world import BEATS, LiveWorld

STALE_AFTER_S = 30
ON_THE_WAY_S = 2
"""From the last price to the fault, and from the wish to the wire."""


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_no_entry_goes_out_once_the_last_price_is_stale(tmp_path: Path, timeframe: str) -> None:
    settings = {
        "market": {"timeframe": timeframe, "stale_after_s": STALE_AFTER_S},
        "risk": {"cooldown_s": 0, "exchange_stop": "off"},
    }
    with LiveWorld(tmp_path, strategy=BEATS, period_s=5, settings=settings) as world:
        world.start()
        world.run_until(lambda: world.has_said("PositionOpened"))
        world.fault(Fault.HTML_502_BEFORE, "public")
        silent_from = world.now()
        world.run_for(120)

        bought = [each for each in world.core.ledger.orders() if each.side == "BUY"]
        assert len(bought) > 1, "nothing was bought at a fresh one"
        last_s = (max(each.created_at for each in bought) - silent_from) / NANOS_PER_SECOND
        assert last_s <= STALE_AFTER_S + ON_THE_WAY_S
