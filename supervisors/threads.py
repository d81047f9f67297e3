"""The runtime of production: a thread an actor, one for all timers, one a port for calls.

All threads are daemons, so a hung one never holds the exit. They take turns at the interpreter;
how often is set here, for the whole process.

Invariants:
1. A timer's `deliver` and a call's `reply` run on the runtime's own threads: they are short, and
   what they raise is reported and ends nothing.
2. `reply` is called exactly once. A deadline counts from the submission, the wait in the port's
   queue included; a call whose deadline passes in the queue never runs.
3. The worker whose call overran is abandoned: the next call gets a new one, and what the old one
   brings home is dropped.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from actors.base import Actor, outcome_of
from aegis.ports import Clock, Late, Log, Overran, Raised, Timer, no_log
from supervisors.timers import HeapTimer, TimerHeap, nanos

CALLS_WAITING_MAX: Final = 1_000
"""Calls that wait for one port; they all have deadlines, so more could never be answered."""

SWITCH_INTERVAL_S: Final = 0.0001
"""How long a thread of Python may keep another from running. The store gives the interpreter up
seven times a commit; at Python's own 5 ms a commit beside one busy thread took 20 times as long
as alone, and takes twice as long at this."""

WORKERS_LOST_MAX: Final = 64
"""Abandoned workers of one port that have not come back; beyond it the port answers no more."""

TIMER_THREAD: Final = "aegis-timers"


class ThreadRuntime:
    """`aegis.ports.Runtime`, and the loops of actors, on threads."""

    can_hang = True

    def __init__(self, clock: Clock, log: Log = no_log) -> None:
        self.clock = clock
        self._log = log
        self._heap = TimerHeap()
        self._changed = threading.Condition()
        self._is_closed = False
        self._ports: dict[str, _Port] = {}
        self._timer_thread: threading.Thread | None = None
        sys.setswitchinterval(SWITCH_INTERVAL_S)

    def start_loop(self, actor: Actor) -> None:
        actor.seat.hang_bell()  # here, where what it raises is a failed start
        thread = threading.Thread(target=actor.run, name=f"{actor.name}-{actor.epoch}", daemon=True)
        thread.start()

    def after(self, delay_s: float, deliver: Callable[[], None]) -> Timer:
        return self._start(nanos(delay_s), HeapTimer(self._heap, deliver, None))

    def every(self, interval_s: float, deliver: Callable[[], None]) -> Timer:
        interval_ns = nanos(interval_s)
        assert interval_ns > 0, f"Expected an interval above 0 s, was {interval_s}"
        return self._start(interval_ns, HeapTimer(self._heap, deliver, interval_ns))

    def call(
        self,
        port: str,
        function: Callable[[], object],
        deadline_s: float,
        reply: Callable[[object], None],
    ) -> None:
        with self._changed:
            found = self._ports.setdefault(port, _Port(port))
        call = _Call(function, deadline_s, partial(self._reply, reply))
        if refusal := found.refusal():
            call.answer(Raised(refusal))
            return
        call.deadline = self.after(deadline_s, partial(found.overrun, call))
        found.submit(call)

    def close(self) -> None:
        """End the timer thread and idle workers; for a process that goes on, as tests do."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            ports = tuple(self._ports.values())
        for port in ports:
            port.close()

    def _reply(self, reply: Callable[[object], None], value: object) -> None:
        self._shielded(partial(reply, value))

    def _shielded(self, deliver: Callable[[], None]) -> None:
        outcome = outcome_of(deliver)
        if isinstance(outcome, Raised):
            self._log("DeliveryFailed", level="error", error=outcome.error)

    # Timers -------------------------------------------------------------------------------

    def _start(self, delay_ns: int, timer: HeapTimer) -> Timer:
        with self._changed:
            due_ns = self._now_ns() + delay_ns
            first_ns = self._heap.next_due()
            self._heap.push(due_ns, timer)
            if self._timer_thread is None:
                self._timer_thread = threading.Thread(
                    target=self._run_timers, name=TIMER_THREAD, daemon=True
                )
                self._timer_thread.start()
            elif first_ns is None or due_ns < first_ns:
                self._changed.notify_all()
        return timer

    def _run_timers(self) -> None:
        while (timer := self._next_timer()) is not None:
            if not (timer.is_over and timer.interval_ns is not None):
                self._shielded(timer.deliver)

    def _next_timer(self) -> HeapTimer | None:
        """Wait for the next timer that is due; None at the end."""
        with self._changed:
            while not self._is_closed:
                due_ns = self._heap.next_due()
                now_ns = self._now_ns()
                if due_ns is not None and due_ns <= now_ns:
                    return self._take(due_ns, now_ns)
                self._changed.wait(None if due_ns is None else (due_ns - now_ns) / 1e9)
        return None

    def _take(self, due_ns: int, now_ns: int) -> HeapTimer:
        timer = self._heap.pop()
        if timer.interval_ns is not None:
            missed = (now_ns - due_ns) // timer.interval_ns  # after a sleep of the machine
            self._heap.push(due_ns + (missed + 1) * timer.interval_ns, timer)
        return timer

    def _now_ns(self) -> int:
        return nanos(self.clock.monotonic())


