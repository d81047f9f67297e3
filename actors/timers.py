"""The timers of one incarnation of an actor: what it may still be told, and that this ends.

Invariants:
1. None outlives its incarnation.
2. One that has fired or was cancelled is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from aegis.ports import Timer


class Timers:
    """The timers that an incarnation has running, to be cancelled at its end."""

    __slots__ = ("_lock", "_running", "_serial", "is_closed")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Timer] = {}
        self._serial = 0
        self.is_closed = False

    def start(
        self,
        starter: Callable[[float, Callable[[], None]], Timer],
        delay_s: float,
        deliver: Callable[[], None],
        *,
        once: bool,
    ) -> Timer:
        with self._lock:  # a short timer may fire in its own thread before it is noted here
            self._serial += 1
            serial = self._serial
            fire = partial(self._fire, serial, deliver) if once else deliver
            timer = starter(delay_s, fire)
            if self.is_closed:
                timer.cancel()
            else:
                self._running[serial] = timer
        return _Held(self, serial)

    def cancel(self, serial: int) -> None:
        """Cancel one, and forget it: a life of months starts and cancels them by the thousand."""
        with self._lock:
            timer = self._running.pop(serial, None)
        if timer is not None:
            timer.cancel()

    def __len__(self) -> int:
        return len(self._running)

    def close(self) -> None:
        """Cancel them all, and any that a last handler may still start."""
        with self._lock:
            self.is_closed = True
            running, self._running = self._running, {}
        for timer in running.values():
            timer.cancel()

    def _fire(self, serial: int, deliver: Callable[[], None]) -> None:
        with self._lock:
            self._running.pop(serial, None)
        deliver()


class _Held:
    """A timer as its actor holds it."""

    __slots__ = ("_serial", "_timers")

    def __init__(self, timers: Timers, serial: int) -> None:
        self._timers = timers
        self._serial = serial

    def cancel(self) -> None:
        self._timers.cancel(self._serial)
