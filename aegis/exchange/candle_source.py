"""Candles that are all there already, of a file or of a recording, as a source of the market."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant, Symbol


class CandleSource:
    """One symbol's candles in order of time; see `paced.Source`.

    `starts_at` is where trading may begin: the first candle's open, where nothing else is said.
    """

    def __init__(
        self, symbol: Symbol, candles: Sequence[Candle], starts_at: Instant | None = None
    ) -> None:
        assert candles or starts_at is not None, f"Expected a beginning of {symbol}, was none"
        self.symbol = symbol
        self.starts_at = candles[0].open_at if starts_at is None else starts_at
        self._candles = tuple(candles)
        self._closes_at = [candle.close_at for candle in candles]

    def candles(self, after: Instant) -> Iterator[Candle]:
        """Return the candles that are not yet closed at an instant, in order."""
        yield from self._candles[bisect_right(self._closes_at, after) :]

    def history(self, before: Instant, count: int) -> tuple[Candle, ...]:
        """Return the last `count` candles closed at or before an instant, in order."""
        end = bisect_right(self._closes_at, before)
        return self._candles[max(0, end - count) : end]
