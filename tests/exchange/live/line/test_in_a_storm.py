"""The line, the product's client and the local exchange in one process, while a third of all
calls goes wrong: what is said for certain is so, and all is well again when the storm is over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.clock import ManualClock, seeded_random
from aegis.dialogue import (
    AccountFetched,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.live.calls import Call, Outcome
from aegis.exchange.live.line.line import Line
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.profiles import CRYPTOCOM
from supervisors.seeded import Latencies, SeededRuntime
from tests.domain.kit import BTC_USDT, START
from tests.exchange.live.client.on_core import client_on
from tests.exchange_server.faults import storm
from tests.exchange_server.in_process import InProcess

ROUNDS = 25
STEP_S = 2.0


class Storm:
    """One clock for both sides; an order, looks at all of them, and an account each step."""

    def __init__(self, seed: int) -> None:
        self.place = InProcess(seed=seed, now=START, dedupe="off", rate_limits=True)
        self.clock = ManualClock(START)
        latencies = Latencies(least_s=0.02, most_s=0.2)
        self.runtime = SeededRuntime(self.clock, seed, latencies=latencies)
        self.server_clock = ServerClock(self.clock, margin_s=CRYPTOCOM.skew_margin_s)
        client = client_on(self.place)

        def execute(call: Call) -> Outcome:
            self.place.wait((self.clock.now() - self.place.now) / NANOS_PER_SECOND)
            return client.execute(call)

        self.line = Line(
            profile=CRYPTOCOM,
            make_client=lambda: execute,
            runtime=self.runtime,
            server_clock=self.server_clock,
            call_deadline_s=10.0,
            draw=seeded_random(seed).random,
        )
        self.heard: list[ExchangeReplied] = []
        self.asked = 0
        self.orders: list[PlaceOrder] = []
        self.submit(FetchInstruments(symbols=(BTC_USDT,)))
        self.runtime.run_for(5)

    def submit(self, request: ExchangeRequest) -> None:
        self.asked += 1
        self.line.submit(request, self.heard.append)

    def order(self) -> PlaceOrder:
        number = len(self.orders)
        request = PlaceOrder(
            client_order_id=ClientOrderId(f"ae123456{number:024d}"),
            symbol=BTC_USDT,
            side=Side.BUY if number % 2 == 0 else Side.SELL,
            type=OrderType.MARKET,
            amount=Decimal("0.001"),
            price=None,
            trigger_price=None,
            reduce_only=number % 2 == 1,
            sent_at=self.clock.now(),
        )
        self.orders.append(request)
        return request

    def find(self, order: PlaceOrder) -> FindOrder:
        since = Instant(order.sent_at - NANOS_PER_SECOND)
        return FindOrder(client_order_id=order.client_order_id, symbol=BTC_USDT, since=since)

    def rage(self) -> None:
        """Let a third of all calls go wrong for a while, of whatever kind they are."""
        self.place.core.faults.set(storm(0.3))
        for number in range(ROUNDS):
            self.submit(self.order())
            self.submit(self.find(self.orders[number // 2]))
            self.submit(FetchQuote(symbol=BTC_USDT))
            if number % 5 == 0:
                self.submit(FetchAccount(trades_since=Instant(START - 60 * NANOS_PER_SECOND)))
            self.runtime.run_for(STEP_S)
        self.place.core.faults.set([])
        self.runtime.run_for(120)

    def ask(self, request: ExchangeRequest) -> ExchangeAnswer:
        before = len(self.heard)
        self.submit(request)
        self.runtime.run_until_quiet()
        (replied,) = self.heard[before:]
        return replied.answer

    def placed(self) -> dict[ClientOrderId, ExchangeAnswer]:
        return {
            each.request.client_order_id: each.answer
            for each in self.heard
            if isinstance(each.request, PlaceOrder)
        }


SEEDS = [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 24))]


@pytest.fixture(scope="module", params=SEEDS)
def after(request: pytest.FixtureRequest) -> Storm:
    storm_ = Storm(request.param)
    storm_.rage()
    return storm_


def test_each_request_was_answered_once(after: Storm) -> None:
    assert len(after.heard) == after.asked


def test_the_storm_was_one(after: Storm) -> None:
    answers = [each.answer for each in after.heard]
    assert any(isinstance(each, NoAnswer) for each in answers)
    assert any(isinstance(each, OrderPlaced) for each in answers)


def test_no_order_is_at_the_exchange_twice(after: Storm) -> None:
    assert after.place.ledger.doubles() == {}


def test_what_was_placed_for_certain_is_at_the_exchange(after: Storm) -> None:
    there = {order.client_oid for order in after.place.ledger.orders()}
    yes = {key for key, answer in after.placed().items() if isinstance(answer, OrderPlaced)}
    assert yes <= there


def test_what_was_refused_for_certain_is_not(after: Storm) -> None:
    there = {order.client_oid for order in after.place.ledger.orders()}
    no = {key for key, answer in after.placed().items() if isinstance(answer, RequestRefused)}
    assert no & there == set()


def test_whatever_was_found_had_trades_that_add_up(after: Storm) -> None:
    found = [each.answer for each in after.heard if isinstance(each.answer, OrderFound)]
    assert found
    for each in found:
        assert sum(trade.amount for trade in each.trades) == each.order.filled


def test_each_order_is_found_afterwards_with_all_its_trades_or_was_never_there(
    after: Storm,
) -> None:
    ledger = after.place.ledger
    for order in after.orders:
        found = after.ask(after.find(order))
        if ledger.orders(order.client_order_id):
            assert isinstance(found, OrderFound), found
            fills = {fill.trade_id for fill in ledger.fills(order.client_order_id)}
            assert {trade.trade_id for trade in found.trades} == fills
            assert found.order.status is not VenueOrderStatus.OPEN
        else:
            assert isinstance(found, OrderNotFound), found


def test_the_account_is_read_afterwards_as_the_exchange_has_it(after: Storm) -> None:
    since = Instant(START - 60 * NANOS_PER_SECOND)
    account = after.ask(FetchAccount(trades_since=since))
    assert isinstance(account, AccountFetched), account
    ledger = after.place.ledger
    assert {fill.trade_id for fill in ledger.fills()} == {
        t.trade_id for t in account.account.trades
    }
    balances = {coin: amount for coin, amount in ledger.balances().items() if amount}
    assert account.account.balances == balances


def test_nothing_is_held_afterwards(after: Storm) -> None:
    assert isinstance(after.ask(FetchQuote(symbol=BTC_USDT)), QuoteFetched)
    after.ask(after.find(after.orders[0]))
    assert after.line.hold() is None
