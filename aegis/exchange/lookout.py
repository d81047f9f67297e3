"""Who is being looked up at the exchange, when the others will be, and how the exchange answers.

Bookkeeping of whoever speaks with an exchange; it sends nothing itself.

Invariants:
1. An order has at most one look under way and one to come, never both.
2. With each look in vain the next comes later, up to a bound, yet as soon as it can prove absence;
   any news brings it near again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.dialogue import ExchangeAnswer, NoAnswer
from aegis.domain.commands import Quote
from aegis.domain.ids import ClientOrderId, Symbol
from aegis.domain.order import Order
from aegis.exchange.outcomes import LOOK_AFTER_S_LOST, pause_s
from aegis.ports import Timer

FAILURES_TO_OPEN = 5
"""Answers missing in a row until entries are held back; one answer lets them go on."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Real seconds, but `barrier_s`: on the exchange's clock, from submission to provable absence.

    The barrier = the exchange's refusal of late requests + its look-up lag + a clock margin.
    """

    poll_interval_s: float
    stale_after_s: float
    barrier_s: float


class Lookout:
    """`look_later` starts a timer that ends in `due` and another look."""

    def __init__(
        self, look_later: Callable[[float, ClientOrderId], Timer], poll_interval_s: float
    ) -> None:
        self._look_later = look_later
        self._poll_interval_s = poll_interval_s
        self._looks: dict[ClientOrderId, int] = {}  # in vain, since the last news of an order
        self._under_way: set[ClientOrderId] = set()
        self._to_come: dict[ClientOrderId, Timer] = {}
        self._called_off: set[ClientOrderId] = set()
        self._alarmed: set[ClientOrderId] = set()

    def begin(self, order_id: ClientOrderId) -> bool:
        """Note a look as under way; say no when there is one already."""
        if order_id in self._under_way:
            return False
        self._drop_timer(order_id)
        self._under_way.add(order_id)
        return True

    def heard(self, order_id: ClientOrderId) -> None:
        """Note that the look under way has come to its end."""
        self._under_way.discard(order_id)

    def again(self, order: Order, provable_in_s: float | None = None) -> None:
        """Look later, unless a look is under way; where absence can be proved soon, then."""
        order_id = order.client_order_id
        if order_id in self._under_way:
            return
        looks = self._looks[order_id] = self._looks.get(order_id, 0) + 1
        self._drop_timer(order_id)
        delay_s = pause_s(order, looks, self._poll_interval_s)
        if provable_in_s is not None:
            delay_s = min(delay_s, provable_in_s + LOOK_AFTER_S_LOST)
        self._to_come[order_id] = self._look_later(delay_s, order_id)

    def due(self, order_id: ClientOrderId) -> None:
        """Note that the timer of an order has fired."""
        self._to_come.pop(order_id, None)

    def news(self, order_id: ClientOrderId) -> None:
        """Note that looking was not in vain."""
        self._looks.pop(order_id, None)

    def over(self, order_id: ClientOrderId) -> None:
        """Forget an order that has ended."""
        self._drop_timer(order_id)
        self._looks.pop(order_id, None)
        self._called_off.discard(order_id)
        self._alarmed.discard(order_id)

    def is_first_call_off(self, order_id: ClientOrderId) -> bool:
        """Say whether an order out of sight has not been called off yet; from now on it has."""
        return _is_first(self._called_off, order_id)

    def is_first_alarm(self, order_id: ClientOrderId) -> bool:
        """Say whether nobody was told of an order yet; from now on somebody was."""
        return _is_first(self._alarmed, order_id)

    def _drop_timer(self, order_id: ClientOrderId) -> None:
        timer = self._to_come.pop(order_id, None)
        if timer is not None:
            timer.cancel()


class Prices:
    """The freshest price of each symbol, and how old it may be to count as one."""

    def __init__(self, monotonic: Callable[[], float], stale_after_s: float) -> None:
        self._monotonic = monotonic
        self._stale_after_s = stale_after_s
        self._seen: dict[Symbol, tuple[Quote, float]] = {}

    def see(self, symbol: Symbol, quote: Quote) -> None:
        """Take a price that came in just now."""
        self._seen[symbol] = (quote, self._monotonic())

    def fresh(self, symbol: Symbol) -> Quote | None:
        """Return the last price, or None when it is too old to be one."""
        seen = self._seen.get(symbol)
        if seen is None or self._monotonic() - seen[1] > self._stale_after_s:
            return None
        return seen[0]


class Breaker:
    """Open while an exchange leaves one request after another unanswered."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def hold(self) -> str | None:
        """Why entries must wait, or None."""
        if self._failures < FAILURES_TO_OPEN:
            return None
        return f"the exchange left {self._failures} requests in a row unanswered"

    def count(self, answer: ExchangeAnswer) -> bool:
        """Take an answer; say whether it opened or closed the breaker."""
        was_open = self.hold is not None
        self._failures = self._failures + 1 if isinstance(answer, NoAnswer) else 0
        return was_open is not (self.hold is not None)


def _is_first(seen: set[ClientOrderId], order_id: ClientOrderId) -> bool:
    is_new = order_id not in seen
    seen.add(order_id)
    return is_new
