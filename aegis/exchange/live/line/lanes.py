"""One lane of the line: who waits there, who goes next and when, and who has waited too long.

Pure but for its memory: it makes no call and knows no clock; instants are seconds of the
monotonic clock. Its owner makes its calls one after another, and asks it from one thread at once.

Invariants:
1. The most urgent goes first, of equals the eldest; who may not go yet keeps nobody else back.
2. Bans and published limits keep everybody back. A breaker keeps no exit back, nor a kind of call
   whose last one was answered: one dead endpoint must not keep what others would tell. A denied
   key keeps no exit back either; whatever speaks against entries keeps entries back.
3. Nobody waits in vain: who cannot go within their patience is given up at once.
4. A lane that rests is probed though nobody wants anything of it: else entries would wait until
   somebody does.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from math import inf

import msgspec

from aegis.dialogue import HELD_BACK, KEY_DENIED
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import Call, Place, Verdict
from aegis.exchange.live.line.breaker import BreakerState, LaneBreaker
from aegis.exchange.live.line.budget import Budget
from aegis.exchange.live.line.retry import Draw, pause_s
from aegis.exchange.live.line.steps import LANE_OF, Do, HeldBack, Urgency
from aegis.exchange.live.profile import Lane, Rate
from aegis.vitals import LaneVitals

DENIED_PAUSE_S = 60.0
"""A key that is not taken is tried again so often, but for exits."""

LIMITED_S_FIRST = 1.0
LIMITED_S_MAX = 60.0
"""How long one kind of call rests that was one too many, where the exchange does not say it."""


class Waiting:
    """A call that waits or is being made; `leaves_by` is when it is too late to be meant."""

    __slots__ = ("call", "give_up_s", "leaves_by", "not_before_s", "serial", "tries", "urgency",
                 "was_skewed", "why")  # fmt: skip

    def __init__(
        self,
        do: Do,
        *,
        serial: int,
        now_s: float,
        patience_s: float,
        leaves_by: Instant | None = None,
    ) -> None:
        self.call = do.call
        self.urgency = do.urgency
        self.serial = serial
        self.not_before_s = now_s + do.after_s
        self.give_up_s = self.not_before_s + patience_s
        self.leaves_by = leaves_by
        self.tries = 0
        self.was_skewed = False
        self.why = ""

    def wait_until(self, instant_s: float, verdict: Verdict | HeldBack) -> None:
        """Wait to be made again, for what came of it so far."""
        self.not_before_s = instant_s
        self.why = getattr(verdict, "reason", "")


class Bar(msgspec.Struct, frozen=True):
    """What keeps calls back, and until when."""

    until_s: float
    reason: str
    code: str = HELD_BACK


class LaneDesk:
    """One lane's queue, budgets, breaker and bars."""

    def __init__(self, name: Lane, rates: Mapping[str, Rate], draw: Draw, *, now_s: float) -> None:
        self.name = name
        self.breaker = LaneBreaker(draw)
        self.is_busy = False
        self.denied: Bar | None = None
        self._was_taken_elsewhere = False  # the key, since it was denied here
        self._draw = draw
        self._budgets = {
            kind: Budget(rates[kind.__name__], now_s) for kind in LANE_OF if kind.__name__ in rates
        }
        self._vain: set[type[Call]] = set()  # whose last call was not answered
        self._limited: dict[type[Call], Bar] = {}
        self._times_limited: dict[type[Call], int] = {}
        self._queue: list[Waiting] = []

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._queue)

    def put(self, waiting: Waiting) -> None:
        insort(self._queue, waiting, key=lambda each: (each.urgency, each.serial))

    # Who goes, and who does not -----------------------------------------------------------------

    def take_next(self, now_s: float, ban: Bar, hold: str | None) -> Waiting | None:
        """Take out who goes now, if the lane is free; `ban` is everybody's, `hold` entries'."""
        if self.is_busy:
            return None
        for waiting, bar in self._barred(now_s, ban, hold):
            if bar.until_s <= now_s:
                self._queue.remove(waiting)
                self.go(type(waiting.call), now_s)
                return waiting
        return None

    def take_hopeless(
        self, now_s: float, ban: Bar, hold: str | None
    ) -> tuple[Waiting, HeldBack] | None:
        """Take out one that cannot go within its patience, and why."""
        for waiting, bar in self._barred(now_s, ban, hold):
            is_denied = bar.code == KEY_DENIED and bar.until_s > now_s  # time does not mend it
            if is_denied or bar.until_s > waiting.give_up_s:
                self._queue.remove(waiting)
                return waiting, HeldBack(code=bar.code, reason=bar.reason)
        return None

    def wake_s(self, now_s: float, ban: Bar, hold: str | None) -> float:
        """Return when to look at the queue again; infinite where nobody waits."""
        soonest_s = min((waiting.give_up_s for waiting in self._queue), default=inf)
        if self.is_busy:
            return soonest_s
        bars = (bar.until_s for _, bar in self._barred(now_s, ban, hold))
        return min(soonest_s, min(bars, default=inf))

    def is_idle(self, now_s: float) -> bool:
        """Say whether nobody waits, nobody is served, and the key may be tried."""
        return not (self.is_busy or self._queue or self.denial(now_s))

    def _barred(self, now_s: float, ban: Bar, hold: str | None) -> Iterator[tuple[Waiting, Bar]]:
        """Yield who waits, in turn, each with what keeps it back longest."""
        known: dict[tuple[type[Call], Urgency], Bar] = {}
        for waiting in tuple(self._queue):
            key = (type(waiting.call), waiting.urgency)
            bar = known.get(key)
            if bar is None:
                bar = known[key] = self._bar_of(*key, now_s, ban, hold)
            if waiting.not_before_s > bar.until_s:
                bar = Bar(waiting.not_before_s, waiting.why or "it was not to go yet")
            yield waiting, bar

    def _bar_of(
        self, kind: type[Call], urgency: Urgency, now_s: float, ban: Bar, hold: str | None
    ) -> Bar:
        """Return what keeps such calls back longest; until now where nothing does."""
        is_exit, is_entry = urgency is Urgency.EXIT, urgency is Urgency.ENTRY
        found = [Bar(now_s, f"{self.name} was busy with an earlier call"), ban]
        if kind in self._limited:
            found.append(self._limited[kind])
        if (budget := self._budgets.get(kind)) is not None:
            free_s = budget.free_at(now_s, has_reserve=not is_entry)
            found.append(Bar(free_s, f"no more {kind.__name__} fits the exchange's limits now"))
        if is_entry or kind in self._vain:
            free_s = self.breaker.free_at(now_s, is_entry=is_entry, is_exit=is_exit)
            found.append(Bar(free_s, f"the breaker of {self.name} is {self.breaker.state(now_s)}"))
        if self.denied is not None and not is_exit:
            found.append(self.denied)
        if is_entry and hold is not None:
            found.append(Bar(inf, hold))
        return max(found, key=lambda bar: bar.until_s)

    def go(self, kind: type[Call], now_s: float) -> None:
        """Note that a call is under way."""
        self.is_busy = True
        if (budget := self._budgets.get(kind)) is not None:
            budget.spend(now_s)

    def come_back(self, kind: type[Call], now_s: float) -> None:
        """Note that the call under way has come to its end."""
        self.is_busy = False
        if (budget := self._budgets.get(kind)) is not None:
            budget.arrived(now_s)

    # What came of calls -------------------------------------------------------------------------

    def hear(self, kind: type[Call], now_s: float, *, is_answer: bool) -> BreakerState | None:
        """Take what came of a call; return the state that it led the breaker to, where new."""
        if is_answer:
            self._vain.discard(kind)
        else:
            self._vain.add(kind)
        return self.breaker.hear(now_s, is_answer=is_answer)

    def limit(self, kind: type[Call], now_s: float, reason: str, least_s: float) -> float:
        """Let one kind of call rest; return for how long."""
        times = self._times_limited[kind] = self._times_limited.get(kind, 0) + 1
        pause = pause_s(times, self._draw, first_s=LIMITED_S_FIRST, most_s=LIMITED_S_MAX)
        rest_s = max(least_s, pause)
        self._limited[kind] = Bar(now_s + rest_s, f"{kind.__name__} was limited: {reason}")
        return rest_s

    def unlimit(self, kind: type[Call]) -> None:
        """Note that a call of a kind was not one too many."""
        self._limited.pop(kind, None)
        self._times_limited.pop(kind, None)

    def deny(self, now_s: float, reason: str) -> bool:
        """Note that the key was not taken; say whether that is news."""
        is_news = self.denied is None
        text = f"the exchange does not take the key: {reason}"
        self.denied = Bar(now_s + DENIED_PAUSE_S, text, KEY_DENIED)
        self._was_taken_elsewhere = False
        return is_news

    def admit(self) -> bool:
        """Note that the key was taken; say whether that is news."""
        is_news, self.denied = self.denied is not None, None
        return is_news

    def try_again(self, now_s: float) -> None:
        """Let a key that was denied be tried at once: it was just taken elsewhere."""
        if self.denied is not None:
            self.denied = msgspec.structs.replace(self.denied, until_s=now_s)
            self._was_taken_elsewhere = True

    def exits_wait(self, now_s: float) -> str | None:
        """Return why no exit passes on this lane's account, or None; each tries the key anew."""
        limited = self._limited.get(Place)
        if limited is not None and limited.until_s > now_s:
            return limited.reason
        return self._last_denial()

    def _last_denial(self) -> str | None:
        """Return how the key was denied, however long ago, until it is taken; None where not."""
        is_denied = self.denied is not None and not self._was_taken_elsewhere
        return self.denied.reason if self.denied is not None and is_denied else None

    def denial(self, now_s: float) -> str | None:
        """Return how the key was denied lately, or None."""
        is_denied = self.denied is not None and self.denied.until_s > now_s
        return self.denied.reason if self.denied is not None and is_denied else None

    def vitals(self, now_s: float) -> LaneVitals:
        """Return how this lane is."""
        state = self.breaker.state(now_s)
        return LaneVitals(name=self.name, breaker=state, waiting=len(self))

    def hold(self, now_s: float) -> str | None:
        """Return why entries should wait on this lane's account, or None.

        A key that was denied a while ago may be tried by an entry, too: the trading state, which
        a person has to change back, is what keeps others from it.
        """
        if (denial := self.denial(now_s)) is not None:
            return denial
        if self.breaker.state(now_s) is BreakerState.CLOSED:
            return None
        return f"nobody answered the last {self.breaker.failures} calls of {self.name}"
