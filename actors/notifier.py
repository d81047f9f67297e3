"""Notifier: what is in the outbox, to the channels; what was sent is marked, nothing is lost.

It never composes a text; the store wrote it with the event. It never waits for a channel: each
has a lane of its own, with one letter on its way at most.

Invariants:
1. A channel hears its notices in the order of their events: the eldest is sent until it is
   taken, or given up because its text never will be.
2. A notice is told twice only where the answer to the first telling was lost, be it on the way
   or with this process.
3. Between two letters there is nothing in memory but counters: the rows are the truth.
4. At its start each lane tries at once, but for what the other side asked to wait with.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from functools import partial
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.delivery import (
    ASKED_WAIT_S_MAX,
    Delivery,
    Failed,
    Failure,
    NextTry,
    NoAnswer,
    Notice,
    Parcel,
    Refused,
    Sent,
    next_try,
    parcel_of,
)
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.letters import ChannelDue, OutboxCheckDue, SendEnded
from aegis.messages import (
    MarkNotified,
    MarkNotifyFailed,
    NoticesAdded,
    NoticesRead,
    NotifierMessage,
    ReadNotices,
)
from aegis.ports import Messenger, Overran, Raised

CHECK_INTERVAL_S = 600.0
"""How often a lane is asked whether its question to the store was lost with the store."""

TELL_AGAIN_S = 3_600.0
"""A channel that stays silent is told of in the log at once, and then each hour."""


class Stage(Enum):
    """What a lane waits for."""

    IDLE = auto()  # news
    READING = auto()  # the store
    SENDING = auto()  # the channel
    WAITING = auto()  # its timer


class Lane:
    """One channel, and how far the sending through it has come."""

    def __init__(self, messenger: Messenger) -> None:
        self.messenger = messenger
        self.channel = messenger.channel
        self.stage = Stage.IDLE
        self.turn = 0  # of the question to the store; an answer to an older one is not heard
        self.turn_checked = -1
        self.is_new = True
        self.goes_singly = False
        self.parcel: Parcel | None = None
        self.part = 0
        self.failures = 0  # of the parcel under way, over restarts
        self.trouble: Trouble | None = None


class Trouble:
    """A channel's failures since its last success."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.failures = 0
        self.told_at: float | None = None
        self.is_refused = False


