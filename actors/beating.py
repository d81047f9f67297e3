"""How an actor says at intervals that it works: by what it completed, not by being there."""

from __future__ import annotations

from actors.base import Actor, Context
from aegis.domain.book import Book
from aegis.messages import HeartbeatDue
from aegis.ports import Pulse


class Beating(Actor):
    """`heartbeat_s` is real seconds between heartbeats; None where nobody tails the log.

    `pulse` counts what is completed.
    """

    def __init__(self, context: Context, *, heartbeat_s: float | None, pulse: Pulse) -> None:
        super().__init__(context)
        self._heartbeat_s = heartbeat_s
        self._pulse = pulse
        self._completed = 0
        self._is_beating = False

    def complete(self) -> None:
        """Count one thing more that was done to its end."""
        self._completed += 1
        self._pulse.complete()

    def begin_to_beat(self, book: Book) -> None:
        """Say so now, and from here on at intervals; begun twice, it goes on as it was."""
        self._pulse.arm()
        if self._is_beating or self._heartbeat_s is None:
            return
        self._is_beating = True
        self.every(self._heartbeat_s, HeartbeatDue())
        self.beat(book, is_first=True)

    def beat(self, book: Book | None, *, is_first: bool = False) -> None:
        """Say what was completed since the last time: prices watched to their end.

        While the book is read anew nothing can be said, and the next one tells of it all.
        """
        if book is None:
            return
        self.log(
            "Heartbeat",
            completed=self._completed,
            is_first=is_first,
            generation=self.generation,
            trading_state=book.account.trading_state,
            cause=book.account.cause,
            positions=len(book.alive_positions()),
        )
        self._completed = 0
