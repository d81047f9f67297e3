"""A simulated market as a source of candles; its figures come from `simulated_series`.

Invariants:
1. Candle n of a seed and a symbol is one candle, wherever one starts to read.
2. Prices stand on the symbol's price step; every candle passes `candles.fault_of`.
3. The series begins 1,000 candles before `start`, so a strategy can warm up at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import ratio, times
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.simulated_series import BLOCK_CANDLES, Figures, Series

WARMUP_CANDLES = 1_000
BLOCKS_KEPT = 4
"""Reading history beside the present goes to and fro between two or three blocks."""

_FIRST_PRICES = {"BTC": Decimal(40_000), "ETH": Decimal(2_500)}
_FIRST_PRICE = Decimal(100)


class SimulatedSource:
    """An endless market, or one of `candles_max` candles; see `paced.Source`.

    `start` is where trading may begin, on the grid of the timeframe. A timeframe changes how
    long a candle lasts, not how far it moves. One thread at a time.
    """

    def __init__(
        self,
        *,
        seed: int,
        symbol: Symbol,
        timeframe_s: int,
        start: Instant,
        candles_max: int | None = None,
    ) -> None:
        self.symbol = symbol
        self.starts_at = start
        self._length_s = timeframe_s
        self._length_ns = timeframe_s * NANOS_PER_SECOND
        assert start % self._length_ns == 0, f"Expected a start on the grid, was {start}"
        self._origin = start - WARMUP_CANDLES * self._length_ns
        self._end = None if candles_max is None else WARMUP_CANDLES + candles_max
        instrument = paper_instruments((symbol,))[symbol]
        self._price_step, self._amount_step = instrument.price_step, instrument.amount_step
        first = ratio(_FIRST_PRICES.get(instrument.base, _FIRST_PRICE), self._price_step)
        self._series = Series(f"{seed}:{symbol}", int(first))
        self._blocks: dict[int, tuple[Figures | None, ...]] = {}

    def candles(self, after: Instant) -> Iterator[Candle]:
        """Return the candles that are not yet closed at an instant, in order."""
        number = max(0, self._number_at(after))
        while self._end is None or number < self._end:
            candle = self._candle(number)
            if candle is not None:
                yield candle
            number += 1

    def history(self, before: Instant, count: int) -> tuple[Candle, ...]:
        """Return the last `count` candles closed at or before an instant, in order."""
        end = self._number_at(before)
        if self._end is not None:
            end = min(end, self._end)
        found: list[Candle] = []
        for number in range(end - 1, -1, -1):
            if len(found) == count:
                break
            candle = self._candle(number)
            if candle is not None:
                found.append(candle)
        return tuple(reversed(found))

    def _number_at(self, instant: Instant) -> int:
        """Return the number, from the series' first candle on, in which an instant lies."""
        return (instant - self._origin) // self._length_ns

    def _candle(self, number: int) -> Candle | None:
        """Return a candle by its number, or None where there is a hole."""
        block, place = divmod(number, BLOCK_CANDLES)
        if block not in self._blocks:
            if len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block] = self._series.block(block)
        figures = self._blocks[block][place]
        return None if figures is None else self._priced(number, figures)

    def _priced(self, number: int, figures: Figures) -> Candle:
        step = self._price_step
        return Candle(
            symbol=self.symbol,
            open_at=Instant(self._origin + number * self._length_ns),
            length_s=self._length_s,
            open=times(Decimal(figures.open), step),
            high=times(Decimal(figures.high), step),
            low=times(Decimal(figures.low), step),
            close=times(Decimal(figures.close), step),
            volume=times(Decimal(figures.volume), self._amount_step),
        )
