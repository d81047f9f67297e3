"""Whether an exchange can be reached, and takes the key, before a person's errand begins.

Only for what is asked once and then over: whoever trades starts without, and goes on asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from aegis.clock import SystemClock
from aegis.config.model import Config
from aegis.domain.ids import Coin
from aegis.exchange.live.calls import (
    Answer,
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


def expect_reachable(config: Config, clients: Clients) -> Mapping[Coin, Decimal]:
    """Make the first call of an errand; raises `ExchangeError` where nobody could do it.

    It blocks, for a few of the client's own time-outs at most. Returns what the account has, where
    one is asked.
    """
    clock = SystemClock()

    def now_ms() -> int:
        return clock.now() // NANOS_PER_MS

    is_live = config.mode == "live"
    client = (clients.private(config, now_ms) if is_live else clients.public(now_ms))()
    symbols = config.exchange.symbols
    balances: Mapping[Coin, Decimal] = {}
    calls: tuple[Call, ...] = (ReadInstruments(symbols=symbols), ReadQuote(symbol=symbols[0]))
    for call in (ReadBalances(),) if is_live else calls:
        outcome = client(call)
        for _ in range(TRIES - 1):
            outcome = outcome if isinstance(outcome.verdict, Answered) else client(call)
        value = _answer_in(config.exchange.name, outcome)
        if is_live and isinstance(value, Mapping):
            balances = {Coin(coin): amount for coin, amount in value.items()}
    return balances


def _answer_in(name: str, outcome: Outcome) -> Answer:
    match outcome.verdict:
        case Answered(value=value):
            return value
        case Denied(reason=reason):
            raise KeyDeniedError(f"{name} does not take the key: {reason}")
        case other:
            raise ExchangeUnavailableError(f"{name} cannot be reached: {other.reason}")
