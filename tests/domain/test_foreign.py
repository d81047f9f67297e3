"""What others did to a position of ours, and a person's word: booked once, and by evidence."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.commands import (
    BookForcedFills,
    CloseUnpriced,
    CompleteReconciliation,
    ResolvePosition,
)
from aegis.domain.coverage import BY_HAND
from aegis.domain.discrepancies import compare
from aegis.domain.events import OrderFilled
from aegis.domain.findings import Finding, View
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    ExchangeOrderId,
    Generation,
    Instant,
    Symbol,
    TradeId,
)
from aegis.domain.money import minus, plus, text, times
from aegis.domain.order import Role, Side
from aegis.domain.position import Position, PositionStatus
from aegis.domain.reconcile import confirmed, plan
from aegis.domain.venue import VenueAccount, VenueTrade
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    ETH,
    ETH_USDT,
    START,
    TAG,
    USDT,
    Desk,
    book_of,
    entry,
    exit_of,
    fill,
    resume,
    seconds,
    unresolved,
)

BNB = Coin("BNB")
HELD_AT = 60
ZEROS = (Decimal(0),) * 3


def holding(amount: str = "1") -> tuple[Desk, Position]:
    """A desk that holds what was bought at 100, a minute ago."""
    desk = Desk().funded("1000")
    held = desk.holding(amount)
    desk.waits(HELD_AT)
    return desk, held


def sale(
    amount: str, price: str = "110", fee: str = "0", trade_id: str = "h-1", **changes: object
) -> VenueTrade:
    """Return a trade that the owner made on the exchange's page."""
    made = VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId(f"x-{trade_id}"),
        client_order_id=None,
        symbol=BTC_USDT,
        side=Side.SELL,
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=USDT,
        liquidity="taker",
        at=Instant(START + seconds(HELD_AT)),
    )
    return msgspec.structs.replace(made, **changes)


def seen(
    desk: Desk, balances: dict[Coin, str], *trades: VenueTrade, **changes: object
) -> VenueAccount:
    made = VenueAccount(
        balances={coin: Decimal(held) for coin, held in balances.items()},
        open_orders=(),
        trades=trades,
        trades_since=Instant(0),
        as_of=desk.now,
    )
    return msgspec.structs.replace(made, **changes)


def planned(desk: Desk, account: VenueAccount) -> tuple[Finding, ...]:
    events = [recorded.event for recorded in desk.log]
    booked = {(e.symbol, TradeId(e.fill.trade_id)): e.fill for e in events
              if isinstance(e, OrderFilled)}  # fmt: skip
    view = View(account=account, fills=booked, tag=TAG)
    return plan(desk.book, view, limits=desk.limits, now=desk.now)


def heal(desk: Desk, account: VenueAccount) -> list[str]:
    """Do all that is planned and say what it was."""
    findings = planned(desk, account)
    for finding in findings:
        for command in finding.heal:
            desk.does(command)
    return [str(finding.discrepancy.kind) for finding in findings]


def after(desk: Desk, position: Position) -> Position:
    return desk.positions[position.position_id]


# Sold by others -----------------------------------------------------------------------------


def test_what_others_sold_closes_at_their_price_and_fee() -> None:
    desk, held = holding()
    account = seen(desk, {USDT: "1009.9"}, sale("1", "110", "0.1"))
    assert heal(desk, account) == ["phantom"]
    closed = after(desk, held)
    assert (closed.status, closed.pnl, closed.close_reason) == ("CLOSED", Decimal("9.9"), BY_HAND)
    assert desk.book.account.balances[USDT] == Decimal("1009.9")
    assert planned(desk, account) == ()


def test_a_sale_is_an_order_of_role_forced() -> None:
    desk, _ = holding()
    heal(desk, seen(desk, {USDT: "1010"}, sale("1")))
    (forced,) = [order for order in desk.orders.values() if order.role is Role.FORCED]
    assert (forced.state, forced.trade_ids, forced.exchange_order_id) == (
        "FILLED", ("h-1",), "x-h-1",
    )  # fmt: skip


def test_a_sale_is_of_its_own_symbol_though_another_s_trade_has_its_id() -> None:
    desk, _ = holding()
    other = sale("5", symbol=ETH_USDT, exchange_order_id=ExchangeOrderId("x-eth"))
    heal(desk, seen(desk, {USDT: "1010"}, other, sale("1")))
    (order,) = (each for each in desk.orders.values() if each.role is Role.FORCED)
    assert order.exchange_order_id == "x-h-1"


