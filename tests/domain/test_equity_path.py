"""The path of the equity: by hand, against empyrical, and as the book has it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.commands import MarkPosition, RecordExternalChange
from aegis.domain.events import PositionTransferred, Recorded
from aegis.domain.ids import EventId, Instant
from aegis.domain.money import ZERO, negative
from aegis.domain.order import OrderStep
from aegis.domain.risk import equity_of
from aegis.domain.statistics.path import (
    DAY_NS,
    SECTIONS,
    EquityPath,
    EquityPoint,
    equity_path,
    point_of,
)
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    START,
    USDT,
    Desk,
    accept,
    book_of,
    decimals,
    end,
    entry,
    exit_of,
)

HOUR_NS = DAY_NS // 24
ALWAYS = Instant(0)


def point(equity: str | int, hours: float = 0, transferred: str | int = 0) -> EquityPoint:
    return EquityPoint(
        at=Instant(START + int(hours * HOUR_NS)),
        equity=Decimal(equity),
        transferred=Decimal(transferred),
    )


def path_of(
    points: Sequence[EquityPoint], *, since: Instant = ALWAYS, end_at: Instant | None = None
) -> EquityPath:
    made = equity_path(points, since=since, end_at=end_at or points[-1].at)
    assert made is not None
    return made


def fractions(path: EquityPath) -> tuple[Decimal, ...]:
    return tuple(day.fraction for day in path.days)


def test_what_an_order_of_ours_sold_of_the_owner_s_moves_the_path_as_a_transfer() -> None:
    desk = Desk(keeps=True).funded()
    first = desk.unknown(exit_of(desk.holding("1")))
    desk.does(end(first, OrderStep.PROVE_ABSENT))
    second = desk.accepted(exit_of(desk.position()))
    desk.does(accept(first))
    desk.fills(first, "1")
    desk.fills(second, "0.5", fee="1")
    points = [point_of(book_of(desk.log[: n + 1]), each, USDT) for n, each in enumerate(desk.log)]
    path = path_of([each for each in points if each is not None])
    assert (path.first, path.last, path.transferred) == decimals("10000", "10049", "49")
    assert path.drawdown is None


# Drawdown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equities", "quote", "pct"),
    [
        ([100, 110, 99, 120, 114], "11", "10"),
        ([100, 90], "10", "10"),
        ([100, 50, 200, 120], "50", "50"),
        ([10, 4, 100, 60], "6", "60"),
    ],
)
def test_the_worst_drawdown_is_the_largest_fall_in_per_cent(
    equities: list[int], quote: str, pct: str
) -> None:
    drawdown = path_of([point(equity, hour) for hour, equity in enumerate(equities)]).drawdown
    assert drawdown is not None
    assert (drawdown.quote, drawdown.pct) == decimals(quote, pct)


def test_a_drawdown_says_from_when_and_when_it_was_lowest() -> None:
    drawdown = path_of([point(9, 0), point(10, 1), point(9, 2), point(8, 3), point(9, 4)]).drawdown
    assert drawdown is not None
    assert drawdown.height_at == START + HOUR_NS
    assert drawdown.low_at == START + 3 * HOUR_NS


def test_what_only_rises_has_no_drawdown() -> None:
    assert path_of([point(1), point(1, 1), point(2, 2)]).drawdown is None


def test_money_taken_out_is_no_drawdown_and_money_put_in_hides_none() -> None:
    out = [point(100), point(60, 1, -40), point(54, 2)]
    drawdown = path_of(out).drawdown
    assert drawdown is not None
    assert (drawdown.quote, drawdown.pct) == decimals(6, 10)
    hidden = path_of([point(100), point(90, 1), point(190, 2, 100)]).drawdown
    assert hidden is not None
    assert (hidden.quote, hidden.pct) == decimals(10, 10)


def test_an_account_that_was_emptied_falls_no_further() -> None:
    path = path_of([point(100), point(0, 1, -100), point(0, 30)])
    assert (path.drawdown, path.transferred) == (None, Decimal(-100))
    assert fractions(path) == decimals(0, 0)


# Days ---------------------------------------------------------------------------------------


def test_a_day_s_return_is_from_the_last_equity_of_the_day_before() -> None:
    path = path_of([point(100), point(120, 12), point(110, 23), point(99, 25), point(121, 47)])
    assert fractions(path) == decimals("0.1", "0.1")
    assert [day.day_at for day in path.days] == [START, START + DAY_NS]


def test_days_on_which_nothing_happens_count_as_zero() -> None:
    path = path_of([point(100), point(110, 72.5)], end_at=Instant(START + 5 * DAY_NS))
    assert fractions(path) == decimals(0, 0, 0, "0.1", 0, 0)


def test_a_transfer_is_no_return() -> None:
    path = path_of([point(100), point(110, 1), point(1110, 2, 1000), point(1221, 3)])
    assert fractions(path) == decimals("0.21")
    assert path.transferred == 1000


EQUITIES = st.lists(st.integers(1_000, 3_000), min_size=2, max_size=40)


@given(equities=EQUITIES)
def test_without_transfers_drawdown_and_total_are_empyrical_s(equities: list[int]) -> None:
    points = [point(equity, 24 * number) for number, equity in enumerate(equities)]
    path = path_of(points)
    floats = np.array([float(each) for each in fractions(path)])
    drawdown = path.drawdown.pct if path.drawdown else ZERO
    assert -float(drawdown) / 100 == pytest.approx(empyrical.max_drawdown(floats), abs=1e-12)
    assert empyrical.cum_returns_final(floats) == pytest.approx(equities[-1] / equities[0] - 1)


@given(equities=EQUITIES, moved=st.lists(st.integers(-400, 5_000), min_size=40, max_size=40))
def test_transfers_change_neither_returns_nor_fall_in_any_path(
    equities: list[int], moved: list[int]
) -> None:
    """Scale each day's money by what was moved before it."""
    plain = [point(equity, 24 * number) for number, equity in enumerate(equities)]
    scale, moving = 1.0, [plain[0]]
    for number, amount in enumerate(moved[: len(equities) - 1]):
        here = equities[number] * scale
        scale *= (here + amount) / here
        moving.append(scaled(here + amount, 24 * number + 1, amount))
        moving.append(scaled(equities[number + 1] * scale, 24 * number + 24))
    ours, theirs = fractions(path_of(moving)), fractions(path_of(plain))
    assert np.array(ours, float) == pytest.approx(np.array(theirs, float), abs=1e-6)


