"""Closed trades whose result nobody would expect."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.order import Order
from aegis.domain.position import Position, StopPolicy
from aegis.domain.protection import STOP_REASON
from aegis.domain.restored import RECOVERED
from aegis.domain.unusual import PEERS_MIN, unusual_trades
from tests.domain.kit import Desk, decimals, stop_at_exchange

ORDINARY = [Decimal(number % 7 - 3) / 10 for number in range(PEERS_MIN)]
UNBOUNDED = StopPolicy(stop_loss_pct=Decimal(0))
BOUNDED = StopPolicy(stop_loss_pct=Decimal(2), take_profit_pct=Decimal(4))


def trade(pnl: str, policy: StopPolicy = BOUNDED) -> Position:
    """Return a trade of 100 quote that closed with a result."""
    desk = Desk()
    desk.holding("1", "100", policy)
    closed = desk.left("100")
    return msgspec.structs.replace(closed, pnl=decimals(pnl)[0])


def fault(
    closed: Position, peers: Sequence[Decimal] = ORDINARY, orders: Sequence[Order] = ()
) -> str:
    return unusual_trades((closed,), lambda: peers, lambda _: orders).result.details


@pytest.mark.parametrize("pnl", ["0", "-2", "-3", "4", "5", "0.7"])
def test_a_result_within_stop_and_target_is_usual(pnl: str) -> None:
    assert fault(trade(pnl)) == ""


@pytest.mark.parametrize(
    ("pnl", "said"),
    [
        ("-3.01", "lost 3.01 %, expected at most 3 %"),
        ("5.01", "gained 5.01 %, expected at most 5 %"),
        ("-101", "lost more than was paid"),
        ("101", "gained more than was paid"),
    ],
)
def test_a_result_beyond_them_is_flagged(pnl: str, said: str) -> None:
    closed = trade(pnl)
    assert fault(closed) == f"{closed.position_id} (BTC/USDT) {said}"


def test_the_nearer_stop_is_what_a_loss_is_measured_by() -> None:
    policy = StopPolicy(stop_loss_pct=Decimal(9), trailing_stop_pct=Decimal(1))
    assert "expected at most 2 %" in fault(trade("-3", policy))


def test_what_a_recovery_has_booked_is_measured_by_its_like_alone() -> None:
    closed = msgspec.structs.replace(trade("-5.09"), close_reason=RECOVERED)
    assert fault(closed, ()) == ""
    assert "far from every other trade" in fault(closed, [each / 100 for each in ORDINARY])


def at_the_exchange(pnl: str, stood_at: str) -> tuple[Position, Sequence[Order]]:
    """Return a trade of 100 that a stop at the exchange ended, and its orders."""
    closed = msgspec.structs.replace(trade(pnl), close_reason=STOP_REASON)
    stop = stop_at_exchange(closed, trigger_price=Decimal(stood_at), filled=closed.entered)
    moved = msgspec.structs.replace(stop, filled=Decimal(0), trigger_price=Decimal(50))
    return closed, (stop, moved)


@pytest.mark.parametrize(
    ("pnl", "said"),
    [("-4.1", ""), ("-4.96", ""), ("-4.97", "lost 4.97 %, expected at most 4.96 %")],
)
def test_a_loss_at_the_exchange_s_stop_is_measured_by_where_that_stood(pnl: str, said: str) -> None:
    closed, orders = at_the_exchange(pnl, "96.04")
    assert fault(closed, orders=orders).endswith(said)
    assert bool(fault(closed, orders=orders)) is bool(said)


def test_a_loss_at_a_stop_that_was_recovered_is_measured_by_its_like_alone() -> None:
    closed, (stop, *others) = at_the_exchange("-4.72", "96.04")
    orders = (msgspec.structs.replace(stop, trigger_price=None), *others)
    assert fault(closed, (), orders=orders) == ""


def test_a_loss_at_our_own_stop_is_not_measured_by_the_other() -> None:
    closed, orders = at_the_exchange("-4.1", "96.04")
    ours = msgspec.structs.replace(closed, close_reason="stop_loss")
    assert "expected at most 3 %" in fault(ours, orders=orders)


@pytest.mark.parametrize(("pnl", "is_flagged"), [("4", False), ("4.5", True), ("-4.5", True)])
def test_without_a_bound_the_other_trades_are_the_measure(pnl: str, *, is_flagged: bool) -> None:
    """Their middle is 0 and their median deviation 0.2: beyond 4 % is beyond 20 of them."""
    assert bool(fault(trade(pnl, UNBOUNDED))) is is_flagged


def test_a_few_trades_are_no_measure() -> None:
    assert fault(trade("50", UNBOUNDED), ORDINARY[1:]) == ""


def test_trades_that_are_all_alike_are_no_measure() -> None:
    assert fault(trade("50", UNBOUNDED), [Decimal(1)] * 100) == ""


def test_a_trade_without_a_price_has_no_result_to_judge() -> None:
    assert fault(msgspec.structs.replace(trade("-50"), is_unpriced=True)) == ""


def test_a_result_of_nothing_is_flagged() -> None:
    closed = msgspec.structs.replace(trade("5"), paid=Decimal(0))
    assert "where nothing was paid" in fault(closed)
    assert fault(msgspec.structs.replace(closed, pnl=Decimal(0))) == ""
