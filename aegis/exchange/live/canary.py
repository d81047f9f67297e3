"""A canary: so many live entries, and no more until a person says so.

Invariants:
1. An entry beyond the last is refused here and never sent, however many were decided at once.
2. What reduces a position always passes.
3. How many went before this life is what the store tells: nothing is remembered here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from aegis.dialogue import (
    HELD_BACK,
    ExchangeReplied,
    ExchangeRequest,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.order import Side
from aegis.ports import Exchange
from aegis.vitals import ExchangeVitals


class Canary:
    """Implements `ports.Exchange`. `on_over` hears, once a life, why there are no more entries."""

    def __init__(
        self, exchange: Exchange, *, sent: int, orders_max: int, on_over: Callable[[str], None]
    ) -> None:
        self._exchange = exchange
        self._sent = sent
        self._orders_max = orders_max
        self._on_over = on_over
        self._lock = threading.Lock()

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a request, but for an entry too many; see `ports.Exchange`."""
        if not isinstance(request, PlaceOrder) or not is_entry(request):
            self._exchange.submit(request, reply_to)
            return
        with self._lock:
            is_over = self._sent >= self._orders_max
            self._sent += not is_over
            is_last = not is_over and self._sent == self._orders_max
        if is_over:
            refused = RequestRefused(code=HELD_BACK, reason=self._over())
            reply_to(ExchangeReplied(request=request, answer=refused))
            return
        self._exchange.submit(request, self._last_heard(reply_to) if is_last else reply_to)

    def hold(self) -> str | None:
        """Return why entries must wait: the canary is over, or the exchange says so."""
        with self._lock:
            is_over = self._sent >= self._orders_max
        return self._over() if is_over else self._exchange.hold()

    def vitals(self) -> ExchangeVitals | None:
        """Return what is known of the way to it, and what holds entries here."""
        vitals = self._exchange.vitals()
        return None if vitals is None else replace(vitals, hold=self.hold())

    def _last_heard(
        self, reply_to: Callable[[ExchangeReplied], None]
    ) -> Callable[[ExchangeReplied], None]:
        """Return who hears of the last entry: a halt before that would call it off."""

        def hear(replied: ExchangeReplied) -> None:
            reply_to(replied)
            self._on_over(self._over())

        return hear

    def _over(self) -> str:
        return (
            f"the canary's {self._orders_max} entries are sent: look at them, then raise "
            "live.canary_orders, or set it to 0 for no end, and start again"
        )


def is_entry(order: PlaceOrder) -> bool:
    """Say whether an order may open or add: on spot, where nothing is short, whatever buys."""
    return order.side is Side.BUY and not order.reduce_only
