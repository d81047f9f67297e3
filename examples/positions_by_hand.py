"""Positions by hand: what a script or a notebook does with the library, from opening to result.

    python examples/positions_by_hand.py [STORE]

STORE is a new file; without one, a store in a temporary folder that goes with the script.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from aegis.store import PositionStateManager, Refused


def main(store: Path) -> None:
    """Open two positions, lose one, close the other, and look at what it came to."""
    with PositionStateManager(store) as manager:
        # Who wants to be told. A listener hears of what is on the disk, and nothing else.
        manager.register_listener("POSITION_OPENED", lambda event: print("opened", event["symbol"]))
        manager.register_listener("POSITION_CLOSED", lambda event: print("closed", event["symbol"]))

        # Figures are exact: text, int or Decimal; a float is refused. One position a symbol.
        bitcoin = manager.open_position(
            "BTC/USDT", "long", "40000", "0.05", stop_price="39000", take_profit_price="43000"
        )
        ether = manager.open_position("ETH/USDT", "long", "2500", "0.8", trailing_stop_pct=3)
        try:
            manager.open_position("BTC/USDT", "long", "40100", "0.05")
        except Refused as refused:
            print("refused:", refused)

        # A trailing stop follows the price; a stop of one's own is raised by hand.
        manager.update_position(ether, "2600")
        manager.update_position(bitcoin, "41500", stop_price="40100")
        for position in manager.get_open_positions():
            print(position["symbol"], "stop", position["stop_price"])

        # What an exchange holds, and its latest trades, as an adapter of yours would tell them.
        sold = {
            "id": "t-1",
            "symbol": "ETH/USDT",
            "side": "sell",
            "amount": "0.8",
            "price": "2580",
            "timestamp": time.time_ns() // 1_000_000 + 1,
            "fee": {"cost": "2.064", "currency": "USDT"},
        }
        found = manager.reconcile_with_exchange({"BTC/USDT": "0.05"}, trades=[sold])
        print("differences:", [each["kind"] for each in found["discrepancies"]])

        manager.close_position(bitcoin, "42000", "target", fees="2.1")
        print("history:", [event["event_type"] for event in manager.get_position_history(bitcoin)])
        health = manager.self_diagnose()
        print("issues:", health["issues_found"], "fixed:", health["auto_fixes_applied"])
        statistics = manager.get_statistics()
        print("trades:", statistics["trades"], "P&L:", statistics["pnl_total"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder) / "aegis.db")
