"""A position of ours: a total quantity and a total cost, and the policy that guards it.

Invariants:
1. `amount` and `cost` reach exactly zero together, at the last exit or when dust is set aside.
2. The stop policy is the one recorded with the entry; a later configuration does not touch it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from aegis.domain.ids import Coin, Instant, PositionId, Symbol, is_derivative
from aegis.domain.instrument import Instrument
from aegis.domain.money import (
    HUNDRED,
    ZERO,
    ceil_to,
    floor_to,
    minus,
    percent_of,
    plus,
    ratio,
    times,
)


class PositionSide(StrEnum):
    LONG = "long"
    SHORT = "short"


class PositionStatus(StrEnum):
    OPENING = "OPENING"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    VOID = "VOID"  # its entry never filled; outside statistics


ALIVE = frozenset({PositionStatus.OPENING, PositionStatus.OPEN, PositionStatus.CLOSING})


PERCENT_STEP = Decimal("0.0001")
"""How finely the distance of a level that was told is written down."""


class StopPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Distances in per cent of the price; 0 means off."""

    stop_loss_pct: Decimal
    take_profit_pct: Decimal = ZERO
    trailing_stop_pct: Decimal = ZERO

    def first_stop(self, price: Decimal, price_step: Decimal) -> Decimal | None:
        """Return the stop of what is entered at a price: the nearer of the two; None is off."""
        stops = [
            max(floor_to(minus(price, percent_of(price, percent)), price_step), price_step)
            for percent in (self.stop_loss_pct, self.trailing_stop_pct)  # zero is no stop
            if percent > 0
        ]
        return max(stops, default=None)

    def first_target(self, price: Decimal, price_step: Decimal) -> Decimal | None:
        """Return the target of what is entered at a price; None is off."""
        if self.take_profit_pct == 0:
            return None
        return ceil_to(plus(price, percent_of(price, self.take_profit_pct)), price_step)

    def told(self, price: Decimal, stop: Decimal | None, target: Decimal | None) -> StopPolicy:
        """Return the policy that fits levels which were told beside an entry price.

        What is told on the wrong side of that price, as a stop that was raised, says nothing.
        """
        lost = ZERO if stop is None else _percentage(minus(price, stop), price)
        won = ZERO if target is None else _percentage(minus(target, price), price)
        return msgspec.structs.replace(
            self,
            stop_loss_pct=lost if lost > 0 else self.stop_loss_pct,
            take_profit_pct=won if won > 0 else self.take_profit_pct,
        )


def _percentage(part: Decimal, whole: Decimal) -> Decimal:
    return floor_to(ratio(times(part, HUNDRED), whole), PERCENT_STEP)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts in base, money in quote.

    `amount` and `cost` are what is held now; `entered`/`paid` and `exited`/`received` are the
    totals of its fills. `pnl` is realised and after fees in quote; a fee in base has already raised
    the cost of what was left, or counts at the price of its trade where nothing is. `fees` are by
    coin, and `fees_quote` what those in base and quote are worth. `stop_first` is the stop at its
    opening; `price_high` and `price_low` are the extremes at which it was entered, could be left,
    or was. `leaving` is the reason of the first exit that was intended: from there on all of it is
    left. `imported_at` is when it came in from elsewhere, and so later than `opened_at`; None of
    one that was opened here.
    """

    position_id: PositionId
    symbol: Symbol
    side: PositionSide
    strategy: str
    created_by: str
    policy: StopPolicy
    instrument: Instrument
    intended_price: Decimal
    status: PositionStatus = PositionStatus.OPENING
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    entered: Decimal = ZERO
    paid: Decimal = ZERO
    exited: Decimal = ZERO
    received: Decimal = ZERO
    pnl: Decimal = ZERO
    fees: dict[Coin, Decimal] = {}
    fees_quote: Decimal = ZERO
    mark: Decimal | None = None
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    stop_first: Decimal | None = None
    price_high: Decimal | None = None
    price_low: Decimal | None = None
    exits_ended: int = 0
    leaving: str = ""
    opened_at: Instant = Instant(0)
    imported_at: Instant | None = None
    closed_at: Instant | None = None
    close_reason: str = ""
    is_unpriced: bool = False
    version: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it is, or may yet become, something held."""
        return self.status in ALIVE

    @property
    def is_dust(self) -> bool:
        """Whether what is left is too little to be sold; see `is_dust_of`."""
        return self.is_dust_of(self.amount)

    def is_dust_of(self, amount: Decimal) -> bool:
        """Say whether so much of it is too little to be sold, and no price alone makes it so.

        By the higher of its last mark and its entry price: a mark may be a slip of the exchange's,
        and what was set aside is sold no more.
        """
        price = max(self.mark or self.intended_price, self.entry_price)
        return self.instrument.is_dust(amount, price)

    @property
    def has_unvalued_fees(self) -> bool:
        """Whether a fee was in a third coin, whose worth nobody knows: it is in no P&L."""
        return not self.fees.keys() <= {self.instrument.base, self.instrument.quote}

    @property
    def entry_price(self) -> Decimal:
        """The mean price of its entry fills, rounded to 34 digits; the intended one before."""
        return self.intended_price if self.entered == 0 else ratio(self.paid, self.entered)


def worth_of(position: Position) -> Decimal:
    """Return what a position is worth at its mark, in quote; see `worth`."""
    return worth(position.symbol, position.amount, position.cost, position.mark)


def worth(symbol: Symbol, amount: Decimal, cost: Decimal, mark: Decimal | None) -> Decimal:
    """Return what an amount is worth at a mark: coins all of it, a derivative what it has gained.

    No mark, no worth.
    """
    if mark is None:
        return ZERO
    value = times(amount, mark)
    return minus(value, cost) if is_derivative(symbol) else value
