"""The exchanges that AEGIS knows, as the configuration names them, and what each is good for.

Names only: what an exchange's ways are is its profile's to say, and no profile is loaded here.
"""

from __future__ import annotations

EXCHANGES = frozenset({"binance", "cryptocom", "kraken", "okx"})
"""Their prices can be traded on, on paper."""

PROVEN = frozenset({"cryptocom"})
"""Money is traded here alone: the whole of AEGIS was run against their protocol."""

TIMEFRAMES_LACKING = {"cryptocom": frozenset({"3m"}), "kraken": frozenset({"3m"})}
"""They have no candles of these lengths."""

SANDBOXES = frozenset({"binance", "cryptocom", "okx"})
"""These have a place to practise in."""
