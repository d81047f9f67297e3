"""What a decision is: new events, nothing new, or a refusal."""

from __future__ import annotations

from aegis.domain.commands import Refusal
from aegis.domain.events import Event, Proposed
from aegis.domain.ids import SYSTEM_POSITION, PositionId
from aegis.domain.order import Order, OrderStep

Decision = tuple[Proposed, ...] | Refusal

NOTHING_NEW: tuple[Proposed, ...] = ()
"""The answer to a command whose fact is in the book already: it is known, not wrong."""


def proposed(position: PositionId, event: Event) -> tuple[Proposed, ...]:
    """Return one new event of a position."""
    return (Proposed(position_id=position, event=event),)


def proposed_of_account(event: Event) -> tuple[Proposed, ...]:
    """Return one new event of the account."""
    return proposed(SYSTEM_POSITION, event)


def unlawful(order: Order, step: OrderStep) -> Refusal:
    """Return the refusal of a step that the table does not have."""
    return Refusal(
        code="unlawful", text=f"{step} does not follow {order.state} ({order.client_order_id})"
    )
