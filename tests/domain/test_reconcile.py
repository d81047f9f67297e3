"""The store beside the exchange: what differs, what heals it, and what is not judged."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import (
    AcceptOrder,
    AskForHuman,
    RecordExternalChange,
    RecordFills,
    Refusal,
    RequestCancel,
    StartBalances,
)
from aegis.domain.discrepancies import named_orders, named_trades
from aegis.domain.events import OrderFilled
from aegis.domain.findings import Finding, View, fill_of
from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, TradeId
from aegis.domain.order import Order, OrderState, OrderStep, Role, Side
from aegis.domain.position import PositionStatus
from aegis.domain.reconcile import confirmed, healed, plan
from aegis.domain.venue import VenueAccount, VenueOrder, VenueTrade
from tests.domain.kit import BTC, ETH, START, TAG, USDT, Desk, accept, end, entry, exit_of
from tests.domain.shown import shown

BOUGHT = {USDT: Decimal("9899.9"), BTC: Decimal(1)}
"""What 10000 are after one coin was bought at 100, with a fee of 0.1."""

HALF_BOUGHT = {USDT: Decimal("9949.9"), BTC: Decimal("0.5")}


def account(
    balances: dict[Coin, Decimal] | None = None,
    orders: tuple[VenueOrder, ...] = (),
    trades: tuple[VenueTrade, ...] = (),
) -> VenueAccount:
    return VenueAccount(
        balances=balances or {},
        open_orders=orders,
        trades=trades,
        trades_since=START,
        as_of=START,
    )


def trade_of(
    order: Order, trade_id: str = "v-1", amount: str = "1", client_order_id: str | None = ""
) -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId("x-1"),
        client_order_id=order.client_order_id if client_order_id == "" else client_order_id,
        symbol=order.symbol,
        side=order.side,
        amount=Decimal(amount),
        price=Decimal(100),
        fee=Decimal("0.1"),
        fee_currency=USDT,
        liquidity="taker",
        at=START,
    )


def found(desk: Desk, seen: VenueAccount) -> tuple[Finding, ...]:
    """Compare as the Reconciler does: with what the store knows of what the exchange named."""
    for key in named_orders(seen, TAG):
        if key in desk.orders:
            desk.recall(desk.orders[key].position_id)
    events = [recorded.event for recorded in desk.log]
    booked = {(e.symbol, TradeId(e.fill.trade_id)): e.fill for e in events
              if isinstance(e, OrderFilled)}  # fmt: skip
    fills = {trade: booked[trade] for trade in named_trades(seen) if trade in booked}
    view = View(account=seen, fills=fills, tag=TAG)
    return plan(desk.book, view, limits=desk.limits, now=desk.now)


def kinds(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.discrepancy.kind for finding in findings]


def heal(desk: Desk, findings: tuple[Finding, ...]) -> list[str]:
    """Do what heals; return the codes of what was refused."""
    done = [desk.execute(command) for finding in findings for command in finding.heal]
    return [each.code for each in done if isinstance(each, Refusal)]


def test_two_that_agree_differ_in_nothing() -> None:
    desk = Desk().funded("1000")
    desk.holding("1")
    seen = account({USDT: Decimal(900), BTC: Decimal(1)})
    assert found(desk, seen) == ()


# Orders and trades ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        OrderState.SUBMITTING,
        OrderState.UNKNOWN,
        OrderState.NEEDS_HUMAN,
        OrderState.NOT_PLACED,
        OrderState.OPEN,
    ],
)
def test_a_trade_that_we_lack_is_booked_whatever_we_knew_of_its_order(state: OrderState) -> None:
    desk = Desk().funded()
    order = entry("1")
    if state is OrderState.SUBMITTING:
        desk.submitted(order)
    elif state is OrderState.OPEN:
        desk.accepted(order)
    else:
        desk.unknown(order)
    if state is OrderState.NEEDS_HUMAN:
        desk.does(AskForHuman(client_order_id=order.client_order_id, reason="no barrier"))
    if state is OrderState.NOT_PLACED:
        desk.does(end(order, OrderStep.PROVE_ABSENT))
    findings = found(desk, account(BOUGHT, trades=(trade_of(order),)))
    assert kinds(findings) == ["ghost"]
    assert heal(desk, findings) == []
    assert desk.order(order).state is OrderState.FILLED
    assert desk.position().amount == 1


def test_a_trade_that_is_booked_is_no_finding() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    seen = account(BOUGHT, trades=(trade_of(order),))
    heal(desk, found(desk, seen))
    assert found(desk, seen) == ()


def test_several_missing_trades_of_one_order_are_all_booked() -> None:
    desk = Desk().funded()
    order = desk.unknown(entry("1"))
    trades = (trade_of(order, "v-1", "0.4"), trade_of(order, "v-2", "0.6"))
    findings = found(desk, account({USDT: Decimal("9899.8"), BTC: Decimal(1)}, trades=trades))
    assert kinds(findings) == ["ghost", "amount_mismatch"]
    assert heal(desk, findings) == []
    assert desk.order(order).trade_ids == ("v-1", "v-2")


@pytest.mark.parametrize("step", [OrderStep.CANCEL, OrderStep.REJECT, OrderStep.EXPIRE])
def test_a_trade_after_the_end_is_booked_and_the_order_taken_up(step: OrderStep) -> None:
    desk = Desk().funded()
    order = desk.submitted(entry("1"))
    desk.does(accept(order, "x-1"))
    desk.ends(order, step)
    findings = found(desk, account(BOUGHT, trades=(trade_of(order),)))
    assert kinds(findings) == ["ghost"]
    assert heal(desk, findings) == []
    assert desk.order(order).state is OrderState.FILLED
    assert desk.position().amount == 1


def sold_once(owned: str) -> tuple[Desk, Order]:
    """Return a desk that held a coin beside the owner's, and its exit, which has filled."""
    desk = Desk()
    desk.does(StartBalances(balances={USDT: Decimal(10000), BTC: Decimal(owned)}))
    order = desk.accepted(exit_of(desk.holding("1")))
    desk.fills(order, "1")
    return desk, order