def scaled(equity: float, hours: float, transferred: int = 0) -> EquityPoint:
    return point(f"{equity:.6f}", hours, transferred)


# Since --------------------------------------------------------------------------------------


def test_what_lies_before_since_only_says_where_the_path_begins() -> None:
    since = Instant(START + DAY_NS)
    points = [point(200), point(100, 23), point(105, 30), point(103, 31)]
    path = path_of(points, since=since)
    assert (path.begin_at, path.first, path.last) == (since, *decimals(100, 103))
    assert path.drawdown is not None
    assert path.drawdown.quote == 2
    assert len(path.days) == 1


def test_since_after_everything_is_a_path_of_one_equity() -> None:
    since = Instant(START + 9 * DAY_NS)
    path = path_of([point(100), point(120, 1)], since=since, end_at=since)
    assert (path.begin_at, path.end_at, path.first, path.last) == (
        since,
        since,
        *decimals(120, 120),
    )


def test_since_before_everything_begins_with_the_first_point() -> None:
    assert path_of([point(7, 5)]).begin_at == START + 5 * HOUR_NS


def test_nothing_has_no_path() -> None:
    assert equity_path((), since=ALWAYS, end_at=START) is None


# The picture --------------------------------------------------------------------------------


def test_a_short_path_is_shown_whole() -> None:
    path = path_of([point(1), point(2, 1), point(1, 2)], end_at=Instant(START + 3 * HOUR_NS))
    assert [(p.at - START) // HOUR_NS for p in path.shown] == [0, 1, 2, 3]
    assert [p.equity for p in path.shown] == list(decimals(1, 2, 1, 1))
    assert [p.drawdown_pct for p in path.shown] == list(decimals(0, 0, -50, -50))


@given(seed=st.integers(0, 2**32 - 1))
def test_a_long_path_is_shown_small_and_keeps_its_peaks(seed: int) -> None:
    choose = np.random.default_rng(seed)
    equities = [int(each) for each in choose.integers(500, 1_500, 2_000)]
    path = path_of([point(equity, number / 10) for number, equity in enumerate(equities)])
    shown = [int(p.equity) for p in path.shown]
    assert len(shown) <= 3 * SECTIONS + 1
    assert (max(shown), min(shown)) == (max(equities), min(equities))
    assert (shown[0], shown[-1]) == (equities[0], equities[-1])
    instants = [p.at for p in path.shown]
    assert instants == sorted(instants)
    assert path.drawdown is not None
    assert min(p.drawdown_pct for p in path.shown) == negative(path.drawdown.pct)


# From the log -------------------------------------------------------------------------------


def points_of(desk: Desk) -> list[EquityPoint]:
    """Return the points that a desk's log makes."""
    found = []
    for place, recorded in enumerate(desk.log):
        made = point_of(book_of(desk.log[: place + 1]), recorded, USDT)
        found += [made] if made is not None else []
    return found


def test_the_equity_is_that_of_the_limits_and_an_entry_is_no_fall() -> None:
    desk = Desk(keeps=True).funded("1000")
    held = desk.holding("1")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(107)))
    desk.left("105")
    points = points_of(desk)
    assert [p.equity for p in points] == list(decimals(1000, 1000, 1007, 1005))
    assert points[-1].equity == equity_of(desk.book, USDT)


