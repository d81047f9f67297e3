"""The checks that need nothing but the book, with their remedies as commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from aegis.domain.book import Book
from aegis.domain.commands import Command, RaiseAlarm, RaiseStop
from aegis.domain.first_look import hold_of, told_wait
from aegis.domain.foreign import told_missing, told_orphans
from aegis.domain.guard import is_exit_due, is_stopless, last_known, opening_stops
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.judgement import Judgement, judged
from aegis.domain.leaving import AT_REST, SECOND_EXIT_AFTER_S
from aegis.domain.money import text, times
from aegis.domain.order import UNSETTLED, Order, OrderState, Role
from aegis.domain.position import Position
from aegis.domain.protection import level_of, stop_of
from aegis.domain.risk import Limits, exposure_of
from aegis.domain.unsold import told_unsent, told_unsold, unsold_in

SECONDS_PER_DAY = 86_400


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What the book is measured by; `unknown_after_s` is market time.

    `bare_after_s`, market time too, is after how long a position has to have its stop at the
    exchange; None where none is wanted.
    """

    limits: Limits
    stuck_after_days: int
    unknown_after_s: int
    bare_after_s: int | None = None


def examine(
    book: Book, now: Instant, bounds: Bounds, guarded_since: Instant, *, has_looked: bool
) -> tuple[Judgement, ...]:
    """Return what a book shows of its positions and orders.

    `guarded_since` is from when on somebody sees to what should rest at the exchange, `has_looked`
    whether the books were compared with it in this process.
    """
    after_s = bounds.bare_after_s
    bare = () if after_s is None else (bare_positions(book, now, after_s, guarded_since),)
    return (
        missing_stops(book),
        *bare,
        kept_exits(book, now, has_looked=has_looked),
        stuck_positions(book, now, bounds.stuck_after_days),
        lost_orders(book, now, bounds.unknown_after_s),
        differences(book),
        excesses(book, bounds.limits),
    )


def kept_exits(book: Book, now: Instant, *, has_looked: bool) -> Judgement:
    """Find what is to be sold and cannot be, or is not sent, or is due and may not be yet."""
    faults = [told_unsold(each) for each in unsold_in(book)]
    for position in book.alive_positions():
        why = hold_of(book.account, position.position_id, position.symbol, has_looked=has_looked)
        is_due = is_exit_due(book, position, last_known(position, now))
        if why is not None and is_due:
            faults.append(told_wait(position, why))
        faults.extend(_unsent(book, position, now))
    return judged("exits", faults)


def _unsent(book: Book, position: Position, now: Instant) -> Iterator[str]:
    """Yield which exits should have been sent for long; mostly a stop is in the way."""
    stop = stop_of(book, position)
    for order in book.active_orders(position.position_id):
        is_late = now - order.intended_at >= SECOND_EXIT_AFTER_S * NANOS_PER_SECOND
        if order.role is not Role.EXIT or order.state is not OrderState.INTENT or not is_late:
            continue
        yield told_unsent(
            order.symbol,
            order.intended_at,
            None if stop is None else stop.client_order_id,
            is_called_off=stop is not None and stop.state is OrderState.CANCELING,
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


def bare_positions(book: Book, now: Instant, after_s: int, guarded_since: Instant) -> Judgement:
    """Find positions whose stop should rest at the exchange since `after_s`, and does not.

    One that is out of sight is the orders' finding. The remedy is Guard's: at the next price, after
    its pause.
    """
    gone, other = [], []
    limit_ns = after_s * NANOS_PER_SECOND
    for position in book.alive_positions():
        stop, level = stop_of(book, position), level_of(book, position)
        since = max(guarded_since, _due_since(book, position))
        if level is None or now - since < limit_ns or (stop and stop.state in UNSETTLED):
            continue
        if stop is None or stop.state not in AT_REST:
            gone.append(position.position_id)
        elif stop.remaining != level.amount:
            rests, held = text(stop.remaining), text(level.amount)
            other.append(f"{position.position_id} (for {rests}, and {held} is held)")
    faults = _named("no stop rests at the exchange for", gone)
    return judged("exchange_stop", faults + _named("it rests for another amount than", other))


def _due_since(book: Book, position: Position) -> Instant:
    """Return since when a position has been as it is; a stop that never rested changed nothing."""
    changes = [position.imported_at or position.opened_at]
    for order in book.orders_of(position.position_id):
        if not order.is_ended:
            changes.append(order.submitted_at or order.intended_at)
        elif order.role is not Role.PROTECTIVE or order.exchange_order_id is not None:
            changes.append(order.ended_at or order.intended_at)
    return max(changes)


def lost_orders(book: Book, now: Instant, after_s: int) -> Judgement:
    """Flag orders of which nobody can say for too long whether the exchange has them."""
    limit_ns = after_s * NANOS_PER_SECOND
    lost = [
        order.client_order_id
        for order in book.active_orders()
        if order.state in UNSETTLED and now - _last_known_at(order) > limit_ns
    ]
    return judged("orders", _named("the outcome is unknown for too long", lost))


def differences(book: Book) -> Judgement:
    """Tell what the last reconciliation left open; each once, whatever else there is of it."""
    account = book.account
    asked = [p for p in book.alive_positions() if p.position_id in account.unresolved]
    faults = [told_missing(each, account.unresolved[each.position_id]) for each in asked]
    told = {position.symbol for position in asked}
    others = [symbol for symbol in account.blocked if symbol not in told]
    if account.orphans:
        faults.append(told_orphans(account.orphans))
    else:
        faults += _named("differs from the exchange, no entries there", others)
    return judged("differences", faults)


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
