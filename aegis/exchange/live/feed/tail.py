"""One symbol's candles as they close: how far they were told, and what of an answer is news.

Invariants:
1. Each candle is told once, in order of time; one that comes late is dropped.
2. What closed while nobody could ask is told as a warm-up, so that nothing is decided on it; only
   the newest closed candle may decide.
3. A candle that was told and reads otherwise later stays as it was told; that is said.
4. Where a page's time has no candle, at a second look either, later ones are looked for as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant, Symbol
from aegis.domain.instants import text_of
from aegis.exchange.live.calls import ReadCandles
from aegis.exchange.live.feed.candle_rows import closed_rows, later
from aegis.news import CandleClosed
from aegis.ports import Log

SETTLE_S = 1.0
"""After its close a candle is left to its exchange for so long: a last trade may still come in."""

AGAIN_S = 1.0
"""Until a candle that is due and not there is asked for again."""


class Tail:
    """`closed_until` is the close of the last candle that was told, or where all began.

    `page` is how many candles' time an answer speaks of at least.
    """

    def __init__(
        self, symbol: Symbol, closed_until: Instant, *, timeframe_s: int, page: int, log: Log
    ) -> None:
        self.symbol = symbol
        self.closed_until = closed_until
        self._timeframe_s = timeframe_s
        self._page = page
        self._log = log
        self._last: Candle | None = None
        self._in_vain = 0  # answers about times that are over, without news

    @property
    def next_close_at(self) -> Instant:
        """The instant at which the next candle closes."""
        return later(self.closed_until, 1, self._timeframe_s)

    def question(self) -> ReadCandles:
        """Return the call for what is due; it reads the last candle once more, to compare."""
        pages_on = max(0, self._in_vain - 1)
        since = later(self._since, pages_on * self._page, self._timeframe_s)
        return ReadCandles(symbol=self.symbol, timeframe_s=self._timeframe_s, since=since)

    @property
    def _since(self) -> Instant:
        return self.closed_until if self._last is None else self._last.open_at

    def news_of(self, answer: tuple[Candle, ...], closed_by: Instant) -> Iterator[CandleClosed]:
        """Take an answer, and yield what of it is to be told."""
        rows = closed_rows(
            answer, since=self._since, closed_by=closed_by, timeframe_s=self._timeframe_s
        )
        is_news = any(candle.open_at >= self.closed_until for candle in rows.candles)
        self._in_vain = 0 if is_news or not self._is_over(closed_by) else self._in_vain + 1
        for fault in rows.faults:
            self._log("CandleRefused", level="warning", symbol=self.symbol, text=fault)
        for candle in rows.candles:
            if candle.open_at >= self.closed_until:
                yield self._news(candle, closed_by)
            elif self._last is not None and candle != self._last:
                self._tell_revision(candle)

    def _is_over(self, closed_by: Instant) -> bool:
        """Say whether all of the time that was asked about has passed."""
        return later(self.question().since, self._page, self._timeframe_s) <= closed_by

    def _news(self, candle: Candle, closed_by: Instant) -> CandleClosed:
        has_gap = candle.open_at > self.closed_until
        self._last, self.closed_until = candle, candle.close_at
        return CandleClosed(
            candle=candle, is_warmup=self.next_close_at <= closed_by, has_gap_before=has_gap
        )

    def _tell_revision(self, candle: Candle) -> None:
        """Say once that a candle reads otherwise now; what was decided on it was decided."""
        self._log("CandleRevised", level="warning", symbol=self.symbol, at=text_of(candle.open_at))
