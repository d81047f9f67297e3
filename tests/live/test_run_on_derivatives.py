"""Derivatives in live mode as a person meets them: said at the start, reconciled, never ordered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.risk import ENTRIES_UNVERIFIED
from tests.cli.live_place import private_requests
from tests.exchange_server.local import Local, in_thread
from tests.live.scene import SETTINGS, LiveScene

DERIVATIVES = SETTINGS.replace(
    'symbols = ["BTC/USDT"]', 'kind = "derivatives"\nsymbols = ["BTC/USD:USD"]'
)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with in_thread(tmp_path / "exchange", balances={"USD": "10000"}) as served:
        yield served


@pytest.fixture
def scene(tmp_path: Path, local: Local) -> Iterator[LiveScene]:
    made = LiveScene(tmp_path / "aegis", local, DERIVATIVES)
    yield made
    made.clean_up()


def test_a_live_run_on_derivatives_says_so_reconciles_and_never_sends_an_order(
    local: Local, scene: LiveScene
) -> None:
    local.control.position("BTCUSD-PERP", "0.5", "40000")
    process = scene.start()
    process.wait_for("EntryRefused")
    local.control.liquidate("BTCUSD-PERP", "39000")
    assert scene.say("reconcile").returncode == 0
    status = json.loads(scene.say("status", "--json").stdout)

    assert (status["balances"], status["positions"]) == ({"USD": "9485.375"}, [])
    assert [line["text"] for line in process.lines("EntriesRefused")] == [ENTRIES_UNVERIFIED]
    found = [line["found"] for line in process.lines("DiscrepancyFound")]
    assert "long 0.5 BTC/USD:USD that is not ours" in found
    assert set(private_requests(local)) == {
        "private/advanced/get-open-orders",
        "private/get-open-orders",
        "private/get-positions",
        "private/get-trades",
        "private/user-balance",
    }
    with local.ledger() as ledger:
        assert [order.maker for order in ledger.orders()] == ["owner"]
