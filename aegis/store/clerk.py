"""What a person asks of a store without actors: decided as the running one would, and committed.

Invariants:
1. Several commands are one commit, or none of them is.
2. A command that is refused, or known already, writes nothing.
"""

from __future__ import annotations

from aegis.domain.book import Recalled
from aegis.domain.commands import Command, Refusal
from aegis.domain.decisions import decide
from aegis.domain.events import Recorded
from aegis.domain.ids import Instant, PositionId
from aegis.domain.position import Position
from aegis.domain.risk import Limits
from aegis.store.journal import Store
from aegis.store.reserve import refusal_for_room


class Clerk:
    """Keeps the book of an open store; `by` is who the log says it was."""

    def __init__(self, store: Store, limits: Limits, *, by: str) -> None:
        self._store = store
        self._limits = limits
        self._by = by

    def execute(self, *commands: Command, now: Instant) -> tuple[Recorded, ...] | Refusal:
        """Decide and commit; return what is new in the log, or the first refusal."""
        store = self._store
        book = store.book if len(commands) == 1 else store.book.copy()
        at = store.stamp(now)
        records: list[Recorded] = []
        for command in commands:
            refusal = refusal_for_room(store.path, command)
            decision = refusal or decide(book, command, now=at, limits=self._limits)
            if isinstance(decision, Refusal):
                return decision
            records += [book.record(each, by=self._by, at=at) for each in decision]
        if records:
            store.commit(records, book)
        return tuple(records)

    def recall(self, position_id: PositionId) -> Position | None:
        """Bring a position back that was forgotten, with every order that it had; return it."""
        book = self._store.book
        if position_id not in book.positions:
            position = self._store.find_position(position_id)
            if position is None:
                return None
            orders = self._store.orders_of(position_id)
            book.recall(Recalled(position=position, orders=orders))
        return book.positions[position_id]
