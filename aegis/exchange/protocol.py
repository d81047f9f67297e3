"""The order protocol: what the gateway does about an order at each thing that it hears. Pure.

`step` is all of it. The gateway carries out what it returns; the tests walk it through every
order of crashes, losses and delays that they can think of.

Invariants:
1. An order is sent by the receiver of its `OrderSubmitted`, once; nothing is ever sent again.
2. No answer means UNKNOWN; an unknown order is looked up until evidence ends it.
3. A cancel's answer closes nothing: look up, book the trades, then end the order. While one is
   under way none is sent: the exit, which goes by the same lane, would come after it.
4. "Not found" proves absence only after the barrier and with a scan of the trades; what the
   exchange has had and knows no more, its trades decide.
5. An order that has not ended is always being looked up, or has a timer that will.
6. A stop that rests is called off only once a look at it is answered: while nobody could prove its
   end, and so nothing could be sold in its place, it stays.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from aegis.dialogue import (
    ExchangeAnswer,
    OrderFound,
    OrderNotFound,
)
from aegis.domain.commands import AskForHuman, Command, EndOrder, LoseSight, RequestCancel
from aegis.domain.events import (
    Event,
    ExternalChangeSeen,
    OrderAccepted,
    OrderCancelRequested,
    OrderEnding,
    OrderFilled,
    OrderIntended,
    OrderOutcomeUnknown,
)
from aegis.domain.ids import Instant
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.order import UNSETTLED, Order, OrderState, Role
from aegis.domain.venue import VenueAccount, VenueOrderStatus
from aegis.exchange.heard import (
    AccountHeard,
    AlarmDue,
    AlarmLater,
    AskLeave,
    CancelHeard,
    Declined,
    Doubt,
    Effect,
    FindHeard,
    Halted,
    Heard,
    Leave,
    LookDue,
    LookWanted,
    Make,
    PlaceHeard,
    Send,
    Step,
    StopTimer,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.looking import (
    cancel,
    cancel_when_sound,
    is_stop_to_end,
    look,
    look_later,
    scan,
    with_cancel,
)
from aegis.exchange.lookout import Patience
from aegis.exchange.outcomes import (
    after_account,
    after_finding,
    after_placing,
    booked_until,
    doubt_of,
    is_exit_lost,
    is_open_in,
    never_sent,
    request_to_place,
    scan_since,
    seconds_until,
    shows_within_s,
    submitted_at,
)
from aegis.exchange.waiting import is_exit_waiting
from aegis.ports import Clock

replace = msgspec.structs.replace


def step(order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock) -> Step:
    """Return what is remembered and done; `order` is None where nothing is expected of it."""
    match heard:
        case PlaceHeard():
            return _placed(order, watch, heard)
        case FindHeard():
            return _found(order, replace(watch, is_looking=False), heard.answer, patience, clock)
        case AccountHeard():
            return _scanned(order, watch, heard, patience)
        case Told():
            return _told(order, watch, heard.event, patience, clock)
        case _:
            pass
    if order is None:
        return watch, ()
    match heard:
        case TakenUp():
            return _taken_up(order, _known(watch, patience, clock))
        case Leave():
            return watch, (Send(request=request_to_place(order, _sent_at(heard.at, clock))),)
        case LookDue() if order.state is OrderState.CANCELING:  # not followed yet: once more
            return cancel_when_sound(order, watch)
        case CancelHeard():
            return look(order, replace(watch, is_canceling=False))
        case LookWanted() if order.state in (OrderState.INTENT, OrderState.SUBMITTING):
            return watch, ()
        case AlarmDue() if order.state is OrderState.INTENT:
            return _alarmed(order, replace(watch, is_asking=False), (AskLeave(),), clock)
        case AlarmDue():
            return _alarmed(order, watch, (), clock)
        case Declined() if order.state is OrderState.INTENT:  # asked again at news of the stop, too
            later = () if watch.is_asking else (AlarmLater(delay_s=SECOND_EXIT_AFTER_S),)
            return replace(watch, is_asking=True), later
        case LookDue() | LookWanted():
            return look(order, watch)
        case Declined():
            is_misfit = watch.is_misfit or not heard.refusal.mends_with_time
            return look_later(order, replace(watch, is_misfit=is_misfit), patience)
        case Halted():
            return watch, _call_off(order, "entries are halted")
        case _:
            assert_never(heard)


# What the log says ----------------------------------------------------------------------------


def _taken_up(order: Order, watch: Watch) -> Step:
    """Finish what an earlier life left unfinished."""
    match order.state:
        case OrderState.INTENT:
            return watch, (Make(command=never_sent(order), is_answer_wanted=True),)
        case OrderState.SUBMITTING:
            lost = LoseSight(
                client_order_id=order.client_order_id,
                reason="the process ended before the answer",
            )
            return watch, (Make(command=lost),)
        case OrderState.CANCELING:
            maybe_sent = replace(watch, is_called_off=True, is_alone=False)  # nobody remembers
            return cancel_when_sound(order, maybe_sent)
        case _:
            watch, effects = look(order, watch)
            return watch, (*effects, *_alarm(order))


def _alarm(order: Order) -> tuple[Effect, ...]:
    """Have an exit that is out of sight looked after, even where no look-up is answered."""
    is_lost = order.role is not Role.ENTRY and order.unknown_at is not None
    return (AlarmLater(delay_s=SECOND_EXIT_AFTER_S),) if is_lost else ()


def _known(watch: Watch, patience: Patience, clock: Clock) -> Watch:
    """Begin to wait for an order anew: what was missed before it was there was not missed."""
    known_at = clock.now() if patience.barrier_s is None else None
    return replace(watch, missed_at=None, is_missed_twice=False, known_at=known_at)


def _told(
    order: Order | None, watch: Watch, event: Event, patience: Patience, clock: Clock
) -> Step:
    if isinstance(event, OrderEnding) or (isinstance(event, OrderFilled) and event.is_complete):
        under_way = Watch(is_looking=watch.is_looking, is_proving=watch.is_proving)
        return under_way, (StopTimer(),)
    if order is None:
        return watch, ()
    match event:
        case OrderIntended():
            return watch, (AskLeave(),)
        case OrderAccepted():
            known = _known(watch, patience, clock)
            return look(order, replace(known, looks=0, is_misfit=False))
        case OrderOutcomeUnknown():
            watch, effects = look(order, replace(watch, looks=0, is_alarmed=False))
            return watch, (*effects, *_alarm(order))
        case OrderFilled():
            return replace(watch, looks=0, is_misfit=False), ()
        case OrderCancelRequested():
            return cancel_when_sound(order, replace(watch, is_alone=event.is_alone))
        case ExternalChangeSeen():
            return replace(watch, is_alone=False), ()
        case _:
            return watch, ()


def _call_off(order: Order, reason: str) -> tuple[Effect, ...]:
    if order.role is not Role.ENTRY or order.state not in (OrderState.OPEN, OrderState.PARTIAL):
        return ()
    return (Make(command=RequestCancel(client_order_id=order.client_order_id, reason=reason)),)


# What the exchange says -----------------------------------------------------------------------


def _placed(order: Order | None, watch: Watch, heard: PlaceHeard) -> Step:
    made = Make(command=after_placing(heard.client_order_id, heard.answer))
    trigger = doubt_of(order, heard.answer)
    return watch, (made,) if trigger is None else (made, Doubt(trigger=trigger))


def _found(
    order: Order | None, watch: Watch, answer: ExchangeAnswer, patience: Patience, clock: Clock
) -> Step:
    if order is None:
        return watch, ()
    match answer:
        case OrderFound():
            watch, effects = _made(order, watch, after_finding(order, answer), patience)
            until = booked_until(order, answer, watch, clock)
            watch = replace(watch, missed_at=None, is_missed_twice=False, booked_until=until)
            if answer.order.status is VenueOrderStatus.OPEN:
                watch, effects = with_cancel(order, watch, effects)
            watch = replace(watch, is_cancel_due=False, is_silent=False)
        case OrderNotFound():
            watch = replace(watch, is_silent=False)
            watch, effects = _not_found(order, watch, answer.as_of, patience, clock)
            watch, effects = with_cancel(order, watch, effects)
        case _ if is_stop_to_end(order):
            watch, effects = scan(order, replace(watch, is_blind=True, is_silent=True))
        case _:
            watch, effects = look_later(order, watch, patience)
    return _alarmed(order, watch, effects, clock)


def _alarmed(order: Order, watch: Watch, effects: tuple[Effect, ...], clock: Clock) -> Step:
    """Tell people once of an exit that is out of sight, or not sent, for too long."""
    is_lost, is_waiting = is_exit_lost(order, clock), is_exit_waiting(order, clock)
    if watch.is_alarmed or not (is_lost or is_waiting):
        return watch, effects
    told = TellLost() if is_lost else TellWaiting()
    return replace(watch, is_alarmed=True), (*effects, told)


def _made(
    order: Order,
    watch: Watch,
    commands: tuple[Command, ...],
    patience: Patience,
    again_in_s: float | None = None,
) -> Step:
    """Make true what was seen, and look later: the order's end, once committed, stops that."""
    made = tuple(Make(command=each, is_answer_wanted=True) for each in commands)
    watch, looks = look_later(order, watch, patience, again_in_s)
    return watch, (*made, *looks)


