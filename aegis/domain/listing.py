"""How a BASE/QUOTE usually trades: its steps and least sizes, where no exchange tells them.

The paper exchange lists them so, and a position that a person tells of has them. No step is coarse
beside the price: five digits of it count, and a step of the amount is worth less than a tenth of
the quote coin.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.ids import Coin, Symbol
from aegis.domain.instrument import Instrument

COIN_LENGTH_MAX = 20

_AMOUNT_STEPS = {"BTC": Decimal("0.00001"), "ETH": Decimal("0.0001")}
_AMOUNT_STEP = Decimal("0.001")

_CENT_COINS = frozenset({"BTC", "ETH"})
"""Coins worth enough that a cent is a fine price step; the others have 0.0001."""

PRICE_DIGITS = 5
"""Of a price, the digits that count at least: 0.07234, or 0.00001234."""


def usual_instrument(symbol: str, price: Decimal | None = None) -> Instrument | None:
    """Return how a spot symbol trades, or None where it is no BASE/QUOTE.

    BTC/USDT: lots of 0.00001, prices in cents, from 0.00001 and 1 USDT on. Against BTC or ETH
    prices have 8 digits and the least notional is 0.0001. `price` is about where it trades, for
    coins that are worth very much or very little.
    """
    base, _, quote = symbol.partition("/")
    if base == quote or not (_is_coin(base) and _is_coin(quote)):
        return None
    is_quoted_in_coins = quote in _CENT_COINS
    coarse = "0.01" if base in _CENT_COINS else "0.0001"
    amount_step = _AMOUNT_STEPS.get(base, _AMOUNT_STEP)
    price_step = Decimal("0.00000001" if is_quoted_in_coins else coarse)
    if price is not None:
        magnitude = price.adjusted()
        price_step = min(price_step, Decimal((0, (1,), magnitude - PRICE_DIGITS + 1)))
        if base not in _AMOUNT_STEPS and not is_quoted_in_coins:
            amount_step = min(amount_step, Decimal((0, (1,), -magnitude - 2)))
    return Instrument(
        symbol=Symbol(symbol),
        base=Coin(base),
        quote=Coin(quote),
        amount_step=amount_step,
        price_step=price_step,
        amount_min=amount_step,
        notional_min=Decimal("0.0001" if is_quoted_in_coins else "1"),
    )


def _is_coin(name: str) -> bool:
    is_plain = name.isascii() and name.isalnum() and name == name.upper()
    return is_plain and len(name) <= COIN_LENGTH_MAX
