"""Which stretches of time are read so that no trade is left out: windows, and pages in them.

Pure but for its memory. An exchange tells the trades of a window at most, a page at most, and a
full page may have left out trades at either of its ends. So what lies outside of a full page is
read as well, its own first and last instants included.

Invariants:
1. Each instant from the first to the last is covered by a page that was not full, or lies inside
   of a full one.
2. A trade that is told twice counts once; told in two ways it is a fault.
3. Each stretch that a full page leaves is shorter than the page's own: reading comes to an end.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol, TradeId
from aegis.domain.venue import VenueTrade
from aegis.exchange.live.calls import Page

OVERLAP_NS = NANOS_PER_SECOND
"""Two windows have so much in common."""


class Stretch(msgspec.Struct, frozen=True):
    """From an instant to another, both included."""

    since: Instant
    until: Instant


def windows(since: Instant, until: Instant, window_s: int) -> Iterator[Stretch]:
    """Yield the windows that cover a time, eldest first; the last ends with it."""
    step_ns = window_s * NANOS_PER_SECOND - OVERLAP_NS
    assert step_ns > 0, f"Expected a window above {OVERLAP_NS} ns, was {window_s} s"
    begin = since
    while True:
        end = Instant(min(until, begin + step_ns + OVERLAP_NS))
        yield Stretch(begin, end)
        if end >= until:
            return
        begin = Instant(begin + step_ns)


class Reading:
    """Trades as far as they were read; `fault` says why they never will be."""

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._left: list[Stretch] = []  # its end is next
        self._found: dict[tuple[Symbol, TradeId], VenueTrade] = {}
        self.fault: str | None = None

    def want(self, since: Instant, until: Instant, *, is_newest_first: bool = False) -> None:
        """Have a time read as well, or once more."""
        wanted = list(windows(since, until, self._window_s))
        self._left += wanted if is_newest_first else reversed(wanted)

    @property
    def next(self) -> Stretch | None:
        """What is to be read next; None at the end, or where there is a fault."""
        return self._left[-1] if self._left and self.fault is None else None

    @property
    def trades(self) -> tuple[VenueTrade, ...]:
        """All that were found, eldest first."""
        return tuple(sorted(self._found.values(), key=lambda trade: (trade.at, trade.trade_id)))

    def take(self, page: Page) -> None:
        """Take the page of the stretch that was next."""
        stretch = self._left.pop()
        for trade in page.trades:
            self._add(trade)
        if page.is_full and self.fault is None:
            self._left.extend(reversed(list(self._around(page, stretch))))

    def _add(self, trade: VenueTrade) -> None:
        known = self._found.setdefault((trade.symbol, trade.trade_id), trade)
        if known != trade:
            self.fault = f"Expected trade {trade.trade_id} to stay as it was, and it did not"

    def _around(self, page: Page, stretch: Stretch) -> Iterator[Stretch]:
        """Yield what a full page may have left out."""
        inside = [t.at for t in page.trades if stretch.since <= t.at <= stretch.until]
        if not inside:
            self.fault = "Expected a full page to hold trades of the time that was asked for"
            return
        first, last = min(inside), max(inside)
        if first < last:
            yield Stretch(stretch.since, first)
            yield Stretch(last, stretch.until)
        elif stretch.since == stretch.until:
            self.fault = f"Expected a page to hold all trades of one instant, {first} has more"
        else:
            if stretch.since < first:
                yield Stretch(stretch.since, Instant(first - 1))
            yield Stretch(first, first)
            if first < stretch.until:
                yield Stretch(Instant(first + 1), stretch.until)
