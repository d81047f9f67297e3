"""What an exchange lets one trade in a symbol: its steps and least sizes."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.ids import Coin, Symbol
from aegis.domain.money import floor_to, times


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable symbol. Amounts are in the base coin, prices and notionals in the quote coin."""

    symbol: Symbol
    base: Coin
    quote: Coin
    amount_step: Decimal
    price_step: Decimal
    amount_min: Decimal
    notional_min: Decimal
    is_active: bool = True

    def is_dust(self, amount: Decimal, price: Decimal) -> bool:
        """Say whether an amount is too small to be sold at a price."""
        lot = floor_to(amount, self.amount_step)
        return lot <= 0 or lot < self.amount_min or times(lot, price) < self.notional_min
