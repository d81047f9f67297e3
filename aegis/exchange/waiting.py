"""What an exit waits for that is intended and not sent: mostly the end of a stop. Pure.

It says what people are told of that, and which stop nobody waits for any more; whether an exit may
go past that one is the store's to decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.book import Book
from aegis.domain.commands import RaiseAlarm
from aegis.domain.first_look import DOUBTED
from aegis.domain.ids import ClientOrderId
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.protection import stop_of
from aegis.domain.second import SILENT_S
from aegis.exchange.heard import UNWATCHED, Watch
from aegis.exchange.outcomes import is_long_ago
from aegis.ports import Clock


def is_exit_waiting(order: Order, clock: Clock) -> bool:
    """Say whether an exit was not sent for so long that somebody should be told."""
    is_waiting = order.role is Role.EXIT and order.state is OrderState.INTENT
    return is_waiting and is_long_ago(order.intended_at, clock)


def waited_for(exit_id: ClientOrderId, book: Book) -> ClientOrderId:
    """Return the order that an exit waits for: the stop beside it, or itself where there is none.

    It outlives the exits that are tried past it, so people are not told anew of each of them.
    """
    stop = _stop_beside(book.orders[exit_id], book)
    return exit_id if stop is None else stop.client_order_id


def alarm_of_waiting(
    exit_id: ClientOrderId, book: Book, watches: Mapping[ClientOrderId, Watch]
) -> RaiseAlarm:
    """Return what people are told of an exit that was not sent for long."""
    order = book.orders[exit_id]
    is_doubted = book.account.is_doubted(order.position_id)
    why = DOUBTED if is_doubted else _why_waiting(_stop_beside(order, book), watches)
    return RaiseAlarm(check="exits", text=f"{order.symbol} is to be sold, and waits: {why}")


def _why_waiting(stop: Order | None, watches: Mapping[ClientOrderId, Watch]) -> str:
    if stop is None:
        return "its leave to be sent was refused"
    key = stop.client_order_id
    watch = watches.get(key, UNWATCHED)
    if watch.is_cancel_due and not watch.is_called_off:
        return f"nobody answers for the stop {key}, so it rests on and guards"
    return (
        f"the stop {key} was called off and has not provably ended: it rests on, or nothing guards"
    )


def silent_stop(
    leaving: Order, book: Book, watches: Mapping[ClientOrderId, Watch], clock: Clock
) -> ClientOrderId | None:
    """Return the stop that an exit need not wait for any more, where that is safe; or None.

    Its cancel went out in this life, nobody else moved its coins since, and nobody says what came
    of that.
    """
    stop = _stop_beside(leaving, book)
    if stop is None or not is_long_ago(leaving.intended_at, clock, SILENT_S):
        return None
    watch = watches.get(stop.client_order_id, UNWATCHED)
    is_passed = watch.is_alone and watch.is_called_off and watch.is_silent
    return stop.client_order_id if is_passed else None


def _stop_beside(leaving: Order, book: Book) -> Order | None:
    position = book.positions.get(leaving.position_id)
    return None if position is None else stop_of(book, position)