def test_a_second_sale_under_one_id_is_booked_as_the_owner_s_where_balances_bear_it_out() -> None:
    desk, order = sold_once(owned="1")
    seen = account({USDT: Decimal("10099.9")}, trades=(trade_of(order),))
    findings = found(desk, seen)
    assert heal(desk, findings) == []
    assert found(desk, seen) == ()
    assert (desk.order(order).state, desk.order(order).filled) == (OrderState.FILLED, Decimal(2))
    assert desk.last_position().pnl == 0


def test_a_second_sale_under_one_id_that_no_balance_bears_out_is_for_a_person() -> None:
    desk, order = sold_once(owned="1")
    unmoved = {USDT: Decimal(10000), BTC: Decimal(1)}
    (finding,) = found(desk, account(unmoved, trades=(trade_of(order),)))
    assert finding.heal == ()
    assert "would not fit" in finding.discrepancy.action


def test_an_exit_that_was_refused_and_sold_after_all_closes_its_position() -> None:
    desk = Desk().funded()
    order = desk.submitted(exit_of(desk.holding("1")))
    desk.ends(order, OrderStep.REJECT)
    seen = account({USDT: Decimal("9999.9")}, trades=(trade_of(order),))
    assert heal(desk, found(desk, seen)) == []
    assert desk.order(order).state is OrderState.FILLED
    assert desk.last_position().status is PositionStatus.CLOSED
    assert found(desk, seen) == ()


@pytest.mark.parametrize("name", [None, "", "somebody's", TAG[:-1] + "0" + "0" * 24])
def test_a_trade_that_is_not_ours_is_left_alone(name: str | None) -> None:
    desk = Desk()
    name = name or None
    trade = trade_of(entry("1"), client_order_id=name)
    assert found(desk, account(trades=(trade,))) == ()


