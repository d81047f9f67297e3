"""A position that is to come in from another system, and the command that brings it.

Invariant: what it was there (symbol, amount, entry price, first day) makes its id here, so that one
position of the old books is one position of ours, from whatever file it is read.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.commands import ImportPosition
from aegis.domain.events import Opening
from aegis.domain.ids import Incarnation, Instant, Symbol, position_id
from aegis.domain.instrument import Instrument
from aegis.domain.listing import usual_instrument
from aegis.domain.money import text
from aegis.domain.position import PositionSide, StopPolicy

CREATED_BY = "import"


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """Amount in base, prices in quote; `place` is where it stands in the file that told of it.

    `policy` is what will guard it; `stop_price` and `take_profit_price` are None where that says
    where they are. `price` is what one unit was last worth, `opened_at` its first day; None is
    not told.
    """

    place: str
    symbol: Symbol
    amount: Decimal
    entry_price: Decimal
    policy: StopPolicy
    price: Decimal | None = None
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    opened_at: Instant | None = None

    @property
    def stop(self) -> Decimal | None:
        """Where its stop will be; None without one."""
        step = _instrument(self).price_step
        return self.stop_price or self.policy.first_stop(self.entry_price, step)

    @property
    def target(self) -> Decimal | None:
        """Where its target will be; None without one."""
        step = _instrument(self).price_step
        return self.take_profit_price or self.policy.first_target(self.entry_price, step)


def import_of(incoming: Incoming, incarnation: Incarnation, now: Instant) -> ImportPosition:
    """Return the command that brings a position into a store."""
    opened_at = incoming.opened_at
    origin = f"import {text(incoming.amount)} {text(incoming.entry_price)}"
    return ImportPosition(
        position_id=position_id(
            incarnation, origin, incoming.symbol, Instant(0) if opened_at is None else opened_at
        ),
        opening=Opening(
            side=PositionSide.LONG,
            created_by=CREATED_BY,
            policy=incoming.policy,
            instrument=_instrument(incoming),
        ),
        amount=incoming.amount,
        entry_price=incoming.entry_price,
        price=incoming.price or incoming.entry_price,
        stop_price=incoming.stop_price,
        take_profit_price=incoming.take_profit_price,
        opened_at=now if opened_at is None else opened_at,
        reference=incoming.place,
    )


def _instrument(incoming: Incoming) -> Instrument:
    found = usual_instrument(incoming.symbol, incoming.entry_price)
    assert found is not None, f"Expected a pair, was {incoming}"
    return found
