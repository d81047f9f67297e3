"""An exchange by hand: what a script or a notebook does with the library, from price to cancel.

    python examples/exchange_by_hand.py BASE_URL

BASE_URL is the root of the exchange's calls; AEGIS_EXCHANGE__API_KEY and AEGIS_EXCHANGE__SECRET
hold the key. Try it on the local exchange first, `python -m tests.exchange_server`: it places an
order, and at a real one that would be real.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal

from aegis.exchange import ExchangeAdapter, Unavailable


def main(base_url: str) -> None:
    """Look, place an order far from the market, find it, and take it back."""
    exchange = ExchangeAdapter(
        "cryptocom",
        os.environ["AEGIS_EXCHANGE__API_KEY"],
        os.environ["AEGIS_EXCHANGE__SECRET"],
        base_url=base_url,
    )

    # Figures are Decimals, exactly as the exchange wrote them. No data is an exception, never zero.
    try:
        print("balance:", exchange.get_balance("USDT"), "USDT")
    except Unavailable as unavailable:
        print("no answer:", unavailable)
        return
    ticker = exchange.get_ticker("BTC/USDT")
    print("best prices:", ticker["bid"], ticker["ask"])

    # A buy a tenth below the market rests. It is sent once, and the answer has one of three states.
    price = (ticker["bid"] * Decimal("0.9")).quantize(Decimal("0.01"))
    done = exchange.place_order("BTC/USDT", "buy", "0.001", price=price)
    print("state:", done["state"], done["code"])
    if done["state"] == "refused":
        return

    # Placed or unknown, only the exchange's own record says what became of it.
    found = exchange.find_order(done["client_order_id"], "BTC/USDT")
    print("found:", found and found["status"])
    print("cancel taken:", exchange.cancel_order(done["client_order_id"]))
    found = exchange.find_order(done["client_order_id"], "BTC/USDT")
    print("found:", found and found["status"])

    # What is held, as PositionStateManager.reconcile_with_exchange takes it.
    print("held:", exchange.get_open_positions())


if __name__ == "__main__":
    main(sys.argv[1])
