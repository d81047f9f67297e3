"""What the exchange was heard to have of a symbol's coins, and for how long that bounds an exit.

Bookkeeping of whoever speaks with an exchange; it sends nothing itself. A new life knows nothing.
"""

from __future__ import annotations

from aegis.dialogue import BalanceFetched, ExchangeAnswer, FetchBalance
from aegis.domain.commands import Reading
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.second import READING_WORTH_S, is_fresh
from aegis.ports import Clock


class Readings:
    """The last balances by symbol, and when it was asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._real_second = int(NANOS_PER_SECOND / clock.real_s(1.0))
        self._asked_at: dict[Symbol, float] = {}
        self._heard: dict[Symbol, Reading] = {}

    def question(self, symbol: Symbol) -> FetchBalance | None:
        """Return the question for a symbol's balances, None where it was asked just now."""
        now, asked_at = self._clock.monotonic(), self._asked_at.get(symbol)
        if asked_at is not None and now - asked_at < READING_WORTH_S:
            return None
        self._asked_at[symbol] = now
        return FetchBalance(symbol=symbol, asked_at=self._clock.now())

    def hear(self, request: FetchBalance, answer: ExchangeAnswer) -> Reading | None:
        """Take an answer; return what it tells, None where it tells nothing that counts still."""
        if not isinstance(answer, BalanceFetched):
            return None
        self._heard[request.symbol] = Reading(
            symbol=request.symbol,
            base=answer.base,
            quote=answer.quote,
            asked_at=request.asked_at,
        )
        return self.fresh(request.symbol)

    def fresh(self, symbol: Symbol) -> Reading | None:
        """Return the last balances, None when they are too old to bound an exit."""
        heard: Reading | None = self._heard.get(symbol)
        now: Instant = self._clock.now()
        is_worth = heard is not None and is_fresh(heard, now, self._real_second)
        return heard if is_worth else None
