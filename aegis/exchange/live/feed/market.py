"""The market of an exchange: the `MarketData` port over its public calls, in clients of its own.

Prices and candles have a client and a port each, so that a long history holds up no price; neither
ever sees a key.

Invariants:
1. A close goes before a price, closes in their order; of prices that nobody has heard yet only the
   newest of each symbol is told.
2. Whoever asks again instead of an asker that died gets what that one did not.
3. Nothing here raises for what an exchange says or does not say: it is asked again.
4. A venue that trades on paper hears each price and close before anybody else, and each price with
   its share of what the last candle traded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from aegis.domain.candles import Tick
from aegis.domain.ids import Symbol
from aegis.domain.money import share
from aegis.exchange.live.calls import MakeClient
from aegis.exchange.live.feed.asker import Asker
from aegis.exchange.live.feed.candles import Candles
from aegis.exchange.live.feed.prices import Prices
from aegis.exchange.paced import Venue
from aegis.news import (
    CandleClosed,
    HistoryRead,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from aegis.ports import Log, Recorder, Runtime

CLOSES_MAX = 1_000
"""Closes that wait for an asker; whoever misses one reads it in the history."""


_VOLUME_STEP = Decimal("0.00000001")


class PolledMarket:
    """Several symbols' prices and candles at an exchange; implements `ports.MarketData`.

    Asking begins with the first question for news, and ends with `close`.
    """

    def __init__(
        self,
        symbols: tuple[Symbol, ...],
        *,
        timeframe_s: int,
        candles_page: int,
        poll_interval_s: float,
        stale_after_s: float,
        deadline_s: float,
        make_client: MakeClient,
        runtime: Runtime,
        log: Log,
        venue: Venue | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        clock = runtime.clock
        self._clock = clock
        self._venue = venue
        self._poll_interval_s = Decimal(str(poll_interval_s))
        self._timeframe_s = Decimal(timeframe_s)
        self._prices = Prices(
            symbols,
            interval_s=poll_interval_s,
            stale_after_s=stale_after_s,
            clock=clock,
            log=log,
            tell=self._moved,
        )
        self._candles = Candles(
            symbols,
            timeframe_s=timeframe_s,
            page=candles_page,
            clock=clock,
            log=log,
            recorder=recorder,
            tell=self._closed,
        )
        self._askers = tuple(
            Asker(
                what,
                questions,
                symbols=symbols,
                make_client=make_client,
                runtime=runtime,
                deadline_s=deadline_s,
                log=log,
            )
            for what, questions in (("prices", self._prices), ("candles", self._candles))
        )
        self._lock = threading.Lock()
        self._moves: dict[Symbol, MarketMoved] = {}
        self._closes: deque[CandleClosed] = deque(maxlen=CLOSES_MAX)
        self._heard_s = dict.fromkeys(symbols, clock.monotonic())
        self._reply_to: Callable[[MarketNews], None] | None = None
        self._is_begun = False

    def next(self, reply_to: Callable[[MarketNews], None]) -> None:
        """Ask for the next news; an asker before, whose answer is still to come, hears none."""
        with self._lock:
            is_first, self._is_begun = not self._is_begun, True
            self._reply_to = reply_to
        if is_first:
            for asker in self._askers:
                asker.wake()
        self._deliver()

    def history(self, wanted: ReadHistory, reply_to: Callable[[HistoryRead], None]) -> None:
        """Ask for a page of closed candles; see `ports.MarketData`."""
        if self._candles.want(wanted, reply_to):
            self._askers[1].wake()

    def heard_at(self) -> dict[Symbol, float]:
        """Return when each symbol's price was last heard, in monotonic seconds."""
        with self._lock:
            return dict(self._heard_s)

    def close(self) -> None:
        """Ask the exchange nothing more."""
        for asker in self._askers:
            asker.close()

    def _moved(self, news: MarketMoved) -> None:
        symbol = news.tick.symbol
        if self._venue is not None:
            self._venue.observe(self._traded(news.tick))
        with self._lock:
            self._heard_s[symbol] = self._clock.monotonic()
            self._moves[symbol] = news
        self._deliver()

    def _closed(self, news: CandleClosed) -> None:
        candle = news.candle
        if self._venue is not None and not news.is_warmup:
            self._venue.observe_close(candle)
        with self._lock:
            self._closes.append(news)
        self._deliver()

    def _traded(self, tick: Tick) -> Tick:
        """Return a price with the volume that went with it, as far as the last candle tells."""
        volume = self._candles.volume_of(tick.symbol)
        passed_s = min(self._poll_interval_s, self._timeframe_s)
        return replace(tick, volume=share(volume, passed_s, self._timeframe_s, _VOLUME_STEP))

    def _deliver(self) -> None:
        with self._lock:
            reply_to = self._reply_to
            if reply_to is None or not (self._closes or self._moves):
                return
            self._reply_to = None
            news: MarketNews = (
                self._closes.popleft() if self._closes else self._moves.pop(next(iter(self._moves)))
            )
        reply_to(news)