def test_several_sales_that_together_took_it_are_one_order() -> None:
    desk, held = holding()
    trades = (sale("0.4", "110"), sale("0.6", "120", trade_id="h-2"))
    assert heal(desk, seen(desk, {USDT: "1016"}, *trades)) == ["phantom"]
    assert after(desk, held).pnl == 16


def test_what_was_sold_of_the_owner_s_own_leaves_the_position() -> None:
    desk, held = holding()
    heal(desk, seen(desk, {USDT: "900", BTC: "3"}))
    trades = (sale("0.7", "90"), sale("1.8", "110", "0.9", trade_id="h-2"))
    account = seen(desk, {USDT: "1160.1", BTC: "0.5"}, *trades)
    assert heal(desk, account) == ["amount_mismatch", "external", "external"]
    left = after(desk, held)
    assert (left.amount, left.received, left.fees_quote) == (
        Decimal("0.5"), Decimal(55), Decimal("0.25"),
    )  # fmt: skip
    assert planned(desk, account) == ()


@pytest.mark.parametrize(
    "trade",
    [
        sale("0.4"),
        sale("1", side=Side.BUY),
        sale("1", symbol="ETH/USDT"),
        sale("1", at=Instant(START - 1)),
        sale("1", client_order_id=TAG + "0" * 24),
    ],
    ids=["too little", "a purchase", "another symbol", "before it opened", "our own tag"],
)
def test_a_trade_that_does_not_explain_it_closes_nothing(trade: VenueTrade) -> None:
    desk, held = holding()
    findings = planned(desk, seen(desk, {USDT: "1010"}, trade))
    assert all(finding.heal == () for finding in findings)
    assert desk.position().amount == held.amount


def test_a_sale_that_the_money_does_not_show_closes_nothing() -> None:
    desk, _ = holding()
    (finding,) = planned(desk, seen(desk, {USDT: "900"}, sale("1")))
    assert finding.heal == ()
    assert "the exchange's USDT would not fit then" in finding.discrepancy.action


def test_a_sale_that_the_last_look_saw_is_accounted_for() -> None:
    desk, _ = holding()
    account = seen(desk, {USDT: "900", BTC: "1"})
    desk.does(
        CompleteReconciliation(
            generation=Generation(1),
            trigger="start",
            exchange_positions=1,
            local_positions=1,
            discrepancies=(),
            as_of=Instant(account.as_of + 1),
        )
    )
    (lacking, money) = planned(desk, seen(desk, {USDT: "1010"}, sale("1")))
    assert (lacking.heal, money.heal) == ((), ())


def test_the_quote_coin_is_not_judged_while_coins_are_missing() -> None:
    desk, _ = holding()
    findings = planned(desk, seen(desk, {USDT: "1010", ETH: "2"}))
    assert [(str(f.discrepancy.kind), f.discrepancy.subject, bool(f.heal)) for f in findings] == [
        ("external", "ETH", True),
        ("phantom", f"position {desk.position().position_id}", False),
        ("external", "USDT", False),
    ]


def test_where_two_positions_share_a_coin_nobody_can_say_whose_was_sold() -> None:
    desk, _ = holding()
    desk.holding("1", symbol=Symbol("BTC/EUR"))
    account = seen(desk, {USDT: "1010", Coin("EUR"): "-100", BTC: "1"}, sale("1"))
    lacking = [f for f in planned(desk, account) if f.discrepancy.missing is not None]
    assert [(f.discrepancy.symbol, f.heal) for f in lacking] == [("BTC/USDT", ()), ("BTC/EUR", ())]


@pytest.mark.parametrize(
    ("coin", "fee", "pnl", "is_unvalued"),
    [(USDT, "0.11", "9.89", False), (BTC, "0.001", "9.89", False), (BNB, "0.01", "10", True)],
)
def test_a_result_is_after_a_fee_in_either_coin_and_a_third_one_is_not_valued(
    coin: Coin, fee: str, pnl: str, *, is_unvalued: bool
) -> None:
    desk, held = holding()
    desk.does(forced(held, fills=(fill("h-9", "1", "110", fee, coin),)))
    closed = after(desk, held)
    assert (closed.pnl, closed.has_unvalued_fees) == (Decimal(pnl), is_unvalued)
    assert closed.fees == {coin: Decimal(fee)}


def test_a_forced_sale_is_booked_once() -> None:
    desk, held = holding()
    command = forced(held)
    desk.does(command)
    assert desk.execute(command) == ()