class Notifier(Actor):
    """`messengers` are the channels for which the store writes rows."""

    def __init__(self, context: Context, *, messengers: Sequence[Messenger]) -> None:
        super().__init__(context)
        self._lanes = {each.channel: Lane(each) for each in messengers}

    def on_started(self) -> None:
        self.every(CHECK_INTERVAL_S, OutboxCheckDue())
        for lane in self._lanes.values():
            self._read(lane)

    def receive(self, message: NotifierMessage) -> None:
        match message:
            case NoticesAdded():
                for lane in self._lanes.values():
                    if lane.stage is Stage.IDLE:
                        self._read(lane)
            case NoticesRead():
                self._take(self._lanes[message.channel], message)
            case SendEnded():
                self._ended(self._lanes[message.channel], message.delivery)
            case ChannelDue():
                self._go_on(self._lanes[message.channel])
            case OutboxCheckDue():
                self._check()
            case _:
                assert_never(message)

    def _read(self, lane: Lane) -> None:
        """Ask what waits; an answer under way holds what was added before it."""
        lane.stage, lane.parcel = Stage.READING, None
        lane.turn += 1
        page = 1 if lane.goes_singly else lane.messenger.manners.page_max
        question = ReadNotices(channel=lane.channel, limit=page, turn=lane.turn, reply_to=self.name)
        self.tell(names.POSITION_STORE, question)

    def _take(self, lane: Lane, message: NoticesRead) -> None:
        if lane.stage is not Stage.READING or message.turn != lane.turn:
            return
        if not message.notices:
            lane.stage = Stage.IDLE
            return
        head = message.notices[0]
        is_first, lane.is_new = lane.is_new, False
        wait_s = self._asked_wait_s(head) if is_first else 0.0
        if wait_s > 0:
            self.log("NotifyWaits", channel=lane.channel, seconds=round(wait_s, 1))
            self._pause(lane, wait_s)
            return
        lane.parcel, lane.part = parcel_of(message.notices, lane.messenger.manners), 0
        lane.failures = head.attempts
        self._send(lane, lane.parcel)

    def _asked_wait_s(self, head: Notice) -> float:
        """Return for how many real seconds more the other side asked to be left alone."""
        if head.wait_until is None:
            return 0.0
        market_s = (head.wait_until - self.clock.now()) / NANOS_PER_SECOND
        return min(self.clock.real_s(market_s), ASKED_WAIT_S_MAX)

    def _send(self, lane: Lane, parcel: Parcel) -> None:
        lane.stage = Stage.SENDING
        messenger, letter = lane.messenger, parcel.letters[lane.part]
        deadline_s = messenger.manners.deadline_s
        if deadline_s is None:
            self._ended(lane, messenger.send(letter))
            return
        hear, channel = self.reply_to(), lane.channel
        self.runtime.call(
            f"notify {channel}",
            partial(messenger.send, letter),
            deadline_s,
            lambda value: hear(SendEnded(channel=channel, delivery=delivery_of(value))),
        )

    def _ended(self, lane: Lane, delivery: Delivery) -> None:
        assert lane.parcel is not None, f"Expected a parcel under way to {lane.channel}"
        if isinstance(delivery, Sent):
            self._succeeded(lane, lane.parcel)
        else:
            self._failed(lane, lane.parcel, delivery)

    def _succeeded(self, lane: Lane, parcel: Parcel) -> None:
        self._tell_recovered(lane)
        lane.part, lane.failures = lane.part + 1, 0
        if lane.part == len(parcel.letters):
            told = tuple((event_id, lane.channel) for event_id in parcel.event_ids)
            self.tell(names.POSITION_STORE, MarkNotified(told=told))
            lane.parcel, lane.goes_singly = None, False
        interval_s = lane.messenger.manners.interval_s
        if interval_s:
            self._pause(lane, interval_s)
        else:
            self._go_on(lane)

    def _failed(self, lane: Lane, parcel: Parcel, failure: Failure) -> None:
        is_batch = len(parcel.event_ids) > 1
        if is_batch and isinstance(failure, Refused) and failure.is_final:
            lane.goes_singly = True  # one of them is at fault, the others are still good
            self._read(lane)
            return
        lane.failures += 1
        step = next_try(failure, lane.failures)
        self._mark_failed(lane, parcel, step)
        self._tell_failed(lane, failure, step)
        if lane.part == 0 or step.delay_s is None:
            lane.parcel = None  # what came meanwhile may go along
        self._pause(
            lane, lane.messenger.manners.interval_s if step.delay_s is None else step.delay_s
        )

    def _mark_failed(self, lane: Lane, parcel: Parcel, step: NextTry) -> None:
        """Write the try down at the eldest, which is the one that the others wait for."""
        failed = Failed(
            event_id=parcel.event_ids[0],
            channel=lane.channel,
            error=step.error,
            next_attempt_at=None if step.delay_s is None else self._instant_in(step.delay_s),
            is_asked=step.is_asked,
        )
        self.tell(names.POSITION_STORE, MarkNotifyFailed(failed=failed))

    def _instant_in(self, delay_s: int) -> Instant:
        """Return the market's instant after real seconds."""
        return Instant(self.clock.now() + int(delay_s * NANOS_PER_SECOND / self.clock.real_s(1.0)))

    def _pause(self, lane: Lane, delay_s: float) -> None:
        lane.stage = Stage.WAITING
        self.after(delay_s, ChannelDue(channel=lane.channel))

    def _go_on(self, lane: Lane) -> None:
        if lane.parcel is None:
            self._read(lane)
        else:
            self._send(lane, lane.parcel)

    def _check(self) -> None:
        """Ask again where a question has been open since the last check."""
        for lane in self._lanes.values():
            if lane.stage is Stage.READING and lane.turn == lane.turn_checked:
                self._read(lane)
            lane.turn_checked = lane.turn

    # The log ----------------------------------------------------------------------------------

    def _tell_failed(self, lane: Lane, failure: Failure, step: NextTry) -> None:
        now = self.clock.monotonic()
        trouble = lane.trouble = lane.trouble or Trouble(now)
        trouble.failures += 1
        is_refused = isinstance(failure, Refused)
        is_news = (
            trouble.told_at is None
            or now - trouble.told_at >= TELL_AGAIN_S
            or (is_refused and not trouble.is_refused)
            or step.delay_s is None
        )
        trouble.is_refused = is_refused
        if not is_news:
            return
        trouble.told_at = now
        fate = "given up" if step.delay_s is None else f"next try in {step.delay_s} s"
        self.log(
            "NotifyFailed",
            level="error" if is_refused else "warning",
            channel=lane.channel,
            failures=trouble.failures,
            text=f"{step.error}; {fate}",
        )

    def _tell_recovered(self, lane: Lane) -> None:
        trouble, lane.trouble = lane.trouble, None
        if trouble is not None:
            seconds = round(self.clock.monotonic() - trouble.since, 1)
            self.log(
                "NotifyRecovered", channel=lane.channel, failures=trouble.failures, after_s=seconds
            )


def delivery_of(value: object) -> Delivery:
    """Return what a call's end means; of an exception only its type is told, never its text."""
    if isinstance(value, Delivery):
        return value
    if isinstance(value, Overran):
        return NoAnswer(f"nothing within {value.deadline_s:g} s")
    if isinstance(value, Raised):
        return NoAnswer(value.error.partition(":")[0])
    return NoAnswer(f"expected a delivery, was {type(value).__name__}")
