"""How much to buy: from a sizing method to an amount on the instrument's step.

Always rounded down. Refused when it could not be sold again: where what the position is worth
at its stop would fall below the exchange's least notional.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.commands import Refusal
from aegis.domain.instrument import Instrument
from aegis.domain.money import ONE, ZERO, is_amount, minus, percent_of, share
from aegis.domain.position import StopPolicy


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """`method` notional: `value` is money in the quote coin."""

    method: str
    value: Decimal


def size(
    sizing: Sizing, price: Decimal, instrument: Instrument, policy: StopPolicy
) -> Decimal | Refusal:
    """Return the amount in base to buy at a price, or why there is none."""
    assert sizing.method == "notional", f"Expected a known sizing method, was {sizing.method}"
    if not is_amount(price):
        return Refusal(code="no_price", text=f"expected a positive price, was {price}")
    amount = share(sizing.value, ONE, price, instrument.amount_step)
    distances = [each for each in (policy.stop_loss_pct, policy.trailing_stop_pct) if each > 0]
    at_stop = minus(price, percent_of(price, min(distances, default=ZERO)))
    if amount <= 0 or instrument.is_dust(amount, at_stop):
        return Refusal(
            code="too_small",
            text=f"{sizing.value} {instrument.quote} buys {amount} {instrument.base}; at the stop "
            f"that is below the least size {instrument.amount_min} {instrument.base} or "
            f"{instrument.notional_min} {instrument.quote}",
        )
    return amount
