"""What a script says that the exchange holds: judged where it can be, and closing nothing alone."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.commands import AcceptOrder, ImportPosition
from aegis.domain.events import Discrepancy
from aegis.domain.findings import View
from aegis.domain.ids import Coin, ExchangeOrderId, Instant, TradeId
from aegis.domain.order import OrderStep, Side
from aegis.domain.told_holdings import compare_told, unjudged
from aegis.domain.venue import VenueAccount, VenueTrade
from tests.domain.kit import BTC_USDT, START, TAG, Desk, entry, exit_of, seconds
from tests.domain.test_told import brought

DAY_BEFORE = Instant(START - seconds(86_400))


def trade(at: Instant, amount: str = "1") -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId("t-9"),
        exchange_order_id=ExchangeOrderId("x-9"),
        client_order_id=None,
        symbol=BTC_USDT,
        side=Side.SELL,
        amount=Decimal(amount),
        price=Decimal(90),
        fee=Decimal(0),
        fee_currency=Coin("USDT"),
        liquidity="taker",
        at=at,
    )


def view(*trades: VenueTrade) -> View:
    account = VenueAccount(
        balances={}, open_orders=(), trades=trades, trades_since=Instant(0), as_of=START
    )
    return View(account=account, fills={}, tag=TAG)


def found(desk: Desk, told: str, *trades: VenueTrade) -> list[tuple[Discrepancy, int]]:
    findings = compare_told(desk.book, view(*trades), {BTC_USDT: Decimal(told)})
    return [(finding.discrepancy, len(finding.heal)) for finding in findings]


def imported(opened_at: Instant = DAY_BEFORE) -> Desk:
    desk = Desk()
    command: ImportPosition = msgspec.structs.replace(brought(), opened_at=opened_at)
    desk.does(command)
    return desk


def test_what_is_lacking_has_no_heal_without_a_trade_and_says_what_a_person_can_do() -> None:
    ((lacking, heals),) = found(imported(), "0")
    assert (lacking.kind, lacking.missing, heals) == ("phantom", Decimal(1), 0)
    assert "resolve held --transferred | --closed-at PRICE" in lacking.action


def test_a_trade_after_an_import_came_in_may_have_sold_it() -> None:
    ((lacking, heals),) = found(imported(), "0", trade(START))
    assert (lacking.kind, heals) == ("phantom", 1)


def test_a_trade_of_the_time_before_an_import_came_in_sold_nothing_of_it() -> None:
    between = Instant(START - seconds(60))
    ((_, heals),) = found(imported(), "0", trade(between))
    assert heals == 0


def test_a_position_that_is_being_left_is_not_judged() -> None:
    desk = imported()
    desk.submitted(exit_of(desk.position()))
    assert found(desk, "0") == []
    assert found(desk, "5") == []
    assert unjudged(desk.book) == (BTC_USDT,)


def test_a_symbol_in_which_an_order_came_back_to_life_is_not_judged() -> None:
    desk = Desk(keeps=True)
    order = desk.unknown(entry())
    desk.ends(order, OrderStep.PROVE_ABSENT)
    desk.does(
        AcceptOrder(client_order_id=order.client_order_id, exchange_order_id=ExchangeOrderId("x-1"))
    )
    assert desk.book.position_of(BTC_USDT) is None
    assert found(desk, "5") == []