def forced(held: Position, **changes: object) -> BookForcedFills:
    made = BookForcedFills(
        position_id=held.position_id,
        client_order_id=ClientOrderId(TAG + "f" * 24),
        exchange_order_id=ExchangeOrderId("x-9"),
        fills=(fill("h-9", "0.5"),),
        reason=BY_HAND,
    )
    return msgspec.structs.replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fills": (fill("h-9", "1.5"),)}, "oversold"),
        ({"fills": ()}, "oversold"),
        ({"fills": (fill("h-9", "1", "NaN"),)}, "bad_fill"),
        ({"position_id": "nobody's"}, "no_position"),
    ],
)
def test_a_sale_that_fits_no_position_is_refused(changes: dict[str, object], code: str) -> None:
    desk, held = holding()
    assert desk.refuses(forced(held, **changes)).code == code


def test_a_sale_is_not_booked_while_an_exit_is_on_its_way() -> None:
    desk, held = holding()
    desk.accepted(exit_of(held))
    refusal = desk.refuses(forced(held))
    assert (refusal.code, refusal.mends_with_time) == ("in_flight", True)


def test_a_close_unpriced_of_what_has_changed_meanwhile_is_no_news() -> None:
    desk, held = holding()
    command = CloseUnpriced(position_id=held.position_id, amount=Decimal(2), reason="gone")
    assert desk.execute(command) == ()


# A person's word ----------------------------------------------------------------------------


def test_what_was_sold_at_a_price_closes_with_that_gain() -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    desk.does(ResolvePosition(name=held.position_id, price=Decimal(120)))
    closed = after(desk, held)
    assert closed.status is PositionStatus.CLOSED
    assert (closed.pnl, closed.close_reason) == (Decimal(20), "resolved")
    account = desk.book.account
    assert (account.balances, account.unresolved, account.blocked) == (
        {USDT: Decimal(1020), BTC: Decimal(0)}, {}, (),
    )  # fmt: skip


def test_what_was_transferred_leaves_without_gain_or_loss() -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    before = desk.book.account
    desk.does(ResolvePosition(name=BTC_USDT, price=None))
    closed, account = after(desk, held), desk.book.account
    assert closed.status is PositionStatus.CLOSED
    assert (closed.is_unpriced, closed.pnl, closed.amount, closed.cost) == (True, *ZEROS)
    assert account.balances == {USDT: Decimal(900), BTC: Decimal(0)}
    assert (account.unresolved, account.blocked) == ({}, ())
    assert account.day_start_equity == minus(before.day_start_equity, Decimal(100))
    assert account.peak_equity == minus(before.peak_equity, Decimal(100))


def test_what_is_left_of_a_transferred_position_stays_with_its_share_of_the_cost() -> None:
    desk, held = holding()
    unresolved(desk, held, "0.75")
    desk.does(ResolvePosition(name=held.position_id, price=None))
    left = desk.position()
    assert (left.status, left.amount, left.cost) == ("OPEN", Decimal("0.25"), Decimal(25))


def test_dust_that_a_transfer_leaves_is_set_aside() -> None:
    desk, held = holding()
    unresolved(desk, held, "0.9999")
    desk.does(ResolvePosition(name=held.position_id, price=None))
    assert after(desk, held).status == "CLOSED"
    assert desk.book.account.dust == {BTC: Decimal("0.0001")}


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e30", "49.99", "200.01", "1"])
def test_a_price_that_is_none_or_a_slip_of_the_hand_is_refused(price: str) -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    refusal = desk.refuses(ResolvePosition(name=held.position_id, price=Decimal(price)))
    assert refusal.code == "bad_price"


def test_an_unknown_name_is_refused_with_what_could_be_meant() -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    refusal = desk.refuses(ResolvePosition(name="p-7", price=None))
    assert refusal.code == "unknown_position"
    assert f"unresolved is {held.position_id} (BTC/USDT)" in refusal.text


def test_a_position_that_the_exchange_still_has_is_not_resolved() -> None:
    desk, held = holding()
    refusal = desk.refuses(ResolvePosition(name=held.position_id, price=Decimal(100)))
    assert refusal.code == "not_unresolved"
    assert "the exchange had its coins" in refusal.text


@pytest.mark.parametrize("price", [None, Decimal(90)])
def test_what_is_resolved_is_resolved_once(price: Decimal | None) -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    word = ResolvePosition(name=held.position_id, price=price)
    desk.does(word)
    desk.recall(held.position_id)
    assert desk.refuses(word).code == "not_unresolved"