def test_a_trade_with_our_tag_and_no_intent_is_an_orphan() -> None:
    trade = trade_of(entry("1"))
    (finding,) = found(Desk(), account(trades=(trade,)))
    assert (finding.discrepancy.kind, finding.heal) == ("orphan", ())
    assert finding.discrepancy.symbol == trade.symbol
    assert trade.trade_id in finding.discrepancy.subject


def test_an_order_with_our_tag_and_no_intent_is_an_orphan() -> None:
    (finding,) = found(Desk(), account(orders=(shown(entry("1")),)))
    assert (finding.discrepancy.kind, finding.heal) == ("orphan", ())


def unknown_here(desk: Desk, side: Side, amount: str, trade_id: str) -> VenueTrade:
    order = msgspec.structs.replace(exit_of(desk.position()), side=side)
    return trade_of(order, trade_id, amount, client_order_id=TAG + trade_id.rjust(24, "0"))


@pytest.mark.parametrize(
    ("sold", "bought", "is_doubted"),
    [("1", None, True), ("1", "0.4", True), ("1", "1", False), (None, "1", False)],
)
def test_a_position_is_doubted_of_which_unknown_orders_sold_more_than_they_bought(
    sold: str | None, bought: str | None, *, is_doubted: bool
) -> None:
    desk = Desk().funded()
    held = desk.holding()
    amounts = {Side.SELL: sold, Side.BUY: bought}
    trades = tuple(
        unknown_here(desk, side, amount, f"{side}") for side, amount in amounts.items() if amount
    )
    findings = found(desk, account(BOUGHT, trades=trades))
    assert set(kinds(findings)) == {"orphan"}
    named = {finding.discrepancy.position_id for finding in findings}
    assert named == ({held.position_id} if is_doubted else {None})


def test_an_unknown_order_that_may_still_sell_is_a_doubt_as_well() -> None:
    desk = Desk().funded()
    held = desk.holding()
    there = shown(exit_of(held), client_order_id=TAG + "0" * 24)
    (finding,) = (f for f in found(desk, account(BOUGHT, orders=(there,))) if f.is_told)
    assert finding.discrepancy.position_id == held.position_id


def test_an_order_that_is_not_ours_is_external_and_left_alone() -> None:
    seen = account(orders=(shown(entry("1"), client_order_id=None),))
    (finding,) = found(Desk(), seen)
    assert (finding.discrepancy.kind, finding.heal) == ("external", ())
    assert finding.discrepancy.is_healed


@pytest.mark.parametrize("prepare", ["submitted", "unknown", "accepted"])
def test_an_order_in_flight_that_is_open_there_is_no_finding(prepare: str) -> None:
    desk = Desk()
    order: Order = getattr(desk, prepare)(entry("1"))
    assert found(desk, account(orders=(shown(order),))) == ()


def test_an_order_that_was_given_up_and_is_open_is_adopted_and_cancelled() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    findings = found(desk, account(orders=(shown(order),)))
    assert kinds(findings) == ["unknown_order"]
    adopt, cancel = findings[0].heal
    assert isinstance(adopt, AcceptOrder)
    assert isinstance(cancel, RequestCancel)
    assert heal(desk, findings) == []
    assert desk.order(order).state is OrderState.CANCELING


def test_an_order_that_was_refused_and_is_open_is_adopted_and_cancelled() -> None:
    desk = Desk()
    order = desk.submitted(entry("1"))
    desk.ends(order, OrderStep.REJECT)
    assert heal(desk, found(desk, account(orders=(shown(order),)))) == []
    assert desk.order(order).state is OrderState.CANCELING


@pytest.mark.parametrize("step", [OrderStep.CANCEL, OrderStep.REJECT, OrderStep.EXPIRE])
def test_an_order_that_ended_here_and_is_open_there_is_for_a_person(step: OrderStep) -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    desk.ends(order, step)
    (finding,) = found(desk, account(orders=(shown(order),)))
    assert (finding.discrepancy.kind, finding.heal) == ("unknown_order", ())


def test_only_own_orders_are_named_for_the_store() -> None:
    own, other = entry("1"), entry("1", at=START, client_order_id=ClientOrderId("somebody's"))
    orders = (shown(own), shown(other), shown(own, client_order_id=None))
    seen = account(orders=orders, trades=(trade_of(own), trade_of(other)))
    assert named_orders(seen, TAG) == (own.client_order_id,)