def _not_found(
    order: Order, watch: Watch, as_of: Instant, patience: Patience, clock: Clock
) -> Step:
    """Take an answer that is not silence: absent now, provably so when all has come to light."""
    begin = max(submitted_at(order), watch.known_at or submitted_at(order))
    shows_in_s = seconds_until(begin, shows_within_s(patience), as_of)
    if shows_in_s >= 0:
        watch, called_off = _call_off_unseen(order, watch)
        watch, later = look_later(order, watch, patience, clock.real_s(shows_in_s))
        return watch, (*called_off, *later)
    missed_at = as_of if watch.missed_at is None else watch.missed_at
    watch = replace(watch, missed_at=missed_at)
    settles_in_s = seconds_until(missed_at, patience.lag_s, as_of)
    if settles_in_s > 0:
        return look_later(order, watch, patience, clock.real_s(settles_in_s))
    return scan(order, watch)


def _call_off_unseen(order: Order, watch: Watch) -> Step:
    """Cancel an entry that nobody has seen yet, once: it must not come when it is forgotten."""
    if order.role is not Role.ENTRY or order.state not in UNSETTLED or watch.is_called_off:
        return watch, ()
    return cancel(order, watch)


def _scanned(order: Order | None, watch: Watch, heard: AccountHeard, patience: Patience) -> Step:
    """Take what the account shows of an order that was not found; others' looks say less.

    An empty answer looks like one that was cut short: an end is believed at its second sighting.
    """
    if not watch.is_proving or (order is not None and heard.asked_since > scan_since(order, watch)):
        return watch, ()
    is_silent = heard.account is None
    watch = replace(watch, is_looking=False, is_proving=False, is_silent=is_silent)
    if order is None:
        return watch, ()
    if heard.account is None:
        return look_later(order, replace(watch, is_blind=False), patience)
    if watch.missed_at is None:
        return _seen_instead(order, watch, heard.account, patience)
    commands = after_account(order, heard.account, watch.missed_at, watch, patience)
    if is_open_in(heard.account, order):
        watch = replace(watch, missed_at=None, is_missed_twice=False)
    seen = tuple(filter(_is_news, commands))
    if seen == commands or watch.is_missed_twice:
        return _made(order, watch, commands, patience)
    return _made(order, replace(watch, is_missed_twice=True), seen, patience, again_in_s=0.0)


