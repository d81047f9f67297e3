"""Figures by coin, as fees and balances are kept."""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.ids import Coin
from aegis.domain.money import ZERO, plus


def with_coin(figures: dict[Coin, Decimal], coin: Coin, change: Decimal) -> dict[Coin, Decimal]:
    """Return figures with one coin's changed; the same figures where nothing changes."""
    if change == 0:
        return figures
    return {**figures, coin: plus(figures.get(coin, ZERO), change)}