def test_a_fee_shows_at_once() -> None:
    desk = Desk(keeps=True).funded("1000")
    desk.fills(desk.accepted(entry("1")), "1", "100", "0.5")
    assert [p.equity for p in points_of(desk)] == list(decimals("1000", "999.5"))


def test_dust_is_worth_nothing_any_more() -> None:
    desk = Desk(keeps=True).funded("1000")
    desk.fills(desk.accepted(entry("1.0005")), "1.0005", "100")
    desk.fills(desk.accepted(exit_of(desk.position(), "1")), "1", "100")
    assert "DustSetAside" in desk.names()
    assert points_of(desk)[-1].equity == Decimal("999.95")


@pytest.mark.parametrize(("coin", "transferred"), [("USDT", 50), ("BTC", 0)])
def test_only_the_owner_s_quote_coins_are_a_transfer(coin: str, transferred: int) -> None:
    desk = Desk(keeps=True).funded("1000")
    desk.does(
        RecordExternalChange(
            kind="balance",
            coin=type(USDT)(coin),
            amount=Decimal(50),
            reference="",
            note="",
        )
    )
    last = points_of(desk)[-1]
    assert (last.equity, last.transferred) == decimals(1000 + transferred, transferred)


def test_coins_that_left_unsold_are_no_loss() -> None:
    desk = Desk(keeps=True).funded("1000")
    held = desk.holding("2")
    left = Recorded(
        event_id=EventId(desk.book.last_event_id + 1),
        position_id=held.position_id,
        version=held.version + 1,
        actor="test",
        at=START,
        event=PositionTransferred(
            symbol=BTC_USDT, coin=BTC, amount=Decimal(1), cost=Decimal(100), value=Decimal(100)
        ),
    )
    desk.book.apply(left)
    desk.log.append(left)
    points = points_of(desk)
    assert (points[-1].equity, points[-1].transferred) == decimals(900, -100)
    assert path_of(points).drawdown is None


def test_before_the_balances_are_known_nothing_is_worth_anything() -> None:
    desk = Desk(keeps=True)
    desk.holding("1")
    assert points_of(desk) == []
