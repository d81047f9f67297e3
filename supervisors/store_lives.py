"""The store of one process, through the lives of the actor that has it.

It is opened before there is any actor, and anew for each later life. It must never put a new store
in the place of one that this process has written to, nor go on with one that has lost some of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from aegis.domain.ids import EventId, Instant
from aegis.store.journal import Store
from supervisors.preflight import refuse_vanished, shrunken_store


class Open(Protocol):
    """Opens the store as of an instant; only the first opening of a process may mend it."""

    def __call__(self, now: Instant, *, is_first: bool) -> Store: ...


class StoreLives:
    """`store` is the one that is open, or was last."""

    def __init__(self, path: Path, open_store: Open, begins_at: Instant) -> None:
        self._path = path
        self._open = open_store
        self.store = open_store(begins_at, is_first=True)
        self._waits_for_its_actor = True
        self._committed: EventId = self.store.last_event_id

    def next(self, now: Instant) -> Store:
        """Return the store that is open already, once; later lives open it anew."""
        if self._waits_for_its_actor:
            self._waits_for_its_actor = False
        else:
            self.store.close()  # it failed, or its actor died: this releases the lock
            self.store = self._reopened(now)
        return self.store

    def _reopened(self, now: Instant) -> Store:
        self._committed = max(self._committed, self.store.last_event_id)
        refuse_vanished(self._path, self._committed)
        reopened = self._open(now, is_first=False)
        if reopened.recovered_events < self._committed:
            reopened.abandon()
            raise shrunken_store(reopened, self._committed)
        return reopened
