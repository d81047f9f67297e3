"""Closed trades of any engine, and how those of two differ.

Invariants:
1. Trades are compared one by one, in order; no sum can hide two differences.
2. A difference says what is not equal, on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

CANDLE_S = 60
AMOUNT_ROUNDING = Decimal("1e-8")
PRICE_ROUNDING = Decimal("1e-6")
PNL_ROUNDING = Decimal("1e-6")
"""How far figures may be apart and count as equal: the other engines reckon in binary floats."""

CAUSES = {
    "opened_at": "entered in another candle",
    "closed_at": "left in another candle",
    "amount": "another size",
    "entry_price": "entered at another price",
    "exit_price": "left at another price",
    "pnl": "the same fills, and other fees or another rounding",
}
"""What it means that trades differ in a field first; the later ones follow from the earlier."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One closed trade. Instants are epoch seconds, P&L is in the quote coin and after fees."""

    opened_at: int
    closed_at: int
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where two runs differ: the trade's ordinal, why, and what either side has."""

    ordinal: int
    cause: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"trade {self.ordinal}: {self.cause}: {self.ours} against {self.theirs}"


def differences(ours: Sequence[Trade], theirs: Sequence[Trade]) -> tuple[Difference, ...]:
    """Return every difference; times are those of the candles in which orders filled."""
    found = [
        difference
        for ordinal, (one, other) in enumerate(zip(ours, theirs, strict=False), start=1)
        if (difference := _difference(ordinal, one, other)) is not None
    ]
    common = min(len(ours), len(theirs))
    found += [
        Difference(ordinal=common + number, cause="on one side alone", ours=one, theirs=other)
        for number, (one, other) in enumerate(
            [
                *((_shown(trade), "none") for trade in ours[common:]),
                *(("none", _shown(trade)) for trade in theirs[common:]),
            ],
            start=1,
        )
    ]
    return tuple(found)


def _difference(ordinal: int, ours: Trade, theirs: Trade) -> Difference | None:
    equal = {
        "opened_at": _candle(ours.opened_at) == _candle(theirs.opened_at),
        "closed_at": _candle(ours.closed_at) == _candle(theirs.closed_at),
        "amount": abs(ours.amount - theirs.amount) <= AMOUNT_ROUNDING,
        "entry_price": abs(ours.entry_price - theirs.entry_price) <= PRICE_ROUNDING,
        "exit_price": abs(ours.exit_price - theirs.exit_price) <= PRICE_ROUNDING,
        "pnl": abs(ours.pnl - theirs.pnl) <= PNL_ROUNDING,
    }
    field = next((field for field, is_equal in equal.items() if not is_equal), None)
    if field is None:
        return None
    return Difference(
        ordinal=ordinal,
        cause=CAUSES[field],
        ours=str(getattr(ours, field)),
        theirs=str(getattr(theirs, field)),
    )


def _candle(at: int) -> int:
    return at // CANDLE_S


def _shown(trade: Trade) -> str:
    return f"{trade.amount} from {trade.opened_at} to {trade.closed_at}"
