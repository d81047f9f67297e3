"""Two logs of one market beside each other: which decisions and which trades differ.

Pure. What happened within `slack_ns` of one another counts as one moment: on threads everything
takes some real time, and at speed 0 the latencies are drawn anew behind the first difference.
Figures do not depend on that at speed 0, where prices move four times a candle; on threads they
do, and only what was decided is compared.

Invariants:
1. Each trade of either log is in exactly one pair.
2. Equal lists give pairs that are all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from aegis.domain.ids import ClientOrderId, EventId, Instant, PositionId, Symbol
from aegis.domain.money import ZERO, ratio
from aegis.domain.order import Role
from aegis.domain.position import Position, PositionStatus

NEVER = Instant((1 << 63) - 1)

OF_THE_END = ("pnl", "fees_quote", "is_unpriced")
"""Figures of a trade that are not known before it is over."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as the log has it: an order that was wanted."""

    event_id: EventId
    position_id: PositionId
    client_order_id: ClientOrderId
    symbol: Symbol
    role: Role
    amount: Decimal
    reason: str
    at: Instant


class Stray(msgspec.Struct, frozen=True):
    """The first place where two logs decide otherwise; None where one has no more decisions."""

    original: Intent | None
    other: Intent | None


class PairKind(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    ORIGINAL_ONLY = "original_only"
    WHAT_IF_ONLY = "what_if_only"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A trade as it was and as it would have been; `changes` names the figures that differ."""

    kind: PairKind
    original: Position | None
    other: Position | None
    changes: tuple[str, ...] = ()

    @property
    def opened_at(self) -> Instant:
        """When the earlier of the two was opened."""
        return min(each.opened_at for each in (self.original, self.other) if each is not None)


# Decisions ----------------------------------------------------------------------------------


def flat_from(held: Iterable[Position], lives: Iterable[Position]) -> dict[Symbol, Instant]:
    """Return from when on neither side has anything in the symbols of what one held at first.

    Until then one enters what the other cannot, and their decisions prove nothing. `lives` are
    the positions of both sides.
    """
    flat: dict[Symbol, Instant] = {}
    for position in held:
        flat[position.symbol] = max(flat.get(position.symbol, Instant(0)), _left_at(position))
    for position in sorted(lives, key=lambda each: each.opened_at):
        if position.opened_at < flat.get(position.symbol, Instant(0)):
            flat[position.symbol] = max(flat[position.symbol], _left_at(position))
    return flat


def _left_at(position: Position) -> Instant:
    return NEVER if position.closed_at is None else position.closed_at


def comparable(
    intents: Sequence[Intent], begin: Instant, end: Instant | None, flat: Mapping[Symbol, Instant]
) -> list[Intent]:
    """Return the decisions on what was begun within an interval, where both sides were flat."""
    early = {each.position_id for each in intents if each.at < flat.get(each.symbol, begin)}
    return [
        each
        for each in intents
        if each.position_id not in early and not (end is not None and each.at >= end)
    ]


def first_stray(original: Iterable[Intent], other: Iterable[Intent], slack_ns: int) -> Stray | None:
    """Return the earliest difference between decisions, symbol by symbol in their order."""
    ours, theirs = _by_symbol(original), _by_symbol(other)
    strays = (
        _first_of(ours.get(symbol, []), theirs.get(symbol, []), slack_ns)
        for symbol in sorted({*ours, *theirs})
    )
    found = [stray for stray in strays if stray is not None]
    return min(found, key=_strays_at, default=None)


def _by_symbol(intents: Iterable[Intent]) -> dict[Symbol, list[Intent]]:
    found: dict[Symbol, list[Intent]] = {}
    for intent in intents:
        found.setdefault(intent.symbol, []).append(intent)
    return found


def _first_of(original: list[Intent], other: list[Intent], slack_ns: int) -> Stray | None:
    for ours, theirs in zip(original, other, strict=False):
        if not _is_one(ours, theirs, slack_ns):
            return Stray(ours, theirs)
    if len(original) == len(other):
        return None
    shorter = min(len(original), len(other))
    return Stray(*(next(iter(each[shorter:]), None) for each in (original, other)))


def _is_one(ours: Intent, theirs: Intent, slack_ns: int) -> bool:
    """Say whether two decisions are one; an entry's id is a hash of the instant that it is of."""
    if (ours.role, ours.reason) != (theirs.role, theirs.reason):
        return False
    is_same_entry = ours.role is Role.ENTRY and ours.client_order_id == theirs.client_order_id
    return is_same_entry or abs(ours.at - theirs.at) <= slack_ns


def _strays_at(stray: Stray) -> Instant:
    return min(each.at for each in (stray.original, stray.other) if each is not None)


# Trades -------------------------------------------------------------------------------------


def as_of(positions: Iterable[Position], begin: Instant, end: Instant | None) -> list[Position]:
    """Return the trades that were opened within an interval, as they stood at its end."""
    return [
        position if end is None or not _is_closed(position, end) else _still_open(position)
        for position in positions
        if position.entered > 0
        and position.opened_at >= begin
        and (end is None or position.opened_at < end)
    ]


def _is_closed(position: Position, end: Instant) -> bool:
    return position.closed_at is not None and position.closed_at >= end


def _still_open(position: Position) -> Position:
    return replace(
        position,
        status=PositionStatus.OPEN,
        closed_at=None,
        close_reason="",
        exited=ZERO,
        received=ZERO,
        pnl=ZERO,
    )


def contrasted(
    original: Sequence[Position],
    other: Sequence[Position],
    slack_ns: int,
    *,
    has_figures: bool,
) -> tuple[Pair, ...]:
    """Return each trade beside its like, in the order of their opening.

    Its like has the same id, which is made from the decision; or else was opened in the same
    symbol within the slack, as another strategy's may have been. `has_figures` says that prices
    and sums count.
    """
    left = {position.position_id: position for position in other}
    pairs, alone = [], []
    for position in original:
        like = left.pop(position.position_id, None)
        if like is None:
            alone.append(position)
        else:
            pairs.append(_pair(position, like, slack_ns, has_figures=has_figures))
    for position in alone:
        near = next((each for each in left.values() if _is_near(position, each, slack_ns)), None)
        if near is None:
            pairs.append(Pair(kind=PairKind.ORIGINAL_ONLY, original=position, other=None))
        else:
            like = left.pop(near.position_id)
            pairs.append(_pair(position, like, slack_ns, has_figures=has_figures))
    pairs += (Pair(kind=PairKind.WHAT_IF_ONLY, original=None, other=each) for each in left.values())
    return tuple(sorted(pairs, key=lambda pair: pair.opened_at))


def _is_near(position: Position, other: Position, slack_ns: int) -> bool:
    is_soon = abs(position.opened_at - other.opened_at) <= slack_ns
    return position.symbol == other.symbol and is_soon


def _pair(original: Position, other: Position, slack_ns: int, *, has_figures: bool) -> Pair:
    changes = tuple(_changes(original, other, slack_ns, has_figures=has_figures))
    kind = PairKind.CHANGED if changes else PairKind.SAME
    return Pair(kind=kind, original=original, other=other, changes=changes)


def _changes(
    original: Position, other: Position, slack_ns: int, *, has_figures: bool
) -> Iterator[str]:
    """Yield the names of what differs: decisions and instants, and figures where they count."""
    for name in ("opened_at", "closed_at"):
        if not _is_same_instant(getattr(original, name), getattr(other, name), slack_ns):
            yield name
    if original.close_reason != other.close_reason:
        yield "close_reason"
    if has_figures:
        is_over = original.closed_at is not None and other.closed_at is not None
        for name in ("entered", "entry_price", *(OF_THE_END if is_over else ())):
            if getattr(original, name) != getattr(other, name):
                yield name
        if is_over and exit_price(original) != exit_price(other):
            yield "exit_price"


def _is_same_instant(one: Instant | None, other: Instant | None, slack_ns: int) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= slack_ns


def exit_price(position: Position) -> Decimal | None:
    """Return the mean price of a trade's exits, rounded to 34 digits; None without any."""
    return ratio(position.received, position.exited) if position.exited > 0 else None
