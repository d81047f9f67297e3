"""How much to buy: from a sizing method to an amount on the instrument's step.

Every method divides money by money for one coin: what the entry may cost by its price, or what
it may lose by how far one coin may fall. Always rounded down. Refused when it could not be sold
again: where what it is worth at its stop would fall below the exchange's least notional. Nothing
is capped here but for a canary: the limits stand below, and refuse an entry that is too large.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, assert_never

import msgspec

from aegis.domain.commands import Refusal
from aegis.domain.instrument import Instrument
from aegis.domain.money import ONE, is_amount, minus, percent_of, share, text

ATR_PERIOD = 14
"""Wilder's own, in candles of the market's timeframe."""

Method = Literal["notional", "equity_pct", "risk_per_trade", "volatility"]


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is money in the quote coin for `notional`, else per cents of the marked equity.

    What one entry costs (`notional`, `equity_pct`), what it loses at its stop
    (`risk_per_trade`), or what it gains or loses as the price goes one average true range
    (`volatility`); fees, spread and slippage come on top. `notional_max` is the most that an entry
    costs, whatever the method says; None for no bound.
    """

    method: Method
    value: Decimal
    notional_max: Decimal | None = None

    @property
    def warmup(self) -> int:
        """How many candles must have been seen before an entry can be sized."""
        return ATR_PERIOD + 1 if self.method == "volatility" else 0


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is wanted, and what its size is reckoned from; money is in the quote coin.

    `stop_price` is where it would be left: the stop in force for a further entry, the first one
    of the policy otherwise, None without any. `atr` is None until it is warm.
    """

    instrument: Instrument
    price: Decimal
    stop_price: Decimal | None
    equity: Decimal
    atr: Decimal | None


def size(sizing: Sizing, prospect: Prospect) -> Decimal | Refusal:
    """Return the amount in base to buy, or why there is none."""
    if not is_amount(prospect.price):
        found = f"expected a positive price, was {prospect.price}"
        return Refusal(code="no_price", text=found)
    for_one = _money_for_one(sizing.method, prospect)
    if isinstance(for_one, Refusal):
        return for_one
    money = sizing.value
    if sizing.method != "notional":
        money = percent_of(prospect.equity, sizing.value)
    amount = share(money, ONE, for_one, prospect.instrument.amount_step)
    most = _bought_at_most(sizing, prospect)
    if most is not None and most < amount:
        return canary_too_small(sizing, prospect) or most
    return _too_small(f"{sizing.method} {text(sizing.value)}", prospect, amount) or amount


def canary_too_small(sizing: Sizing, prospect: Prospect) -> Refusal | None:
    """Return why a canary lets no entry through at a price, whatever the method says; or None."""
    most = _bought_at_most(sizing, prospect)
    if most is None or sizing.notional_max is None:
        return None
    return _too_small(f"live.canary_notional {text(sizing.notional_max)}", prospect, most)


def _bought_at_most(sizing: Sizing, prospect: Prospect) -> Decimal | None:
    if sizing.notional_max is None:
        return None
    return share(sizing.notional_max, ONE, prospect.price, prospect.instrument.amount_step)


def _money_for_one(method: Method, prospect: Prospect) -> Decimal | Refusal:
    """Return the money that one coin takes out of what the method allows."""
    match method:
        case "notional" | "equity_pct":
            return prospect.price
        case "risk_per_trade":
            return _distance_to_stop(prospect)
        case "volatility":
            return _usual_range(prospect)
        case _:
            assert_never(method)


def _distance_to_stop(prospect: Prospect) -> Decimal | Refusal:
    if prospect.stop_price is None:
        return Refusal(code="no_stop", text="expected a stop to size by, the position has none")
    if prospect.stop_price >= prospect.price:
        written = f"{text(prospect.price)}, was {text(prospect.stop_price)}"
        return Refusal(code="no_stop", text=f"expected a stop below the price {written}")
    return minus(prospect.price, prospect.stop_price)


def _usual_range(prospect: Prospect) -> Decimal | Refusal:
    """Return the average true range, where it is one: Wilder's never falls back to zero."""
    atr, least = prospect.atr, prospect.instrument.price_step
    if atr is None:
        wanted = f"expected {ATR_PERIOD + 1} candles to know the usual range from"
        return Refusal(code="no_range", text=f"{wanted}, were fewer", mends_with_time=True)
    if atr < least:
        wanted = f"expected a usual range of at least one price step ({text(least)})"
        return Refusal(code="no_range", text=f"{wanted}, was less", mends_with_time=True)
    return atr


def _too_small(allowed: str, prospect: Prospect, amount: Decimal) -> Refusal | None:
    """Return the refusal of an amount that could not be sold again; `allowed` names its bound."""
    instrument = prospect.instrument
    at_stop = prospect.price if prospect.stop_price is None else prospect.stop_price
    if not instrument.is_dust(amount, min(at_stop, prospect.price)):
        return None
    return Refusal(
        code="too_small",
        text=f"{allowed} buys {text(amount)} {instrument.base}; at the "
        f"stop that is below the least size {instrument.amount_min} {instrument.base} or "
        f"{instrument.notional_min} {instrument.quote}",
    )
