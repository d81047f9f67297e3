"""The drill: a store is damaged, and one command brings it back, as a person would do it."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from aegis.domain.ids import Coin, ExchangeOrderId, Symbol, TradeId
from aegis.domain.instants import instant_of
from aegis.domain.order import Side
from aegis.domain.venue import VenueTrade
from aegis.exchange.paper_ledger import Change, ledger_beside, open_ledger
from aegis.store.connection import open_reader
from aegis.store.copying import look_at
from tests.cli.place import ROOT, Place
from tests.store.big_stores import make_big_store

RECOVERY_S_MAX = 10.0
LARGE, SMALL = 100_000, 500

FILLS = """
SELECT fills.symbol, fills.trade_id, fills.client_order_id, orders.side, fills.amount, fills.price,
    fills.filled_at
FROM fills JOIN orders ON orders.client_order_id = fills.client_order_id ORDER BY fills.filled_at
"""


@pytest.mark.parametrize(
    "events",
    [SMALL, pytest.param(LARGE, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_a_corrupt_store_is_back_with_one_command(place: Place, events: int) -> None:
    """The large one by processes of their own, timed; the small one in this process."""
    do = place.run if events == LARGE else place.say
    place.configure((ROOT / "config.toml").read_text())
    store = make_big_store(place.store, events=events, positions=events // 100)
    keep_account(store)
    assert do("backup").code == 0
    damage(store)
    assert do("resume").code == 65

    began = perf_counter()
    restored = do("restore", "latest")
    took_s = perf_counter() - began

    assert restored.code == 0, restored.err
    proved = do("verify", "--json").json
    assert (proved["ok"], proved["events"]) == (True, events + 2)
    assert took_s < RECOVERY_S_MAX, f"Expected {RECOVERY_S_MAX} s at most, took {took_s:.1f}"
    print(f"{events} events: restored in {took_s:.2f} s")  # noqa: T201  a figure for people


def keep_account(store: Path) -> None:
    """Put the paper account beside a store that was written down without one."""
    contents = look_at(store)
    with closing(open_reader(store)) as db:
        trades = tuple(_trade(row) for row in db.execute(FILLS))
    market = contents.identity.identity.market
    with closing(open_ledger(ledger_beside(store), {}, market, owner=contents.birth)) as ledger:
        ledger.write(Change(at=contents.last_at, trades=trades))


def _trade(row: Any) -> VenueTrade:
    symbol, trade_id, order_id, side, amount, price, filled_at = row
    return VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId(order_id),
        client_order_id=order_id,
        symbol=Symbol(symbol),
        side=Side(side),
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal(0),
        fee_currency=Coin("USDT"),
        liquidity="taker",
        at=instant_of(filled_at),
    )


def damage(store: Path) -> None:
    """Spoil pages in the middle of a store, as a dying disk does."""
    with store.open("r+b") as file:
        file.seek(store.stat().st_size // 2)
        file.write(b"\xa5" * 8192)
