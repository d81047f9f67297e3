"""A closed position as a trade: what it brought, how far it went, and what was risked for it.

Spot and long: a position is entered by buying. Excursions and initial risk are reckoned with all
that was ever entered, so with further entries they are what the whole amount would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, PositionId, Symbol
from aegis.domain.instants import text_of
from aegis.domain.money import HUNDRED, ZERO, minus, plus, ratio, times, total
from aegis.domain.position import Position

DATE_LENGTH = len("2025-01-31")


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote coin; `pnl` is after fees, excursions and risk are before them.

    `best` is the maximum favourable excursion (0 or more), `worst` the maximum adverse one (0 or
    less), both from the mean entry price; J. Sweeney, Maximum Adverse Excursion, 1997. `risk` is
    what would have been lost at the first stop; None without a stop, or with one above the mean
    entry. `r_multiple` = P&L / risk; V. Tharp, Trade Your Way to Financial Freedom, 1998.
    `exit_price` is None where all was dust.
    """

    position_id: PositionId
    symbol: Symbol
    strategy: str
    reason: str
    opened_at: Instant
    closed_at: Instant
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    paid: Decimal
    pnl: Decimal
    fees: Decimal
    best: Decimal
    worst: Decimal
    risk: Decimal | None

    @property
    def r_multiple(self) -> Decimal | None:
        return None if self.risk is None else ratio(self.pnl, self.risk)

    @property
    def best_pct(self) -> Decimal:
        return percentage(self.best, self.paid)

    @property
    def worst_pct(self) -> Decimal:
        return percentage(self.worst, self.paid)

    @property
    def duration_s(self) -> int:
        """Whole seconds from the first fill to the close."""
        return (self.closed_at - self.opened_at) // NANOS_PER_SECOND

    @property
    def day(self) -> str:
        """The UTC date of its close."""
        return text_of(self.closed_at)[:DATE_LENGTH]


def trade_of(position: Position) -> Trade:
    """Return a closed and priced position as a trade."""
    assert position.closed_at is not None, f"Expected a closed position, was {position}"
    high, low = position.price_high, position.price_low
    assert high is not None, f"Expected a position with a fill, was {position}"
    assert low is not None, f"Expected a position with a fill, was {position}"
    return Trade(
        position_id=position.position_id,
        symbol=position.symbol,
        strategy=position.strategy,
        reason=position.close_reason,
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        amount=position.entered,
        entry_price=position.entry_price,
        exit_price=ratio(position.received, position.exited) if position.exited > 0 else None,
        paid=position.paid,
        pnl=position.pnl,
        fees=position.fees_quote,
        best=max(ZERO, minus(times(high, position.entered), position.paid)),
        worst=min(ZERO, minus(times(low, position.entered), position.paid)),
        risk=_risk(position),
    )


def _risk(position: Position) -> Decimal | None:
    """Return paid - first stop x entered, or None where that is no risk."""
    if position.stop_first is None:
        return None
    risk = minus(position.paid, times(position.stop_first, position.entered))
    return risk if risk > 0 else None


def trades_of(closed: Iterable[Position]) -> tuple[Trade, ...]:
    """Return the priced ones of closed positions as trades, in the order of their close."""
    trades = (trade_of(position) for position in closed if not position.is_unpriced)
    return tuple(sorted(trades, key=lambda trade: (trade.closed_at, trade.position_id)))


def percentage(part: Decimal, whole: Decimal) -> Decimal:
    """Return a part in per cent of a whole, rounded to 34 digits; zero of nothing."""
    return ratio(times(part, HUNDRED), whole) if whole > 0 else ZERO


# Figures of many trades ---------------------------------------------------------------------


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What the trades of one day, reason, symbol or strategy add up to."""

    name: str
    trades: int
    won: int
    pnl: Decimal
    fees: Decimal


def shares(trades: Iterable[Trade], name_of: Callable[[Trade], str]) -> tuple[Share, ...]:
    """Return what trades add up to by name, in the order of the names."""
    found: dict[str, list[Trade]] = {}
    for trade in trades:
        found.setdefault(name_of(trade), []).append(trade)
    return tuple(_share(name, found[name]) for name in sorted(found))


def _share(name: str, trades: Sequence[Trade]) -> Share:
    return Share(
        name=name,
        trades=len(trades),
        won=sum(trade.pnl > 0 for trade in trades),
        pnl=total(trade.pnl for trade in trades),
        fees=total(trade.fees for trade in trades),
    )


def profit_factor(pnls: Sequence[Decimal]) -> Decimal | None:
    """Return gross profit / gross loss, both after fees; None without a loss."""
    gains = total(pnl for pnl in pnls if pnl > 0)
    losses = total(pnl for pnl in pnls if pnl < 0)
    return ratio(gains, minus(ZERO, losses)) if losses < 0 else None


def longest_losing_run(pnls: Iterable[Decimal]) -> int:
    """Return the most losses one after another; a trade that neither gains nor loses ends a run."""
    longest = run = 0
    for pnl in pnls:
        run = run + 1 if pnl < 0 else 0
        longest = max(longest, run)
    return longest


def mean(values: Sequence[Decimal]) -> Decimal | None:
    """Return the arithmetic mean, rounded to 34 digits; None of none."""
    return ratio(total(values), Decimal(len(values))) if values else None


def median(values: Iterable[Decimal]) -> Decimal | None:
    """Return the middle value, or the mean of the two in the middle; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    half, is_odd = divmod(len(ordered), 2)
    if is_odd:
        return ordered[half]
    return ratio(plus(ordered[half - 1], ordered[half]), Decimal(2))


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """How many values lie in [low, high); None has no bound on that side."""

    low: Decimal | None
    high: Decimal | None
    count: int


R_EDGES = tuple(Decimal(edge) for edge in (-2, -1, 0, 1, 2, 3))


def histogram(values: Sequence[Decimal], edges: Sequence[Decimal]) -> tuple[Bin, ...]:
    """Return how many values lie between neighbouring edges, and beyond the first and the last."""
    return tuple(
        Bin(
            low=low,
            high=high,
            count=sum(
                (low is None or low <= each) and (high is None or each < high) for each in values
            ),
        )
        for low, high in zip((None, *edges), (*edges, None), strict=True)
    )


def exposure_pct(
    spans: Iterable[tuple[Instant, Instant]], begin: Instant, end: Instant
) -> Decimal | None:
    """Return the share of [begin, end) that spans cover, overlaps once; None of no time."""
    covered, reached = 0, begin
    for opened, closed in sorted(spans):
        start = max(opened, reached)
        if (until := min(closed, end)) > start:
            covered += until - start
            reached = until
    return percentage(Decimal(covered), Decimal(end - begin)) if end > begin else None
