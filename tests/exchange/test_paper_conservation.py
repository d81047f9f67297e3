"""Whatever is asked, whatever moves and whatever is lost: no coin is made and none is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.dialogue import ExchangeRequest
from aegis.domain.ids import Coin
from aegis.domain.money import minus, negative, plus, times, total
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.paper import Fault
from aegis.exchange.paper_ledger import LedgerView
from aegis.exchange.paper_matching import PaperRules
from tests.exchange.paper_kit import BTC, USDT, Table

SIDES = st.sampled_from(Side)
AMOUNTS = st.integers(1, 60_000).map(lambda lots: f"{lots * 5}e-5")
PRICES = st.integers(8_000, 12_500).map(lambda cents: f"{cents}e-2")
FAULTS = st.sampled_from([
    None, None, None,
    Fault(is_request_lost=True), Fault(is_answer_lost=True), Fault(answer_delay_s=3),
    Fault(error="502 Bad Gateway"),
])  # fmt: skip

RULES = st.builds(
    PaperRules,
    fee_rate=st.sampled_from([Decimal(0), Decimal("0.00075"), Decimal("0.02")]),
    fee_currency=st.sampled_from(["quote", "received"]),
    spread_bps=st.integers(0, 300).map(Decimal),
    slippage_bps=st.integers(0, 300).map(Decimal),
    volume_share_max=st.sampled_from([Decimal("0.1"), Decimal(1)]),
    late_after_s=st.just(60),
)

STEPS = st.one_of(
    st.tuples(st.just("market"), SIDES, AMOUNTS, st.none() | PRICES, FAULTS),
    st.tuples(st.just("limit"), SIDES, AMOUNTS, PRICES, FAULTS),
    st.tuples(st.just("cancel"), st.integers(1, 12), FAULTS),
    st.tuples(st.just("tick"), PRICES, st.sampled_from(["0", "0.3", "2", "50"])),
    st.tuples(st.just("open"), PRICES, st.sampled_from(["0", "0.3", "2", "50"])),
    st.just(("close",)),
    st.just(("reopen",)),
)


class Run:
    """One walk through random steps; the next fault is laid ready by each step."""

    def __init__(self, folder: Path, rules: PaperRules) -> None:
        self._fault: Fault | None = None
        self.table = Table(folder, rules, usdt="150", btc="1.5", faults=self._take_fault)

    def _take_fault(self, _request: ExchangeRequest) -> Fault | None:
        return self._fault

    def take(self, step: tuple[object, ...]) -> None:
        table = self.table
        match step:
            case ("market", Side() as side, str() as amount, trigger, fault):
                self._ask(side, amount, fault, trigger_price=trigger and Decimal(str(trigger)))
            case ("limit", Side() as side, str() as amount, price, fault):
                self._ask(side, amount, fault, type=OrderType.LIMIT, price=Decimal(str(price)))
            case ("cancel", number, fault):
                self._fault = fault if isinstance(fault, Fault) else None
                table.cancel(f"order-{number}")
            case ("tick", str() as price, str() as volume):
                table.tick(price, volume=volume)
            case ("open", str() as price, str() as volume):
                table.tick(price, start=price, volume=volume)
            case ("close",):
                table.close()
            case _:
                table.reopen()

    def _ask(self, side: Side, amount: str, fault: object, **fields: object) -> None:
        self._fault = fault if isinstance(fault, Fault) else None
        self.table.ask(self.table.order(side, amount, **fields))


def walked(rules: PaperRules, steps: list[tuple[object, ...]]) -> LedgerView:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), rules)
        for step in steps:
            run.take(step)
        view = run.table.view()
        run.table.ledger.close()
    return view


def moved(view: LedgerView, coin: Coin) -> Decimal:
    """Return what all trades and fees did to a coin."""
    signs: dict[Side, Callable[[Decimal], Decimal]] = {Side.BUY: plus_sign, Side.SELL: negative}
    of_trades = (
        signs[trade.side](trade.amount)
        if coin == BTC
        else negative(signs[trade.side](times(trade.amount, trade.price)))
        for trade in view.trades
    )
    of_fees = (negative(trade.fee) for trade in view.trades if trade.fee_currency == coin)
    return plus(total(of_trades), total(of_fees))


def plus_sign(value: Decimal) -> Decimal:
    return value


MANY = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@MANY
@given(RULES, st.lists(STEPS, min_size=5, max_size=30))
def test_every_coin_is_what_it_started_with_and_what_was_traded(
    rules: PaperRules, steps: list[tuple[object, ...]]
) -> None:
    view = walked(rules, steps)
    for coin in (BTC, USDT):
        assert minus(view.balances[coin], view.start_balances[coin]) == moved(view, coin)
        assert view.balances[coin] >= 0
    for order in view.orders:
        trades = [t for t in view.trades if t.exchange_order_id == order.exchange_order_id]
        assert total(trade.amount for trade in trades) == order.filled
        assert order.filled <= order.amount
        assert (order.status is VenueOrderStatus.FILLED) == (order.filled == order.amount)


@MANY
@given(RULES, st.lists(STEPS, min_size=5, max_size=30))
def test_lost_answers_change_nothing_at_the_venue(
    rules: PaperRules, steps: list[tuple[object, ...]]
) -> None:
    heard = [
        (*step[:-1], None) if isinstance(step[-1], Fault) and not step[-1].is_request_lost else step
        for step in steps
    ]
    assert walked(rules, steps) == walked(rules, heard)


@MANY
@given(RULES, st.lists(STEPS, min_size=5, max_size=30))
def test_no_fill_is_beyond_its_limit(rules: PaperRules, steps: list[tuple[object, ...]]) -> None:
    view = walked(rules, steps)
    limits = {order.exchange_order_id: order.price for order in view.orders}
    for trade in view.trades:
        limit = limits[trade.exchange_order_id]
        if limit is not None:
            assert trade.price <= limit if trade.side is Side.BUY else trade.price >= limit
