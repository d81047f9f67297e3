"""The books of an account, coin by coin: what was there, what came and went, and what is left.

Pure. It adds up the single rows that an accountant is given, and knows nothing of the fold that
the store keeps its balances by: so what both come to is proved by their being equal.

Invariants:
1. opening + every movement of an interval = closing, exactly, for each coin.
2. All movements there ever were = the balances, or the difference is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from aegis.domain.events import (
    BalancesStarted,
    Event,
    ExternalChangeSeen,
    PositionImported,
    PositionTransferred,
)
from aegis.domain.ids import Coin, Instant, Symbol, coins_of, is_derivative
from aegis.domain.money import ZERO, minus, negative, plus, times
from aegis.domain.order import Side

K = TypeVar("K", bound=str)

MOVING = (BalancesStarted, ExternalChangeSeen, PositionImported, PositionTransferred)
"""The events besides fills that change a balance. The first says what there is, whatever was."""


class Flow(StrEnum):
    """Why a balance changes; the value is the column's name."""

    STARTED = "started"
    TRADED_IN = "traded_in"
    TRADED_OUT = "traded_out"
    FEES = "fees"
    EXTERNAL = "external"
    IMPORTED = "imported"
    TRANSFERRED = "transferred"


class Movement(msgspec.Struct, frozen=True, gc=False):
    """A signed change of one coin's balance."""

    at: Instant
    coin: Coin
    flow: Flow
    amount: Decimal


class Booked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fill as the books need it; `amount` in base, `price` in quote."""

    at: Instant
    symbol: Symbol
    side: Side
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: Coin


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One coin's line: its balance at an interval's beginning, the flows, and at its end."""

    coin: Coin
    opening: Decimal
    flows: Mapping[Flow, Decimal]
    closing: Decimal


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A coin whose movements do not make its balance; `missing` is balance - movements."""

    coin: Coin
    balance: Decimal
    moved: Decimal
    missing: Decimal


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of an interval, and how all movements ever differ from the balances of now."""

    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]


def movements_of_fill(fill: Booked) -> Iterator[Movement]:
    """Yield what a fill moves: one coin in, another out, and its fee; of a derivative its fee."""
    if not is_derivative(fill.symbol):
        base, quote = coins_of(fill.symbol)
        cost = times(fill.amount, fill.price)
        bought, paid = (base, fill.amount), (quote, cost)
        came, went = (bought, paid) if fill.side is Side.BUY else (paid, bought)
        yield Movement(fill.at, came[0], Flow.TRADED_IN, came[1])
        yield Movement(fill.at, went[0], Flow.TRADED_OUT, negative(went[1]))
    if fill.fee != 0:
        yield Movement(fill.at, fill.fee_coin, Flow.FEES, negative(fill.fee))


def movements_of_event(event: Event, at: Instant) -> Iterator[Movement]:
    """Yield what an event moves that is neither a fill nor a beginning."""
    match event:
        case ExternalChangeSeen():
            yield Movement(at, event.coin, Flow.EXTERNAL, event.amount)
        case PositionImported():
            base = event.opening.instrument.base
            yield Movement(at, base, Flow.IMPORTED, event.amount)
        case PositionTransferred():
            yield Movement(at, event.coin, Flow.TRANSFERRED, negative(event.amount))


class Bookkeeper:
    """Adds movements up, in the order of the log."""

    def __init__(self, begin: Instant, end: Instant | None) -> None:
        self._begin, self._end = begin, end
        self._opening: dict[Coin, Decimal] = {}
        self._flows: dict[Coin, dict[Flow, Decimal]] = {}
        self._moved: dict[Coin, Decimal] = {}

    def start(self, balances: Mapping[Coin, Decimal], at: Instant) -> None:
        """Book that this is what there is now."""
        coins = {*balances, *self._moved}
        moved = ((coin, self._moved.get(coin, ZERO)) for coin in sorted(coins))
        self.add(
            Movement(at, coin, Flow.STARTED, minus(balances.get(coin, ZERO), before))
            for coin, before in tuple(moved)
        )

    def add(self, movements: Iterable[Movement]) -> None:
        """Book some movements."""
        for movement in movements:
            coin = movement.coin
            _add(self._moved, coin, movement.amount)
            if movement.at < self._begin:
                _add(self._opening, coin, movement.amount)
            elif self._end is None or movement.at < self._end:
                _add(self._flows.setdefault(coin, {}), movement.flow, movement.amount)

    def books(self, balances: Mapping[Coin, Decimal]) -> Books:
        """Return the books, closed against the balances of now."""
        coins = sorted({*self._opening, *self._flows})
        return Books(
            lines=tuple(map(self._line, coins)),
            differences=tuple(self._differences(balances)),
        )

    def _line(self, coin: Coin) -> Line:
        opening, flows = self._opening.get(coin, ZERO), self._flows.get(coin, {})
        closing = opening
        for amount in flows.values():
            closing = plus(closing, amount)
        return Line(coin=coin, opening=opening, flows=flows, closing=closing)

    def _differences(self, balances: Mapping[Coin, Decimal]) -> Iterator[Difference]:
        for coin in sorted({*balances, *self._moved}):
            balance, moved = balances.get(coin, ZERO), self._moved.get(coin, ZERO)
            missing = minus(balance, moved)
            if missing != 0:
                yield Difference(coin=coin, balance=balance, moved=moved, missing=missing)


def _add(figures: dict[K, Decimal], key: K, amount: Decimal) -> None:
    figures[key] = plus(figures.get(key, ZERO), amount)
