"""What of a trade was its position's, what our dust, and what somebody else's.

An exit may sell more than its position holds: two of one position that were both carried out, or
one that nobody knew of. Dust of ours goes first. The rest were coins of the owner's: the order, its
fees and the balances have all of such a trade, its position and its P&L only what was ours.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.events import OrderFilled
from aegis.domain.ids import Coin
from aegis.domain.money import ZERO, minus, share, times
from aegis.domain.order import Fill, Order
from aegis.domain.position import Position

COST_STEP = Decimal("0.00000001")
"""A part's share of a cost, or of a fee, is rounded down to this; the last takes the rest."""


def beyond(position: Position, order: Order, fill: Fill) -> Decimal:
    """Return how much of a fill no coins of its position can have been; zero of an entry's."""
    return ZERO if order.adds else max(ZERO, minus(fill.amount, position.amount))


def is_foreign(event: OrderFilled) -> bool:
    """Say whether nothing of a trade was ours."""
    return event.not_ours == event.fill.amount


def own_part(event: OrderFilled) -> Fill:
    """Return what of a trade was ours, with its share of the fee."""
    fill = event.fill
    if event.not_ours == 0:
        return fill
    own = minus(fill.amount, event.not_ours)
    fee = share(fill.fee, own, fill.amount, COST_STEP)
    return msgspec.structs.replace(fill, amount=own, fee=fee)


def brought(event: OrderFilled, quote: Coin) -> Decimal:
    """Return what the owner's coins in a trade brought, less the rest of a fee in quote."""
    if event.not_ours == 0:
        return ZERO
    proceeds = times(event.not_ours, event.fill.price)
    if event.fill.fee_currency != quote:
        return proceeds
    return minus(proceeds, minus(event.fill.fee, own_part(event).fee))
