"""As of when an answer counts: an instant at which it was still to come, whatever clock is right.

That an order is not there proves something only when enough time has passed since its placing.
So what counts is the earliest of three: our clock when the look left, the exchange's clock in
its answer, and the order's own time plus what our patience measured since it left.
"""

from __future__ import annotations

from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.exchange.live.calls import Call, Place, ReadOrder
from aegis.exchange.live.line.departing import Said

PLACED_MAX = 1_000
"""Placings whose leaving is remembered, for looks at them."""


class Instants:
    """Remembers when placings left; the wall may be set between one and a look at it."""

    def __init__(self) -> None:
        self._placed: dict[ClientOrderId, tuple[Instant, float]] = {}

    def as_of(self, call: Call, said: Said) -> Instant:
        """Return as of when what was said counts."""
        instants = [said.left_at]
        if said.outcome.server_at is not None:
            instants.append(said.outcome.server_at)
        if isinstance(call, Place):
            self._remember(call, said)
        elif isinstance(call, ReadOrder) and call.client_order_id in self._placed:
            sent_at, left_s = self._placed[call.client_order_id]
            passed_ns = round((said.left_s - left_s) * NANOS_PER_SECOND)
            instants.append(Instant(sent_at + passed_ns))
        return min(instants)

    def _remember(self, call: Place, said: Said) -> None:
        self._placed[call.order.client_order_id] = (call.order.sent_at, said.left_s)
        if len(self._placed) > PLACED_MAX:
            del self._placed[next(iter(self._placed))]
