"""What the line's sequences and its lanes say to each other: a step wanted, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import IntEnum
from typing import TypeVar, assert_never

import msgspec

from aegis.dialogue import KEY_DENIED, ExchangeAnswer, NoAnswer, RequestRefused
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Place,
    ReadBalances,
    ReadCandles,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    ReadRights,
    ReadTrades,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.profile import Lane, Profile

T = TypeVar("T")

LANE_OF: dict[type[Call], Lane] = {
    Place: Lane.ORDERS,
    Cancel: Lane.ORDERS,
    ReadOrder: Lane.LOOKS,
    ReadTrades: Lane.LOOKS,
    ReadOpenOrders: Lane.LOOKS,
    ReadBalances: Lane.LOOKS,
    ReadPositions: Lane.LOOKS,
    ReadRights: Lane.LOOKS,
    ReadInstruments: Lane.QUOTES,
    ReadQuote: Lane.QUOTES,
    ReadCandles: Lane.QUOTES,
}


class Urgency(IntEnum):
    """Who goes first where several wait."""

    EXIT = 0
    CANCEL = 1
    LOOK = 2
    ENTRY = 3
    ACCOUNT = 4  # many calls, each of which lets others pass


class Do(msgspec.Struct, frozen=True, kw_only=True):
    """Make a call, no sooner than in `after_s`."""

    call: Call
    urgency: Urgency
    after_s: float = 0.0


class HeldBack(msgspec.Struct, frozen=True, kw_only=True):
    """The call never left; `code` is `HELD_BACK` or `KEY_DENIED`."""

    code: str
    reason: str


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call in the end.

    `as_of` is an instant before the exchange answered, by its clock and by ours: the earlier.
    """

    verdict: Verdict | HeldBack
    as_of: Instant


Sequence = Generator[Do, Heard, ExchangeAnswer]
"""A request being carried out: calls, one after another, and in the end its answer."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What a sequence needs to know of the exchange; `now` is the exchange's time."""

    profile: Profile
    has_positions: bool
    now: Callable[[], Instant]


def eldest_trade(ways: Ways) -> Instant:
    """Return from when on the exchange tells trades."""
    return later(ways.now(), -ways.profile.trades_kept_s)


def value_of(heard: Heard, kind: type[T]) -> T | RequestRefused | NoAnswer:
    """Return the value of an answer, or what an answer that is none means."""
    match heard.verdict:
        case Answered(value=value) if isinstance(value, kind):
            return value
        case _:
            return no_of(heard)


def no_of(heard: Heard) -> RequestRefused | NoAnswer:
    """Return what it means that a call was not answered as hoped."""
    match verdict := heard.verdict:
        case Refused():
            reason = f"{verdict.reason} ({verdict.venue_code})"
            return RequestRefused(code=verdict.code, reason=reason)
        case Denied():
            return RequestRefused(code=KEY_DENIED, reason=verdict.reason)
        case HeldBack(code=code) if code == KEY_DENIED:
            return RequestRefused(code=code, reason=verdict.reason)
        case HeldBack() | Limited() | Skewed() | Lost():
            return NoAnswer(reason=verdict.reason)
        case Answered():
            kind = type(verdict.value).__name__
            return NoAnswer(reason=f"Expected an answer of another kind, was {kind}")
        case _:
            assert_never(verdict)


def later(instant: Instant, seconds: float) -> Instant:
    """Return the instant some seconds on, or back; never one before the first."""
    return Instant(max(0, instant + round(seconds * NANOS_PER_SECOND)))
