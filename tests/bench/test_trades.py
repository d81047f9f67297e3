"""How trades are compared before any speed is told."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.bench.trades import CANDLE_S, CAUSES, Trade, differences

TRADE = Trade(
    opened_at=1_704_067_200,
    closed_at=1_704_067_500,
    amount=Decimal("0.00214"),
    entry_price=Decimal(46_541),
    exit_price=Decimal(46_336),
    pnl=Decimal("-0.63745678"),
)
LATER = msgspec.structs.replace(TRADE, opened_at=1_704_070_000, closed_at=1_704_070_100)


def test_equal_trades_have_no_difference() -> None:
    assert differences([TRADE, LATER], [TRADE, LATER]) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("opened_at", TRADE.opened_at + CANDLE_S),
        ("closed_at", TRADE.closed_at - 1),
        ("amount", Decimal("0.00215")),
        ("entry_price", Decimal("46541.00001")),
        ("exit_price", Decimal("46335.99")),
        ("pnl", Decimal("-0.63746")),
    ],
)
def test_every_field_of_a_trade_counts(field: str, value: object) -> None:
    other = msgspec.structs.replace(TRADE, **{field: value})

    (found,) = differences([LATER, TRADE], [LATER, other])

    assert (found.ordinal, found.cause) == (2, CAUSES[field])
    assert str(value) in str(found)


def test_a_fill_is_timed_by_its_candle_and_figures_to_their_rounding() -> None:
    other = Trade(
        opened_at=TRADE.opened_at + CANDLE_S - 1,
        closed_at=TRADE.closed_at + CANDLE_S - 1,
        amount=TRADE.amount + Decimal("1e-9"),
        entry_price=TRADE.entry_price + Decimal("1e-7"),
        exit_price=TRADE.exit_price - Decimal("1e-7"),
        pnl=TRADE.pnl + Decimal("1e-7"),
    )

    assert differences([TRADE], [other]) == ()


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_trade_that_only_one_side_has_is_a_difference(*, is_ours: bool) -> None:
    more, less = [TRADE, LATER], [TRADE]

    (found,) = differences(more, less) if is_ours else differences(less, more)

    assert (found.ordinal, found.cause) == (2, "on one side alone")
    assert (found.theirs == "none") is is_ours


def test_figures_that_cancel_out_in_sum_are_two_differences() -> None:
    up, down = (
        msgspec.structs.replace(trade, pnl=trade.pnl + Decimal(sign))
        for trade, sign in ((TRADE, 1), (LATER, -1))
    )

    assert len(differences([TRADE, LATER], [up, down])) == 2
