"""How a stop is raised along closed candles, those that somebody missed among them.

Pure but for its memory: it says what to ask of feed and store, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from aegis.domain.book import Book
from aegis.domain.candles import Candle
from aegis.domain.commands import RaiseStop
from aegis.domain.guard import raised_along
from aegis.domain.ids import Instant, Symbol
from aegis.domain.risk import is_held
from aegis.news import HistoryRead, ReadHistory


class Trail:
    """Raises a trailing stop along each closed candle; `reader` hears those of before."""

    def __init__(self, reader: str, spread_bps: Decimal) -> None:
        self._reader = reader
        self._spread_bps = spread_bps
        self._known_until: dict[Symbol, Instant] = {}  # the last close that was heard of

    def missed(self, book: Book) -> Iterator[ReadHistory]:
        """Yield questions for the candles since each trailing stop was last looked after."""
        for position in book.alive_positions():
            if is_held(position) and position.policy.trailing_stop_pct > 0:
                known = self._known_until.get(position.symbol, position.opened_at)
                yield self._question(position.symbol, max(known, position.opened_at))

    def after(self, page: HistoryRead) -> Iterator[ReadHistory]:
        """Yield the question for the page after one, if there is any."""
        if not page.is_last:
            yield self._question(page.symbol, page.until)

    def follow(self, book: Book, candle: Candle) -> RaiseStop | None:
        """Return where a candle that has just closed raises the stop to."""
        self._known_until[candle.symbol] = candle.close_at
        return self._along(book, candle.symbol, (candle,))

    def learn(self, book: Book, page: HistoryRead) -> RaiseStop | None:
        """Return where missed candles raise the stop to; meanwhile it is watched where it was."""
        return self._along(book, page.symbol, page.candles)

    def _along(self, book: Book, symbol: Symbol, candles: tuple[Candle, ...]) -> RaiseStop | None:
        position = book.position_of(symbol)
        if position is None or not is_held(position):
            return None
        return raised_along(position, candles, self._spread_bps)

    def _question(self, symbol: Symbol, after: Instant) -> ReadHistory:
        return ReadHistory(symbol=symbol, after=after, least=0, reply_to=self._reader)
