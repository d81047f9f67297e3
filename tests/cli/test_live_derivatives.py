"""Derivatives in live mode as a person meets them: said at the start, reconciled, never ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.domain.risk import ENTRIES_UNVERIFIED
from tests.cli.live_place import keys_of, private_requests, settle
from tests.cli.place import Foreground, Place
from tests.exchange_server.local import Local, in_thread

Start = Callable[..., Foreground]

DERIVATIVES = {
    "AEGIS_EXCHANGE__KIND": "derivatives",
    "AEGIS_EXCHANGE__SYMBOLS": '["BTC/USD:USD"]',
}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with in_thread(tmp_path / "exchange", balances={"USD": "10000"}) as served:
        yield served


def test_a_live_run_on_derivatives_says_so_reconciles_and_never_sends_an_order(
    place: Place, local: Local, foreground: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(place.folder, local)
    for name, value in DERIVATIVES.items():
        monkeypatch.setenv(name, value)
    local.control.position("BTCUSD-PERP", "0.5", "40000")
    aegis = foreground("run", "--live", **keys_of(local), **DERIVATIVES)
    aegis.wait_for("EntryRefused")
    local.control.liquidate("BTCUSD-PERP", "39000")
    assert place.say("reconcile").code == 0
    status = place.say("status", "--json").json
    aegis.end()

    assert (status["balances"], status["positions"]) == ({"USD": "9485.375"}, [])
    assert sum(f'EntriesRefused text="{ENTRIES_UNVERIFIED}"' in line for line in aegis.lines) == 1
    assert any("long 0.5 BTC/USD:USD that is not ours" in line for line in aegis.lines)
    assert set(private_requests(local)) == {
        "private/advanced/get-open-orders",
        "private/get-open-orders",
        "private/get-positions",
        "private/get-trades",
        "private/user-balance",
    }
    with local.ledger() as ledger:
        assert [order.maker for order in ledger.orders()] == ["owner"]
