"""What the paper exchange lists: any BASE/QUOTE, as `domain.listing` has it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from aegis.domain.ids import Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.listing import usual_instrument


def paper_instruments(
    symbols: tuple[Symbol, ...], prices: Mapping[Symbol, Decimal] = MappingProxyType({})
) -> dict[Symbol, Instrument]:
    """Return the instruments of all symbols; raises ValueError naming one that is no pair."""
    listed: dict[Symbol, Instrument] = {}
    for symbol in symbols:
        instrument = usual_instrument(symbol, prices.get(symbol))
        if instrument is None:
            raise ValueError(f"Expected a symbol like BTC/USDT, was {symbol!r}")
        listed[symbol] = instrument
    return listed
