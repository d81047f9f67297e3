"""What has to come before a strategy may be armed. Pure but for its memory.

Invariant: a reconciliation counts for its own generation alone, a diagnosis for its process.
"""

from __future__ import annotations

from collections.abc import Collection

from aegis.domain.ids import Generation, Symbol
from aegis.domain.instrument import Instrument


class Readiness:
    """Of a strategy that begins in a generation; it hears of each thing as it is completed."""

    def __init__(self, generation: Generation) -> None:
        self.reconciled = Generation(0)
        self.diagnosed = Generation(0)
        self.instruments: dict[Symbol, Instrument] | None = None  # before the exchange told any
        self._generation = generation

    def waits_for(self, behind: Collection[Symbol]) -> str:
        """Return what has to come, or nothing; `behind` are symbols whose candles are missing."""
        if self.reconciled != self._generation:
            return "the reconciliation with the exchange"
        if self.diagnosed == 0:
            return "the diagnosis"
        if self.instruments is None:
            return "the exchange to say what can be traded"
        unlisted = [symbol for symbol in behind if symbol not in self.instruments]
        if unlisted:
            return f"candles of {', '.join(unlisted)}, which the exchange does not list"
        return "the market's history" if behind else ""

    def instrument(self, symbol: Symbol) -> Instrument | None:
        """Return what the exchange lists of a symbol, None where nothing is known of it."""
        return None if self.instruments is None else self.instruments.get(symbol)
