"""An exchange's public side in memory: a price, minutes that close on its clock, and bad days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import msgspec

from aegis.clock import ManualClock
from aegis.domain.candles import Candle
from aegis.domain.commands import Quote
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.live.calls import (
    Answer,
    Answered,
    Call,
    Lost,
    Outcome,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
    Verdict,
)
from tests.domain.kit import instrument

BTC_USDT = Symbol("BTC/USDT")
MINUTE_NS = 60 * NANOS_PER_SECOND
START = Instant(1_704_067_200_000_000_000)
PAGE = 5


def minute(number: int) -> Instant:
    """Return the instant at which a minute begins, counted from the start."""
    return Instant(START + number * MINUTE_NS)


def candle_of(number: int, symbol: Symbol = BTC_USDT) -> Candle:
    """Return the one true candle of a minute."""
    price = Decimal(100 + number)
    return Candle(
        symbol=symbol,
        open_at=minute(number),
        length_s=60,
        open=price,
        high=price + 2,
        low=price - 2,
        close=price + 1,
        volume=Decimal(60),
    )


class FakeExchange:
    """Answers on a clock; `clock_off_s` is by how much its own is ahead of ours."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.clock_off_s = 0
        self.tells_its_time = True
        self.verdicts: Callable[[Call], Verdict | None] = lambda _call: None
        self.lags = 0  # candles that are closed and not shown yet
        self.missing: set[int] = set()
        self.tells_window = False  # a page's time alone, not a page of what is there
        self.others: dict[int, Candle] = {}  # told instead of the true one
        self.quote_of: Callable[[Instant], Quote | None] = fair_quote
        self.asked: list[Call] = []
        self.clients = 0
        self.unlisted: set[Symbol] = set()

    def make_client(self) -> Callable[[Call], Outcome]:
        self.clients += 1
        return self.execute

    def execute(self, call: Call) -> Outcome:
        self.asked.append(call)
        now = Instant(self.clock.now() + self.clock_off_s * NANOS_PER_SECOND)
        verdict = self.verdicts(call) or Answered(value=self._answer(call, now))
        server_at = Instant(now - now % NANOS_PER_SECOND) if self.tells_its_time else None
        return Outcome(call=call, verdict=verdict, server_at=server_at, http_status=200)

    def counts(self) -> Counter[str]:
        """Return how many calls of each type there were."""
        return Counter(type(call).__name__ for call in self.asked)

    def _answer(self, call: Call, now: Instant) -> Answer:
        match call:
            case ReadInstruments():
                return tuple(instrument(each) for each in call.symbols if each not in self.unlisted)
            case ReadQuote():
                return self.quote_of(now)
            case ReadCandles(symbol=symbol, since=since):
                return self._candles(symbol, since, now)
            case _:
                raise AssertionError(f"Expected a public call, was {call}")

    def _candles(self, symbol: Symbol, since: Instant, now: Instant) -> tuple[Candle, ...]:
        """Tell a page from an instant on, with the minute under way as the last one."""
        first = -(-(since - START) // MINUTE_NS)
        under_way = (now - START) // MINUTE_NS
        shown = range(first, under_way + 1 - self.lags)
        shown = shown[:PAGE] if self.tells_window else shown
        told = [number for number in shown if number not in self.missing][:PAGE]
        return tuple(
            self.others.get(
                number,
                candle_of(number, symbol)
                if number < under_way
                else msgspec.structs.replace(
                    candle_of(number, symbol), close=candle_of(number).open
                ),
            )
            for number in told
        )


def fair_quote(now: Instant) -> Quote:
    """Return a quote around 100."""
    return Quote(bid=Decimal("99.99"), ask=Decimal("100.01"), at=now)


def lost(_call: Call) -> Verdict:
    """Say nothing, whatever is asked."""
    return Lost(reason="connection reset")
