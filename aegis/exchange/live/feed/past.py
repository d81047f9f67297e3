"""What somebody wants to know of the candles before now: from where on, and page by page.

Pure. One question is answered by one page; who asked goes on from where it ends.
"""

from __future__ import annotations

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import ReadCandles
from aegis.exchange.live.feed.candle_rows import beat_before, closed_rows, later
from aegis.news import HistoryRead, ReadHistory

HISTORY_CANDLES_MAX = 20_000
"""Two weeks of minutes, in 67 pages of 300. What is older is left out: of a first value that far
back, an average over 1,000 candles has kept e^-40."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A question, with the instants that its answer lies between.

    `page` is how many candles' time an answer speaks of at least.
    """

    wanted: ReadHistory
    start: Instant
    until: Instant
    timeframe_s: int
    page: int
    is_cut: bool

    @property
    def call(self) -> ReadCandles:
        """The call that answers it; a candle that `start` lies in closes after it, and counts."""
        since = beat_before(self.start, self.timeframe_s)
        return ReadCandles(symbol=self.wanted.symbol, timeframe_s=self.timeframe_s, since=since)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has closed between the two."""
        return self.start >= self.until


def look_for(wanted: ReadHistory, until: Instant, *, timeframe_s: int, page: int) -> Look:
    """Return where the answer to a question begins and ends; `until` is the last close."""
    asked = until if wanted.after is None else min(wanted.after, until)
    start = min(asked, later(until, -wanted.least, timeframe_s))
    eldest = later(until, -HISTORY_CANDLES_MAX, timeframe_s)
    return Look(
        wanted=wanted,
        start=max(start, eldest),
        until=until,
        timeframe_s=timeframe_s,
        page=page,
        is_cut=start < eldest,
    )


def page_of(look: Look, answer: tuple[Candle, ...]) -> HistoryRead:
    """Return the page that an answer makes; one without any candle ends with its time."""
    since = beat_before(look.start, look.timeframe_s)
    rows = closed_rows(answer, since=since, closed_by=look.until, timeframe_s=look.timeframe_s)
    candles = tuple(each for each in rows.candles if each.close_at > look.start)
    over = min(look.until, later(since, look.page, look.timeframe_s))
    until = candles[-1].close_at if candles else over
    return HistoryRead(
        symbol=look.wanted.symbol,
        after=look.wanted.after,
        candles=candles,
        until=until,
        is_last=until >= look.until,
        is_cut=look.is_cut and bool(candles),
    )