def test_a_trade_is_booked_as_the_exchange_booked_it() -> None:
    made = fill_of(trade_of(entry("1"), "v-9", "0.25"))
    assert (made.trade_id, made.amount, made.price) == ("v-9", Decimal("0.25"), Decimal(100))
    assert (made.fee, made.fee_currency, made.liquidity) == (Decimal("0.1"), USDT, "taker")


# Balances ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coin", "amount", "change"), [(USDT, "950", "50"), (USDT, "850", "-50"), (ETH, "3", "3")]
)
def test_a_balance_that_somebody_changed_is_recorded(coin: Coin, amount: str, change: str) -> None:
    desk = Desk().funded("1000")
    desk.holding("1")
    seen = account({USDT: Decimal(900), BTC: Decimal(1)} | {coin: Decimal(amount)})
    findings = found(desk, seen)
    assert kinds(findings) == ["external"]
    (command,) = findings[0].heal
    assert isinstance(command, RecordExternalChange)
    assert command.amount == Decimal(change)
    heal(desk, findings)
    assert found(desk, seen) == ()
    assert desk.position().amount == 1


def test_a_coin_that_is_gone_altogether_is_zero() -> None:
    desk = Desk().funded("1000")
    findings = found(desk, account({}))
    assert [finding.discrepancy.found for finding in findings] == ["0"]


def test_more_of_a_base_coin_than_is_own_is_the_owner_s() -> None:
    desk = Desk().funded("1000")
    desk.holding("1")
    assert kinds(found(desk, account({USDT: Decimal(900), BTC: Decimal(5)}))) == ["external"]


def test_less_of_a_base_coin_than_is_own_closes_nothing_and_blocks_the_symbol() -> None:
    desk = Desk().funded("1000")
    held = desk.holding("1")
    (finding,) = found(desk, account({USDT: Decimal(900), BTC: Decimal("0.4")}))
    assert (finding.discrepancy.kind, finding.heal) == ("amount_mismatch", ())
    assert finding.discrepancy.symbol == held.symbol
    assert finding.discrepancy.missing == Decimal("0.6")
    assert f"resolve {held.position_id} --transferred" in finding.discrepancy.action
    assert (finding.discrepancy.expected, finding.discrepancy.found) == ("1", "0.4")


def test_balances_are_not_judged_before_the_first_were_seen() -> None:
    assert found(Desk(), account({USDT: Decimal(5)})) == ()


@pytest.mark.parametrize("prepare", ["submitted", "unknown"])
def test_balances_are_not_judged_while_an_outcome_is_in_doubt(prepare: str) -> None:
    desk = Desk().funded()
    order: Order = getattr(desk, prepare)(entry("1"))
    odd = account({USDT: Decimal(1)})
    assert found(desk, odd) == ()
    step = OrderStep.PROVE_ABSENT if prepare == "unknown" else OrderStep.REJECT
    desk.does(end(order, step))
    assert kinds(found(desk, odd)) == ["external"]


def test_balances_are_not_judged_while_a_trade_is_missing() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    desk.ends(order, OrderStep.CANCEL)  # so that it cannot be booked
    seen = account({USDT: Decimal(1)}, trades=(trade_of(order),))
    assert kinds(found(desk, seen)) == ["ghost"]


def test_dust_belongs_to_the_account_and_is_no_finding() -> None:
    desk = Desk().funded("1000")
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0.00105", BTC)
    out = desk.accepted(exit_of(desk.position(), "0.9989"))
    desk.fills(out, "0.9989")
    balances = {USDT: Decimal("999.89"), BTC: Decimal("0.00005")}
    assert found(desk, account(balances)) == ()


# Two sightings ----------------------------------------------------------------------------


def balance_findings(desk: Desk, usdt: str) -> tuple[Finding, ...]:
    return found(desk, account({USDT: Decimal(usdt)}))


