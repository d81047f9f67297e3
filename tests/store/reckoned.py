"""A run's figures once more, from its fills alone: joined to orders and positions, in fractions."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

from aegis.domain.statistics.summary import Summary
from tests.store.tampering import stranger

ROUNDING = Fraction(1, 10**28)

_FILLS = """
SELECT orders.position_id, orders.role, orders.client_order_id, positions.symbol, fills.side,
       fills.amount_exact, fills.price_exact, fills.fee_exact, fills.fee_currency
FROM fills
JOIN orders ON orders.client_order_id = fills.client_order_id
JOIN positions ON positions.position_id = orders.position_id
WHERE positions.status = 'CLOSED' AND positions.unpriced = 0
"""

_CLOSED = """
SELECT position_id, closed_at FROM positions
WHERE status = 'CLOSED' AND unpriced = 0 ORDER BY closed_at, position_id
"""


class Reckoned:
    """Results by position, from the fills alone: what came in less what went out, and fees."""

    def __init__(self, store: Path) -> None:
        self.pnl: dict[str, Fraction] = defaultdict(Fraction)
        self.fees: Fraction = Fraction(0)
        self.told: Counter[str] = Counter()
        with stranger(store) as db:
            fills = db.execute(_FILLS).fetchall()
            self.closed = [str(row[0]) for row in db.execute(_CLOSED).fetchall()]
        self.entries: dict[str, set[str]] = defaultdict(set)
        self.trades: Counter[str] = Counter()
        self.left: dict[str, Fraction] = defaultdict(Fraction)
        for fill in fills:
            self.book(*(str(cell) for cell in fill))

    def book(
        self, position: str, role: str, order: str, symbol: str, side: str, *figures: str
    ) -> None:
        amount, price, fee = (Fraction(figure) for figure in figures[:3])
        base, _, quote = symbol.partition("/")
        fee_quote = fee if figures[3] == quote else Fraction(0)
        fee_base = fee if figures[3] == base else Fraction(0)
        self.pnl[position] += (amount * price if side == "sell" else -amount * price) - fee_quote
        self.left[position] += (amount if side == "buy" else -amount) - fee_base
        self.fees += fee_quote + fee_base * price
        self.trades[order] += 1
        self.told["a fee in base"] += fee_base > 0
        self.told["a fee in a third coin"] += figures[3] not in {base, quote}
        if role == "entry":
            self.entries[position].add(order)

    def seen(self) -> Counter[str]:
        """Return what these fills had of what is hard."""
        self.told["a partial fill"] += sum(count > 1 for count in self.trades.values())
        self.told["a further entry"] += sum(len(each) > 1 for each in self.entries.values())
        self.told["dust"] += sum(left > 0 for left in self.left.values())
        self.told["a gain"] += sum(pnl > 0 for pnl in self.pnl.values())
        self.told["a loss"] += sum(pnl < 0 for pnl in self.pnl.values())
        return self.told


def expect_equal(summary: Summary, reckoned: Reckoned) -> None:
    """Expect trades, win rate, P&L, fees and profit factor to be the same."""
    pnls = [reckoned.pnl[position] for position in reckoned.closed]
    won = [pnl for pnl in pnls if pnl > 0]
    lost = [pnl for pnl in pnls if pnl < 0]
    assert summary.trades == len(pnls)
    assert summary.won == len(won)
    assert Fraction(summary.pnl_total) == sum(pnls)
    assert Fraction(summary.fees) == reckoned.fees
    if pnls:
        assert summary.win_rate_pct is not None
        assert abs(Fraction(summary.win_rate_pct) - Fraction(100 * len(won), len(pnls))) < ROUNDING
    if lost:
        assert summary.profit_factor is not None
        expected = sum(won, Fraction(0)) / -sum(lost, Fraction(0))
        assert abs(Fraction(summary.profit_factor) - expected) < ROUNDING
