"""The line on its real client, over HTTP, against the local exchange."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from aegis.clock import SystemClock, seeded_random
from aegis.config.secret import Secret
from aegis.dialogue import (
    AccountFetched,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.ids import ClientOrderId, Instant
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.line.line import Line
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.profiles import CRYPTOCOM
from supervisors.runtime import ThreadRuntime
from tests.domain.kit import BTC, BTC_USDT
from tests.exchange.live.line.kit import replace, seconds
from tests.exchange_server.faults import Fault
from tests.exchange_server.local import Local, in_thread
from tests.stage import Stage


class Scene:
    def __init__(self, local: Local) -> None:
        self.local = local
        self.runtime = ThreadRuntime(SystemClock())
        self.stage = Stage(self.runtime)
        clock = ServerClock(self.runtime.clock, margin_s=CRYPTOCOM.skew_margin_s)
        keys = Keys(api_key=Secret(local.key), secret=Secret(local.secret))
        access = Access(keys=keys, base_url=local.base_url, silence_s_max=2)
        self.line = Line(
            profile=replace(CRYPTOCOM, rates={}),  # waiting proves nothing here
            make_client=client_maker(CRYPTOCOM, access, clock.now_ms),
            runtime=self.runtime,
            server_clock=clock,
            call_deadline_s=3.0,
            draw=seeded_random(1).random,
            log=self.stage.log,
        )
        self.began = self.runtime.clock.now()
        self.orders = 0

    def ask(self, request: ExchangeRequest) -> ExchangeAnswer:
        heard: list[ExchangeReplied] = []
        self.line.submit(request, heard.append)
        self.stage.wait_for(lambda: bool(heard))
        return heard[0].answer

    def buy(self, amount: str = "0.01", price: str | None = None) -> PlaceOrder:
        self.orders += 1
        return PlaceOrder(
            client_order_id=ClientOrderId(f"ae123456{self.orders:024d}"),
            symbol=BTC_USDT,
            side=Side.BUY,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            amount=Decimal(amount),
            price=None if price is None else Decimal(price),
            trigger_price=None,
            reduce_only=False,
            sent_at=self.runtime.clock.now(),
        )

    def find(self, order: PlaceOrder) -> ExchangeAnswer:
        since = Instant(order.sent_at - seconds(1))
        key, symbol = order.client_order_id, order.symbol
        return self.ask(FindOrder(client_order_id=key, symbol=symbol, since=since))

    def account(self) -> ExchangeAnswer:
        return self.ask(FetchAccount(trades_since=Instant(self.began - seconds(60))))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with in_thread(tmp_path) as local:
        scene = Scene(local)
        instruments = scene.ask(FetchInstruments(symbols=(BTC_USDT,)))
        assert isinstance(instruments, InstrumentsFetched), instruments
        assert isinstance(scene.account(), AccountFetched)  # the exchange's clock is known by it
        yield scene
        scene.runtime.close()


def test_an_order_lives_its_life_and_the_account_shows_it(scene: Scene) -> None:
    quote = scene.ask(FetchQuote(symbol=BTC_USDT))
    assert isinstance(quote, QuoteFetched)
    assert quote.quote is not None
    order = scene.buy()
    assert isinstance(scene.ask(order), OrderPlaced)
    found = scene.find(order)
    assert isinstance(found, OrderFound)
    assert found.order.status is VenueOrderStatus.FILLED
    account = scene.account()
    assert isinstance(account, AccountFetched)
    fee = sum(trade.fee for trade in found.trades)
    assert account.account.balances[BTC] == Decimal("0.01") - fee
    assert set(account.account.trades) == set(found.trades)


def test_a_resting_order_is_called_off(scene: Scene) -> None:
    order = scene.buy(price="20000")
    assert isinstance(scene.ask(order), OrderPlaced)
    scene.ask(CancelOrder(client_order_id=order.client_order_id, symbol=BTC_USDT))
    found = scene.find(order)
    assert isinstance(found, OrderFound)
    assert found.order.status is VenueOrderStatus.CANCELED


def test_a_lost_answer_is_no_answer_and_the_order_is_found(scene: Scene) -> None:
    scene.local.control.fault(Fault.HTML_502_AFTER, "private/create-order", next=1)
    scene.account()
    order = scene.buy()
    assert isinstance(scene.ask(order), NoAnswer)
    assert isinstance(scene.find(order), OrderFound)


def test_a_lost_request_is_no_answer_and_the_order_is_not_found(scene: Scene) -> None:
    scene.local.control.fault(Fault.DROP_BEFORE, "private/create-order", next=1)
    scene.account()
    order = scene.buy()
    assert isinstance(scene.ask(order), NoAnswer)
    assert isinstance(scene.find(order), OrderNotFound)


def test_a_clock_that_is_apart_holds_entries_until_it_agrees(scene: Scene) -> None:
    scene.local.control.clock(90.0)
    assert isinstance(scene.account(), AccountFetched)
    refused = scene.ask(scene.buy())
    assert isinstance(refused, RequestRefused)
    assert refused.code == "held_back"
    scene.local.control.clock(0.0)
    scene.account()
    assert isinstance(scene.ask(scene.buy()), OrderPlaced)


def test_a_revoked_key_is_a_refusal_and_said_once(scene: Scene) -> None:
    scene.local.control.settings(key="html_401")
    for _ in range(2):
        answer = scene.account()
        assert isinstance(answer, RequestRefused)
        assert answer.code == "key_denied"
    assert scene.stage.events().count("KeyDenied") == 1
