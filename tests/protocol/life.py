"""One life of the gateway over the real `step`, with the store and the wire as values.

It wires as `actors/exchange_gateway.py` does: what the store makes true is told to the gateway in
order, and what it wants is sent at once or asked of the store. After each thing that others can
see, a crash may follow; `run` leaves a picture of each such point.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from aegis.dialogue import (
    CancelOrder,
    ExchangeRequest,
    FetchAccount,
    FindOrder,
    OrderPlaced,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.commands import Command, Reading, RecordFills, Refusal, SubmitOrder
from aegis.domain.events import OrderSubmitted, Recorded
from aegis.domain.fold import is_of_order
from aegis.domain.ids import ClientOrderId, Instant
from aegis.domain.order import Order, Role
from aegis.domain.protection import released, told_of
from aegis.domain.second import SILENT_S
from aegis.exchange.heard import (
    UNWATCHED,
    AlarmDue,
    AlarmLater,
    AskLeave,
    Declined,
    Doubt,
    Effect,
    Heard,
    Leave,
    LookLater,
    Make,
    Send,
    Step,
    StopTimer,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.lookout import Patience
from aegis.exchange.waiting import silent_stop
from tests.domain.kit import BTC_USDT, quote
from tests.protocol.log import Log
from tests.protocol.venue import instant

replace = msgspec.structs.replace

TakeStep = Callable[[Order | None, Watch, Heard, Patience, "StillClock"], Step]


class StillClock:
    """Shows one instant; implements what `step` asks of a clock."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> Instant:
        return instant(self._now)

    def monotonic(self) -> float:
        return float(self._now)

    def real_s(self, market_s: float) -> float:
        return market_s


class Flying(msgspec.Struct, frozen=True, cache_hash=True):
    """A request on its way. `is_awaited` is whether the gateway still waits for its answer.

    `answer` is what the exchange has said to a request to place, once it was carried out.
    """

    request: PlaceOrder | CancelOrder | FindOrder | FetchAccount
    is_awaited: bool = True
    answer: OrderPlaced | RequestRefused | None = None


class Memory(msgspec.Struct, frozen=True, cache_hash=True):
    """What a crash forgets."""

    watches: tuple[tuple[ClientOrderId, Watch], ...] = ()
    timers: frozenset[ClientOrderId] = frozenset()


class Point(msgspec.Struct, frozen=True, cache_hash=True):
    """What is there at a moment, in the process and outside of it."""

    log: Log
    flying: tuple[Flying, ...]
    memory: Memory
    told: frozenset[str]


Balances = tuple[int, int]
"""What there is of base and quote."""


def reading_of(balances: Balances, now: int) -> Reading:
    """Return balances that are asked for after all that happened in this second."""
    base, quote = map(Decimal, balances)
    return Reading(symbol=BTC_USDT, base=base, quote=quote, asked_at=Instant(instant(now) + 1))


