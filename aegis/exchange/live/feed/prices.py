"""The prices of an exchange, asked for again and again: which quote is news, and which is none.

Invariants:
1. What is told is positive, not crossed, no older than the last one, and fresh on the exchange's
   own clock. What is not so is told once in the log until a good one comes, and never used.
2. Each symbol is asked for once an interval; the one that waited longest comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from aegis.domain.candles import Tick
from aegis.domain.commands import Quote
from aegis.domain.guard import mid_of
from aegis.domain.ids import Instant, Symbol
from aegis.domain.instants import text_of
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO, ceil_to, is_amount, minus, ratio, times
from aegis.exchange.live.calls import Answered, Call, Outcome, ReadQuote
from aegis.exchange.lookout import fault_of_time
from aegis.news import MarketMoved
from aegis.ports import Clock, Log

_BPS = Decimal(10_000)
_BPS_STEP = Decimal("0.0001")


class Prices:
    """What to ask of prices, and what came of it; implements `asker.Questions`.

    `tell` hears each good price. `stale_after_s` is by the exchange's clock.
    """

    def __init__(
        self,
        symbols: tuple[Symbol, ...],
        *,
        interval_s: float,
        stale_after_s: float,
        clock: Clock,
        log: Log,
        tell: Callable[[MarketMoved], None],
    ) -> None:
        self._interval_s = interval_s
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._log = log
        self._tell = tell
        self._due_s = dict.fromkeys(symbols, 0.0)
        self._last: dict[Symbol, Quote] = {}
        self._refused: set[Symbol] = set()

    def next_call(self) -> Call | float:
        """Return the question for the price that is due, or how long none will be."""
        symbol = min(self._due_s, key=self._due_s.__getitem__)
        now_s = self._clock.monotonic()
        wait_s = self._due_s[symbol] - now_s
        if wait_s > 0:
            return wait_s
        self._due_s[symbol] = now_s + self._interval_s
        return ReadQuote(symbol=symbol)

    def hear(self, outcome: Outcome) -> None:
        """Take an answer; tell its price, or say why it is none."""
        call, verdict = outcome.call, outcome.verdict
        if not isinstance(verdict, Answered):
            return
        if not isinstance(call, ReadQuote):
            self._hear_listing(verdict.value)
            return
        symbol, quote = call.symbol, verdict.value
        fault = (
            self._fault_of(symbol, quote, outcome.server_at)
            if isinstance(quote, Quote)
            else "no price"
        )
        if fault is not None:
            self._refuse(symbol, fault)
        elif isinstance(quote, Quote):
            self._accept(symbol, quote)

    def _hear_listing(self, listed: object) -> None:
        """Say which symbols an exchange does not trade; each is asked for all the same."""
        told = listed if isinstance(listed, tuple) else ()
        known = {each.symbol for each in told if isinstance(each, Instrument)}
        for symbol in sorted(self._due_s.keys() - known):
            text = f"{symbol} is not listed at the exchange, see exchange.symbols"
            self._log("SymbolNotListed", level="error", symbol=symbol, text=text)

    def _fault_of(self, symbol: Symbol, quote: Quote, server_at: Instant | None) -> str | None:
        if not (is_amount(quote.bid) and is_amount(quote.ask)):
            return f"expected positive prices, were {quote.bid} and {quote.ask}"
        if quote.bid > quote.ask:
            return f"expected a bid of at most the ask, were {quote.bid} and {quote.ask}"
        fault = fault_of_time(quote.at, server_at or self._clock.now(), self._stale_after_s)
        if fault is not None:
            whose = "our" if server_at is None else "the exchange's"
            return f"{fault} by {whose} clock"
        last = self._last.get(symbol)
        if last is not None and quote.at < last.at:
            return f"expected a price since {text_of(last.at)}, was {text_of(quote.at)}"
        return None

    def _refuse(self, symbol: Symbol, fault: str) -> None:
        if symbol not in self._refused:
            self._log("TickRefused", level="warning", symbol=symbol, text=fault)
        self._refused.add(symbol)

    def _accept(self, symbol: Symbol, quote: Quote) -> None:
        self._refused.discard(symbol)
        before = self._last.get(symbol, quote)
        self._last[symbol] = quote
        tick = Tick(
            symbol=symbol, at=quote.at, start=mid_of(before), price=mid_of(quote), volume=ZERO
        )
        self._tell(MarketMoved(tick=tick, spread_bps=spread_bps_of(quote)))


def spread_bps_of(quote: Quote) -> Decimal:
    """Return the whole distance between bid and ask, rounded up: a stop goes no later for it."""
    width = times(minus(quote.ask, quote.bid), _BPS)
    return ceil_to(ratio(width, mid_of(quote)), _BPS_STEP)
