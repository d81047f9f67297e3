"""Whether an exchange can be reached, and takes the key, before a person's errand begins.

Only for what is asked once and then over: whoever trades starts without, and goes on asking.
"""

from __future__ import annotations

from aegis.clock import SystemClock
from aegis.config.model import Config
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Denied,
    Outcome,
    ReadBalances,
    ReadInstruments,
    ReadQuote,
)
from aegis.exchange.live.errors import ExchangeUnavailableError, KeyDeniedError
from supervisors.clients import Clients

TRIES = 2
NANOS_PER_MS = 1_000_000


def expect_reachable(config: Config, clients: Clients) -> None:
    """Make the first call of an errand; raises `ExchangeError` where nobody could do it.

    It blocks, for a few of the client's own time-outs at most.
    """
    clock = SystemClock()

    def now_ms() -> int:
        return clock.now() // NANOS_PER_MS

    is_live = config.mode == "live"
    client = (clients.private(config, now_ms) if is_live else clients.public(now_ms))()
    symbols = config.exchange.symbols
    calls: tuple[Call, ...] = (ReadInstruments(symbols=symbols), ReadQuote(symbol=symbols[0]))
    for call in (ReadBalances(),) if is_live else calls:
        outcome = client(call)
        for _ in range(TRIES - 1):
            outcome = outcome if isinstance(outcome.verdict, Answered) else client(call)
        _expect_answer(config.exchange.name, outcome)


def _expect_answer(name: str, outcome: Outcome) -> None:
    match outcome.verdict:
        case Answered():
            return
        case Denied(reason=reason):
            raise KeyDeniedError(f"{name} does not take the key: {reason}")
        case other:
            raise ExchangeUnavailableError(f"{name} cannot be reached: {other.reason}")
