"""The line to one account at a real exchange: which call is made when, on which lane.

It implements `ports.Exchange` over a client that blocks. A request is a sequence of calls; each
lane makes one call at a time, on a client and a worker of its own. It never waits: what comes
later comes by the runtime, on whatever thread that has.

Invariants:
1. Every request is answered exactly once, `NoAnswer` included.
2. A placing is given to a client once at most, within `leaves_within_s` of its `sent_at`, or it
   is a definite no; only what cannot place an order is ever tried again.
3. A client whose call overran is left behind with it, and what it says later is not heard.
4. Nothing foreign is called with the lock held: not the runtime, not the log, nobody's reply.
5. No text of an exception leaves: it may hold a key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from math import inf

from aegis.dialogue import (
    HELD_BACK,
    ExchangeReplied,
    ExchangeRequest,
)
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.live.calls import (
    Call,
    Cancel,
    Limited,
    Lost,
    MakeClient,
    Outcome,
    Place,
    ReadOpenOrders,
    ReadQuote,
    Skewed,
    Verdict,
)
from aegis.exchange.live.line.departing import (
    Deadline,
    Departure,
    NeverLeft,
    Said,
    Seat,
    spoken,
    without_answer,
    without_secrets,
)
from aegis.exchange.live.line.lanes import LaneDesk, Waiting
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.line.requests import Request, too_many
from aegis.exchange.live.line.retry import Draw, pause_s, tries_max
from aegis.exchange.live.line.standing import Standing
from aegis.exchange.live.line.steps import LANE_OF, Do, Heard, HeldBack, Urgency, Ways
from aegis.exchange.live.line.tally import Tally
from aegis.exchange.live.profile import Lane, Profile
from aegis.ports import Log, Runtime, no_log
from aegis.vitals import ExchangeVitals, NoteCalls

LEAVES_AFTER_DEADLINE_S = 5.0

ENTRY_PATIENCE_S = 2.0
"""An entry was decided at a price; later it would be another decision."""

READ_PATIENCE_S = 30.0
"""Of one call that places nothing, its retries included."""

ACCOUNT_PATIENCE_S = 90.0
"""Of one call of an account's many, each of which would be made again if one was given up."""

CALLS_TOLD = 25
"""A request of so many calls says that it is under way, each time."""

TALLY_S = 300
"""How calls fared is told so often: some 200 kB a day, where a row a call would be 40 MB."""

PROBE = Do(call=ReadOpenOrders(), urgency=Urgency.ACCOUNT)
"""What asks a lane whether anybody answers: a read, whose answer nobody needs."""

PROBE_S = 1.0
"""So often it is seen whether a probe is due."""

PROBE_DEADLINE_S = 2.0
"""An exit may have to wait for it."""

PROBES = 0
"""The serial of calls that belong to no request."""

REQUESTS_MAX = 1_000
WAKE_S_LEAST = 0.001
"""A clock that is read as a float may be short of an instant by less."""


def leaves_within_s(call_deadline_s: float) -> float:
    """Return how long after its `sent_at` a placing may still leave; the barrier counts on it.

    An exit outlasts the call before it, which ends by its deadline.
    """
    return call_deadline_s + LEAVES_AFTER_DEADLINE_S


def _keep_silent(_note: NoteCalls) -> None:
    pass