def test_what_two_looks_saw_is_confirmed() -> None:
    desk = Desk().funded("1000")
    first, second = balance_findings(desk, "900"), balance_findings(desk, "900.00")
    assert kinds(confirmed(first, second)) == ["external"]


def test_what_one_look_saw_is_not() -> None:
    desk = Desk().funded("1000")
    first, second = balance_findings(desk, "900"), balance_findings(desk, "901")
    assert confirmed(first, second) == ()
    assert confirmed(first, ()) == ()
    assert confirmed((), second) == ()


def test_a_balance_that_stood_still_while_we_booked_is_an_old_picture() -> None:
    desk = Desk().funded("1000")
    first = balance_findings(desk, "900")
    desk.holding("0.5")
    second = found(desk, account({USDT: Decimal(900), BTC: Decimal("0.5")}))
    assert kinds(second) == ["external"]
    assert confirmed(first, second) == ()


def test_a_trade_that_was_told_stays_told() -> None:
    desk = Desk().funded()
    missing = trade_of(desk.accepted(entry("1")), "v-2", "0.5")
    findings = found(desk, account(HALF_BOUGHT, trades=(missing,)))
    assert kinds(findings) == ["ghost"]
    assert findings[0].is_told


def test_a_missing_trade_is_confirmed_whatever_was_booked_meanwhile() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    missing = trade_of(order, "v-2", "0.5")
    first = found(desk, account(HALF_BOUGHT, trades=(missing,)))
    desk.fills(order, "0.5")
    second = found(desk, account(BOUGHT, trades=(missing,)))
    assert kinds(confirmed(first, second)) == ["amount_mismatch"]


def test_what_was_healed_says_so() -> None:
    desk = Desk().funded("1000")
    (finding,) = balance_findings(desk, "900")
    assert not finding.discrepancy.is_healed
    assert healed(finding.discrepancy).is_healed


def test_an_exit_is_healed_as_an_entry_is() -> None:
    desk = Desk().funded()
    held = desk.holding("1")
    order = desk.unknown(exit_of(held))
    findings = found(desk, account(trades=(trade_of(order),)))
    assert any(isinstance(command, RecordFills) for command in findings[0].heal)
    assert heal(desk, findings) == []
    assert desk.order(order).role is Role.EXIT
    assert desk.positions[held.position_id].amount == 0


# One trade, told in two ways ----------------------------------------------------------------


def bought() -> tuple[Desk, Order]:
    """A desk on which an entry was filled by trade t-1: one coin at 100, with a fee of 0.1."""
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "0.1")
    return desk, order


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"price": Decimal(101)}, "price_mismatch"),
        ({"fee": Decimal("0.2")}, "price_mismatch"),
        ({"fee_currency": BTC}, "price_mismatch"),
        ({"amount": Decimal("0.9")}, "amount_mismatch"),
    ],
)
def test_a_trade_that_the_exchange_tells_otherwise_is_told_and_never_rewritten(
    change: dict[str, object], kind: str
) -> None:
    desk, order = bought()
    told = msgspec.structs.replace(trade_of(order, "t-1"), **change)
    (finding,) = found(desk, account({USDT: Decimal(9000)}, trades=(told,)))
    assert (finding.discrepancy.kind, finding.heal) == (kind, ())
    assert finding.discrepancy.symbol == order.symbol
    assert finding.discrepancy.expected == "1 at 100, fee 0.1 USDT"
    assert "look at the trade" in finding.discrepancy.action


def test_a_trade_that_both_tell_alike_is_no_finding_whatever_its_zeros() -> None:
    desk, order = bought()
    told = msgspec.structs.replace(trade_of(order, "t-1"), price=Decimal("100.00"))
    assert found(desk, account(BOUGHT, trades=(told,))) == ()


def test_a_heal_that_would_not_fit_the_exchange_s_balances_is_not_done() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("1"))
    (finding,) = found(desk, account({USDT: Decimal(10_000)}, trades=(trade_of(order),)))
    assert (finding.discrepancy.kind, finding.heal) == ("ghost", ())
    assert "the exchange's BTC, USDT would not fit then" in finding.discrepancy.action