class Life:
    """Takes things that happen, and what follows from them, until all is quiet."""

    def __init__(
        self, point: Point, now: int, patience: Patience, take_step: TakeStep, *, there: Balances
    ) -> None:
        self._log, self._flying, self._told = point.log, point.flying, point.told
        memory = point.memory
        self._watches, self._timers = dict(memory.watches), set(memory.timers)
        self._flying_first = self._flying
        self._now = now
        self._reading = reading_of(there, now)
        self._clock = StillClock(now)
        self._patience = patience
        self._is_patient = True
        self._take_step = take_step
        self._store: deque[tuple[Command, bool]] = deque()
        self._inbox: deque[tuple[ClientOrderId, Heard]] = deque()
        self.crashes: list[Point] = []

    def begin(self) -> Life:
        """Take up what an earlier life left unfinished."""
        for order in self._log.book.active_orders():
            self._inbox.append((order.client_order_id, TakenUp()))
        return self

    def hear(self, order_id: ClientOrderId, heard: Heard) -> Life:
        self._inbox.append((order_id, heard))
        return self

    def hear_all(self, heard: Heard) -> Life:
        for order_id in sorted(self._watches):
            self._inbox.append((order_id, heard))
        return self

    def want(self, command: Command) -> Life:
        """Let somebody else ask the store for something."""
        self._store.append((command, False))
        return self

    def send(self, request: ExchangeRequest) -> None:
        assert isinstance(request, PlaceOrder | CancelOrder | FindOrder | FetchAccount), request
        flying = Flying(request)
        if isinstance(request, PlaceOrder) or flying not in self._flying:
            self._flying = (*self._flying, flying)

    def impatient(self, order_id: ClientOrderId) -> Life:
        """Let an exit have waited for long: it asks for leave again, past a stop that is silent."""
        self._is_patient = False
        return self.hear(order_id, AlarmDue())

    def due(self, order_id: ClientOrderId) -> Life:
        self._timers.discard(order_id)
        return self

    def run(self) -> Point:
        """Go on until nothing is left to do."""
        if self._flying != self._flying_first:
            self.crashes.append(self.point())
        while self._inbox or self._store:
            before = (self._log, self._flying)
            if self._inbox:
                self._hear(*self._inbox.popleft())
            else:
                command, is_answer_wanted = self._store.popleft()
                self._execute(command, is_answer_wanted=is_answer_wanted)
            if (self._log, self._flying) != before:
                self.crashes.append(self.point())
        return self.point()

    def point(self) -> Point:
        memory = Memory(tuple(sorted(self._watches.items(), key=_first)), frozenset(self._timers))
        return Point(self._log, self._flying, memory, self._told)

    def _hear(self, order_id: ClientOrderId, heard: Heard) -> None:
        order = self._log.book.orders.get(order_id)
        if order is not None and (order.is_ended or order.role is Role.FORCED):
            order = None
        watch = self._watches.pop(order_id, UNWATCHED)
        watch, effects = self._take_step(order, watch, heard, self._patience, self._clock)
        # a timer may fire at any time anyway, and nobody's patience is measured
        watch = replace(watch, looks=0, is_asking=False, is_silent=False)
        if watch != UNWATCHED:
            self._watches[order_id] = watch
        for effect in effects:
            self._do(order_id, effect)

    def _do(self, order_id: ClientOrderId, effect: Effect) -> None:
        match effect:
            case AskLeave():
                submit = self._leave_for(order_id)
                self._store.append((submit, True))
            case Send():
                self.send(effect.request)
            case Make():
                self._store.append((effect.command, effect.is_answer_wanted))
            case LookLater():
                self._timers.add(order_id)
            case StopTimer():
                self._timers.discard(order_id)
            case TellLost():
                self._told |= {"lost"}
            case Doubt() | AlarmLater() | TellWaiting():
                pass  # people are told at a time; comparing with the books may happen at any time

    def _leave_for(self, order_id: ClientOrderId) -> SubmitOrder:
        if self._is_patient:
            return SubmitOrder(client_order_id=order_id, quote=quote(), reading=self._reading)
        order, silent = self._log.book.orders[order_id], dict(self._watches)
        for key, watch in silent.items():
            silent[key] = replace(watch, is_silent=True)  # whoever answered may have been too late
        stop = silent_stop(order, self._log.book, silent, StillClock(self._now + SILENT_S))
        return SubmitOrder(client_order_id=order_id, quote=quote(), silent_stop=stop)

    def _execute(self, command: Command, *, is_answer_wanted: bool) -> None:
        self._log, records, refusal = self._log.execute(command, self._now)
        book = self._log.book
        for recorded in records:
            event = recorded.event
            self._inbox.extend((each, Told(event=event)) for each in told_of(book, event))
            for waiting in released(book, event) if is_of_order(event) else ():
                self._store.append((self._leave_for(waiting), True))
        if is_answer_wanted:
            self._executed(command, records, refusal)

    def _executed(
        self, command: Command, records: tuple[Recorded, ...], refusal: Refusal | None
    ) -> None:
        for recorded in records:
            if isinstance(recorded.event, OrderSubmitted):
                key = recorded.event.client_order_id
                self._inbox.append((key, Leave(at=recorded.at)))
        if refusal is None:
            return
        order_id = getattr(command, "client_order_id", ClientOrderId(""))
        if refusal.mends_with_time or isinstance(command, RecordFills):
            self._inbox.append((order_id, Declined(refusal=refusal)))
        if not refusal.mends_with_time and not isinstance(command, SubmitOrder):
            self._told |= {f"refused {refusal.code}"}


def _first(pair: tuple[ClientOrderId, Watch]) -> ClientOrderId:
    return pair[0]
