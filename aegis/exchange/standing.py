"""A market that stands still: the last prices that were known, told again and again.

For what is done while AEGIS does not run: the `MarketData` port at one instant.

Invariants:
1. No price is told that was not there at that instant or before it.
2. Nothing closes, nothing ends, and there is no history: nobody decides on a market like this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import cycle

from msgspec.structs import replace

from aegis.domain.candles import Tick, path
from aegis.domain.ids import Instant
from aegis.exchange.paced import Source
from aegis.news import (
    HistoryRead,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from aegis.ports import Runtime

TOLD_EACH_S = 1.0


class StandingMarket:
    """Tells each tick in turn, once a second; implements `ports.MarketData`."""

    def __init__(self, ticks: Sequence[Tick], runtime: Runtime, spread_bps: Decimal) -> None:
        self._news = cycle([MarketMoved(tick=tick, spread_bps=spread_bps) for tick in ticks])
        self._is_silent = not ticks
        self._runtime = runtime

    def next(self, reply_to: Callable[[MarketNews], None]) -> None:
        """Ask for the next news; without any price known there is none."""
        if not self._is_silent:
            self._runtime.after(TOLD_EACH_S, lambda: reply_to(next(self._news)))

    def history(self, wanted: ReadHistory, reply_to: Callable[[HistoryRead], None]) -> None:
        """Tell of nothing: nobody warms up here."""
        symbol, after = wanted.symbol, wanted.after
        until = after or Instant(0)
        page = HistoryRead(symbol=symbol, after=after, candles=(), until=until, is_last=True)
        reply_to(page)


def last_tick(source: Source, at: Instant) -> Tick | None:
    """Return where a symbol's price stood at an instant, as a point; None before its first."""
    under_way = next(source.candles(at), None)
    ticks = () if under_way is None else path(under_way, falls_first=True)
    past = [tick for tick in ticks if tick.at <= at]
    if not past:
        closed = source.history(at, 1)
        past = list(path(closed[-1], falls_first=True)) if closed else []
    return replace(past[-1], start=past[-1].price) if past else None
