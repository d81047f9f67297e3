"""What the main thread tells the service manager: ready, alive by its work, stopping.

Invariants:
1. Ready is said once: when the strategy is armed, or given up with the positions guarded.
2. The watchdog is fed by completed cycles alone; a process that only lives is not fed.
3. Before it is ready it asks for more time, again and again: an exchange that cannot be reached
   is no failed start, and what hangs at the start is the supervisor's to end.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis.service import USEC_PER_S, Service

MORE_TIME_S = 60
ASKS_EACH_S = 10.0
"""More time is asked for well before the last is over."""

FEEDS_PER_PATIENCE = 4
"""How often within its patience the watchdog is fed, where there is work; two are advised."""

STATUS_EACH_S = 5.0


class Pulse:
    """What the actors have done, as anybody may see it: it only grows."""

    def __init__(self) -> None:
        self.cycles = 0
        self.is_armed = False
        self.is_abandoned = False

    def complete(self) -> None:
        """Count a cycle: a price watched to its end. Guard alone does, so nobody else counts."""
        self.cycles += 1

    def arm(self) -> None:
        self.is_armed = True

    def abandon(self) -> None:
        self.is_abandoned = True

    @property
    def is_up(self) -> bool:
        """Whether what can be done is done: positions guarded, and entries taken or halted."""
        return self.is_armed or self.is_abandoned


class Keeper:
    """Looked in on by the main thread, several times a second."""

    def __init__(self, service: Service, pulse: Pulse, monotonic: Callable[[], float]) -> None:
        self._service = service
        self._pulse = pulse
        self._monotonic = monotonic
        self._is_ready = False
        self._cycles_fed = 0
        self._fed_at = self._asked_at = self._told_at = -float("inf")

    def look(self) -> None:
        """Tell what there is to be told now."""
        if not self._service.is_there:
            return
        now = self._monotonic()
        if not self._is_ready:
            self._wait(now)
        if self._is_ready:
            self._feed(now)
            self._tell_status(now)

    def stop(self, why: str) -> None:
        """Tell that it ends."""
        self._service.tell(STOPPING=1, STATUS=f"stopping: {why}")

    def _wait(self, now: float) -> None:
        if self._pulse.is_up:
            self._is_ready = True
            self._fed_at, self._cycles_fed = now, self._pulse.cycles
            self._service.tell(READY=1)
        elif now - self._asked_at >= ASKS_EACH_S:
            self._asked_at = now
            more = MORE_TIME_S * USEC_PER_S
            self._service.tell(EXTEND_TIMEOUT_USEC=more, STATUS="starting: not armed yet")

    def _feed(self, now: float) -> None:
        patience_s, cycles = self._service.watchdog_s, self._pulse.cycles
        if patience_s is None or cycles == self._cycles_fed:
            return
        if now - self._fed_at >= patience_s / FEEDS_PER_PATIENCE:
            self._fed_at, self._cycles_fed = now, cycles
            self._service.tell(WATCHDOG=1)

    def _tell_status(self, now: float) -> None:
        if now - self._told_at < STATUS_EACH_S:
            return
        self._told_at = now
        pulse = self._pulse
        state = "entries halted, positions guarded" if pulse.is_abandoned else "armed"
        self._service.tell(STATUS=f"{state}; {pulse.cycles} cycles completed")