class Line:
    """Implements `ports.Exchange`; any thread may use it.

    `draw` is a chance from 0 to 1. `on_calls` hears each `TALLY_S` in which there were calls how
    they fared, on the runtime's thread.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        make_client: MakeClient,
        runtime: Runtime,
        server_clock: ServerClock,
        call_deadline_s: float,
        draw: Draw,
        has_positions: bool = False,
        log: Log = no_log,
        on_calls: Callable[[NoteCalls], None] = _keep_silent,
    ) -> None:
        self._runtime = runtime
        self._clock = runtime.clock
        self._server_clock = server_clock
        self._make_client = make_client
        self._deadline_s = call_deadline_s
        self._draw = draw
        self._log = log
        self._on_calls = on_calls
        self._tally = Tally()
        self._has_begun = False
        self._ways = Ways(profile=profile, has_positions=has_positions, now=server_clock.now)
        self._lock = threading.Lock()
        self._lanes = {
            lane: LaneDesk(lane, profile.rates, draw, now_s=runtime.clock.monotonic())
            for lane in Lane
        }
        self._seats = {lane: Seat(make_client) for lane in Lane}
        self._wake_s = inf
        self._serial = 0
        self._requests: dict[int, Request] = {}
        self._to_do: list[Callable[[], None]] = []
        self._standing = Standing(tuple(self._lanes.values()), server_clock, log, self._later)

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a request; `reply_to` hears its answer once, on whatever thread the runtime has."""
        self._locked(lambda: self._begin(Request(request, reply_to, self._ways)))

    def hold(self) -> str | None:
        """Return why an entry had better not be sent now, or None."""
        with self._lock:
            return self._standing.hold(self._clock.monotonic())

    def vitals(self) -> ExchangeVitals:
        """Return how the way to the exchange is."""
        with self._lock:
            now_s = self._clock.monotonic()
            lanes = tuple(lane.vitals(now_s) for lane in self._lanes.values())
            return ExchangeVitals(
                hold=self._standing.hold(now_s),
                offset_s=self._server_clock.offset_s(),
                lanes=lanes,
                needs_person=self._standing.denial(now_s),
                unlisted=self._standing.listing.unlisted,
                halted=self._standing.listing.halted,
                exits_wait=self._standing.exits_wait(now_s),
            )

    def renew(self, make_client: MakeClient) -> None:
        """Use clients made by another from the next call of each lane on: the keys are new."""
        self._locked(lambda: self._renew(make_client))

    def _locked(self, change: Callable[[], None]) -> None:
        """Change what is known, send what may go; then do what must not be done in between."""
        with self._lock:
            change()
            self._pump()
            to_do, self._to_do = self._to_do, []
        for each in to_do:
            each()

    def _later(self, do: Callable[[], None]) -> None:
        self._to_do.append(do)

    def _renew(self, make_client: MakeClient) -> None:
        self._make_client = make_client
        for lane in self._lanes.values():
            self._seats[lane.name] = Seat(make_client)
            lane.admit()

    # Requests -----------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        if len(self._requests) < REQUESTS_MAX:
            self._go_on(request, None)
        else:
            self._later(partial(request.answer, too_many(request.request, REQUESTS_MAX)))

    def _go_on(self, request: Request, heard: Heard | None) -> None:
        """Let a request have what came of its last call: it wants another one, or is answered."""
        try:
            do = next(request.sequence) if heard is None else request.sequence.send(heard)
        except StopIteration as end:
            self._later(partial(request.answer, end.value))
            return
        self._serial += 1
        self._requests[self._serial] = request
        self._lanes[LANE_OF[type(do.call)]].put(self._waiting(do))

    def _waiting(self, do: Do) -> Waiting:
        patience_s, leaves_by = READ_PATIENCE_S, None
        if isinstance(do.call, Place):
            within_s = leaves_within_s(self._deadline_s)
            leaves_by = Instant(do.call.order.sent_at + round(within_s * NANOS_PER_SECOND))
            patience_s = within_s if do.urgency is Urgency.EXIT else ENTRY_PATIENCE_S
        elif do.urgency is Urgency.ACCOUNT:
            patience_s = ACCOUNT_PATIENCE_S
        now_s = self._clock.monotonic()
        return Waiting(
            do, serial=self._serial, now_s=now_s, patience_s=patience_s, leaves_by=leaves_by
        )

    def _end(self, waiting: Waiting, verdict: Verdict | HeldBack, as_of: Instant) -> None:
        """Hand what came of a call to the request that wanted it."""
        request = self._requests.pop(waiting.serial)
        request.calls += 1
        if request.calls % CALLS_TOLD == 0:
            fields = {"request": type(request.request).__name__, "calls": request.calls}
            self._later(partial(self._log, "RequestUnderWay", **fields))
        self._go_on(request, Heard(verdict=verdict, as_of=as_of))

    # Calls --------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send whoever may go, give up whoever waits in vain, see to it that one looks again."""
        now_s = self._clock.monotonic()
        soonest_s = min(self._pump_lane(lane, now_s) for lane in self._lanes.values())
        if soonest_s < self._wake_s:
            self._wake_s = soonest_s
            delay_s = max(WAKE_S_LEAST, soonest_s - now_s)
            self._later(partial(self._wake_in, delay_s, soonest_s))

    def _pump_lane(self, lane: LaneDesk, now_s: float) -> float:
        while True:
            hold = self._standing.hold(now_s)
            if (waiting := lane.take_next(now_s, self._standing.ban, hold)) is not None:
                self._send(lane, waiting)
            elif (hopeless := lane.take_hopeless(now_s, self._standing.ban, hold)) is not None:
                self._end(*hopeless, self._clock.now())
            else:
                return lane.wake_s(now_s, self._standing.ban, hold)

    def _probe(self) -> None:
        """Make a call that nobody asked for where one may tell that what holds entries is over."""
        now_s = self._clock.monotonic()
        for lane in self._standing.to_probe(now_s):
            lane.go(type(PROBE.call), now_s)
            self._send(lane, Waiting(PROBE, serial=PROBES, now_s=now_s, patience_s=0.0))

    def _wake_in(self, delay_s: float, at_s: float) -> None:
        self._runtime.after(delay_s, lambda: self._locked(lambda: self._woken(at_s)))

    def _woken(self, at_s: float) -> None:
        if at_s <= self._wake_s:
            self._wake_s = inf

    def _send(self, lane: LaneDesk, waiting: Waiting) -> None:
        """Give a call to the lane's client; it is on its own from here."""
        seat, departure, call = self._seats[lane.name], Departure(), waiting.call
        sent_s, leaves = self._clock.monotonic(), Deadline(by_s=inf, by=waiting.leaves_by)
        if isinstance(call, Place):
            leaves = Deadline(by_s=waiting.give_up_s, by=waiting.leaves_by)
            call = Place(order=call.order, dated_ms_max=self._dated_ms_max(leaves))
        make = partial(spoken, call, seat, departure, self._clock, leaves)

        def hear(value: object) -> None:
            self._locked(lambda: self._came(lane, waiting, departure, sent_s, value))

        port, deadline_s = f"exchange-{lane.name}", self._deadline_s
        if waiting.serial == PROBES:
            deadline_s = min(PROBE_DEADLINE_S, deadline_s)
        self._later(lambda: self._runtime.call(port, make, deadline_s, hear))

    def _dated_ms_max(self, leaves: Deadline) -> int:
        """Return by the exchange's clock when a placing is too late to be dated."""
        left_s = leaves.by_s - self._clock.monotonic()
        if leaves.by is not None:
            left_s = min(left_s, (leaves.by - self._clock.now()) / NANOS_PER_SECOND)
        return self._server_clock.now_ms() + round(max(0.0, left_s) * 1000)

    def _came(
        self, lane: LaneDesk, waiting: Waiting, departure: Departure, sent_s: float, value: object
    ) -> None:
        """Take what came of a call, learn from it, and try again or hand it on."""
        as_of, now_s = self._clock.now(), self._clock.monotonic()
        lane.come_back(type(waiting.call), now_s)
        verdict: Verdict | HeldBack
        match value:
            case Said(outcome=Outcome(verdict=verdict, http_status=status)):
                as_of = self._standing.as_of(waiting.call, value)
                self._note(waiting.call, value.heard_s - value.left_s, verdict, status)
                self._standing.learn(lane, waiting.call, verdict, now_s)
            case NeverLeft():
                verdict = HeldBack(code=HELD_BACK, reason="it could not leave in time")
            case _:
                self._leave_behind(lane, value)
                verdict = without_answer(departure, value)
                if isinstance(verdict, Lost):
                    self._note(waiting.call, now_s - sent_s, verdict, None)
                self._standing.learn(lane, waiting.call, verdict, now_s)
        if waiting.serial == PROBES:
            return
        again_s = self._again_s(waiting, verdict, now_s, now_s - sent_s)
        if again_s is None:
            self._end(waiting, verdict, as_of)
        else:
            waiting.wait_until(again_s, verdict)
            lane.put(waiting)

    def _again_s(
        self, waiting: Waiting, verdict: Verdict | HeldBack, now_s: float, took_s: float
    ) -> float | None:
        """Return when a call is made once more, None where it is not: placings never are."""
        if isinstance(waiting.call, Place | ReadQuote):
            return None
        match verdict:
            case Limited():
                return now_s  # what bars it says for how long
            case Skewed() if not waiting.was_skewed and not isinstance(waiting.call, Cancel):
                waiting.was_skewed = True
                return now_s
            case Lost() | HeldBack() if not isinstance(waiting.call, Cancel):
                waiting.tries += 1
                most = tries_max(took_s, is_one_of_many=waiting.urgency is Urgency.ACCOUNT)
                if waiting.tries < most:
                    return now_s + pause_s(waiting.tries, self._draw)
        return None

    def _leave_behind(self, lane: LaneDesk, value: object) -> None:
        """Let the next call have a client of its own; nobody knows what this one is at."""
        self._seats[lane.name] = Seat(self._make_client)
        why = without_secrets(value)
        self._later(
            partial(self._log, "ClientReplaced", level="warning", lane=lane.name, reason=why)
        )

    # How calls fared ----------------------------------------------------------------------------

    def _note(
        self, call: Call, duration_s: float, verdict: Verdict, http_status: int | None
    ) -> None:
        """Count a call that left; the first of all begins the intervals."""
        if not self._has_begun:
            self._has_begun = True
            self._later(self._begin_intervals)
        self._tally.note(type(call), duration_s, verdict, http_status)

    def _begin_intervals(self) -> None:
        self._runtime.every(TALLY_S, self._tell_calls)
        self._runtime.every(PROBE_S, lambda: self._locked(self._probe))

    def _tell_calls(self) -> None:
        with self._lock:
            calls = self._tally.take()
        if calls:
            self._on_calls(NoteCalls(interval_s=TALLY_S, calls=calls))
