"""The strategies that come with AEGIS, through the whole of it, over one seeded market."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.order import Role
from aegis.strategy_loader import BUILT_IN
from tests.crash.evidence import look
from tests.simulation.candles import walk, write_replay
from tests.simulation.one_life import replayed
from tests.simulation.world import config_of

PARAMS: dict[str, dict[str, int]] = {
    "ema_cross": {},
    "rsi_reversion": {"period": 7},
    "metronome": {"period_s": 600},
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_strategy_enters_and_leaves_by_itself(tmp_path: Path, name: str) -> None:
    replay = write_replay(tmp_path / "candles.csv", walk(500, seed=5))
    market = {"source": "replay", "path": replay, "speed": 0}
    config = config_of(
        tmp_path, {"market": market, "strategy": {"name": name, "params": PARAMS[name]}}
    )
    replayed(config)

    filled = [order for order in look(config.store.path).orders.values() if order.filled > 0]
    left = [order for order in filled if order.role is Role.EXIT and order.reason == "strategy"]
    assert sum(order.role is Role.ENTRY for order in filled) >= 2
    assert len(left) >= 2
