"""The runtime of replay, backtest and simulation: one thread, one seed, and no waiting.

Equal seeds and equal actors give equal histories, in any process. The clock stands still while
anybody has mail, and then jumps to the next timer.

Invariants:
1. Which actor is next, and how long a call takes, is drawn from the seed alone.
2. A call's effect happens at one instant and its answer lands at another. Only the fault plan
   loses or delays either, and only `hang` makes an actor silent.
3. `reply` is called exactly once. A deadline counts from the submission, as on threads; a call
   whose deadline passes in the port's queue never runs, one on its way may still take effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from actors.base import Actor, outcome_of
from aegis.clock import ManualClock, seeded_random
from aegis.domain.ids import Instant
from aegis.ports import Late, Overran, Timer
from supervisors.timers import HeapTimer, TimerHeap, nanos

STEPS_MAX: Final = 50_000_000
"""Steps of one `run_until_quiet`; actors that never come to rest are a bug to be told."""


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """From which range the two halves of a call's way are drawn, in seconds."""

    least_s: float = 0.005
    most_s: float = 0.050


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What befalls one call, on top of its latencies."""

    is_effect_lost: bool = False  # the request never arrives
    effect_delay_s: float = 0.0
    is_answer_lost: bool = False
    answer_delay_s: float = 0.0


FaultPlan = Callable[[str, int], Fate]
"""(port, ordinal of the call in this port, from 0) -> what befalls it."""

SMOOTH: Final = Fate()


def no_faults(_port: str, _ordinal: int) -> Fate:
    """Let every call arrive and be answered."""
    return SMOOTH


class SeededRuntime:
    """`aegis.ports.Runtime`, and the loops of actors, on the thread that calls `run_...`."""

    def __init__(
        self,
        clock: ManualClock,
        seed: int,
        *,
        latencies: Latencies | None = None,
        faults: FaultPlan = no_faults,
        can_hang: bool = False,
    ) -> None:
        """Take the seed; `can_hang` lets a supervisor look for hung actors, at some cost."""
        self.clock = clock
        self.can_hang = can_hang
        self.steps = 0  # taken by all actors so far: whether there is any progress
        self._random = seeded_random(seed)
        self._draw = self._random.random
        self._latencies = latencies or Latencies()
        self._faults = faults
        self._heap = TimerHeap()
        self._loops: dict[tuple[str, int], _Loop] = {}
        self._ready: list[_Loop] = []
        self._ports: dict[str, _Port] = {}

    # The port -----------------------------------------------------------------------------

    def start_loop(self, actor: Actor) -> None:
        loop = _Loop(actor, self._ready)
        self._loops[actor.name, actor.epoch] = loop
        actor.answer_bell(loop.wake)
        loop.wake()

    def after(self, delay_s: float, deliver: Callable[[], None]) -> Timer:
        timer = HeapTimer(self._heap, deliver, None)
        self._heap.push(self.clock.now() + nanos(delay_s), timer)
        return timer

    def every(self, interval_s: float, deliver: Callable[[], None]) -> Timer:
        interval_ns = nanos(interval_s)
        assert interval_ns > 0, f"Expected an interval above 0 s, was {interval_s}"
        timer = HeapTimer(self._heap, deliver, interval_ns)
        self._heap.push(self.clock.now() + interval_ns, timer)
        return timer

    def call(
        self,
        port: str,
        function: Callable[[], object],
        deadline_s: float,
        reply: Callable[[object], None],
    ) -> None:
        found = self._ports.get(port)
        if found is None:
            found = self._ports[port] = _Port(port, self)
        found.submit(_Call(function, deadline_s, reply))

    # Running ------------------------------------------------------------------------------

    def run_now(self) -> None:
        """Handle all mail there is and what comes of it; time stands still."""
        ready = self._ready
        while ready:
            self._step()

    def run_until_quiet(self) -> None:
        """Go on until nobody has mail and nothing but repeating timers is left to come."""
        for _ in range(STEPS_MAX):
            if self._ready:
                self._step()
            elif self._heap.has_single_shots():
                self._jump()
            else:
                return
        raise AssertionError(f"Expected quiet within {STEPS_MAX} steps")

    def run_until(self, instant: Instant) -> None:
        """Go on to an instant, which is handled as well, and stand there."""
        self.run_now()
        while (due := self._heap.next_due()) is not None and due <= instant:
            self._jump()
            self.run_now()
        self.clock.advance_to(instant)

    def run_for(self, seconds: float) -> None:
        """Go on for some seconds."""
        self.run_until(Instant(self.clock.now() + nanos(seconds)))

    def run_while(self, predicate: Callable[[], bool]) -> None:
        """Go on while a predicate, asked before each step, holds and anything is left to come."""
        ready = self._ready
        while predicate():
            if ready:
                self._step()
            elif self._heap.next_due() is not None:
                self._jump()
            else:
                return

    def live_while(self, predicate: Callable[[], bool]) -> None:
        """Go on while a predicate, asked whenever all is quiet, holds and anything is to come.

        There are four messages to a quiet instant, so it costs a quarter of `run_while`.
        """
        self.run_now()
        while predicate() and self._heap.next_due() is not None:
            self._jump()
            self.run_now()

    # Faults -------------------------------------------------------------------------------

    def hang(self, name: str) -> None:
        """Let a name's current incarnation take its next message, or start, and not come back."""
        loop = self._current(name)
        loop.step = partial(self._park, loop)

    def come_back(self, name: str, epoch: int) -> None:
        """Let a hung incarnation go on with the message that it hung in."""
        loop = self._loops[name, epoch]
        loop.step = partial(self._unpark, loop)
        loop.wake()

    # One step -----------------------------------------------------------------------------

    def _step(self) -> None:
        ready = self._ready
        count = len(ready)
        index = 0 if count == 1 else int(self._draw() * count)
        loop = ready[index]
        self.steps += 1
        if loop.step():
            return
        loop.is_ready = False
        last = ready.pop()
        if last is not loop:
            ready[index] = last
        if loop.actor.is_over:
            self._loops.pop((loop.actor.name, loop.actor.epoch), None)

    def _jump(self) -> None:
        """Move to the next timer and let it fire."""
        due = self._heap.next_due()
        assert due is not None, "Expected a timer to jump to, was none"
        self.clock.advance_to(Instant(due))
        timer = self._heap.pop()
        if timer.interval_ns is not None:
            self._heap.push(due + timer.interval_ns, timer)
        timer.deliver()

    def _current(self, name: str) -> _Loop:
        living = [loop for (owner, _), loop in self._loops.items() if owner == name]
        assert living, f"Expected a living actor, was {name!r}"
        return living[-1]

    def _park(self, loop: _Loop) -> bool:
        loop.parked = loop.actor.seat.take() if loop.actor.is_set_up else None
        loop.actor.seat.busy_since = self.clock.monotonic()
        loop.step = _stand_still
        return False

    def _unpark(self, loop: _Loop) -> bool:
        message, loop.parked, loop.step = loop.parked, None, loop.actor.step
        if message is None:
            return loop.step()
        loop.actor.handle(message)
        return loop.actor.has_next_step()

    # Calls --------------------------------------------------------------------------------

    def latency_s(self) -> float:
        """Draw how long one half of a call's way takes."""
        return self._random.uniform(self._latencies.least_s, self._latencies.most_s)

    def fate(self, port: str, ordinal: int) -> Fate:
        """Return what befalls a call."""
        return self._faults(port, ordinal)


