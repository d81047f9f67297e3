"""The checks that need nothing but the book, with their remedies as commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import Command, RaiseAlarm, RaiseStop
from aegis.domain.guard import is_stopless, opening_stops
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.judgement import Judgement, judged
from aegis.domain.money import text, times
from aegis.domain.order import UNSETTLED, Order, Role
from aegis.domain.position import Position
from aegis.domain.risk import Limits, exposure_of

SECONDS_PER_DAY = 86_400


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What the book is measured by; `unknown_after_s` is market time."""

    limits: Limits
    stuck_after_days: int
    unknown_after_s: int


def examine(book: Book, now: Instant, bounds: Bounds) -> tuple[Judgement, ...]:
    """Return what a book shows of its positions and orders."""
    return (
        missing_stops(book),
        stuck_positions(book, now, bounds.stuck_after_days),
        lost_orders(book, now, bounds.unknown_after_s),
        excesses(book, bounds.limits),
    )


def stuck_positions(book: Book, now: Instant, after_days: int) -> Judgement:
    """Flag positions that are open for longer than `after_days`; there is no remedy."""
    limit_ns = after_days * SECONDS_PER_DAY * NANOS_PER_SECOND
    stuck = [p.position_id for p in book.alive_positions() if now - p.opened_at > limit_ns]
    days = "day" if after_days == 1 else "days"
    return judged("stuck", _named(f"open for over {after_days} {days}", stuck))


def missing_stops(book: Book) -> Judgement:
    """Find held positions without the stop of their policy; the remedy sets it.

    Where the price has passed it already, people are told before Guard sees the stop.
    """
    bare = [position for position in book.alive_positions() if is_stopless(position)]
    names = [position.position_id for position in bare]
    remedies = [command for position in bare for command in _stop_for(position)]
    return judged("stops", _named("without the stop of their policy", names), *remedies)


def _stop_for(position: Position) -> Iterator[Command]:
    stop, _ = opening_stops(position, position.entry_price)
    assert stop is not None, f"Expected a policy that asks for a stop, was {position}"
    mark = position.mark
    if mark is not None and mark <= stop:
        yield RaiseAlarm(
            check="stops",
            text=f"{position.symbol} has lost its stop of {text(stop)}, and its price {text(mark)} "
            "is below it: leaving it now",
        )
    yield RaiseStop(position_id=position.position_id, stop_price=stop, price=mark or stop)


def lost_orders(book: Book, now: Instant, after_s: int) -> Judgement:
    """Flag orders of which nobody can say for too long whether the exchange has them."""
    limit_ns = after_s * NANOS_PER_SECOND
    lost = [
        order.client_order_id
        for order in book.active_orders()
        if order.state in UNSETTLED and now - _last_known_at(order) > limit_ns
    ]
    return judged("orders", _named("the outcome is unknown for too long", lost))


def _last_known_at(order: Order) -> Instant:
    return order.unknown_at or order.submitted_at or order.intended_at


def excesses(book: Book, limits: Limits) -> Judgement:
    """Flag what is beyond the limits: it was let in before they were what they are."""
    alive = len(book.alive_positions())
    faults = []
    if alive > limits.open_positions_max:
        faults.append(f"{alive} positions, at most {limits.open_positions_max} may be open")
    if exposure_of(book) > limits.exposure_max:
        faults.append(f"more than {text(limits.exposure_max)} {limits.quote_coin} is at risk")
    large = [
        order.client_order_id
        for order in book.active_orders()
        if order.role is Role.ENTRY
        and times(order.remaining, order.decision_price) > limits.order_notional_max
    ]
    faults += _named(f"larger than {text(limits.order_notional_max)} {limits.quote_coin}", large)
    return judged("limits", faults)


def _named(fault: str, found: Sequence[str]) -> list[str]:
    return [f"{fault}: {', '.join(found)}"] if found else []
