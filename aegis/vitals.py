"""How the process is: what no store can tell, as actors say it to each other and to people.

Who is asked answers at once with what it knows, or not at all; nobody waits.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.dialogue import Message
from aegis.domain.ids import Generation, Symbol


class ReadVitals(Message, frozen=True, kw_only=True):
    """Ask how somebody is; the answer carries the same `token`."""

    token: int
    reply_to: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One actor as its supervisor sees it: its phase, and how many messages wait for it."""

    name: str
    branch: str
    state: str
    restarts: int
    waiting: int


class TreeRead(Message, frozen=True, kw_only=True):
    """The supervisor's answer: everybody in the order of their start."""

    token: int
    generation: Generation
    parts: tuple[Part, ...]


class LastPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The last price that was watched, and how many real seconds ago."""

    bid: Decimal
    age_s: float


class PricesRead(Message, frozen=True, kw_only=True):
    """Guard's answer; `waiting` says why an exit that is due does not go, by its symbol."""

    token: int
    prices: dict[Symbol, LastPrice]
    waiting: dict[Symbol, str] = msgspec.field(default_factory=dict)


class ArmingRead(Message, frozen=True, kw_only=True):
    """Strategy's answer; `waits_for` says what is missing where it is not armed."""

    token: int
    is_armed: bool
    waits_for: str


class CallFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of call to an exchange fared for a while; never what was said in it.

    Failed is what was not answered by a yes or a definite no; `last_error` names the kind of the
    last outcome that was no yes, `http_status` its status where there was one.
    """

    call: str
    count: int
    failed: int
    ms_p50: int
    ms_p99: int
    ms_max: int
    last_error: str = ""
    http_status: int | None = None


class NoteCalls(Message, frozen=True, kw_only=True):
    """Write down how the calls of the last `interval_s` fared; for the store."""

    interval_s: int
    calls: tuple[CallFigures, ...]


class LaneVitals(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of calls: its breaker's state, and how many calls wait."""

    name: str
    breaker: str
    waiting: int


class ExchangeVitals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a real exchange; `hold` says why entries wait, None where they need not.

    `offset_s` is by how much its clock is ahead of ours, None before it was measured.
    `is_of_entries`: the way is open to all else. `exits_wait` says why no exit passes either, as of
    a ban, a limit of placings, or a key that was denied when it was last tried. `needs_person` is
    the hold that no time ends, and so no `resume` before it was seen to. `unlisted` and `halted`
    are symbols that it does not trade, ever or now.
    """

    hold: str | None
    offset_s: float | None
    lanes: tuple[LaneVitals, ...]
    is_of_entries: bool = False
    needs_person: str | None = None
    unlisted: tuple[Symbol, ...] = ()
    halted: tuple[Symbol, ...] = ()
    exits_wait: str | None = None


class VitalsDue(Message, frozen=True, kw_only=True):
    """A timer of the listener's own: who has not answered by now is left out."""

    token: int


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; None where nobody answered in time, or there is no real exchange."""

    tree: TreeRead | None
    prices: PricesRead | None
    arming: ArmingRead | None
    exchange: ExchangeVitals | None = None
