"""How an actor says at intervals that it works: by what it completed, not by being there."""

from __future__ import annotations

from collections.abc import Callable

from aegis.domain.book import Book
from aegis.domain.ids import Generation
from aegis.messages import HeartbeatDue
from aegis.ports import Log, Pulse, Timer


class Beats:
    """The heartbeats of one incarnation of an actor; `pulse` counts what it completes.

    `every` is the actor's own, and `each_s` real seconds; None where nobody tails the log.
    """

    def __init__(
        self,
        *,
        log: Log,
        every: Callable[[float, HeartbeatDue], Timer],
        each_s: float | None,
        pulse: Pulse,
        generation: Generation,
    ) -> None:
        self._log = log
        self._every = every
        self._each_s = each_s
        self._pulse = pulse
        self._generation = generation
        self._completed = 0
        self._is_beating = False

    def complete(self) -> None:
        """Count one thing more that was done to its end."""
        self._completed += 1
        self._pulse.complete()

    def begin(self, book: Book) -> None:
        """Say so now, and from here on at intervals; begun twice, it goes on as it was."""
        self._pulse.arm()
        if self._is_beating or self._each_s is None:
            return
        self._is_beating = True
        self._every(self._each_s, HeartbeatDue())
        self.beat(book, is_first=True)

    def beat(self, book: Book | None, *, is_first: bool = False) -> None:
        """Say what was completed since the last time: prices watched to their end.

        While the book is read anew nothing can be said, and the next one tells of it all.
        """
        if book is None:
            return
        self._log(
            "Heartbeat",
            completed=self._completed,
            is_first=is_first,
            generation=self._generation,
            trading_state=book.account.trading_state,
            cause=book.account.cause,
            positions=len(book.alive_positions()),
        )
        self._completed = 0
