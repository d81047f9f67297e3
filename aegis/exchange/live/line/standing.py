"""How an account stands with its exchange, learned from each call: bans, key, breakers, clocks.

It tells the log of each change, once. Its owner asks it from one thread at a time; what is
said to the log is handed on, to be done when that is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf

from aegis.domain.ids import Instant
from aegis.exchange.live.calls import (
    PUBLIC,
    Answered,
    Call,
    Denied,
    Limited,
    Lost,
    ReadInstruments,
    Refused,
    Verdict,
)
from aegis.exchange.live.line.breaker import BreakerState
from aegis.exchange.live.line.departing import Said
from aegis.exchange.live.line.instants import Instants
from aegis.exchange.live.line.lanes import Bar, LaneDesk
from aegis.exchange.live.line.listing import Listing
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.line.steps import HeldBack
from aegis.exchange.live.profile import Lane
from aegis.ports import Log

BAN_S_MAX = 3600.0
"""A longer ban is asked about once an hour, so that a mad header is not the last word."""

MEASURE_AGAIN_S = 30.0
"""While the clocks are apart they are compared so often, at least."""


class Standing:
    """`later` takes what must not be done now."""

    def __init__(
        self,
        lanes: tuple[LaneDesk, ...],
        server_clock: ServerClock,
        log: Log,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.ban = Bar(-inf, "")
        self.listing = Listing()
        self._lanes = lanes
        self._server_clock = server_clock
        self._log = log
        self._later = later
        self._instants = Instants()
        self._measured_s = -inf
        self._is_clock_apart = True  # as long as it was not measured

    def hold(self, now_s: float) -> str | None:
        """Return why entries wait, or None."""
        if self.ban.until_s > now_s:
            return self.ban.reason
        holds = (lane.hold(now_s) for lane in self._lanes)
        return next((hold for hold in holds if hold is not None), self._server_clock.hold())

    def exits_wait(self, now_s: float) -> str | None:
        """Return why no exit passes, or None: a ban, a limit of placings, or the key."""
        if self.ban.until_s > now_s:
            return self.ban.reason
        waits = (lane.exits_wait(now_s) for lane in self._lanes)
        return next((wait for wait in waits if wait is not None), None)

    def denial(self, now_s: float) -> str | None:
        """Return how the key was denied lately, on any lane, or None."""
        denials = (lane.denial(now_s) for lane in self._lanes)
        return next((denial for denial in denials if denial is not None), None)

    def to_probe(self, now_s: float) -> tuple[LaneDesk, ...]:
        """Return the idle lanes of which a call may tell that what holds entries is over."""
        if self.ban.until_s > now_s:
            return ()
        found = [
            lane
            for lane in self._lanes
            if lane.is_idle(now_s) and lane.breaker.state(now_s) is BreakerState.HALF_OPEN
        ]
        looks = next(lane for lane in self._lanes if lane.name is Lane.LOOKS)
        is_due = now_s >= self._measured_s + MEASURE_AGAIN_S
        if is_due and self._server_clock.hold() is not None and looks.is_idle(now_s):
            self._measured_s = now_s  # or tried in vain
            found.append(looks)
        return tuple(dict.fromkeys(found))

    def as_of(self, call: Call, said: Said) -> Instant:
        """Measure the exchange's clock by an answer; return an instant before it was given.

        What anybody may ask is no measure: a cache on the way has answers of other times.
        """
        if said.outcome.server_at is not None and not isinstance(call, PUBLIC):
            self._server_clock.see(said.outcome.server_at, said.left_s, said.heard_s)
            self._measured_s = said.heard_s
            self._tell_of_clocks()
        return self._instants.as_of(call, said)

    def learn(self, lane: LaneDesk, call: Call, verdict: Verdict | HeldBack, now_s: float) -> None:
        """Let bans, the key's standing and the breaker follow from what came of a call."""
        kind = type(call)
        if isinstance(call, ReadInstruments) and isinstance(verdict, Answered):
            self.listing.hear(call.symbols, verdict.value)
        match verdict:
            case Limited():
                self._limit(lane, kind, verdict, now_s)
            case Denied():
                if lane.deny(now_s, verdict.reason):
                    fields = {"lane": lane.name, "reason": verdict.reason}
                    self._later(partial(self._log, "KeyDenied", level="error", **fields))
            case Answered() | Refused():
                lane.unlimit(kind)
                if lane.admit():
                    for each in self._lanes:
                        each.try_again(now_s)
                    self._later(partial(self._log, "KeyAccepted", level="warning", lane=lane.name))
        self._count(lane, kind, now_s, is_answer=not isinstance(verdict, Lost | HeldBack))

    def _limit(self, lane: LaneDesk, kind: type[Call], verdict: Limited, now_s: float) -> None:
        """Wait as long as the exchange says, with everything; else with this kind of call.

        What anybody may ask has limits of its own, and keeps no exit back.
        """
        told_s = verdict.retry_after_s
        rest_s = 0.0 if told_s is None else min(max(0.0, told_s), BAN_S_MAX)
        if told_s is None or kind in PUBLIC:
            rest_s = lane.limit(kind, now_s, verdict.reason, rest_s)
        else:
            reason = f"the exchange wants no calls for {rest_s:g} s: {verdict.reason}"
            self.ban = max(self.ban, Bar(now_s + rest_s, reason), key=lambda bar: bar.until_s)
        fields = {"call": kind.__name__, "rest_s": round(rest_s, 3), "reason": verdict.reason}
        self._later(partial(self._log, "CallsLimited", level="warning", **fields))

    def _count(self, lane: LaneDesk, kind: type[Call], now_s: float, *, is_answer: bool) -> None:
        turned = lane.hear(kind, now_s, is_answer=is_answer)
        if turned is BreakerState.OPEN:
            fields = {"lane": lane.name, "text": lane.hold(now_s)}
            self._later(partial(self._log, "LaneOpened", level="warning", **fields))
        elif turned is BreakerState.CLOSED:
            self._later(partial(self._log, "LaneClosed", level="warning", lane=lane.name))

    def _tell_of_clocks(self) -> None:
        hold = self._server_clock.hold()
        if (hold is not None) is self._is_clock_apart:
            return
        self._is_clock_apart = hold is not None
        if hold is None:
            offset_s = round(self._server_clock.offset_s() or 0.0, 3)
            self._later(partial(self._log, "ClocksAgree", offset_s=offset_s))
        else:
            self._later(partial(self._log, "ClocksApart", level="error", text=hold))
