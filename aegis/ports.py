"""The doors through which time, disk, exchange, market and people come in.

Everything above is written against these; what stands behind them is chosen in one place,
`supervisors/system.py`. Delays are seconds, instants are UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from aegis.dialogue import ExchangeReplied, ExchangeRequest
from aegis.domain.candles import Candle
from aegis.domain.delivery import Delivery, Letter, Manners
from aegis.domain.ids import Instant, Symbol
from aegis.news import (
    HistoryRead,
    MarketNews,
    ReadHistory,
)
from aegis.vitals import ExchangeVitals

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Clock(Protocol):
    """Two times. Market time is what events carry; real time is what patience is measured in."""

    def now(self) -> Instant:
        """Return the market's instant; it never steps back within a process."""
        ...

    def monotonic(self) -> float:
        """Return real seconds since an arbitrary origin; only differences mean anything."""
        ...

    def real_s(self, market_s: float) -> float:
        """Return how many real seconds pass while `market_s` pass on the market."""
        ...


class Timer(Protocol):
    def cancel(self) -> None:
        """Stop it; harmless when it has fired already."""
        ...


class Overran(msgspec.Struct, frozen=True):
    """The call gave no answer within its deadline; what it does later is not heard."""

    deadline_s: float


class Raised(msgspec.Struct, frozen=True):
    """The call ended in an exception: its type's name and its text, already without secrets."""

    error: str


class Late(msgspec.Struct, frozen=True):
    """What a called function returns so that its value is heard `delay_s` later, or never.

    Simulated venues use it for answers that are slow or lost; the effect stands at once.
    """

    value: object
    delay_s: float | None


class Runtime(Protocol):
    """Time and blocking calls for actors: threads in production, one seeded thread elsewhere."""

    @property
    def clock(self) -> Clock: ...

    def after(self, delay_s: float, deliver: Callable[[], None]) -> Timer:
        """Run `deliver` once after real `delay_s`; it must be short and must not raise."""
        ...

    def every(self, interval_s: float, deliver: Callable[[], None]) -> Timer:
        """Run `deliver` each `interval_s`, first after one interval."""
        ...

    def call(
        self,
        port: str,
        function: Callable[[], object],
        deadline_s: float,
        reply: Callable[[object], None],
    ) -> None:
        """Run a blocking function on the port's own worker, then `reply` with what came of it.

        `reply` gets the function's value, `Overran` or `Raised`, exactly once. Calls of one
        port run one after another. A call that overran loses its worker: the next call gets a
        new one, and a late value is dropped.
        """
        ...


class Log(Protocol):
    """What takes one fact a line: the event's own name and its fields. It never raises."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


def no_log(event: str, /, **fields: object) -> None:
    """Take a fact and keep silent."""


class Exchange(Protocol):
    """One account at one exchange. Every answer is a message; none may ever come."""

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a request; `reply_to` hears its answer once, `NoAnswer` after the deadline."""
        ...

    def hold(self) -> str | None:
        """Return why an entry had better not be sent now, None where nothing speaks against it.

        Short, and from any thread.
        """
        ...

    def vitals(self) -> ExchangeVitals | None:
        """Return what is known of the way to it, None where there is none; as short as `hold`."""
        ...


class Pulse(Protocol):
    """Where work that was completed is counted, for whoever watches the process from outside."""

    def complete(self) -> None:
        """Count a price that was watched to its end."""
        ...

    def arm(self) -> None:
        """Note that the strategy is armed."""
        ...


class MarketData(Protocol):
    """A market's news in the order in which it happened."""

    def next(self, reply_to: Callable[[MarketNews], None]) -> None:
        """Ask for the next piece of news; `reply_to` hears it when it is due."""
        ...

    def history(self, wanted: ReadHistory, reply_to: Callable[[HistoryRead], None]) -> None:
        """Ask for the first page of the candles that closed after an instant, eldest first.

        It begins `wanted.least` candles before now where that is earlier, or where `wanted.after`
        is None. `reply_to` hears it when it is there, which may be at once, late or never; the
        same question again is asked once.
        """
        ...


class Recorder(Protocol):
    """Who keeps what the market showed, so that it can be lived through again."""

    def known_until(self, symbol: Symbol) -> Instant | None:
        """Return the close of the last candle that is kept, None before the first one."""
        ...

    def see(self, candle: Candle) -> None:
        """Keep a candle that begins to be told; one that is known already is no news.

        Short, and it never raises. A symbol's candles come in their order.
        """
        ...


class Messenger(Protocol):
    """One channel to people."""

    @property
    def channel(self) -> str:
        """Return its name in the outbox; it stays the same over restarts, and is no secret."""
        ...

    @property
    def manners(self) -> Manners:
        """Return what it asks of whoever sends through it."""
        ...

    def send(self, letter: Letter) -> Delivery:
        """Send one text, and wait for what comes of it: once, no repeats.

        What is returned never holds a secret. It blocks where `manners` name a deadline, and a
        call that overruns it may still arrive.
        """
        ...
