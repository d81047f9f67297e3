"""When an order at the exchange is looked at, and how, and when it is called off. Pure.

Part of the order protocol, which says why; see `protocol`.

Invariants:
1. One look at an order is under way at a time, and one cancel.
2. A stop is called off only once a look at it, or at the account in its place, is answered.
"""

from __future__ import annotations

import msgspec

from aegis.dialogue import CancelOrder
from aegis.domain.order import Order, OrderState, OrderType, Role
from aegis.exchange.heard import Effect, LookLater, Send, Step, StopTimer, Watch
from aegis.exchange.lookout import Patience
from aegis.exchange.outcomes import (
    LOOK_AFTER_S_LOST,
    pause_s,
    request_to_find,
    request_to_scan,
)

replace = msgspec.structs.replace


def look(order: Order, watch: Watch) -> Step:
    """Look now, unless a look is under way."""
    if watch.is_looking:
        return watch, ()
    if watch.is_blind and is_stop_to_end(order):
        return scan(order, watch)
    looking = replace(watch, is_looking=True)
    return looking, (StopTimer(), Send(request=request_to_find(order)))


def scan(order: Order, watch: Watch) -> Step:
    """Look at the account, for what look-ups of the order do not tell."""
    scanning = replace(watch, is_looking=True, is_proving=True)
    return scanning, (StopTimer(), Send(request=request_to_scan(order, watch)))


def look_later(
    order: Order, watch: Watch, patience: Patience, provable_in_s: float | None = None
) -> Step:
    """Look later, unless a look is under way; where absence can be proved soon, then."""
    if watch.is_looking:
        return watch, ()
    watch = replace(watch, looks=watch.looks + 1)
    delay_s = pause_s(order, watch.looks, patience.poll_interval_s, is_misfit=watch.is_misfit)
    if provable_in_s is not None:
        delay_s = min(delay_s, provable_in_s + LOOK_AFTER_S_LOST)
    return watch, (LookLater(delay_s=delay_s),)


def is_stop_to_end(order: Order) -> bool:
    """Say whether an order is a stop that is called off: its end is waited for."""
    return order.role is Role.PROTECTIVE and order.state is OrderState.CANCELING


def cancel_when_sound(order: Order, watch: Watch) -> Step:
    """Send a cancel, unless one is under way; of a stop once a look shows its end will be seen."""
    if watch.is_canceling:
        return look(order, watch)
    if not is_stop_to_end(order):
        return cancel(order, watch)
    return look(order, replace(watch, is_cancel_due=True))


def with_cancel(order: Order, watch: Watch, effects: tuple[Effect, ...]) -> Step:
    """Send the cancel that waited for an answer, now that there is one."""
    if not (watch.is_cancel_due and is_stop_to_end(order)):
        return watch, effects
    watch, sent = cancel(order, replace(watch, is_cancel_due=False))
    return watch, (*effects, *sent)


def cancel(order: Order, watch: Watch) -> Step:
    """Send a cancel now."""
    key, is_stop = order.client_order_id, order.type is OrderType.STOP
    request = CancelOrder(client_order_id=key, symbol=order.symbol, is_stop=is_stop)
    return replace(watch, is_canceling=True, is_called_off=True), (Send(request=request),)