class _Call:
    """One call on its way: settled once, by its worker or by its deadline."""

    __slots__ = ("_lock", "_reply", "deadline", "deadline_s", "function", "has_begun", "settled")

    def __init__(
        self, function: Callable[[], object], deadline_s: float, reply: Callable[[object], None]
    ) -> None:
        self.function = function
        self.deadline_s = deadline_s
        self.deadline: Timer | None = None
        self.settled = threading.Event()
        self.has_begun = False
        self._reply = reply
        self._lock = threading.Lock()

    def begin(self) -> bool:
        """Say whether it is still worth running."""
        with self._lock:
            self.has_begun = not self.settled.is_set()
            return self.has_begun

    def claim(self) -> bool:
        """Say whether the caller is the one who answers: the first to ask."""
        with self._lock:
            if self.settled.is_set():
                return False
            self.settled.set()
            return True

    def answer(self, value: object) -> None:
        """Reply, once claimed."""
        if self.deadline is not None:
            self.deadline.cancel()
        self._reply(value)


class _Port:
    """The queue of one port's calls and the worker that runs them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: deque[_Call | None] = deque()
        self._arrived = threading.Condition()
        self._has_worker = False
        self._lost = 0

    def refusal(self) -> str | None:
        """Return why no call can be taken now, or None."""
        with self._arrived:
            if len(self._calls) >= CALLS_WAITING_MAX:
                return f"Expected fewer than {CALLS_WAITING_MAX} calls waiting for {self._name}"
            if self._lost >= WORKERS_LOST_MAX:
                return f"Expected fewer than {WORKERS_LOST_MAX} hung calls of {self._name}"
            return None

    def submit(self, call: _Call) -> None:
        with self._arrived:
            self._calls.append(call)
            if self._has_worker:
                self._arrived.notify()
            else:
                self._hire()

    def overrun(self, call: _Call) -> None:
        """Answer for a call whose deadline has passed; its worker, if it has one, is given up."""
        if not call.claim():
            return
        try:
            if call.has_begun:
                self._replace_worker()
        finally:
            call.answer(Overran(call.deadline_s))

    def close(self) -> None:
        with self._arrived:
            self._calls.clear()
            self._calls.append(None)
            self._arrived.notify_all()

    def _replace_worker(self) -> None:
        with self._arrived:
            self._lost += 1
            self._hire()

    def _hire(self) -> None:
        self._has_worker = False  # should no thread be had, the next call tries again
        threading.Thread(target=self._work, name=f"port-{self._name}", daemon=True).start()
        self._has_worker = True

    def _work(self) -> None:
        while (call := self._next()) is not None:
            if call.begin() and not self._finish(call):
                return

    def _finish(self, call: _Call) -> bool:
        """Run a call and answer it; say whether this worker still has its place."""
        value = _value_in_time(call)
        if call.claim():
            call.answer(value)
            return True
        with self._arrived:
            self._lost -= 1
        return False

    def _next(self) -> _Call | None:
        with self._arrived:
            while not self._calls:
                self._arrived.wait()
            call = self._calls.popleft()
            if call is None:
                self._calls.append(None)  # for any other worker
            return call


def _value_in_time(call: _Call) -> object:
    """Run a call; a late value is held back, and stays its worker's until then."""
    value = outcome_of(call.function)
    if not isinstance(value, Late):
        return value
    call.settled.wait(value.delay_s)
    return value.value