class _Loop:
    """One actor's place among those that have something to do."""

    __slots__ = ("_ready", "actor", "is_ready", "parked", "step")

    def __init__(self, actor: Actor, ready: list[_Loop]) -> None:
        self.actor = actor
        self.step: Callable[[], bool] = actor.step
        self.is_ready = False
        self.parked: object = None
        self._ready = ready

    def wake(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self._ready.append(self)


class _Call:
    __slots__ = ("deadline", "deadline_s", "function", "is_settled", "reply")

    def __init__(
        self, function: Callable[[], object], deadline_s: float, reply: Callable[[object], None]
    ) -> None:
        self.function = function
        self.deadline_s = deadline_s
        self.deadline: Timer | None = None
        self.is_settled = False
        self.reply = reply


class _Port:
    """One port's calls: one on its way, the others waiting."""

    def __init__(self, name: str, runtime: SeededRuntime) -> None:
        self._name = name
        self._runtime = runtime
        self._ordinal = 0
        self._waiting: deque[_Call] = deque()
        self._current: _Call | None = None

    def submit(self, call: _Call) -> None:
        overrun = partial(self._settle, call, Overran(call.deadline_s))
        call.deadline = self._runtime.after(call.deadline_s, overrun)
        self._waiting.append(call)
        if self._current is None:
            self._send_next()

    def _send_next(self) -> None:
        """Put the next call on its way; those that overran in the queue never go."""
        while self._waiting:
            call = self._waiting.popleft()
            if not call.is_settled:
                self._send(call)
                return

    def _send(self, call: _Call) -> None:
        self._current = call
        fate = self._runtime.fate(self._name, self._ordinal)
        self._ordinal += 1
        delay_s = self._runtime.latency_s() + fate.effect_delay_s
        if not fate.is_effect_lost:
            self._runtime.after(delay_s, partial(self._take_effect, call, fate))

    def _take_effect(self, call: _Call, fate: Fate) -> None:
        outcome = outcome_of(call.function)
        late = outcome if isinstance(outcome, Late) else Late(outcome, self._runtime.latency_s())
        self._answer(call, late.value, late.delay_s, fate)

    def _answer(self, call: _Call, value: object, delay_s: float | None, fate: Fate) -> None:
        if delay_s is not None and not fate.is_answer_lost:
            self._runtime.after(delay_s + fate.answer_delay_s, partial(self._settle, call, value))

    def _settle(self, call: _Call, value: object) -> None:
        """Answer a call, unless it was answered, and let the next one go."""
        if call.is_settled:
            return
        call.is_settled = True
        if call.deadline is not None:
            call.deadline.cancel()
        if call is self._current:
            self._current = None
            self._send_next()
        call.reply(value)


def _stand_still() -> bool:
    return False
