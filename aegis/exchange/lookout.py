"""What the gateway keeps an eye on besides orders: fresh prices, and whether the exchange answers.

Bookkeeping of whoever speaks with an exchange; it sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.dialogue import HELD_BACK, KEY_DENIED, ExchangeAnswer, NoAnswer, RequestRefused
from aegis.domain.commands import Quote
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instants import text_of
from aegis.domain.instrument import Instrument
from aegis.messages import DiagnoseNow

FAILURES_TO_OPEN = 5
"""Answers missing in a row until entries are held back; one answer lets them go on."""


LISTING_FIRST_S = 10.0
LISTING_EACH_S = 3600.0
UNTRADED_S = 300.0
"""Real seconds between questions for what a real exchange trades; the less while it is not all, or
was not told."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Real seconds, but `barrier_s` and `lag_s`: on the exchange's clock.

    `lag_s` is how long what the exchange has may stay out of its answers, with a clock margin.
    `barrier_s` is from submission to provable absence: the life of a request, until the exchange
    refuses it as late, and `lag_s`. None where it never refuses: absence can be proved by nobody.
    `listing_each_s` is how often it is asked what it lists; None where that never changes.
    """

    poll_interval_s: float
    stale_after_s: float
    barrier_s: float | None
    lag_s: float = 0.0
    listing_each_s: float | None = None


AHEAD_S_MAX = 5.0
"""A price of so much later than now was misdated: each one after it would seem older."""


def fault_of_time(at: Instant, now: Instant, stale_after_s: float) -> str | None:
    """Return why a price of an instant is none now, or None; all in the exchange's time."""
    age_s = (now - at) / NANOS_PER_SECOND
    if -AHEAD_S_MAX <= age_s <= stale_after_s:
        return None
    off = f"{age_s:.0f} s ago" if age_s > 0 else f"{-age_s:.0f} s ahead"
    return f"expected a price of the last {stale_after_s:g} s, was one of {text_of(at)}, {off}"


class Prices:
    """The freshest price of each symbol, and how old it may be to count as one."""

    def __init__(self, monotonic: Callable[[], float], stale_after_s: float) -> None:
        self._monotonic = monotonic
        self._stale_after_s = stale_after_s
        self._seen: dict[Symbol, tuple[Quote, float]] = {}

    def see(self, symbol: Symbol, quote: Quote) -> None:
        """Take a price that came in just now."""
        self._seen[symbol] = (quote, self._monotonic())

    def fresh(self, symbol: Symbol) -> Quote | None:
        """Return the last price, or None when it is too old to be one."""
        seen = self._seen.get(symbol)
        if seen is None or self._monotonic() - seen[1] > self._stale_after_s:
            return None
        return seen[0]


LOOK_AT_MARKET = DiagnoseNow(trigger="other instruments", is_light=True)
"""What whoever hears that the exchange trades otherwise asks for: people are told at once."""


class Listing:
    """What the exchange said last of what it trades, who wants to know it, and when to ask again.

    Nothing is `instruments` before it has said so. `each_s` None: it never changes.
    """

    def __init__(self, symbols: tuple[Symbol, ...], each_s: float | None) -> None:
        self.instruments: tuple[Instrument, ...] = ()
        self._symbols = symbols
        self._each_s = each_s
        self._times_told = 0
        self._readers: list[str] = []

    def hear(self, told: tuple[Instrument, ...]) -> bool:
        """Take what is listed; say whether that is other than before."""
        is_other = self._times_told > 0 and self.instruments != told
        self.instruments = told
        self._times_told += 1
        return is_other

    def want(self, name: str) -> None:
        """Take that somebody is to be told."""
        self._readers.append(name)

    def take_readers(self) -> list[str]:
        """Return who is to be told now, once."""
        if self._times_told == 0:
            return []
        readers, self._readers = self._readers, []
        return readers

    @property
    def due_s(self) -> float | None:
        """In how many real seconds to ask anew; what was told first may be of an earlier life."""
        if self._each_s is None:
            return None
        if self._times_told == 1:
            return LISTING_FIRST_S
        traded = {each.symbol for each in self.instruments if each.is_active}
        is_all = traded.issuperset(self._symbols)
        return self._each_s if is_all else min(self._each_s, UNTRADED_S)


class Breaker:
    """Open while an exchange leaves one request after another unanswered."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def hold(self) -> str | None:
        """Why entries must wait, or None."""
        if self._failures < FAILURES_TO_OPEN:
            return None
        return f"the exchange left {self._failures} requests in a row unanswered"

    def count(self, answer: ExchangeAnswer) -> bool:
        """Take an answer; say whether it opened or closed the breaker.

        A refusal of our own side says nothing of the exchange.
        """
        if isinstance(answer, RequestRefused) and answer.code in (HELD_BACK, KEY_DENIED):
            return False
        was_open = self.hold is not None
        self._failures = self._failures + 1 if isinstance(answer, NoAnswer) else 0
        return was_open is not (self.hold is not None)
