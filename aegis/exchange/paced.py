"""Candles made into news at their due market instants: the `MarketData` port over sources.

A candle is news five times: four ticks of its path while it lasts, and its close. The venue
that trades on paper hears each before anybody else.

Invariants:
1. News comes in the order of its due instants; at one instant closes before ticks, then by the
   order of the symbols. So the next open is never heard before the close.
2. News is taken when it is delivered, not when it is asked for: who asks again instead of an
   asker that died gets the same news.
3. News that is late is delivered at once and in order; none is left out.
4. Only closed candles are history.
5. A recorder hears of each candle before its first news is told, and at the start of those that
   were told in an earlier life and not kept. So what is recorded has no hole.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice, takewhile
from typing import Protocol

import msgspec

from aegis.domain.candles import Candle, Tick, path
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.news import (
    CandleClosed,
    HistoryRead,
    MarketEnded,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from aegis.ports import Recorder, Runtime, Timer

HISTORY_CANDLES_MAX = 100_000
"""Ten weeks of minutes. What is older is left out: of a first value that far back, an average
over 2,000 candles has kept e^-100, which is beyond its digits."""

PAGE_CANDLES = 1_000
"""What one answer holds: it is made within milliseconds, and the feed passes on a price next."""


RECORDED_BEFORE = 1_000
"""Candles from before the first one traded on that a recording has: other settings than the run's
may want more of them to warm up on."""


class Source(Protocol):
    """One symbol's closed candles, past and to come; the same for whoever asks, and whenever."""

    @property
    def symbol(self) -> Symbol: ...

    @property
    def starts_at(self) -> Instant:
        """The open instant of the first candle that may be traded on."""
        ...

    def candles(self, after: Instant) -> Iterator[Candle]:
        """Return the candles that are not yet closed at an instant, in order."""
        ...

    def history(self, before: Instant, count: int) -> tuple[Candle, ...]:
        """Return the last `count` candles closed at or before an instant, in order."""
        ...


class Venue(Protocol):
    """Who trades on the market that moves: the paper exchange."""

    def observe(self, tick: Tick) -> None:
        """Hear of a move; short, and it never raises."""
        ...

    def observe_close(self, candle: Candle) -> None:
        """Hear that nothing trades until the symbol's next tick."""
        ...


class _Due(msgspec.Struct, frozen=True, gc=False):
    """A piece of news and when it is due; `rank` puts closes (0) before ticks (1)."""

    at: Instant
    rank: int
    place: int
    candle: Candle
    news: MarketMoved | CandleClosed


