"""An exchange that is only looked at: by who asks what there is, and must change nothing there."""

from __future__ import annotations

from collections.abc import Callable

from aegis.dialogue import (
    HELD_BACK,
    CancelOrder,
    ExchangeReplied,
    ExchangeRequest,
    PlaceOrder,
    RequestRefused,
)
from aegis.ports import Exchange
from aegis.vitals import ExchangeVitals

NEVER_SENT = RequestRefused(code=HELD_BACK, reason="who only looks sends nothing")


class WatchedExchange:
    """Implements `ports.Exchange`: what would change something is refused here, and not sent."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a question; refuse a placing or a cancel at once."""
        if isinstance(request, PlaceOrder | CancelOrder):
            reply_to(ExchangeReplied(request=request, answer=NEVER_SENT))
        else:
            self._exchange.submit(request, reply_to)

    def hold(self) -> str | None:
        """Return why no entry may be sent."""
        return NEVER_SENT.reason

    def vitals(self) -> ExchangeVitals | None:
        """Return what is known of the way to it."""
        return self._exchange.vitals()
