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
        self._was_over = sent >= orders_max
        self._is_told = False
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
            refused = RequestRefused(code=HELD_BACK, reason=told_over(self._orders_max))
            reply_to(ExchangeReplied(request=request, answer=refused))
            return
        self._exchange.submit(request, self._last_heard(reply_to) if is_last else reply_to)

    def hold(self) -> str | None:
        """Return why entries must wait: the canary is over, or the exchange says so.

        Where it was over when this life began, this is the first to say so.
        """
        if not self._is_over():
            return self._exchange.hold()
        if self._was_over:
            return self._end()
        return told_over(self._orders_max)

    def vitals(self) -> ExchangeVitals | None:
        """Return what is known of the way to it, and what holds entries here."""
        vitals = self._exchange.vitals()
        if vitals is None or not self._is_over():
            return vitals
        why = told_over(self._orders_max)
        return replace(
            vitals,
            hold=vitals.hold or why,
            is_of_entries=vitals.hold is None or vitals.is_of_entries,
            needs_person=vitals.needs_person or why,
        )

    def _is_over(self) -> bool:
        with self._lock:
            return self._sent >= self._orders_max

    def _end(self) -> str:
        """Return why there are no more entries; who has to know hears it once."""
        why = told_over(self._orders_max)
        with self._lock:
            is_news, self._is_told = not self._is_told, True
        if is_news:
            self._on_over(why)
        return why

    def _last_heard(
        self, reply_to: Callable[[ExchangeReplied], None]
    ) -> Callable[[ExchangeReplied], None]:
        """Return who hears of the last entry: a halt before that would refuse its leave."""

        def hear(replied: ExchangeReplied) -> None:
            reply_to(replied)
            self._end()

        return hear


def told_over(orders_max: int) -> str:
    """Return why there are no more entries, and what to do."""
    return (
        f"the canary's {orders_max} entries are sent: look at them, then raise "
        "live.canary_orders, or set it to 0 for no end, and start again"
    )


def is_entry(order: PlaceOrder) -> bool:
    """Say whether an order may open or add: on spot, where nothing is short, whatever buys."""
    return order.side is Side.BUY and not order.reduce_only
