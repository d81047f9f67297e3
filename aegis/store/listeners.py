"""Who hears of what was committed: in order, and without harm to anybody.

Invariants:
1. What a listener hears is on the disk.
2. Events are told in the order of the log, each to its listeners in the order of registration;
   what is committed while one is being told comes after it.
3. A listener that raises is told of as a warning; nobody else notices.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import Any

from aegis.domain.events import EVENT_TYPES, Recorded, name_of
from aegis.store.errors import Refused
from aegis.store.records import told_event
from aegis.store.turns import Turns

Listener = Callable[[dict[str, Any]], object]


class Listeners:
    """The listeners of one store, each called on a thread of its own while the caller waits.

    Who tells has the turn; whoever listens is lent it, and may so change something as well.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._of: dict[str, list[Listener]] = {}
        self._waiting: deque[Recorded] = deque()
        self._is_telling = False
        self._voice: ThreadPoolExecutor | None = None

    def add(self, event_type: str, listener: Listener) -> None:
        """Let a listener hear of a type of event: `PositionOpened`, or `POSITION_OPENED`."""
        if not callable(listener):
            raise Refused("no_listener", f"expected a function, was {listener!r}")
        with self._turns:
            self._of.setdefault(_event_name(event_type), []).append(listener)

    def tell(self, records: Iterable[Recorded]) -> None:
        """Tell of what was just committed; who is being told already tells of it afterwards."""
        self._waiting.extend(records)
        if self._is_telling:
            return
        self._is_telling = True
        faults: list[str] = []
        try:
            while self._waiting:
                faults += self._tell(self._waiting.popleft())
        finally:
            self._is_telling = False
        for fault in faults:
            warnings.warn(fault, RuntimeWarning, stacklevel=2)

    def close(self) -> None:
        """Let go of the thread."""
        voice, self._voice = self._voice, None
        if voice is not None:
            voice.shutdown(wait=False)  # a listener may be the one who closes

    def _tell(self, recorded: Recorded) -> list[str]:
        faults = []
        for listener in self._of.get(name_of(recorded.event), ()):
            self._voice = self._voice or ThreadPoolExecutor(1, thread_name_prefix="listener")
            # What it raises comes back as a value, whatever it is.
            error = self._voice.submit(self._call, listener, told_event(recorded)).exception()
            if error is not None:
                what = f"event {recorded.event_id} ({name_of(recorded.event)})"
                faults.append(f"a listener raised {error!r} on {what}; the event stands")
        return faults

    def _call(self, listener: Listener, event: dict[str, Any]) -> None:
        with self._turns.lent():
            listener(event)


def _event_name(given: str) -> str:
    name = given
    if given.isupper():
        name = "".join(word.capitalize() for word in given.split("_"))
    if name in EVENT_TYPES:
        return name
    near = get_close_matches(name, EVENT_TYPES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise Refused("unknown_event", f"expected an event of the log, was {given!r}{hint}")
