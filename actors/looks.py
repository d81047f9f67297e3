"""The timers by which a gateway looks at its orders again: one an order at most."""

from __future__ import annotations

from collections.abc import Callable

from aegis.domain.ids import ClientOrderId
from aegis.messages import LookAgain
from aegis.ports import Timer


class LookTimers:
    """`after` is the gateway's own; each timer ends in a look at its order."""

    def __init__(self, after: Callable[[float, LookAgain], Timer]) -> None:
        self._after = after
        self._timers: dict[ClientOrderId, Timer] = {}

    def set(self, order_id: ClientOrderId, delay_s: float) -> None:
        """Look after so many real seconds, in place of what was set before."""
        self.stop(order_id)
        self._timers[order_id] = self._after(delay_s, LookAgain(client_order_id=order_id))

    def stop(self, order_id: ClientOrderId) -> None:
        """Set none any more."""
        timer = self._timers.pop(order_id, None)
        if timer is not None:
            timer.cancel()

    def fired(self, order_id: ClientOrderId) -> None:
        """Take that one has fired."""
        self._timers.pop(order_id, None)
