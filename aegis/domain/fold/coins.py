"""Figures by coin, as fees and balances are kept."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from aegis.domain.ids import Coin
from aegis.domain.money import ZERO, plus


def with_coin(figures: dict[Coin, Decimal], coin: Coin, change: Decimal) -> dict[Coin, Decimal]:
    """Return figures with one coin's changed; the same figures where nothing changes."""
    return with_coins(figures, ((coin, change),))


def with_coins(
    figures: dict[Coin, Decimal], changes: Iterable[tuple[Coin, Decimal]]
) -> dict[Coin, Decimal]:
    """Return figures with those of some coins changed, copied once: there may be ten thousand."""
    after = figures
    for coin, change in changes:
        if change != 0:
            if after is figures:
                after = figures.copy()
            after[coin] = plus(after.get(coin, ZERO), change)
    return after
