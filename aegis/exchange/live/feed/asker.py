"""One public client on a port of its own: its calls go one after another, with patience.

Whoever owns the questions says what to ask next, and hears what came of it; here is when.

Invariants:
1. One call is under way at most, and each outcome is heard once, before the next call is chosen.
2. A client whose call overran, or raised, is left behind; the next call has a fresh one.
   Before anything else it learns what the exchange lists, which all clients share.
3. After a failure it waits, longer each time up to a bound, and says once that nobody answers, and
   once that somebody does again. It never gives up.
4. A symbol that is refused beside others that are answered is told so once, until it is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from aegis.domain.ids import Symbol
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Limited,
    Lost,
    MakeClient,
    Outcome,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
)
from aegis.ports import Log, Overran, Raised, Runtime, Timer

PAUSE_S_FIRST = 1.0
PAUSE_S_MAX = 15.0
"""Prices are what stops go by, so an exchange that is back is heard within this."""

PAUSE_S_LIMITED_MAX = 600.0
"""What an exchange asks for is kept, unless it is absurd."""

DOUBLINGS_MAX = 10

WAIT_S_MIN = 0.001
"""Less is the rest of a sum of floats, which a clock in nanoseconds never comes past."""


class Questions(Protocol):
    """Who knows what is to be asked. Called under no lock, one at a time."""

    def next_call(self) -> Call | float:
        """Return the call to make now, or after how many real seconds there may be one."""
        ...

    def hear(self, outcome: Outcome) -> None:
        """Take what came of the last call, or of the listing before; short, and it never raises."""
        ...


class _Holder:
    """A client, made where it is used: making one takes time, and so blocks nobody."""

    def __init__(self, make_client: MakeClient) -> None:
        self._make = make_client
        self._client: Callable[[Call], Outcome] | None = None

    def execute(self, call: Call) -> Outcome:
        """Make a call, blocking."""
        if self._client is None:
            self._client = self._make()
        return self._client(call)


class Asker:
    """Asks what `questions` want asked; `what` names it in the log, and the port."""

    def __init__(
        self,
        what: str,
        questions: Questions,
        *,
        symbols: tuple[Symbol, ...],
        make_client: MakeClient,
        runtime: Runtime,
        deadline_s: float,
        log: Log,
    ) -> None:
        self._what = what
        self._questions = questions
        self._listing = ReadInstruments(symbols=symbols)
        self._is_listed = False
        self._make_client = make_client
        self._runtime = runtime
        self._deadline_s = deadline_s
        self._log = log
        self._holder = _Holder(make_client)
        self._lock = threading.Lock()
        self._is_busy = False
        self._is_woken = False  # while it was busy, so that it looks once more
        self._is_closed = False
        self._timer: Timer | None = None
        self._not_before_s = 0.0
        self._failures = 0
        self._is_told = False  # that nobody answers
        self._refused: set[Symbol | None] = set()  # told, and not answered since

    def wake(self) -> None:
        """Look whether there is something to ask, now or later."""
        with self._lock:
            if self._is_busy or self._is_closed:
                self._is_woken = True
                return
            self._is_busy = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        self._turn()

    def close(self) -> None:
        """Ask nothing more."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _turn(self) -> None:
        """Make the next call, or wait for it; whoever is here is busy, so it is alone."""
        self._is_woken = False
        wait_s = self._not_before_s - self._runtime.clock.monotonic()
        if wait_s > 0:
            self._wait(wait_s)
            return
        holder = self._holder
        wanted = self._questions.next_call() if self._is_listed else self._listing
        if isinstance(wanted, float):
            self._wait(wanted)
            return
        self._runtime.call(
            f"market-{self._what}",
            partial(holder.execute, wanted),
            self._deadline_s,
            partial(self._heard, wanted),
        )

    def _wait(self, seconds: float) -> None:
        with self._lock:
            self._is_busy = False
            if not self._is_closed:
                wait_s = 0.0 if self._is_woken else max(seconds, WAIT_S_MIN)
                self._timer = self._runtime.after(wait_s, self.wake)

    def _heard(self, call: Call, value: object) -> None:
        outcome = value if isinstance(value, Outcome) else _lost(call, value)
        if outcome is not value:
            self._holder = _Holder(self._make_client)
        if isinstance(outcome.verdict, Answered):
            self._is_listed = True
            self._answered(call)
        else:
            self._failed(outcome)
        self._questions.hear(outcome)
        with self._lock:
            is_closed = self._is_closed
        if not is_closed:
            self._turn()

    def _answered(self, call: Call) -> None:
        self._refused.discard(_symbol_of(call))
        if self._is_told:
            self._log("MarketReachable", what=self._what, failures=self._failures)
        self._failures, self._is_told = 0, False

    def _failed(self, outcome: Outcome) -> None:
        verdict = outcome.verdict
        self._failures += 1
        pause_s = pause_after(self._failures)
        if isinstance(verdict, Limited) and verdict.retry_after_s is not None:
            pause_s = max(pause_s, min(verdict.retry_after_s, PAUSE_S_LIMITED_MAX))
        self._not_before_s = self._runtime.clock.monotonic() + pause_s
        symbol = _symbol_of(outcome.call)
        is_news = not self._is_told and symbol not in self._refused
        if is_news and not isinstance(verdict, Answered):
            self._is_told = True
            self._refused.add(symbol)
            self._log("MarketUnreachable", level="warning", what=self._what, reason=verdict.reason)


def pause_after(failures: int) -> float:
    """Return the real seconds to wait after so many failures in a row: doubling, up to a bound."""
    return min(PAUSE_S_FIRST * float(2 ** min(failures - 1, DOUBLINGS_MAX)), PAUSE_S_MAX)


def _symbol_of(call: Call) -> Symbol | None:
    return call.symbol if isinstance(call, ReadQuote | ReadCandles) else None


def _lost(call: Call, value: object) -> Outcome:
    """Return the outcome of a call that gave none."""
    if isinstance(value, Overran):
        reason = f"no answer within {value.deadline_s:g} s"
    elif isinstance(value, Raised):
        reason = value.error
    else:
        reason = f"expected an outcome, was {type(value).__name__}"
    return Outcome(call=call, verdict=Lost(reason=reason), server_at=None, http_status=None)
