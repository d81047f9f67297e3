"""The contract of `ports.Exchange`, held by each way to an exchange: called, and over the line.

Both ways lead to a paper exchange of their own; whatever the one answers, the other does.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.clock import seeded_random
from aegis.dialogue import (
    AccountFetched,
    BalanceFetched,
    CancelAccepted,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.ids import ClientOrderId, Instant
from aegis.domain.order import OrderType, Side
from aegis.exchange.called import CalledExchange
from aegis.exchange.live.line.line import Line
from aegis.exchange.live.line.offset import ServerClock
from aegis.ports import Exchange
from supervisors.seeded import Latencies, SeededRuntime
from tests.exchange.live.line.kit import PROFILE, replace
from tests.exchange.live.line.paper_client import PaperClient
from tests.exchange.paper_kit import BTC_USDT, START, Table

DEADLINE_S = 10.0
NEVER = ClientOrderId("never")


def called(table: Table, runtime: SeededRuntime) -> Exchange:
    return CalledExchange(table.exchange.execute, runtime, DEADLINE_S)


def over_the_line(table: Table, runtime: SeededRuntime) -> Exchange:
    line = Line(
        profile=replace(PROFILE, rates={}),
        make_client=lambda: PaperClient(table).execute,
        runtime=runtime,
        server_clock=ServerClock(table.clock, margin_s=3.0),
        call_deadline_s=DEADLINE_S,
        draw=seeded_random(1).random,
    )
    line.submit(FetchAccount(trades_since=START), lambda _: None)  # measures its clock
    runtime.run_until_quiet()
    return line


WAYS: dict[str, Callable[[Table, SeededRuntime], Exchange]] = {
    "called": called,
    "line": over_the_line,
}


class Way:
    """An exchange on a table, and the way to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.table = Table(folder)
        self.table.tick("100")
        latencies = Latencies(least_s=0.001, most_s=0.002)
        self.runtime = SeededRuntime(self.table.clock, 1, latencies=latencies)
        self.port = WAYS[name](self.table, self.runtime)

    def ask(self, request: ExchangeRequest) -> ExchangeAnswer:
        heard: list[ExchangeReplied] = []
        self.port.submit(request, heard.append)
        self.runtime.run_until_quiet()
        (replied,) = heard
        assert replied.request == request
        return replied.answer

    def find(self, key: str) -> ExchangeAnswer:
        return self.ask(FindOrder(client_order_id=ClientOrderId(key), symbol=BTC_USDT, since=START))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    return Way(tmp_path, request.param)


def test_a_placed_order_is_found_with_trades_that_add_up(way: Way) -> None:
    order = way.table.order(Side.SELL, "0.5")
    assert isinstance(way.ask(order), OrderPlaced)
    found = way.find(order.client_order_id)
    assert isinstance(found, OrderFound)
    assert sum(trade.amount for trade in found.trades) == found.order.filled == Decimal("0.5")


def test_an_order_that_is_sent_again_is_refused_as_a_duplicate(way: Way) -> None:
    order = way.table.order(Side.SELL, "0.5")
    way.ask(order)
    again = way.ask(order)
    assert isinstance(again, RequestRefused)
    assert again.code == "duplicate_id"
    assert way.table.fills(order.client_order_id) == [("0.5", "100")]


def test_a_refusal_has_its_code_and_leaves_no_order(way: Way) -> None:
    order = way.table.order(Side.SELL, "99")
    refused = way.ask(order)
    assert isinstance(refused, RequestRefused)
    assert refused.code == "insufficient_funds"
    assert isinstance(way.find(order.client_order_id), OrderNotFound)


def test_what_is_not_there_was_not_found_before_now(way: Way) -> None:
    before = way.table.clock.now()
    answer = way.find(NEVER)
    assert isinstance(answer, OrderNotFound)
    assert before - 10**9 <= answer.as_of <= way.table.clock.now()


def test_a_cancel_is_accepted_once_and_then_refused(way: Way) -> None:
    order = way.table.order(Side.BUY, "1", type=OrderType.LIMIT, price=Decimal(50))
    way.ask(order)
    cancel = CancelOrder(client_order_id=order.client_order_id, symbol=BTC_USDT)
    assert isinstance(way.ask(cancel), CancelAccepted)
    refused = way.ask(cancel)
    assert isinstance(refused, RequestRefused)
    assert refused.code == "not_open"


