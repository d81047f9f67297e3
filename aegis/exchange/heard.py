"""What can be heard of an order, what is remembered of it, and what can be done: plain words.

`protocol.step` makes the third of the first two.
"""

from __future__ import annotations

import msgspec

from aegis.dialogue import ExchangeAnswer, ExchangeRequest
from aegis.domain.commands import Command, Refusal
from aegis.domain.events import Event
from aegis.domain.ids import ClientOrderId, Instant
from aegis.domain.venue import VenueAccount


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Watch(_Value, frozen=True, kw_only=True):
    """What is remembered of an order besides the log; a crash forgets it, and nothing is lost.

    `looks` is how many were in vain since the last news of it. `missed_at` is when, by its clock,
    the exchange first knew nothing of it although it had to show by then if it was there.
    `known_at` is since when it is known to be there, where no barrier tells when it had to be.
    `booked_until` is, of a stop that was seen to rest, until when all of its trades are booked.
    """

    looks: int = 0
    is_looking: bool = False  # a look is under way, so none is begun
    is_proving: bool = False  # and it is the account that is looked at
    missed_at: Instant | None = None
    known_at: Instant | None = None
    booked_until: Instant | None = None
    is_missed_twice: bool = False  # once by the account as well
    is_canceling: bool = False  # a cancel is under way, so none is sent
    is_called_off: bool = False  # a cancel went out, in this life or maybe in an earlier one
    is_cancel_due: bool = False  # of a stop: once a look at it is answered
    is_silent: bool = False  # the last look at it was not answered
    is_alone: bool = False  # a stop that this life called off, and no coins there but ours since
    is_asking: bool = False  # of an exit: leave is asked for again after a while
    is_blind: bool = False  # no look-up of it is answered: the account is asked in its place
    is_alarmed: bool = False  # somebody was told that it is out of sight
    is_misfit: bool = False  # what was seen of it the store would not have, and time mends nothing


UNWATCHED = Watch()


# What is heard --------------------------------------------------------------------------------


class TakenUp(_Value, frozen=True, kw_only=True):
    """A life begins, and the log says that the order has not ended."""


class Told(_Value, frozen=True, kw_only=True):
    """The log says what became of the order, or of its coins; it is folded in already."""

    event: Event


class Leave(_Value, frozen=True, kw_only=True):
    """Its `OrderSubmitted` is on disk since an instant, and the leave to send is ours alone."""

    at: Instant


class PlaceHeard(_Value, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    answer: ExchangeAnswer


class CancelHeard(_Value, frozen=True, kw_only=True):
    """Whatever the answer was: it says nothing of the order's end."""


class FindHeard(_Value, frozen=True, kw_only=True):
    answer: ExchangeAnswer


class AccountHeard(_Value, frozen=True, kw_only=True):
    """A look at the account, or None where the exchange did not show it.

    `asked_since` is from when on trades were asked for; what was told may reach less far back.
    """

    asked_since: Instant
    account: VenueAccount | None


class LookDue(_Value, frozen=True, kw_only=True):
    """The order's timer has fired."""


class AlarmDue(_Value, frozen=True, kw_only=True):
    """It went out of sight, or began to wait, so long ago that somebody should be told."""


class LookWanted(_Value, frozen=True, kw_only=True):
    """Somebody is about to compare the account with the books."""


class Declined(_Value, frozen=True, kw_only=True):
    """A command about it was refused."""

    refusal: Refusal


class Halted(_Value, frozen=True, kw_only=True):
    """Entries are halted."""


Heard = (
    TakenUp
    | Told
    | Leave
    | PlaceHeard
    | CancelHeard
    | FindHeard
    | AccountHeard
    | LookDue
    | AlarmDue
    | LookWanted
    | Declined
    | Halted
)

# What is done ---------------------------------------------------------------------------------


class AskLeave(_Value, frozen=True, kw_only=True):
    """Ask the store for leave to send, with the price and the hold of now."""


class Send(_Value, frozen=True, kw_only=True):
    request: ExchangeRequest


class Make(_Value, frozen=True, kw_only=True):
    """Ask the store to make a command true; where the answer is wanted, a refusal is heard."""

    command: Command
    is_answer_wanted: bool = False


class LookLater(_Value, frozen=True, kw_only=True):
    """Set the order's only timer, in real seconds, in place of what it was set to."""

    delay_s: float


class AlarmLater(_Value, frozen=True, kw_only=True):
    """See, after so many real seconds, whether it is out of sight, or waits, still."""

    delay_s: float


class StopTimer(_Value, frozen=True, kw_only=True):
    """Set no timer any more."""


class Doubt(_Value, frozen=True, kw_only=True):
    """Have the books compared with the exchange's."""

    trigger: str


class TellLost(_Value, frozen=True, kw_only=True):
    """Tell people that an exit is out of sight for too long."""


class TellWaiting(_Value, frozen=True, kw_only=True):
    """Tell people that an exit has waited for too long for what stands in its way to end."""


Effect = (
    AskLeave | Send | Make | LookLater | AlarmLater | StopTimer | Doubt | TellLost | TellWaiting
)
Step = tuple[Watch, tuple[Effect, ...]]