def test_a_word_waits_for_an_exit_on_its_way() -> None:
    desk, held = holding()
    desk.accepted(exit_of(held))
    unresolved(desk, held, "1")
    refusal = desk.refuses(ResolvePosition(name=held.position_id, price=None))
    assert refusal.code == "in_flight"


def test_a_resume_is_refused_while_something_is_unresolved_and_says_what_to_do() -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    desk.halted()
    refusal = desk.refuses(resume())
    assert refusal.code == "unresolved"
    assert f"resolve {held.position_id} --transferred | --closed-at PRICE" in refusal.text
    desk.does(ResolvePosition(name=held.position_id, price=None))
    desk.does(resume())


def test_a_resume_names_what_is_unresolved_where_trading_is_active_too() -> None:
    desk, held = holding()
    unresolved(desk, held, "1")
    assert desk.refuses(resume()).code == "unresolved"


# Properties ---------------------------------------------------------------------------------

lots = st.integers(1, 20_000).map(lambda n: times(Decimal(n), Decimal("0.0001")))
prices = st.integers(5_000, 20_000).map(lambda n: times(Decimal(n), Decimal("0.01")))
changes = st.integers(-50, 50).map(Decimal)


@given(
    sales=st.lists(st.tuples(lots, prices), max_size=4),
    owned=st.integers(0, 2).map(Decimal),
    withdrawn=lots | st.just(Decimal(0)),
    moved=changes,
)
def test_whatever_others_did_it_is_healed_once_and_the_figures_are_the_exchange_s(
    sales: list[tuple[Decimal, Decimal]], owned: Decimal, withdrawn: Decimal, moved: Decimal
) -> None:
    desk, held = holding()
    heal(desk, seen(desk, {USDT: "900", BTC: text(plus(Decimal(1), owned))}))
    coins, money = plus(Decimal(1), owned), plus(Decimal(900), moved)
    trades = []
    for number, (amount, price) in enumerate(sales):
        if amount > coins:
            continue
        coins, money = minus(coins, amount), plus(money, times(amount, price))
        trades.append(sale(text(amount), text(price), trade_id=f"h-{number}"))
    coins = minus(coins, min(withdrawn, coins))
    account = seen(desk, {USDT: text(money), BTC: text(coins)}, *trades)

    first = planned(desk, account)
    assert confirmed(first, planned(desk, account)) == first
    heal(desk, account)
    left = planned(desk, account)

    assert all(finding.heal == () for finding in left), "Reconciling twice is reconciling once"
    open_ends = [finding.discrepancy for finding in left]
    if not open_ends:
        ours = desk.book.account.balances
        assert (ours[USDT], ours.get(BTC, Decimal(0))) == (money, coins)
    for found in open_ends:
        assert found.kind in ("phantom", "amount_mismatch") or found.subject == USDT
    assert minus(after(desk, held).entered, after(desk, held).exited) >= 0
    assert book_of(desk.log).account == desk.book.account


def test_the_plan_leaves_the_book_as_it_was() -> None:
    desk, _ = holding()
    before, number = desk.book.account, desk.book.last_event_id
    planned(desk, seen(desk, {USDT: "1010"}, sale("1")))
    assert (desk.book.account, desk.book.last_event_id) == (before, number)
    assert desk.position().amount == 1


def test_a_heal_that_rests_on_one_that_was_not_seen_twice_waits() -> None:
    desk, _ = holding()
    second = planned(desk, seen(desk, {USDT: "1060"}, sale("1")))
    assert [str(finding.discrepancy.kind) for finding in second] == ["phantom", "external"]
    first = tuple(finding for finding in second if finding.is_rest)
    assert confirmed(first, second) == ()
    assert confirmed(second, second) == second


def test_comparing_alone_changes_nothing_and_sees_the_same() -> None:
    desk, _ = holding()
    view = View(account=seen(desk, {USDT: "1010"}, sale("1")), fills={}, tag=TAG)
    assert compare(desk.book, view) == compare(desk.book, view)


def test_an_entry_under_way_keeps_a_shortage_from_being_judged() -> None:
    desk, _ = holding()
    other = entry("1", "100", symbol=ETH_USDT, at=desk.now)
    desk.unknown(other)
    assert planned(desk, seen(desk, {USDT: "1010"}, sale("1"))) == ()
