"""A request of the gateway's on its way through the line: a sequence of calls, and one answer."""

from __future__ import annotations

from collections.abc import Callable

from aegis.dialogue import (
    HELD_BACK,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    NoAnswer,
    PlaceOrder,
    RequestRefused,
)
from aegis.exchange.live.line.sequences import sequence_of
from aegis.exchange.live.line.steps import Ways


class Request:
    """`reply_to` hears its answer, once; `calls` is how many came to an end."""

    def __init__(
        self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None], ways: Ways
    ) -> None:
        self.request = request
        self.sequence = sequence_of(request, ways)
        self.calls = 0
        self._reply_to = reply_to

    def answer(self, answer: ExchangeAnswer) -> None:
        self._reply_to(ExchangeReplied(request=self.request, answer=answer))


def too_many(request: ExchangeRequest, requests_max: int) -> RequestRefused | NoAnswer:
    """Return the answer to one that is not taken on: of an order a definite no."""
    reason = f"Expected fewer than {requests_max} requests under way"
    if isinstance(request, PlaceOrder):
        return RequestRefused(code=HELD_BACK, reason=reason)
    return NoAnswer(reason=reason)
