"""Closed trades whose result is impossible, or far from what their policy and their like allow.

A loss at the stop that rests at the exchange is measured against where that one stood: it is
further away than AEGIS's own. Percentages are rounded, and nothing follows from them but a
suspicion. Median and median absolute deviation are used since one wild trade moves neither
(F. R. Hampel, 1974).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache

from aegis.domain.ids import PositionId
from aegis.domain.judgement import Judgement, judged
from aegis.domain.money import HUNDRED, ZERO, distance, floor_to, minus, plus, ratio, text, times
from aegis.domain.order import Order, Role
from aegis.domain.position import Position, StopPolicy
from aegis.domain.protection import STOP_REASON
from aegis.domain.restored import RECOVERED

MARGIN_PCT = Decimal(1)
"""Beyond stop or target, for fees, slippage and a small gap: stop 2 % flags a loss above 3 %."""

PEERS_MIN = 30
"""Below this many trades there is no distribution to be outside of."""

DEVIATIONS_MAX = Decimal(20)
"""In median absolute deviations: trades have fat tails, and 20 is far out in any of them."""

CENT = Decimal("0.01")

Peers = Callable[[], Sequence[Decimal]]
OrdersOf = Callable[[PositionId], Sequence[Order]]
Usual = Callable[[], tuple[Decimal, Decimal] | None]
"""From where to where results are like the others; None where there are too few to say."""


def unusual_trades(trades: Sequence[Position], peers_pct: Peers, orders_of: OrdersOf) -> Judgement:
    """Flag closed trades with a result that nobody would expect; `peers_pct` tells those of all."""
    usual = cache(lambda: _usual(peers_pct()))
    faults = [
        f"{trade.position_id} ({trade.symbol}) {fault}"
        for trade in trades
        if not trade.is_unpriced
        for fault in _faults(trade, usual, orders_of)
    ]
    return judged("trades", faults)


def _faults(trade: Position, usual: Usual, orders_of: OrdersOf) -> Iterator[str]:
    if trade.paid == 0:
        if trade.pnl != 0:
            yield f"has a result of {trade.pnl:f} where nothing was paid"
        return
    result_pct = ratio(times(trade.pnl, HUNDRED), trade.paid)
    is_gain, size_pct = result_pct > 0, distance(result_pct, ZERO)
    bound = _bound_pct(trade.policy, is_gain=is_gain)
    if trade.close_reason == RECOVERED:
        bound = None  # at which level it was left, nobody knows: perhaps at the exchange's stop
    elif trade.close_reason == STOP_REASON and not is_gain:
        bound = _bound_there_pct(trade, orders_of(trade.position_id), bound)
    what = "gained" if is_gain else "lost"
    if size_pct > HUNDRED:
        yield f"{what} more than was paid"
    elif bound is not None and size_pct > bound:
        yield f"{what} {_shown(size_pct)} %, expected at most {_shown(bound)} %"
    elif bound is None and _is_outside(result_pct, usual()):
        yield f"{what} {_shown(size_pct)} %, far from every other trade"


def _shown(percent: Decimal) -> str:
    return text(floor_to(percent, CENT))


def _bound_pct(policy: StopPolicy, *, is_gain: bool) -> Decimal | None:
    """Return how far a policy lets a result go with the margin, None where it does not say."""
    stops = (policy.stop_loss_pct, policy.trailing_stop_pct)
    distances = [each for each in ((policy.take_profit_pct,) if is_gain else stops) if each > 0]
    return plus(min(distances), MARGIN_PCT) if distances else None


def _bound_there_pct(
    trade: Position, orders: Sequence[Order], own: Decimal | None
) -> Decimal | None:
    """Return how far the stop that rested at the exchange, and sold, let a loss go; see above.

    None where nobody knows where it stood, as of one that was recovered; `own` where none sold.
    """
    fired = [each for each in orders if each.role is Role.PROTECTIVE and each.filled > 0]
    if not fired or trade.entered == 0:
        return own
    stood_at = fired[-1].trigger_price
    if stood_at is None:
        return None
    entry = ratio(trade.paid, trade.entered)
    lost_pct = ratio(times(minus(entry, stood_at), HUNDRED), entry)
    return plus(max(lost_pct, ZERO), MARGIN_PCT)


def _is_outside(result_pct: Decimal, usual: tuple[Decimal, Decimal] | None) -> bool:
    return usual is not None and not usual[0] <= result_pct <= usual[1]


def _usual(peers_pct: Sequence[Decimal]) -> tuple[Decimal, Decimal] | None:
    if len(peers_pct) < PEERS_MIN:
        return None
    middle = _median(peers_pct)
    deviation = _median(distance(each, middle) for each in peers_pct)
    if deviation == 0:
        return None
    reach = times(DEVIATIONS_MAX, deviation)
    return minus(middle, reach), plus(middle, reach)


def _median(figures: Iterable[Decimal]) -> Decimal:
    """Return the middle figure, of an even number the upper one of the two."""
    ordered = sorted(figures)
    return ordered[len(ordered) // 2]