def test_an_account_has_balances_orders_and_trades_together(way: Way) -> None:
    sold = way.table.order(Side.SELL, "0.5")
    rests = way.table.order(Side.BUY, "1", type=OrderType.LIMIT, price=Decimal(50))
    way.ask(sold)
    way.ask(rests)
    answer = way.ask(FetchAccount(trades_since=START))
    assert isinstance(answer, AccountFetched)
    account = answer.account
    assert {coin: str(amount) for coin, amount in account.balances.items()} == {
        "BTC": "0.5",
        "USDT": "10050",
    }
    assert [order.client_order_id for order in account.open_orders] == [rests.client_order_id]
    assert [trade.client_order_id for trade in account.trades] == [sold.client_order_id]


def test_what_there_is_of_a_symbol_s_coins_is_told_with_what_orders_lock(way: Way) -> None:
    rests = way.table.order(Side.SELL, "0.5", type=OrderType.LIMIT, price=Decimal(500))
    way.ask(rests)
    told = way.ask(FetchBalance(symbol=BTC_USDT, asked_at=START))
    assert told == BalanceFetched(symbol=BTC_USDT, base=Decimal(1), quote=Decimal(10000))


def test_the_market_is_told(way: Way) -> None:
    quote = way.ask(FetchQuote(symbol=BTC_USDT))
    assert isinstance(quote, QuoteFetched)
    assert quote.quote is not None
    listed = way.ask(FetchInstruments(symbols=(BTC_USDT,)))
    assert isinstance(listed, InstrumentsFetched)
    assert [each.symbol for each in listed.instruments] == [BTC_USDT]


def test_nothing_holds_entries_on_a_good_day(way: Way) -> None:
    assert way.port.hold() is None


def told(answer: ExchangeAnswer) -> ExchangeAnswer | tuple[object, ...]:
    """Return an answer without the instants of looking, in which the ways may differ."""
    match answer:
        case OrderNotFound():
            return replace(answer, as_of=Instant(0))
        case AccountFetched(account=account):
            return replace(answer, account=replace(account, as_of=Instant(0)))
        case OrderFound(order=order, trades=trades):
            order = replace(order, created_at=Instant(0))
            return (order, tuple(replace(each, at=Instant(0)) for each in trades))
        case QuoteFetched(quote=quote):
            return (quote is not None and (quote.bid, quote.ask),)
        case RequestRefused(code=code):
            return (code,)
    return answer


AMOUNTS = st.sampled_from(["0.1", "0.3", "7", "99"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), AMOUNTS),
        st.tuples(st.just("buy"), AMOUNTS),
        st.tuples(st.just("rest"), AMOUNTS),
        st.tuples(st.sampled_from(["again", "cancel", "find"]), st.integers(0, 5).map(str)),
        st.tuples(st.just("quote"), st.just("")),
    ),
    min_size=4,
    max_size=14,
)


def walk(way: Way, steps: list[tuple[str, str]]) -> list[object]:
    answers: list[object] = []
    orders = [way.table.order(Side.BUY, "0.1", client_order_id=NEVER)]
    for kind, figure in steps:
        match kind:
            case "sell" | "buy" | "rest":
                side = Side.SELL if kind == "sell" else Side.BUY
                limit = {"type": OrderType.LIMIT, "price": Decimal(90)} if kind == "rest" else {}
                orders.append(way.table.order(side, figure, **limit))
                answers.append(told(way.ask(orders[-1])))
            case "again":
                answers.append(told(way.ask(orders[int(figure) % len(orders)])))
            case "cancel":
                key = orders[int(figure) % len(orders)].client_order_id
                answers.append(told(way.ask(CancelOrder(client_order_id=key, symbol=BTC_USDT))))
            case "find":
                answers.append(told(way.find(orders[int(figure) % len(orders)].client_order_id)))
            case _:
                answers.append(told(way.ask(FetchQuote(symbol=BTC_USDT))))
    account = way.ask(FetchAccount(trades_since=START))
    assert isinstance(account, AccountFetched)
    balances, trades = account.account.balances, account.account.trades
    return [*answers, balances, [(each.trade_id, each.amount, each.price) for each in trades]]


@settings(max_examples=8)  # each makes two ledgers: 100 ms
@given(STEPS)
def test_both_ways_say_the_same_of_any_dialogue(steps: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert walk(Way(Path(one), "called"), steps) == walk(Way(Path(other), "line"), steps)
