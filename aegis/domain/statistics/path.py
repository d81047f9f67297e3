"""The path of the marked equity: what an account was worth after each fill and each mark.

Marked equity is that of the limits (`risk.equity_of`): the quote balance, and own positions at
their last marks. What the owner moves in or out is neither gain nor loss: heights move along with
it, and a day's return is chained around it (a time-weighted return).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from aegis.domain.book import Book
from aegis.domain.events import (
    BalancesStarted,
    DustSetAside,
    Event,
    ExternalChangeSeen,
    OrderFilled,
    PositionImported,
    PositionMarked,
    PositionOpened,
    PositionTransferred,
    PositionUnpriced,
    Recorded,
)
from aegis.domain.fold.parts import brought
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant
from aegis.domain.money import ONE, ROUNDED, ZERO, minus, negative, plus, ratio, times
from aegis.domain.position import worth
from aegis.domain.risk import equity_of
from aegis.domain.statistics.trades import percentage

DAY_NS = 86_400 * NANOS_PER_SECOND

SECTIONS = 300
"""Into how many the time is cut for a picture; of each the lowest, the highest and the last are
kept, so that no peak is lost and no picture is large."""

_MOVES_EQUITY = (
    BalancesStarted
    | DustSetAside
    | ExternalChangeSeen
    | OrderFilled
    | PositionImported
    | PositionMarked
    | PositionOpened
    | PositionTransferred
    | PositionUnpriced
)


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The marked equity from an instant on; `transferred` came in with it, or left (below 0)."""

    at: Instant
    equity: Decimal
    transferred: Decimal = ZERO


class ShownPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A point of the picture: equity, and how many per cent it lies below its height (<= 0)."""

    at: Instant
    equity: Decimal
    drawdown_pct: Decimal


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """The largest fall in per cent of a height: how much, from when, and when it was lowest."""

    quote: Decimal
    pct: Decimal
    height_at: Instant
    low_at: Instant


class DayReturn(msgspec.Struct, frozen=True, kw_only=True):
    """What a UTC day made of its first equity, as a fraction; a first or last day may be short."""

    day_at: Instant
    fraction: Decimal


class EquityPath(msgspec.Struct, frozen=True, kw_only=True):
    """The path from `begin_at` to `end_at`. `drawdown` is None where nothing ever fell."""

    begin_at: Instant
    end_at: Instant
    first: Decimal
    last: Decimal
    transferred: Decimal
    drawdown: Drawdown | None
    days: tuple[DayReturn, ...]
    shown: tuple[ShownPoint, ...]


def point_of(book: Book, recorded: Recorded, quote: Coin) -> EquityPoint | None:
    """Return what a book is worth after an event that may change it; the event is in it.

    None for every other event, and between an entry's first fill and the mark that comes with it.
    """
    event = recorded.event
    if not isinstance(event, _MOVES_EQUITY) or not book.account.has_balances:
        return None
    if any(held.amount > 0 and held.mark is None for held in book.alive_positions()):
        return None
    moved = _transferred(event, quote)
    return EquityPoint(at=recorded.at, equity=equity_of(book, quote), transferred=moved)


def _transferred(event: Event, quote: Coin) -> Decimal:
    """Return what the owner moved in (below 0: out) by an event, or had sold for them."""
    match event:
        case ExternalChangeSeen() if event.counts_as_equity:
            return event.amount
        case PositionImported():
            cost = times(event.amount, event.entry_price)
            return worth(event.symbol, event.amount, cost, event.price)
        case PositionTransferred():
            return negative(event.value)
        case OrderFilled():
            return brought(event, quote)
        case _:
            return ZERO


def equity_path(
    points: Iterable[EquityPoint], *, since: Instant, end_at: Instant
) -> EquityPath | None:
    """Return the path of points in order; what lies before `since` only says where it begins.

    None without a point. Points are taken as they come and not kept.
    """
    walk: _Walk | None = None
    before: EquityPoint | None = None
    for point in points:
        if walk is None and point.at < since:
            before = point
            continue
        if walk is None:
            first = EquityPoint(at=since, equity=before.equity) if before else point
            walk = _Walk(first, end_at)
            if before is None:
                continue
        walk.step(point)
    if walk is None and before is not None:
        walk = _Walk(EquityPoint(at=since, equity=before.equity), end_at)
    return None if walk is None else walk.ended()


class _Walk:
    """What is remembered of a path so far."""

    def __init__(self, first: EquityPoint, end_at: Instant) -> None:
        self._begin_at, self._end_at = first.at, max(end_at, first.at)
        self._first = self._equity = first.equity
        self._transferred = ZERO
        self._height, self._height_at = first.equity, first.at
        self._drawdown: Drawdown | None = None
        self._days: list[DayReturn] = []
        self._day = first.at // DAY_NS
        self._base, self._growth = first.equity, ONE
        self._picture = _Picture(self._begin_at, self._end_at)
        self._show(first.at)

    def step(self, point: EquityPoint) -> None:
        """Go on to the next point."""
        self._close_days_before(point.at // DAY_NS)
        if point.transferred != 0:
            self._transfer(point)
        self._equity = point.equity
        if point.equity > self._height:
            self._height, self._height_at = point.equity, point.at
        self._fall(point.at)
        self._show(point.at)

    def ended(self) -> EquityPath:
        """Return the path, its last equity carried on to its end."""
        self._close_days_before(self._end_at // DAY_NS + 1)
        self._show(self._end_at)
        return EquityPath(
            begin_at=self._begin_at,
            end_at=self._end_at,
            first=self._first,
            last=self._equity,
            transferred=self._transferred,
            drawdown=self._drawdown,
            days=tuple(self._days),
            shown=self._picture.points(),
        )

    def _transfer(self, point: EquityPoint) -> None:
        """Let the height and the day's return go on from what is there now."""
        self._growth = self._grown(minus(point.equity, point.transferred))
        self._base = point.equity
        self._height = max(ZERO, plus(self._height, point.transferred))
        self._transferred = plus(self._transferred, point.transferred)

    def _grown(self, equity: Decimal) -> Decimal:
        """Return the day's growth up to an equity; nothing grows out of nothing."""
        if self._base <= 0:
            return self._growth
        return ROUNDED.multiply(self._growth, ratio(equity, self._base))

    def _close_days_before(self, day: int) -> None:
        while self._day < day:
            self._days.append(
                DayReturn(
                    day_at=Instant(self._day * DAY_NS),
                    fraction=ROUNDED.subtract(self._grown(self._equity), ONE),
                )
            )
            self._base, self._growth = self._equity, ONE
            self._day += 1

    def _fall(self, at: Instant) -> None:
        fall = minus(self._height, self._equity)
        pct = percentage(fall, self._height)
        if pct > (self._drawdown.pct if self._drawdown else ZERO):
            self._drawdown = Drawdown(quote=fall, pct=pct, height_at=self._height_at, low_at=at)

    def _show(self, at: Instant) -> None:
        below = minus(ZERO, percentage(minus(self._height, self._equity), self._height))
        self._picture.add(ShownPoint(at=at, equity=self._equity, drawdown_pct=below))


class _Picture:
    """The first point, and of each section of time the lowest, the highest and the last."""

    def __init__(self, begin_at: Instant, end_at: Instant) -> None:
        self._begin_at, self._span = begin_at, max(1, end_at - begin_at)
        self._points: list[ShownPoint] = []
        self._section = -1
        self._low = self._high = self._last = ShownPoint(
            at=begin_at, equity=ZERO, drawdown_pct=ZERO
        )

    def add(self, point: ShownPoint) -> None:
        section = min(SECTIONS - 1, (point.at - self._begin_at) * SECTIONS // self._span)
        if self._section < 0:
            self._points.append(point)
        if section != self._section:
            self._keep()
            self._section = section
            self._low = self._high = self._last = point
            return
        self._last = point
        if point.equity < self._low.equity:
            self._low = point
        if point.equity > self._high.equity:
            self._high = point

    def points(self) -> tuple[ShownPoint, ...]:
        self._keep()
        return tuple(self._points)

    def _keep(self) -> None:
        if self._section < 0:
            return
        for point in sorted((self._low, self._high, self._last), key=lambda each: each.at):
            if not self._points or point != self._points[-1]:
                self._points.append(point)
