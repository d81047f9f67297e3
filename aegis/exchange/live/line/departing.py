"""How a call leaves: a client made where it is used, and one moment that decides whether it left.

A call that was given up before it left never leaves: that is a definite no, and an order that
cannot be at the exchange. Once it has left, only the exchange knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from aegis.dialogue import HELD_BACK
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import Call, Lost, MakeClient, Outcome
from aegis.exchange.live.line.steps import HeldBack
from aegis.ports import Clock, Overran, Raised


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a client said; left and heard by the monotonic clock, `left_at` by ours of the day."""

    outcome: Outcome
    left_at: Instant
    left_s: float
    heard_s: float


class NeverLeft(msgspec.Struct, frozen=True, kw_only=True):
    """The call was too late to be meant, or given up, and never leaves."""


class Seat:
    """Where a lane's client sits: made by the first call, on the worker that uses it alone."""

    def __init__(self, make_client: MakeClient) -> None:
        self._make_client = make_client
        self._client: Callable[[Call], Outcome] | None = None

    def client(self) -> Callable[[Call], Outcome]:
        """Return the client; making one may block, and raises what its library raises."""
        if self._client is None:
            self._client = self._make_client()
        return self._client


class Departure:
    """Whether one call leaves; decided once, between its worker and whoever waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._may_leave: bool | None = None

    def leave(self) -> bool:
        """Say whether the call may leave now; no where it was called off."""
        return self._decide(may_leave=True)

    def call_off(self) -> bool:
        """Say whether the call never left, and so never will."""
        return not self._decide(may_leave=False)

    def _decide(self, *, may_leave: bool) -> bool:
        with self._lock:
            if self._may_leave is None:
                self._may_leave = may_leave
            return self._may_leave


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """When a call is too late to leave, by the monotonic clock and by that of the day."""

    by_s: float
    by: Instant | None


def spoken(
    call: Call, seat: Seat, departure: Departure, clock: Clock, leaves: Deadline
) -> Said | NeverLeft:
    """Make the call, blocking; its request is built after the last look at the clocks."""
    client = seat.client()
    left_s, left_at = clock.monotonic(), clock.now()
    is_late = left_s > leaves.by_s or (leaves.by is not None and left_at > leaves.by)
    if is_late or not departure.leave():
        return NeverLeft()
    outcome = client(call)
    return Said(outcome=outcome, left_at=left_at, left_s=left_s, heard_s=clock.monotonic())


def without_answer(departure: Departure, value: object) -> Lost | HeldBack:
    """Return what it means that a call ended in no outcome: definite where it never left."""
    reason = without_secrets(value)
    return HeldBack(code=HELD_BACK, reason=reason) if departure.call_off() else Lost(reason=reason)


def without_secrets(value: object) -> str:
    """Return why there is no outcome. The text of an exception may hold a key, its type not."""
    match value:
        case Overran():
            return f"no answer within {value.deadline_s:g} s"
        case Raised():
            return f"the client failed: {value.error.partition(':')[0]}"
        case _:
            return f"Expected an outcome of the client, was {type(value).__name__}"
