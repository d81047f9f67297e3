"""How a position follows from marks of it, be it one or many in a row.

Most of a log is marks. Nothing but their own position follows from them, and of many in a row only
the last price and the extremes are left.

Invariant: many at once leave what they leave one by one, to the last digit as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from aegis.domain.events import PositionMarked
from aegis.domain.ids import PositionId
from aegis.domain.position import Position

replace = msgspec.structs.replace


class MarkRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Marks of one position, one at least, between which nothing else befell it.

    `version` is its number of events with the last of them.
    """

    position_id: PositionId
    marks: Sequence[PositionMarked]
    version: int


def marked(position: Position, marks: Sequence[PositionMarked], version: int) -> Position:
    """Return the position after marks in a row; it has so many events by then."""
    assert position.is_alive, f"A mark for what is not alive: {position}"
    prices = [price for mark in marks for price in (mark.high, mark.low)]
    high, low = extremes(position.price_high, position.price_low, prices)
    return replace(position, mark=marks[-1].price, price_high=high, price_low=low, version=version)


def extremes(
    high: Decimal | None, low: Decimal | None, prices: Iterable[Decimal | None]
) -> tuple[Decimal | None, Decimal | None]:
    """Return the highest and lowest of what was seen before and of some prices; None is no price.

    Of equal ones the first stays.
    """
    for price in prices:
        if price is not None:
            high = price if high is None or price > high else high
            low = price if low is None or price < low else low
    return high, low
