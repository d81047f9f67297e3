"""The `Exchange` port over a client that blocks: each request is a call with a deadline.

Invariants:
1. Every request is answered exactly once, `NoAnswer` included; nothing is ever sent twice.
2. Whatever is not an answer of the dialogue says nothing definite, and is `NoAnswer`.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis.dialogue import ExchangeAnswer, ExchangeReplied, ExchangeRequest, NoAnswer
from aegis.ports import Overran, Raised, Runtime
from aegis.vitals import ExchangeVitals


class CalledExchange:
    """Runs `client_execute` on the port's own worker; implements `ports.Exchange`.

    The client may return an answer, or `Late` where the venue is simulated.
    """

    def __init__(
        self,
        client_execute: Callable[[ExchangeRequest], object],
        runtime: Runtime,
        deadline_s: float,
        port: str = "exchange",
    ) -> None:
        self._execute = client_execute
        self._runtime = runtime
        self._deadline_s = deadline_s
        self._port = port

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a request; `reply_to` hears its answer once, on whatever thread the runtime has."""

        def hear(value: object) -> None:
            reply_to(ExchangeReplied(request=request, answer=answer_of(value)))

        self._runtime.call(self._port, lambda: self._execute(request), self._deadline_s, hear)

    def hold(self) -> str | None:
        """Return None: nothing is known of the venue but its answers."""
        return None

    def vitals(self) -> ExchangeVitals | None:
        """Return None: there is no way to it that could be well or ill."""
        return None


def answer_of(value: object) -> ExchangeAnswer:
    """Return what a call's end means: its answer, or why there is none."""
    if isinstance(value, ExchangeAnswer):
        return value
    if isinstance(value, Overran):
        return NoAnswer(reason=f"no answer within {value.deadline_s} s")
    if isinstance(value, Raised):
        return NoAnswer(reason=value.error)
    return NoAnswer(reason=f"Expected an answer of the exchange, was {type(value).__name__}")