class PacedMarket:
    """One or several symbols' candles on a runtime's clock; implements `ports.MarketData`.

    A market that is resumed goes on after `start_after`, the last instant that was lived
    through: ticks due before it and closes due up to it are not told again. A tick due at that
    very instant is, as an open that follows a close may not have been heard.
    """

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        runtime: Runtime,
        spread_bps: Decimal,
        venue: Venue | None = None,
        recorder: Recorder | None = None,
        start_after: Instant | None = None,
    ) -> None:
        self._sources = {source.symbol: source for source in sources}
        assert len(self._sources) == len(sources) > 0, "Expected one source a symbol, and one"
        self._runtime = runtime
        self._venue, self._recorder = venue, recorder
        self._closed_until = {
            source.symbol: max(source.starts_at, start_after or source.starts_at)
            for source in sources
        }
        if recorder is not None:
            for source in sources:
                _catch_up(recorder, source, self._closed_until[source.symbol])
        self._news = heapq.merge(
            *(
                _news_of(source, place, self._closed_until[source.symbol], spread_bps)
                for place, source in enumerate(sources)
            ),
            key=_order_of,
        )
        self._upcoming = next(self._news, None)
        self._lock = threading.Lock()
        begun = runtime.clock.monotonic()
        self._heard = {source.symbol: begun for source in sources}
        self._ticket: object = None
        self._timer: Timer | None = None

    def next(self, reply_to: Callable[[MarketNews], None]) -> None:
        """Ask for the next news; an asker before, whose answer is still to come, hears none."""
        with self._lock:
            ticket = self._ticket = object()
            before, self._timer = self._timer, None
            delay_s = self._delay_s()
        if before is not None:
            before.cancel()
        timer = self._runtime.after(delay_s, lambda: self._deliver(ticket, reply_to))
        with self._lock:
            if self._ticket is ticket:
                self._timer = timer

    def history(self, wanted: ReadHistory, reply_to: Callable[[HistoryRead], None]) -> None:
        """Tell a page of closed candles at once, at most `PAGE_CANDLES`; see `ports.MarketData`."""
        symbol = wanted.symbol
        with self._lock:
            source, until = self._sources[symbol], self._closed_until[symbol]
            start, is_cut = _start_of(source, until, wanted.after, wanted.least)
            found = tuple(islice(_closed(source, start, until), PAGE_CANDLES + 1))
        candles, is_last = found[:PAGE_CANDLES], len(found) <= PAGE_CANDLES
        page = HistoryRead(
            symbol=symbol,
            after=wanted.after,
            candles=candles,
            until=until if is_last else candles[-1].close_at,
            is_last=is_last,
            is_cut=is_cut,
        )
        reply_to(page)

    def heard_at(self) -> dict[Symbol, float]:
        """Return when each symbol was last news, in monotonic seconds; none once it has ended."""
        with self._lock:
            return {} if self._upcoming is None else dict(self._heard)

    def _delay_s(self) -> float:
        if self._upcoming is None:
            return 0.0
        clock = self._runtime.clock
        until_due_s = (self._upcoming.at - clock.now()) / NANOS_PER_SECOND
        return clock.real_s(max(0.0, until_due_s))

    def _deliver(self, ticket: object, reply_to: Callable[[MarketNews], None]) -> None:
        with self._lock:
            if self._ticket is not ticket:
                return
            self._ticket = self._timer = None
            news = self._take()
        reply_to(news)

    def _take(self) -> MarketNews:
        """Take the upcoming news, after the venue has heard it."""
        due = self._upcoming
        if due is None:
            return MarketEnded()
        self._upcoming = next(self._news, None)
        symbol = due.candle.symbol
        self._heard[symbol] = self._runtime.clock.monotonic()
        if self._recorder is not None:
            self._recorder.see(due.candle)
        if isinstance(due.news, CandleClosed):
            self._closed_until[symbol] = due.candle.close_at
            if self._venue is not None:
                self._venue.observe_close(due.candle)
        elif self._venue is not None:
            self._venue.observe(due.news.tick)
        return due.news


def _catch_up(recorder: Recorder, source: Source, until: Instant) -> None:
    """Record what was told before an instant and is not known, or what there is to warm up on."""
    known_until = recorder.known_until(source.symbol)
    missed = (
        source.history(until, RECORDED_BEFORE)
        if known_until is None
        else takewhile(lambda candle: candle.open_at < until, source.candles(known_until))
    )
    for candle in missed:
        recorder.see(candle)


def _start_of(
    source: Source, until: Instant, after: Instant | None, least: int
) -> tuple[Instant, bool]:
    """Return after which instant a history begins, and whether it had to be cut."""
    start = until if after is None else min(after, until)
    lasting = source.history(until, max(1, least))
    if not lasting:
        return start, False
    if least > 0:
        start = min(start, lasting[0].open_at)
    length_ns = lasting[0].length_s * NANOS_PER_SECOND
    eldest = Instant(until - HISTORY_CANDLES_MAX * length_ns)
    return max(start, eldest), start < eldest


def _closed(source: Source, after: Instant, until: Instant) -> Iterator[Candle]:
    return takewhile(lambda candle: candle.close_at <= until, source.candles(after))


def _order_of(due: _Due) -> tuple[Instant, int, int]:
    return due.at, due.rank, due.place


def _news_of(source: Source, place: int, after: Instant, spread_bps: Decimal) -> Iterator[_Due]:
    """Yield one symbol's news from an instant on."""
    last = source.history(after, 1)
    closed_at = last[0].close_at if last else None
    for candle in source.candles(after):
        for tick in path(candle, falls_first=True):
            if tick.at >= after:
                yield _Due(tick.at, 1, place, candle, MarketMoved(tick=tick, spread_bps=spread_bps))
        has_gap = closed_at is not None and candle.open_at != closed_at
        close = CandleClosed(candle=candle, is_warmup=False, has_gap_before=has_gap)
        closed_at = candle.close_at
        yield _Due(closed_at, 0, place, candle, close)
