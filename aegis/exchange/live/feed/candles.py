"""The candles of an exchange: each as it closes, those before for who asks, all for the recording.

Invariants:
1. What closes goes before what somebody wants to know, and that before what is only recorded.
2. A question is answered by one page, when it is there; asked again meanwhile it is asked once.
3. An empty answer is believed when it comes a second time: no data is never "nothing closed".
4. The recording has no hole that the exchange could fill: what was not heard is read, and kept
   before what came after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import ZERO
from aegis.exchange.live.calls import Answered, Call, Outcome, ReadCandles, ReadInstruments
from aegis.exchange.live.feed.candle_rows import beat_before, closed_rows, later
from aegis.exchange.live.feed.past import Look, look_for, page_of
from aegis.exchange.live.feed.tail import AGAIN_S, SETTLE_S, Tail
from aegis.news import (
    CandleClosed,
    HistoryRead,
    ReadHistory,
)
from aegis.ports import Clock, Log, Recorder

CLOCK_MARGIN_NS = 2 * NANOS_PER_SECOND
"""By which a candle must be over on our own clock, where the exchange does not tell its own."""

IDLE_S = 60.0
"""Nothing closes later than asked for: the longest wait between two looks at what is due."""

RECORDED_BEFORE = 1_000
"""Candles from before the first one traded on that a recording has."""

Reply = Callable[[HistoryRead], None]


class Candles:
    """What to ask of candles, and what came of it; implements `asker.Questions`.

    `page` is how many candles' time an answer speaks of at least. `tell` hears each candle as it
    closes. `want` is called on any thread, the others one at a time.
    """

    def __init__(
        self,
        symbols: tuple[Symbol, ...],
        *,
        timeframe_s: int,
        page: int,
        clock: Clock,
        log: Log,
        recorder: Recorder | None,
        tell: Callable[[CandleClosed], None],
    ) -> None:
        self._timeframe_s = timeframe_s
        self._page = page
        self._clock = clock
        self._log = log
        self._recorder = recorder
        self._tell = tell
        self._begins_at = beat_before(clock.now(), timeframe_s)
        self._tails = {
            symbol: Tail(symbol, self._begins_at, timeframe_s=timeframe_s, page=page, log=log)
            for symbol in symbols
        }
        self._again_s = dict.fromkeys(symbols, 0.0)  # not before, where it was not there yet
        self._lock = threading.Lock()
        self._wanted: dict[ReadHistory, Reply] = {}
        self._doubted: set[ReadHistory] = set()
        self._recorded_until: dict[Symbol, Instant] = {}
        self._asked: Tail | Look | Symbol | None = None
        self._newest: dict[Symbol, Candle] = {}

    def volume_of(self, symbol: Symbol) -> Decimal:
        """Return what the newest closed candle traded that was ever read; zero before the first."""
        newest = self._newest.get(symbol)
        return ZERO if newest is None else newest.volume

    def want(self, wanted: ReadHistory, reply_to: Reply) -> bool:
        """Take a question, or answer it where nothing is to be asked; say whether something is."""
        look = self._look_for(wanted)
        if look.is_empty:
            reply_to(page_of(look, ()))
            return False
        with self._lock:
            self._wanted[wanted] = reply_to
        return True

    def next_call(self) -> Call | float:
        """Return the most urgent question, or how long there will be none."""
        asked, wait_s = self._most_urgent()
        self._asked = asked
        match asked:
            case Tail():
                return asked.question()
            case Look():
                return asked.call
            case None:
                return wait_s
            case symbol:
                since = self._recorded_until[symbol]
                return ReadCandles(symbol=symbol, timeframe_s=self._timeframe_s, since=since)

    def hear(self, outcome: Outcome) -> None:
        """Take an answer to the last question; without one it stays asked."""
        verdict = outcome.verdict
        if isinstance(outcome.call, ReadInstruments):
            return
        if not isinstance(verdict, Answered) or not isinstance(verdict.value, tuple):
            return
        candles = tuple(each for each in verdict.value if isinstance(each, Candle))
        match self._asked:
            case Tail():
                self._hear_tail(self._asked, candles, _closed_by(outcome, self._clock))
            case Look():
                self._hear_look(self._asked, candles)
            case None:
                raise AssertionError(f"Expected a question to {outcome.call}, was none")
            case symbol:
                self._hear_recording(symbol, candles)

    # What is most urgent --------------------------------------------------------------------

    def _most_urgent(self) -> tuple[Tail | Look | Symbol | None, float]:
        waits = {tail: self._wait_s(tail) for tail in self._tails.values()}
        nearest = min(waits, key=waits.__getitem__)
        if waits[nearest] <= 0:
            return nearest, 0.0
        with self._lock:
            wanted = next(iter(self._wanted), None)
        if wanted is not None:
            return self._look_for(wanted), 0.0
        return self._unrecorded(), min(waits[nearest], IDLE_S)

    def _look_for(self, wanted: ReadHistory) -> Look:
        until = self._tails[wanted.symbol].closed_until
        return look_for(wanted, until, timeframe_s=self._timeframe_s, page=self._page)

    def _wait_s(self, tail: Tail) -> float:
        """Return the real seconds until a symbol's next candle is worth asking for."""
        until_close_s = (tail.next_close_at - self._clock.now()) / NANOS_PER_SECOND
        again_s = self._again_s[tail.symbol] - self._clock.monotonic()
        return max(until_close_s + SETTLE_S, again_s)

    def _unrecorded(self) -> Symbol | None:
        """Return a symbol with candles that the recording has not heard of, or None."""
        recorder = self._recorder
        for symbol, tail in self._tails.items() if recorder is not None else ():
            assert recorder is not None
            if symbol not in self._recorded_until:
                first = later(self._begins_at, -RECORDED_BEFORE, self._timeframe_s)
                self._recorded_until[symbol] = recorder.known_until(symbol) or first
            if self._recorded_until[symbol] < tail.closed_until:
                return symbol
        return None

    # What came of it ------------------------------------------------------------------------

    def _hear_tail(self, tail: Tail, candles: tuple[Candle, ...], closed_by: Instant) -> None:
        before = tail.closed_until
        for news in tail.news_of(candles, closed_by):
            self._read((news.candle,))
            self._record(news.candle, before)
            before = news.candle.close_at
            self._tell(news)
        if self._wait_s(tail) <= 0 and not _goes_on(tail, candles, closed_by):
            self._again_s[tail.symbol] = self._clock.monotonic() + AGAIN_S

    def _read(self, closed: tuple[Candle, ...]) -> None:
        """Remember the newest of some closed candles, where it is newer than any."""
        for candle in closed[-1:]:
            newest = self._newest.get(candle.symbol)
            if newest is None or candle.open_at > newest.open_at:
                self._newest[candle.symbol] = candle

    def _record(self, candle: Candle, told_until: Instant) -> None:
        """Let the recording have a candle that it was waiting for; it reads what it lacks first."""
        if self._recorder is None:
            return
        if self._recorded_until.get(candle.symbol) == told_until:
            self._recorder.see(candle)
            self._recorded_until[candle.symbol] = candle.close_at

    def _hear_look(self, look: Look, candles: tuple[Candle, ...]) -> None:
        page = page_of(look, candles)
        self._read(page.candles)
        with self._lock:
            if not page.candles and look.wanted not in self._doubted:
                self._doubted.add(look.wanted)
                return
            self._doubted.discard(look.wanted)
            reply_to = self._wanted.pop(look.wanted)
        reply_to(page)

    def _hear_recording(self, symbol: Symbol, candles: tuple[Candle, ...]) -> None:
        recorder = self._recorder
        assert recorder is not None, "Expected a recording to read for, was none"
        since, until = self._recorded_until[symbol], self._tails[symbol].closed_until
        rows = closed_rows(candles, since=since, closed_by=until, timeframe_s=self._timeframe_s)
        self._read(rows.candles)
        for candle in rows.candles:
            recorder.see(candle)
        over = min(until, later(since, self._page, self._timeframe_s))
        self._recorded_until[symbol] = rows.candles[-1].close_at if rows.candles else over


def _closed_by(outcome: Outcome, clock: Clock) -> Instant:
    """Return up to when candles are closed: by the exchange's clock, or by ours with a margin."""
    if outcome.server_at is not None:
        return outcome.server_at
    return Instant(clock.now() - CLOCK_MARGIN_NS)


def _goes_on(tail: Tail, candles: tuple[Candle, ...], closed_by: Instant) -> bool:
    """Say whether an answer was a page of more: it brought news, and more is closed already."""
    brought = bool(candles) and candles[-1].close_at == tail.closed_until
    return brought and tail.next_close_at <= closed_by