def _seen_instead(order: Order, watch: Watch, account: VenueAccount, patience: Patience) -> Step:
    """Let an account stand in for the look-ups of a stop that nobody answers.

    It shows the stop, or misses it for the first time: it was accepted long before, so no barrier
    is waited for, and its end needs what every end needs, the lag and two accounts past it.
    """
    if not (watch.is_blind and is_stop_to_end(order)):
        return look_later(order, watch, patience)
    if is_open_in(account, order):
        return with_cancel(order, *look_later(order, watch, patience))
    commands = after_account(order, account, account.as_of, watch, patience)
    made = tuple(Make(command=c, is_answer_wanted=True) for c in commands if _is_news(c))
    # while the lag is waited for its own look-up may be back, and tell the end sooner
    missed = replace(watch, missed_at=account.as_of, is_blind=False)
    watch, effects = with_cancel(order, *look_later(order, missed, patience, 0.0))
    return watch, (*made, *effects)


def _is_news(command: Command) -> bool:
    """Say whether a command is of what was seen, and not of what was not."""
    return not isinstance(command, EndOrder | AskForHuman)


def _sent_at(submitted: Instant, clock: Clock) -> Instant:
    """Return the instant that a request to place is signed with.

    Never later than its submission, from where the barrier counts: however long it waits on its
    way, the exchange refuses it by then. The log's time may be ahead of a clock that was set back.
    """
    return min(submitted, clock.now())
