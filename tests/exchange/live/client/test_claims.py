"""Whatever goes wrong, in whatever order: what the client claims is so, by the ledger."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.venue import VenueOrder, VenueTrade
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Page,
    Place,
    ReadBalances,
    ReadOpenOrders,
    ReadOrder,
    ReadTrades,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange.live.client.answers import BTC, PLACE
from tests.exchange.live.client.on_core import client_on
from tests.exchange_server.faults import KILLS, Fault, Rule
from tests.exchange_server.in_process import START, InProcess

SEEING_THE_PAST = {Fault.LAG, Fault.FORGET}
"""With these the exchange itself tells what is not so any more: no client can know."""

UNSEEN = {(Fault.NO_DATA, ReadTrades), (Fault.NO_DATA, ReadOpenOrders)}
"""An empty list is how an exchange says that there is none. So whoever acts on it wants a second
witness: the order's own cumulative fill, or a second sighting."""

FAULTS = st.sampled_from([None, *(each for each in Fault if each not in KILLS)])
KINDS = st.sampled_from(["place", "place", "cancel", "order", "orders", "trades", "balances"])
IDS = (ClientOrderId(f"ae{number:030x}") for number in count())
WINDOW_NS = CRYPTOCOM.trades_window_s * NANOS_PER_SECOND


class Trial:
    """One exchange, one client, and the orders that were tried."""

    def __init__(self, place: InProcess) -> None:
        self.place = place
        self.client = client_on(place)
        self.placings: list[Place] = []

    def call(self, kind: str, number: int) -> Call:
        """Return a call; those about an order are about one that was tried."""
        if kind == "place" or not self.placings:
            price = Decimal(("39000", "40500")[number % 2])
            order = msgspec.structs.replace(
                PLACE.order, client_order_id=next(IDS), price=price, amount=Decimal("0.001")
            )
            self.placings.append(Place(order=order))
            return self.placings[-1]
        order_id = self.placings[number % len(self.placings)].order.client_order_id
        everything = ReadTrades(symbol=BTC, since=Instant(START), until=Instant(START + WINDOW_NS))
        calls: dict[str, Call] = {
            "cancel": Cancel(client_order_id=order_id, symbol=BTC),
            "order": ReadOrder(client_order_id=order_id, symbol=BTC),
            "orders": ReadOpenOrders(),
            "trades": everything,
            "balances": ReadBalances(),
        }
        return calls[kind]

    def expect_true(self, call: Call, verdict: Verdict) -> None:
        """Fail where a claim about what is there is not so."""
        ledger = self.place.ledger
        if isinstance(call, Place):
            there = [each.order_id for each in ledger.orders(call.order.client_order_id)]
            assert len(there) <= 1
            if isinstance(verdict, Answered):
                assert [verdict.value] == there
            elif not isinstance(verdict, Lost):
                assert isinstance(verdict, Refused | Limited | Denied | Skewed)
                assert there == []
        if not isinstance(verdict, Answered):
            return
        match call:
            case ReadBalances():
                held = {coin: total for coin, total in ledger.balances().items() if total}
                assert verdict.value == held
            case ReadOrder():
                self._expect_order(call, verdict.value)
            case ReadOpenOrders():
                assert isinstance(verdict.value, tuple)
                told = {getattr(each, "exchange_order_id", None) for each in verdict.value}
                assert told == {each.order_id for each in ledger.orders() if each.is_open}
            case ReadTrades():
                assert isinstance(verdict.value, Page)
                fills = {_fill(each) for each in verdict.value.trades}
                assert fills == {(each.trade_id, each.quantity) for each in ledger.fills()}
            case _:
                pass

    def _expect_order(self, call: ReadOrder, found: object) -> None:
        there = self.place.ledger.orders(call.client_order_id)
        if found is None:
            assert there == []
            return
        assert isinstance(found, VenueOrder)
        filled = sum(each.quantity for each in self.place.ledger.fills(call.client_order_id))
        assert (found.exchange_order_id, found.filled) == (there[0].order_id, filled)


def _fill(trade: VenueTrade) -> tuple[str, Decimal]:
    return trade.trade_id, trade.amount


@given(st.lists(st.tuples(KINDS, FAULTS, st.integers(0, 9)), min_size=1, max_size=12))
def test_no_answer_and_no_row_makes_the_client_claim_what_is_not_so(
    steps: list[tuple[str, Fault | None, int]],
) -> None:
    place = InProcess()
    with closing(place.ledger):
        place.price("40000")
        trial = Trial(place)
        for kind, fault, number in steps:
            call = trial.call(kind, number)
            place.core.faults.set([Rule(fault=fault, seconds=1)] if fault else [])
            verdict = trial.client.execute(call).verdict
            place.core.faults.set([])
            if fault not in SEEING_THE_PAST and (fault, type(call)) not in UNSEEN:
                trial.expect_true(call, verdict)
            place.wait(2)


def test_the_longest_window_tells_the_trades_at_both_its_ends() -> None:
    place = InProcess()
    with closing(place.ledger):
        place.price("40000")
        trial = Trial(place)
        trial.client.execute(trial.call("place", 1))
        place.wait(CRYPTOCOM.trades_window_s)
        trial.client.execute(trial.call("place", 1))
        place.wait(2)

        page = trial.client.execute(trial.call("trades", 0)).verdict

        assert isinstance(page, Answered)
        assert isinstance(page.value, Page)
        assert [each.at for each in page.value.trades] == [START, START + WINDOW_NS]


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DROP_AFTER, Fault.HTML_502_AFTER])
def test_the_claims_are_held_against_orders_that_are_there(fault: Fault) -> None:
    place = InProcess()
    with closing(place.ledger):
        place.price("40000")
        trial = Trial(place)
        call = trial.call("place", 0)
        place.core.faults.set([Rule(fault=fault)])

        verdict = trial.client.execute(call).verdict

        assert isinstance(verdict, Lost)
        with pytest.raises(AssertionError):
            trial.expect_true(call, Refused(code="too_late", venue_code="", reason=""))
