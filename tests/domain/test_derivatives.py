"""Derivatives: no entries, what is held by what the exchange tells, and cash that alone moves."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.bookkeeping import Booked, movements_of_fill
from aegis.domain.commands import (
    CloseUnpriced,
    CompleteReconciliation,
    ImportPosition,
    RecordExternalChange,
    Refusal,
    ResolvePosition,
    StartBalances,
    StartDay,
)
from aegis.domain.events import OrderRejected, PositionImported
from aegis.domain.findings import Finding, View
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    ExchangeOrderId,
    Generation,
    Instant,
    PositionId,
    Symbol,
    TradeId,
)
from aegis.domain.order import OrderState, Role, Side
from aegis.domain.position import Position, PositionStatus
from aegis.domain.reconcile import confirmed, plan
from aegis.domain.risk import ENTRIES_UNVERIFIED, equity_of
from aegis.domain.second import lost_beside
from aegis.domain.sizing import Sizing
from aegis.domain.statistics.path import point_of
from aegis.domain.venue import VenueAccount, VenueTrade
from aegis.domain.wishes import Origin, Plan, Wish, entry_intent
from tests.domain.kit import (
    BTC,
    INCARNATION,
    NO_LIMITS,
    POLICY,
    START,
    TAG,
    Desk,
    entry,
    exit_of,
    instrument,
    opening,
    submit,
)

PERPETUAL = Symbol("BTC/USD:USD")
USD = Coin("USD")
LIMITS = msgspec.structs.replace(NO_LIMITS, quote_coin=USD)


def desk_with(cash: str = "1000") -> Desk:
    desk = Desk(LIMITS)
    desk.does(StartBalances(balances={USD: Decimal(cash)}))
    desk.does(StartDay(day_started_at=START, equity=Decimal(cash)))
    return desk


def holding(amount: str = "2") -> tuple[Desk, Position]:
    """A desk with a position that was opened at 100 by somebody else and taken over."""
    desk = desk_with()
    desk.does(
        ImportPosition(
            position_id=PositionId("held"),
            opening=opening(PERPETUAL, created_by="import"),
            amount=Decimal(amount),
            entry_price=Decimal(100),
            price=Decimal(110),
            stop_price=None,
            take_profit_price=None,
            opened_at=START,
            reference="positions.json",
        )
    )
    desk.waits(60)
    return desk, desk.position(PERPETUAL)


def seen(
    desk: Desk, told: dict[Symbol, str], *trades: VenueTrade, cash: str = "1000"
) -> VenueAccount:
    return VenueAccount(
        balances={USD: Decimal(cash)},
        open_orders=(),
        trades=trades,
        trades_since=Instant(0),
        as_of=desk.now,
        positions={symbol: Decimal(amount) for symbol, amount in told.items()},
    )


def liquidation(desk: Desk, amount: str, price: str) -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId("l-1"),
        exchange_order_id=ExchangeOrderId("x-l-1"),
        client_order_id="liquidation-1",
        symbol=PERPETUAL,
        side=Side.SELL,
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal("0.5"),
        fee_currency=USD,
        liquidity="taker",
        at=desk.now,
    )


def planned(desk: Desk, account: VenueAccount) -> tuple[Finding, ...]:
    view = View(account=account, fills={}, tag=TAG)
    return plan(desk.book, view, limits=desk.limits, now=desk.now)


def heal(desk: Desk, account: VenueAccount) -> list[str]:
    """Look twice, do all that both looks show, and say what it was."""
    findings = confirmed(planned(desk, account), planned(desk, account))
    for command in (command for finding in findings for command in finding.heal):
        desk.does(command)
    return [str(finding.discrepancy.kind) for finding in findings]


# Entries ------------------------------------------------------------------------------------


def test_an_entry_into_a_derivative_is_never_sent_whatever_the_limits_say() -> None:
    desk = desk_with()
    order = entry(symbol=PERPETUAL)
    desk.intended(order)
    desk.does(submit(order))
    assert desk.order(order).state is OrderState.REJECTED
    (refused,) = (each.event for each in desk.log if isinstance(each.event, OrderRejected))
    assert refused.reason == f"derivatives: {ENTRIES_UNVERIFIED}"


def test_a_strategy_that_wants_a_derivative_hears_why_and_nothing_is_intended() -> None:
    wanted = Wish(
        symbol=PERPETUAL, decided_at=START, price=Decimal(100), was_holding=False, atr=None
    )
    terms = Plan(
        name="test",
        symbols=(PERPETUAL,),
        policy=POLICY,
        sizing=Sizing(method="notional", value=Decimal(100)),
        entries_max=1,
        spread_bps=Decimal(0),
    )
    origin = Origin(tag=TAG, incarnation=INCARNATION)
    answer = entry_intent(desk_with().book, wanted, terms, origin, instrument(PERPETUAL))
    assert answer == Refusal(code="derivatives", text=ENTRIES_UNVERIFIED)


def test_an_exit_of_a_derivative_is_sent_and_may_only_reduce() -> None:
    desk, held = holding()
    order = exit_of(held)
    desk.submitted(order)
    assert order.reduce_only


def test_no_second_exit_goes_where_no_balance_bounds_the_two() -> None:
    desk, held = holding()
    first = exit_of(held)
    desk.unknown(first)
    again = msgspec.structs.replace(first, client_order_id=ClientOrderId(TAG + "0" * 24))
    assert lost_beside(desk.book, again) is None


# Cash ---------------------------------------------------------------------------------------


def test_a_derivative_that_is_taken_over_brings_no_coins_and_is_worth_its_gain() -> None:
    desk, _ = holding("2")
    assert desk.book.account.balances == {USD: Decimal(1000)}
    assert equity_of(desk.book, USD) == 1020


def test_a_day_that_takes_a_derivative_over_neither_gains_nor_loses_by_it() -> None:
    desk, _ = holding("2")
    assert desk.book.account.day_start_equity == equity_of(desk.book, USD) == 1020
    (taken,) = (each for each in desk.log if isinstance(each.event, PositionImported))
    point = point_of(desk.book, taken, USD)
    assert point is not None
    assert point.transferred == 20


def test_an_exit_brings_what_it_gained_less_its_fee_and_the_equity_stays() -> None:
    desk, held = holding("2")
    order = exit_of(held, "0.5", "110")
    desk.accepted(order)
    desk.fills(order, "0.5", "110", "0.1", USD)
    assert desk.book.account.balances == {USD: Decimal("1004.9")}
    assert equity_of(desk.book, USD) == Decimal("1019.9")
    assert desk.position(PERPETUAL).pnl == Decimal("4.9")


def test_a_fill_of_a_derivative_moves_its_fee_alone_in_the_coins_that_were_traded() -> None:
    fill = Booked(
        at=START,
        symbol=PERPETUAL,
        side=Side.SELL,
        amount=Decimal(1),
        price=Decimal(110),
        fee=Decimal("0.1"),
        fee_coin=USD,
    )
    assert [(m.coin, m.amount) for m in movements_of_fill(fill)] == [(USD, Decimal("-0.1"))]


def test_funding_is_recorded_as_cash_that_came_or_went() -> None:
    desk, _ = holding()
    account = seen(desk, {PERPETUAL: "2"}, cash="998.5")
    (finding,) = planned(desk, account)
    (command,) = finding.heal
    assert isinstance(command, RecordExternalChange)
    assert (command.coin, command.amount) == (USD, Decimal("-1.5"))
    assert heal(desk, account) == ["external"]
    assert planned(desk, account) == ()


def test_a_loss_that_is_owed_is_recorded_like_any_other() -> None:
    desk = desk_with()
    account = seen(desk, {}, cash="-3.5")
    assert heal(desk, account) == ["external"]
    assert desk.book.account.balances == {USD: Decimal("-3.5")}


# What the exchange tells --------------------------------------------------------------------


@pytest.mark.parametrize(("told", "found"), [("3", "long 3"), ("-0.5", "short 0.5")])
def test_a_position_of_somebody_else_is_told_and_left_alone(told: str, found: str) -> None:
    (finding,) = planned(desk_with(), seen(desk_with(), {PERPETUAL: told}))
    discrepancy = finding.discrepancy
    assert (str(discrepancy.kind), discrepancy.symbol, finding.heal) == ("external", None, ())
    assert discrepancy.found == f"{found} BTC/USD:USD that is not ours"
    assert discrepancy.is_healed


def test_what_is_told_beyond_our_own_is_somebody_elses() -> None:
    desk, _ = holding("2")
    (finding,) = planned(desk, seen(desk, {PERPETUAL: "2.5"}))
    assert finding.discrepancy.found == "long 0.5 BTC/USD:USD that is not ours"


def test_our_own_as_it_is_told_is_no_difference() -> None:
    desk, _ = holding("2")
    assert planned(desk, seen(desk, {PERPETUAL: "2"})) == ()


def test_coins_of_its_base_say_nothing_of_a_derivative() -> None:
    desk, _ = holding("2")
    account = seen(desk, {PERPETUAL: "2"})
    held = msgspec.structs.replace(account, balances={USD: Decimal(1000), BTC: Decimal("0.1")})
    (finding,) = planned(desk, held)
    assert (finding.discrepancy.subject, finding.discrepancy.found) == ("BTC", "0.1")


def test_coins_of_its_base_are_judged_though_a_part_of_it_is_gone() -> None:
    desk, _ = holding("2")
    account = seen(desk, {PERPETUAL: "1"})
    held = msgspec.structs.replace(account, balances={USD: Decimal(1000), BTC: Decimal("0.1")})
    assert {each.discrepancy.subject for each in planned(desk, held)} == {"position held", "BTC"}


def test_spot_coins_are_judged_by_the_balance_though_positions_are_told() -> None:
    desk = Desk().funded("1000")
    desk.holding("1")
    account = seen(desk, {})
    account = msgspec.structs.replace(account, balances=dict(desk.book.account.balances))
    assert planned(desk, account) == ()


def test_a_liquidation_is_a_forced_order_with_its_real_fill() -> None:
    desk, held = holding("2")
    account = seen(desk, {}, liquidation(desk, "2", "60"), cash="919.5")
    assert heal(desk, account) == ["phantom"]
    closed = desk.positions[held.position_id]
    assert (closed.status, closed.pnl) == (PositionStatus.CLOSED, Decimal("-80.5"))
    (order,) = (each for each in desk.orders.values() if each.role is Role.FORCED)
    assert (order.state, order.filled) == (OrderState.FILLED, Decimal(2))
    assert desk.book.account.balances == account.balances
    assert planned(desk, account) == ()


def test_what_was_taken_of_it_by_deleveraging_leaves_the_rest_ours() -> None:
    desk, _ = holding("2")
    account = seen(desk, {PERPETUAL: "1.5"}, liquidation(desk, "0.5", "120"), cash="1009.5")
    assert heal(desk, account) == ["amount_mismatch"]
    assert desk.position(PERPETUAL).amount == Decimal("1.5")
    assert planned(desk, account) == ()


def test_a_liquidation_whose_cash_comes_later_is_booked_all_the_same() -> None:
    desk, held = holding("2")
    account = seen(desk, {}, liquidation(desk, "2", "60"))
    assert heal(desk, account) == ["phantom", "external"]
    assert desk.positions[held.position_id].status is PositionStatus.CLOSED
    assert desk.book.account.balances == {USD: Decimal(1000)}
    assert planned(desk, account) == ()


def test_a_position_told_at_zero_without_a_trade_closes_unpriced() -> None:
    desk, held = holding()
    account = seen(desk, {})
    assert heal(desk, account) == ["phantom"]
    closed = desk.positions[held.position_id]
    assert (closed.status, closed.is_unpriced) == (PositionStatus.CLOSED, True)
    assert planned(desk, account) == ()


def test_one_look_at_zero_closes_nothing() -> None:
    desk, _ = holding()
    gone, there = seen(desk, {}), seen(desk, {PERPETUAL: "2"})
    assert confirmed(planned(desk, there), planned(desk, gone)) == ()


def test_a_position_told_smaller_without_a_trade_is_for_a_person() -> None:
    desk, _ = holding()
    (finding,) = planned(desk, seen(desk, {PERPETUAL: "0.4"}))
    assert (str(finding.discrepancy.kind), finding.heal) == ("amount_mismatch", ())
    assert "--closed-at PRICE" in finding.discrepancy.action
    assert "--transferred" not in finding.discrepancy.action


def test_a_position_turned_short_by_somebody_is_gone_and_the_short_is_not_ours() -> None:
    desk, held = holding()
    assert heal(desk, seen(desk, {PERPETUAL: "-1"})) == ["phantom", "external"]
    assert desk.positions[held.position_id].is_unpriced


def test_what_closed_unpriced_is_priced_by_a_later_word() -> None:
    desk, held = holding("1")
    desk.does(CloseUnpriced(position_id=held.position_id, amount=Decimal(1), reason="gone"))
    desk.recall(held.position_id)
    desk.does(ResolvePosition(name=held.position_id, price=Decimal(90)))
    priced = desk.positions[held.position_id]
    assert (priced.is_unpriced, priced.pnl) == (False, Decimal(-10))


def test_nobody_can_say_that_a_derivative_was_transferred() -> None:
    desk, held = holding("2")
    (finding,) = planned(desk, seen(desk, {PERPETUAL: "1.5"}))
    desk.does(
        CompleteReconciliation(
            generation=Generation(1),
            trigger="test",
            exchange_positions=1,
            local_positions=1,
            discrepancies=(finding.discrepancy,),
            is_dry_run=False,
            as_of=desk.now,
        )
    )
    refusal = desk.refuses(ResolvePosition(name=held.position_id, price=None))
    assert "expected --closed-at PRICE" in refusal.text
