"""Positions that no order of ours opened: what a person tells of, and what is brought along."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.account import TradingState
from aegis.domain.commands import BookEntry, BookForcedFills, ImportPosition
from aegis.domain.coverage import lack_of
from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, Instant, PositionId
from aegis.domain.lives import Lives
from aegis.domain.money import plus, times
from aegis.domain.order import TOLD, Fill, Role
from aegis.domain.position import PositionSide, PositionStatus, StopPolicy
from aegis.domain.risk import entries_sent, equity_of, loss_breach
from aegis.domain.statistics.path import point_of
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    ETH_USDT,
    LIMITS,
    POLICY,
    START,
    USDT,
    Desk,
    book_of,
    decimals,
    entry,
    opening,
    seconds,
)

HELD = PositionId("held")
NONE_OFF = StopPolicy(stop_loss_pct=Decimal(0))


def told_entry(amount: str = "1", price: str = "100", **changes: object) -> BookEntry:
    made = BookEntry(
        position_id=HELD,
        client_order_id=ClientOrderId("told-held"),
        exchange_order_id=ExchangeOrderId("x-9"),
        opening=opening(created_by="operator"),
        fill=Fill(
            trade_id="told-held",
            amount=Decimal(amount),
            price=Decimal(price),
            fee=Decimal(0),
            fee_currency=USDT,
            liquidity=TOLD,
            filled_at=START,
        ),
        stop_price=None,
        take_profit_price=None,
        reason="operator",
    )
    return msgspec.structs.replace(made, **changes)


def brought(amount: str = "1", entry_price: str = "100", /, **changes: object) -> ImportPosition:
    made = ImportPosition(
        position_id=HELD,
        opening=opening(created_by="import"),
        amount=Decimal(amount),
        entry_price=Decimal(entry_price),
        price=Decimal(entry_price),
        stop_price=None,
        take_profit_price=None,
        opened_at=START,
        reference="positions.json",
    )
    return msgspec.structs.replace(made, **changes)


def sale(price: str, amount: str = "1") -> BookForcedFills:
    fill = msgspec.structs.replace(told_entry(amount, price).fill, trade_id="told-held-0")
    return BookForcedFills(
        position_id=HELD,
        client_order_id=ClientOrderId("told-held-0"),
        exchange_order_id=ExchangeOrderId("x-10"),
        fills=(fill,),
        reason="operator",
    )


# An entry that is told ----------------------------------------------------------------------


def test_an_entry_that_is_told_is_an_order_its_fill_and_a_position() -> None:
    desk = Desk().funded("1000")
    desk.does(told_entry("2", "100"))
    position, order = desk.position(), desk.orders[ClientOrderId("told-held")]
    assert (position.status, position.amount, position.cost) == (
        PositionStatus.OPEN,
        *decimals(2, 200),
    )
    assert (order.role, order.filled, order.exchange_order_id) == (Role.ENTRY, Decimal(2), "x-9")
    assert desk.book.account.balances == {USDT: Decimal(800), BTC: Decimal(2)}


def test_what_is_told_twice_is_one_entry() -> None:
    desk = Desk()
    desk.does(told_entry())
    assert desk.does(told_entry()) == ()


def test_the_policy_says_where_stop_and_target_are_unless_told() -> None:
    by_policy, as_told = Desk(), Desk()
    by_policy.does(told_entry())
    as_told.does(told_entry(stop_price=Decimal("91.5"), take_profit_price=Decimal(150)))
    assert (by_policy.position().stop_price, by_policy.position().take_profit_price) == decimals(
        98, 104
    )
    assert (as_told.position().stop_price, as_told.position().take_profit_price) == decimals(
        "91.5", 150
    )


def test_what_is_told_and_sold_is_a_closed_trade_with_its_result() -> None:
    desk = Desk().funded("1000")
    desk.does(told_entry("1", "100"))
    desk.does(sale("110"))
    closed = desk.positions[HELD]
    assert (closed.status, closed.pnl, closed.close_reason) == (
        PositionStatus.CLOSED,
        Decimal(10),
        "operator",
    )
    assert desk.book.account.balances[USDT] == Decimal(1010)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (told_entry(opening=opening(side=PositionSide.SHORT)), "no_shorts"),
        (told_entry("0.0009"), "too_small"),
        (told_entry("0"), "bad_figure"),
        (told_entry("NaN"), "bad_figure"),
        (told_entry("1", "-3"), "bad_figure"),
        (told_entry(stop_price=Decimal(100)), "bad_figure"),
        (told_entry(take_profit_price=Decimal(100)), "bad_figure"),
        (told_entry(stop_price=Decimal("Infinity")), "bad_figure"),
        (brought(opening=opening(side=PositionSide.SHORT)), "no_shorts"),
        (brought("0.0009"), "too_small"),
        (brought("1E+30"), "bad_figure"),
        (brought("1", "0"), "bad_figure"),
        (brought("999999999999999999", "1"), "too_large"),
        (brought("1E+12", "1001"), "too_large"),
        (told_entry("1E+12", "1001"), "too_large"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_what_cannot_be_is_refused(command: BookEntry | ImportPosition, code: str) -> None:
    assert Desk().refuses(command).code == code


def test_a_fee_of_all_that_came_in_leaves_nothing_to_hold() -> None:
    command = told_entry("1")
    fill = msgspec.structs.replace(command.fill, fee=Decimal(1), fee_currency=BTC)
    refusal = Desk().refuses(msgspec.structs.replace(command, fill=fill))
    assert refusal.code == "too_small"


@pytest.mark.parametrize("second", [told_entry(), brought()], ids=["told", "brought"])
def test_a_symbol_that_has_a_position_takes_no_other(second: BookEntry | ImportPosition) -> None:
    desk = Desk()
    desk.holding()
    assert desk.refuses(second).code == "position_exists"


def test_what_is_told_is_refused_by_no_halt() -> None:
    desk = Desk().funded()
    desk.halted()
    desk.does(told_entry())
    assert desk.book.account.trading_state is TradingState.REDUCING


# A position that is brought along ------------------------------------------------------------


def test_an_import_brings_its_coins_and_costs_nothing_here() -> None:
    desk = Desk().funded("1000")
    desk.does(brought("2", "100"))
    position = desk.position()
    assert (position.amount, position.cost, position.entry_price) == decimals(2, 200, 100)
    assert (position.status, position.created_by) == (PositionStatus.OPEN, "import")
    assert desk.book.account.balances == {USDT: Decimal(1000), BTC: Decimal(2)}


@given(price=st.decimals("0.01", "100000", places=2), worth=st.decimals("0.01", "99999", places=2))
def test_an_import_is_neither_gain_nor_loss_to_any_limit(price: Decimal, worth: Decimal) -> None:
    desk = Desk().funded("1000")
    desk.does(brought("100", str(price), price=worth))
    account = desk.book.account
    assert equity_of(desk.book, USDT) == account.day_start_equity == account.peak_equity
    assert loss_breach(desk.book, equity_of(desk.book, USDT), LIMITS) is None


def test_the_equitys_path_counts_an_import_as_money_that_came_in() -> None:
    desk = Desk(keeps=True).funded("1000")
    desk.does(brought("2", "100", price=Decimal(90)))
    point = point_of(desk.book, desk.log[-1], USDT)
    assert point is not None
    assert (point.equity, point.transferred) == decimals(1180, 180)


def test_an_import_counts_as_the_one_entry_of_its_position() -> None:
    desk = Desk()
    desk.does(brought())
    assert entries_sent(desk.book, HELD) == 1


def test_an_import_is_left_by_an_exit_of_ours_and_has_a_result() -> None:
    desk = Desk().funded("1000")
    desk.does(brought("1", "100"))
    closed = desk.left("90")
    assert (closed.pnl, closed.close_reason) == (Decimal(-10), "stop_loss")
    assert desk.book.account.balances == {USDT: Decimal(1090), BTC: Decimal(0)}


def test_the_same_import_twice_is_one_whatever_became_of_it() -> None:
    desk = Desk(keeps=True)
    desk.does(brought())
    assert desk.does(brought()) == ()
    desk.does(sale("100"))
    assert desk.does(brought()) == ()


def test_an_import_was_not_opened_later_than_it_came() -> None:
    desk = Desk()
    desk.does(brought(opened_at=Instant(START + seconds(60))))
    assert (desk.position().opened_at, desk.position().imported_at) == (START, START)


def test_a_strategy_holds_an_import_from_its_arrival_on_and_not_from_its_first_day() -> None:
    desk = Desk()
    desk.does(brought(opened_at=Instant(START - seconds(3600))))
    lives = Lives()
    lives.follow(desk.log[-1])
    assert not lives.held_at(BTC_USDT, START)
    assert lives.held_at(BTC_USDT, Instant(START + 1))


def test_a_running_book_takes_an_import_as_the_next_event() -> None:
    desk = Desk()
    before = book_of(())
    desk.does(brought())
    assert before.follows(desk.log[-1])


def test_coins_that_an_import_brought_and_the_exchange_lacks_are_missing() -> None:
    desk = Desk().funded()
    desk.does(brought("2"))
    position = desk.position()
    assert lack_of(desk.book, {BTC: Decimal("0.5")}, position) == Decimal("1.5")
    assert lack_of(desk.book, desk.book.account.balances, position) == 0


def test_an_entry_beside_an_import_in_another_symbol_goes_on() -> None:
    desk = Desk().funded()
    desk.does(brought())
    desk.holding(symbol=ETH_USDT)
    assert len(desk.book.alive_positions()) == 2


def test_an_import_without_a_policy_has_no_stop() -> None:
    desk = Desk()
    desk.does(brought(opening=opening(policy=NONE_OFF, created_by="import")))
    assert desk.position().stop_price is None
    assert POLICY.stop_loss_pct > 0


def test_an_import_into_a_symbol_that_is_being_entered_is_refused() -> None:
    desk = Desk()
    desk.intended(entry())
    assert desk.refuses(brought()).code == "position_exists"


@given(amount=st.decimals("0.001", "1000", places=6), price=st.decimals("1000", "99999", places=2))
def test_what_an_import_cost_is_what_was_told_to_the_digit(amount: Decimal, price: Decimal) -> None:
    desk = Desk()
    desk.does(brought(str(amount), str(price)))
    position = desk.position()
    assert position.cost == times(amount, price)
    assert position.entry_price == price
    assert plus(position.amount, Decimal(0)) == amount
    assert Coin("BTC") in desk.book.account.balances
