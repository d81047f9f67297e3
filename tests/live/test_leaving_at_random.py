"""Live: a stopped AEGIS is flattened again and again, killed at times, while much goes wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aegis.clock import seeded_random
from aegis.control import Ask
from tests.exchange_server.faults import Fault, Rule
from tests.live.account import AccountWorld
from tests.live.test_first_look import OWNED
from tests.live.test_leaving import READS
from tests.live.world import ORDERS

KINDS = (
    Fault.HTML_502_BEFORE, Fault.HTML_502_AFTER, Fault.SILENCE_BEFORE, Fault.SILENCE,
    Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HTML_429, Fault.REVOKED, Fault.MALFORMED,
    Fault.NO_DATA, Fault.EMPTY,
)  # fmt: skip
ENDPOINTS = (*READS, ORDERS, ORDERS, "private/advanced/cancel-order", "public")
STOPS = {"risk": {"stop_loss_pct": 2, "exchange_stop": "disaster"}}
SEEDS, TRIES_MAX = 60, 4


def troubles(chance: Any) -> list[Rule]:
    """Draw what goes wrong at some endpoints, for a few calls or until it is mended."""
    endpoints = chance.sample(ENDPOINTS, chance.randint(1, len(ENDPOINTS)))
    few = [{"next": chance.randint(1, 3)} if chance.random() < 0.4 else {} for _ in endpoints]
    return [
        Rule(fault=chance.choice(KINDS), endpoint=endpoint, **rule)
        for endpoint, rule in zip(endpoints, few, strict=True)
    ]


def traded(world: AccountWorld, side: str) -> Decimal:
    fills = world.core.ledger.fills()
    return sum((each.quantity for each in fills if each.side == side), Decimal(0))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_goes_wrong_all_is_sold_once_and_nobody_else_s(tmp_path: Path, seed: int) -> None:
    chance = seeded_random(seed)
    settings = STOPS if chance.random() < 0.4 else {}
    with AccountWorld(tmp_path, settings=settings, seed=seed) as world:
        world.hold().drop()
        owned = {"BTC": OWNED} if chance.random() < 0.4 else {}
        if owned:
            world.owner("deposit", coin="BTC", quantity=OWNED)
        for _ in range(chance.randint(1, 3)):
            world.faults(*troubles(chance))
            answer = world.flatten(killed_after_s=chance.choice([None, None, 60 * chance.random()]))
            assert world.status().account.trading_state == "REDUCING"
            assert answer is None or answer.is_done or "still open" in answer.text
        world.faults()
        assert any(world.flatten().is_done for _ in range(TRIES_MAX))  # type: ignore[union-attr]  # not killed
        world.errand(Ask(command="reconcile"))
        assert traded(world, "SELL") <= traded(world, "BUY")
        world.expect_truth(**owned)
