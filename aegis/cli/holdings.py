"""What positions are worth and how near their stops are, from a store's views: figures and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from aegis.cli.output import table
from aegis.cli.wording import NOTHING, amount, moment, money, percent, price
from aegis.domain.ids import Coin, Symbol
from aegis.domain.money import ZERO, minus, negative, plus, ratio, text, times
from aegis.domain.position import worth

View = Mapping[str, object]

ENDED = frozenset({"CLOSED", "VOID"})
SHORT = "short"
HUNDRED = Decimal(100)


def figure(view: View, name: str) -> Decimal | None:
    """Return a figure of a view, which has it as text."""
    found = view[name]
    return None if found is None else Decimal(str(found))


def worth_of(view: View) -> Decimal:
    """Return what is held of a position, at its last mark."""
    held, cost = figure(view, "amount"), figure(view, "cost")
    if held is None or cost is None:
        return ZERO
    return worth(Symbol(str(view["symbol"])), held, cost, figure(view, "current_price"))


def gain_of(view: View) -> Decimal | None:
    """Return what a position has gained, with what is held counted at its last mark."""
    booked, mark = figure(view, "pnl"), figure(view, "current_price")
    if booked is None or mark is None or view["status"] in ENDED:
        return booked
    held, cost = figure(view, "amount"), figure(view, "cost")
    assert held is not None, f"Expected an amount in {view}"
    assert cost is not None, f"Expected a cost in {view}"
    return plus(minus(times(held, mark), cost), booked)


def distance_pct(view: View, name: str) -> Decimal | None:
    """Return how many per cent of the mark it has to move to a stop or a target.

    Below zero it is past it already.
    """
    mark, level = figure(view, "current_price"), figure(view, name)
    if mark is None or level is None or mark == 0 or view["status"] in ENDED:
        return None
    way = minus(mark, level)
    is_away = (name == "stop_price") is not (view["side"] == SHORT)
    return times(ratio(way if is_away else negative(way), mark), HUNDRED)


def nearest_to_stop(views: Sequence[View], most: int) -> Sequence[View]:
    """Return so many positions, in their order; where there are more, those nearest to their stop.

    One whose distance is not known, for want of a price or of a stop, comes before all others.
    """
    if len(views) <= most:
        return views
    away = {id(view): distance_pct(view, "stop_price") for view in views}
    nearest = sorted(views, key=lambda view: (away[id(view)] is not None, away[id(view)] or 0))
    chosen = {id(view) for view in nearest[:most]}
    return [view for view in views if id(view) in chosen]


def with_figures(view: View) -> dict[str, object]:
    """Return a position's view with what it has gained and how far its stop and target are."""
    gain = gain_of(view)
    away = {
        "stop_distance_pct": distance_pct(view, "stop_price"),
        "target_distance_pct": distance_pct(view, "take_profit_price"),
    }
    return {
        **view,
        "gain": None if gain is None else text(gain),
        **{name: None if each is None else f"{each:.4f}" for name, each in away.items()},
    }


def positions_table(views: Sequence[View], quote: Coin, *, is_closing_told: bool = False) -> str:
    """Return positions as rows; `is_closing_told` adds when they were closed."""
    figures = ("Amount", "Entry", "Mark", "Stop", "Target", "P&L")
    times_told = ("Opened", "Closed") if is_closing_told else ("Opened",)
    columns = ("Position", "Symbol", "Status", *figures, *times_told)
    rows = [
        (
            str(view["position_id"]),
            str(view["symbol"]),
            str(view["status"]),
            amount(view["amount"]),
            price(view["entry_price"]),
            price(view["current_price"]),
            _level(view, "stop_price"),
            _level(view, "take_profit_price"),
            money(gain_of(view), quote),
            moment(view["opened_at"]),
            moment(view["closed_at"]),
        )[: len(columns)]
        for view in views
    ]
    return table(columns, rows, right=figures)


def _level(view: View, name: str) -> str:
    """Return a stop or a target, with how far it is from the mark."""
    if view[name] is None:
        return NOTHING
    away = distance_pct(view, name)
    return price(view[name]) + ("" if away is None else f" ({percent(away)})")
