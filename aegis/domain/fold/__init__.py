"""The fold: how an order, a position and the account follow from an event.

Pure functions, value and event in, next value out. They decide nothing: an event that does not
fit the value is corruption, and asserts.
"""

from __future__ import annotations

from aegis.domain.fold.account import evolve_account
from aegis.domain.fold.marks import MarkRun, marked
from aegis.domain.fold.orders import (
    ORDER_EVENTS,
    STEP_OF,
    OrderEvent,
    evolve_order,
    intended_order,
    is_of_order,
)
from aegis.domain.fold.positions import (
    evolve_position,
    imported_position,
    is_beginning,
    is_wider,
    opening_position,
    status_of,
)

__all__ = [
    "ORDER_EVENTS",
    "STEP_OF",
    "MarkRun",
    "OrderEvent",
    "evolve_account",
    "evolve_order",
    "evolve_position",
    "imported_position",
    "intended_order",
    "is_beginning",
    "is_of_order",
    "is_wider",
    "marked",
    "opening_position",
    "status_of",
]
