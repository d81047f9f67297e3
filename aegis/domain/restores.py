"""The facts of a restore: that it was done, what it had lost, and that a person has looked."""

from __future__ import annotations

from aegis.domain.event import BaseEvent
from aegis.domain.ids import Incarnation, Instant, Symbol


class StoreRestored(BaseEvent, frozen=True, kw_only=True):
    """The store went back to `events` events, from a backup; what it was is kept in `replaced`.

    `replaced_events` is how far that one had come, None where it could not be read. Every order
    after this belongs to the new `incarnation`.
    """

    backup: str
    events: int
    head_hash: str
    replaced: str
    replaced_events: int | None
    incarnation: Incarnation


class PositionDated(BaseEvent, frozen=True, kw_only=True):
    """When the exchange says that a position, booked only now, was opened and closed.

    None is what was booked when it happened, or has not happened.
    """

    symbol: Symbol
    opened_at: Instant | None
    closed_at: Instant | None


class RecoveryCompleted(BaseEvent, frozen=True, kw_only=True):
    """Forgotten orders were booked from the exchange's record; `left` says which could not be."""

    orders: int
    fills: int
    left: tuple[str, ...]
