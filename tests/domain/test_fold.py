"""What follows from a fact; a fact that does not fit asserts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import MarkPosition, RaiseStop
from aegis.domain.events import (
    BalancesStarted,
    DayStarted,
    DustSetAside,
    EquityPeaked,
    Event,
    ExternalChangeSeen,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderIntended,
    OrderSubmitted,
    PositionClosed,
    PositionMarked,
    PositionOpened,
    PositionUnpriced,
    PositionVoided,
    ReconciliationCompleted,
    Recorded,
    StopRaised,
    TradingStateChanged,
)
from aegis.domain.fold import evolve_account, evolve_order
from aegis.domain.ids import (
    SYSTEM_POSITION,
    ClientOrderId,
    EventId,
    ExchangeOrderId,
    Generation,
    PositionId,
)
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.position import PositionStatus
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    CRO,
    CRO_USDT,
    ETH_USDT,
    START,
    USDT,
    Desk,
    decimals,
    entry,
    exit_of,
    fill,
    seconds,
)

OPEN_ORDER = entry("1", state=OrderState.OPEN)


def filled(order: Order, amount: str, trade_id: str = "t", **changes: object) -> OrderFilled:
    made = OrderFilled(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        fill=fill(trade_id, amount),
        is_complete=False,
    )
    return msgspec.structs.replace(made, **changes)


# An order ---------------------------------------------------------------------------------


def test_a_fill_adds_up_amount_cost_fees_and_trades() -> None:
    one = msgspec.structs.replace(filled(OPEN_ORDER, "0.25"), fill=fill("a", "0.25", "100", "0.1"))
    two = msgspec.structs.replace(
        filled(OPEN_ORDER, "0.5"), fill=fill("b", "0.5", "101", "0.003", CRO)
    )
    order = evolve_order(evolve_order(OPEN_ORDER, one, START), two, START)
    assert (order.filled, order.cost) == (Decimal("0.75"), Decimal("75.5"))
    assert order.fees == {USDT: Decimal("0.1"), CRO: Decimal("0.003")}
    assert order.trade_ids == ("a", "b")
    assert order.remaining == Decimal("0.25")


def test_a_trade_booked_twice_is_corruption() -> None:
    once = evolve_order(OPEN_ORDER, filled(OPEN_ORDER, "0.25"), START)
    with pytest.raises(AssertionError, match="booked twice"):
        evolve_order(once, filled(OPEN_ORDER, "0.25"), START)


def test_an_entry_of_more_than_its_amount_is_corruption() -> None:
    with pytest.raises(AssertionError, match=r"filled 1\.1 of 1"):
        evolve_order(OPEN_ORDER, filled(OPEN_ORDER, "1.1"), START)


@pytest.mark.parametrize(("amount", "is_complete"), [("1", False), ("0.5", True)])
def test_complete_is_what_fills_the_whole_amount(amount: str, *, is_complete: bool) -> None:
    with pytest.raises(AssertionError):
        evolve_order(OPEN_ORDER, filled(OPEN_ORDER, amount, is_complete=is_complete), START)


def test_an_end_with_another_cumulative_fill_is_corruption() -> None:
    event = OrderCanceled(
        client_order_id=OPEN_ORDER.client_order_id, filled=Decimal("0.1"), reason="?"
    )
    with pytest.raises(AssertionError, match="Expected filled 0"):
        evolve_order(OPEN_ORDER, event, START)


def test_what_has_ended_has_nothing_left_to_fill() -> None:
    event = OrderCanceled(client_order_id=OPEN_ORDER.client_order_id, filled=Decimal(0), reason="")
    assert evolve_order(OPEN_ORDER, event, START).remaining == 0


def test_the_tombstone_that_speaks_has_not_ended_any_more() -> None:
    dead = entry("1", state=OrderState.NOT_PLACED, ended_at=START, end_reason="absent")
    event = OrderAccepted(
        client_order_id=dead.client_order_id, exchange_order_id=ExchangeOrderId("x")
    )
    order = evolve_order(dead, event, START)
    assert (order.state, order.ended_at, order.remaining) == (OrderState.OPEN, None, Decimal(1))


# A position -------------------------------------------------------------------------------


def test_an_entry_adds_amount_and_cost() -> None:
    desk = Desk(keeps=True)
    order = desk.accepted(entry("2"))
    desk.fills(order, "1", "100", "0.2", USDT)
    desk.fills(order, "1", "102", "0.001", BTC)
    position = desk.position()
    assert position.amount == Decimal("1.999")
    assert position.cost == Decimal(202)
    assert (position.entered, position.paid) == (Decimal(2), Decimal(202))
    assert position.entry_price == Decimal(101)
    assert position.fees == {USDT: Decimal("0.2"), BTC: Decimal("0.001")}
    assert position.pnl == Decimal("-0.2")
    assert position.fees_quote == Decimal("0.302")


def test_a_partial_exit_takes_a_floored_share_of_the_cost_and_the_last_one_the_rest() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("3", "33.33")
    order = desk.accepted(exit_of(held, "1"))
    desk.fills(order, "1", "40")
    rest = desk.position()
    assert (rest.amount, rest.cost) == (Decimal(2), Decimal("66.66"))
    assert rest.pnl == Decimal("6.67")
    desk.left("30")
    closed = desk.positions[held.position_id]
    assert (closed.amount, closed.cost) == decimals(0, 0)
    assert closed.pnl == Decimal("0.01")


def test_a_share_that_does_not_divide_leaves_no_cost_behind() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("0.7", "33.33")
    order = desk.accepted(exit_of(held))
    for _ in range(7):
        desk.fills(order, "0.1", "33.33")
    closed = desk.positions[held.position_id]
    assert closed.status is PositionStatus.CLOSED
    assert (closed.cost, closed.pnl) == decimals(0, 0)


def test_a_fee_in_a_third_coin_touches_neither_amount_nor_result() -> None:
    desk = Desk(keeps=True)
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0.5", CRO)
    position = desk.position()
    assert (position.amount, position.pnl, position.fees_quote) == decimals(1, 0, 0)
    assert position.fees == {CRO: Decimal("0.5")}


def test_a_fee_of_nothing_leaves_no_trace() -> None:
    desk = Desk(keeps=True)
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0", CRO)
    assert (desk.position().fees, desk.order(order).fees) == ({}, {})
    assert CRO not in desk.book.account.balances


def test_a_fee_in_base_on_the_way_out_takes_its_share_of_the_cost() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("1", "100")
    order = desk.accepted(exit_of(held, "0.5"))
    desk.fills(order, "0.5", "100", "0.1", BTC)
    rest = desk.position()
    assert (rest.amount, rest.cost, rest.pnl) == (Decimal("0.4"), Decimal(40), Decimal(-10))


def test_a_fee_in_base_beyond_what_is_held_was_paid_from_elsewhere_and_counts() -> None:
    desk = Desk(keeps=True).funded()
    held = desk.holding("1", "100")
    order = desk.accepted(exit_of(held))
    desk.fills(order, "1", "100", "0.01", BTC)
    closed = desk.positions[held.position_id]
    assert closed.status is PositionStatus.CLOSED
    assert (closed.amount, closed.cost, closed.pnl) == decimals(0, 0, -1)
    assert desk.book.account.balances[BTC] == Decimal("-0.01")


def applied(desk: Desk, event: Event, position: PositionId | None = None) -> Book:
    """Apply a fact that nobody decided."""
    held = position or desk.last_position().position_id
    desk.book.apply(
        Recorded(
            event_id=EventId(desk.book.last_event_id + 1),
            position_id=held,
            version=desk.book.version_of(held) + 1,
            actor="nobody",
            at=START,
            event=event,
        )
    )
    return desk.book


def holding() -> Desk:
    desk = Desk(keeps=True)
    desk.holding("1")
    return desk


def closed() -> Desk:
    desk = holding()
    desk.left()
    return desk


CLOSED = PositionClosed(symbol=BTC_USDT, pnl=Decimal(0), reason="?")
VOIDED = PositionVoided(symbol=BTC_USDT, reason="?")
OPENED = PositionOpened(symbol=BTC_USDT, price=Decimal(1), stop_price=None, take_profit_price=None)


def intending() -> Desk:
    desk = Desk(keeps=True)
    desk.intended(entry("1"))
    return desk


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (holding, CLOSED),
        (closed, CLOSED),
        (holding, VOIDED),
        (closed, VOIDED),
        (intending, OPENED),
        (closed, PositionMarked(price=Decimal(1))),
        (closed, StopRaised(stop_price=Decimal(1), price=Decimal(1))),
        (holding, DustSetAside(coin=BTC, amount=Decimal("0.5"), cost=Decimal(100))),
        (holding, DustSetAside(coin=BTC, amount=Decimal(1), cost=Decimal(50))),
        (holding, OrderSubmitted(client_order_id=ClientOrderId("nobody's"))),
    ],
)
def test_a_fact_that_does_not_fit_its_position_is_corruption(make: object, event: Event) -> None:
    assert callable(make)
    desk = make()
    before = desk.book.copy()
    with pytest.raises(AssertionError):
        applied(desk, event)
    assert desk.book.positions == before.positions


def test_more_sold_than_held_is_corruption() -> None:
    desk = holding()
    order = desk.accepted(exit_of(desk.position(), "1"))
    desk.book.keep_position(msgspec.structs.replace(desk.position(), amount=Decimal("0.5")))
    with pytest.raises(AssertionError, match=r"Sold 0\.5 BTC beyond 0\.5 and all dust"):
        applied(desk, filled(order, "1", is_complete=True))


def test_an_order_of_another_position_is_corruption() -> None:
    desk = Desk(keeps=True)
    order = desk.intended(entry("1"))
    with pytest.raises(AssertionError, match="is not"):
        applied(desk, OrderSubmitted(client_order_id=order.client_order_id), PositionId("other"))


def test_a_position_that_closes_unpriced_says_so() -> None:
    book = applied(holding(), PositionUnpriced(symbol=BTC_USDT, reason="gone"))
    position = next(iter(book.positions.values()))
    assert (position.status, position.is_unpriced) == (PositionStatus.CLOSED, True)
    assert book.alive_positions() == ()


def test_an_event_without_a_position_is_corruption() -> None:
    with pytest.raises(AssertionError, match="No position"):
        applied(Desk(), PositionMarked(price=Decimal(1)), PositionId("nobody's"))


def test_an_event_that_comes_twice_is_corruption() -> None:
    desk = holding()
    with pytest.raises(AssertionError, match="came twice"):
        desk.book.apply(desk.log[-1])


def test_an_intent_that_comes_twice_is_corruption() -> None:
    desk = intending()
    intent = desk.log[-1].event
    assert isinstance(intent, OrderIntended)
    with pytest.raises(AssertionError, match="Intended twice"):
        applied(desk, intent)


def test_a_position_that_opens_twice_is_corruption() -> None:
    desk = intending()
    intent = desk.log[-1].event
    assert isinstance(intent, OrderIntended)
    other = msgspec.structs.replace(intent, client_order_id=ClientOrderId("other"))
    with pytest.raises(AssertionError, match="opened twice"):
        applied(desk, other)


def test_two_positions_alive_in_one_symbol_are_corruption() -> None:
    desk = intending()
    intent = desk.log[-1].event
    assert isinstance(intent, OrderIntended)
    other = msgspec.structs.replace(intent, client_order_id=ClientOrderId("other"))
    with pytest.raises(AssertionError, match="Two positions alive"):
        applied(desk, other, PositionId("other"))


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ENTRY}))
def test_an_exit_from_what_is_not_alive_is_corruption(role: Role) -> None:
    desk = closed()
    intent = next(r.event for r in desk.log if isinstance(r.event, OrderIntended))
    order_id = ClientOrderId("other")
    other = msgspec.structs.replace(intent, client_order_id=order_id, role=role, opening=None)
    with pytest.raises(AssertionError, match="not alive"):
        applied(desk, other)


# The account ------------------------------------------------------------------------------


def account_after(event: Event, account: Account | None = None) -> Account:
    return evolve_account(account or Account(), event, START, None, None)


def test_balances_begin_with_what_the_exchange_said() -> None:
    account = account_after(BalancesStarted(balances={USDT: Decimal(10)}))
    assert (account.has_balances, account.balances) == (True, {USDT: Decimal(10)})


def changed(amount: str, *, is_equity: bool) -> ExternalChangeSeen:
    return ExternalChangeSeen(
        kind="balance",
        coin=USDT,
        amount=Decimal(amount),
        reference="",
        note="",
        counts_as_equity=is_equity,
    )


@pytest.mark.parametrize(("amount", "day", "peak"), [("50", "150", "250"), ("-150", "-50", "50")])
def test_a_transfer_moves_what_losses_are_measured_from(amount: str, day: str, peak: str) -> None:
    before = Account(day_start_equity=Decimal(100), peak_equity=Decimal(200))
    account = account_after(changed(amount, is_equity=True), before)
    assert account.balances == {USDT: Decimal(amount)}
    assert (account.day_start_equity, account.peak_equity) == (Decimal(day), Decimal(peak))


def test_a_change_in_another_coin_moves_no_limit() -> None:
    before = Account(day_start_equity=Decimal(100), peak_equity=Decimal(200))
    account = account_after(changed("50", is_equity=False), before)
    assert (account.day_start_equity, account.peak_equity) == decimals(100, 200)


def test_a_day_begins_with_its_equity_and_never_lowers_the_height() -> None:
    before = Account(peak_equity=Decimal(500))
    account = account_after(DayStarted(day_started_at=START, equity=Decimal(400)), before)
    assert (account.day_start_equity, account.peak_equity) == decimals(400, 500)
    assert account_after(EquityPeaked(equity=Decimal(501)), account).peak_equity == 501


def state_changed(equity: str | None) -> TradingStateChanged:
    return TradingStateChanged(
        state=TradingState.ACTIVE,
        cause="",
        reason="resumed",
        is_flattening=False,
        equity=None if equity is None else Decimal(equity),
    )


@pytest.mark.parametrize(("equity", "peak"), [("300", 300), (None, 500)])
def test_the_height_begins_anew_at_a_resume_with_its_equity(equity: str | None, peak: int) -> None:
    account = account_after(state_changed(equity), Account(peak_equity=Decimal(500)))
    assert account.peak_equity == peak


def test_a_dry_reconciliation_changes_nothing() -> None:
    dry = ReconciliationCompleted(
        generation=Generation(1),
        trigger="operator",
        exchange_positions=0,
        local_positions=0,
        discrepancies=(),
        is_dry_run=True,
    )
    before = Account(orphans=("order x",), blocked=(BTC_USDT,))
    assert account_after(dry, before) == before
    wet = msgspec.structs.replace(dry, is_dry_run=False)
    after = account_after(wet, before)
    assert (after.orphans, after.blocked, after.reconciled_at) == ((), (), START)


def test_entries_of_the_last_minute_are_remembered_and_older_ones_are_not() -> None:
    desk = Desk()
    desk.submitted(entry("1"))
    first = desk.now
    desk.waits(59)
    desk.submitted(entry("1", symbol=ETH_USDT))
    assert desk.book.account.entries_submitted_at == (first, desk.now)
    desk.waits(30)
    desk.submitted(entry("1", symbol=CRO_USDT))
    assert desk.book.account.entries_submitted_at == (first + seconds(59), desk.now)


def test_the_account_counts_its_own_events() -> None:
    desk = Desk().funded()
    assert desk.book.version_of(SYSTEM_POSITION) == 2
    assert desk.book.account.version == 2


def test_the_account_of_nothing_is_active_and_empty() -> None:
    assert Account().trading_state is TradingState.ACTIVE
    assert Account().balances == {}


# The best and the worst price ---------------------------------------------------------------


def extremes(desk: Desk) -> tuple[Decimal | None, Decimal | None]:
    position = desk.last_position()
    return position.price_high, position.price_low


def marked(desk: Desk, high: str | None, low: str | None) -> None:
    position_id = desk.position().position_id
    prices = [None if price is None else Decimal(price) for price in (high, low)]
    price = Decimal(len(desk.log))
    desk.does(MarkPosition(position_id=position_id, price=price, high=prices[0], low=prices[1]))


def test_an_entry_s_fills_are_the_first_extremes() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert extremes(desk) == (None, None)
    desk.fills(order, "0.5", "100")
    desk.fills(order, "0.5", "103")
    assert extremes(desk) == decimals(103, 100)


def test_a_mark_s_extremes_only_widen_what_was_seen() -> None:
    desk = holding()
    marked(desk, "102", "99")
    marked(desk, "101", "99.5")
    assert extremes(desk) == decimals(102, 99)


def test_a_mark_without_extremes_changes_none_of_them() -> None:
    desk = holding()
    marked(desk, None, None)
    assert extremes(desk) == decimals(100, 100)


@pytest.mark.parametrize(("price", "expected"), [("90", (100, 90)), ("110", (110, 100))])
def test_the_price_of_the_exit_counts(price: str, expected: tuple[int, int]) -> None:
    desk = holding()
    desk.left(price)
    assert extremes(desk) == decimals(*expected)


def test_the_first_stop_stays_when_the_stop_is_raised() -> None:
    desk = holding()
    held = desk.position()
    raised = RaiseStop(position_id=held.position_id, stop_price=Decimal(99), price=Decimal(101))
    desk.does(raised)
    assert (desk.position().stop_first, desk.position().stop_price) == decimals(98, 99)
