"""What holds whatever comes: money is conserved, and equal requests give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchange_server.core import DIGITS
from tests.exchange_server.desk import DeskError
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.in_process import InProcess
from tests.exchange_server.shapes import LISTINGS, SECOND, Settings
from tests.exchange_server.signed import send

OIDS = ("a", "b", "c")
INSTRUMENT = "BTC_USDT"
Step = tuple[str, dict[str, Any]]


def placing() -> st.SearchStrategy[Step]:
    wanted = st.fixed_dictionaries(
        {
            "instrument_name": st.just(INSTRUMENT),
            "side": st.sampled_from(["BUY", "SELL"]),
            "type": st.sampled_from(["LIMIT", "MARKET"]),
            "quantity": st.sampled_from(["0.00101", "0.07", "0.3"]),
            "price": st.sampled_from(["38999.99", "39990.00", "40000.00", "40010.00"]),
            "time_in_force": st.sampled_from(["GOOD_TILL_CANCEL", "IMMEDIATE_OR_CANCEL"]),
            "client_oid": st.sampled_from(OIDS),
        }
    )
    return wanted.map(lambda params: ("private/create-order", params))


def stopping() -> st.SearchStrategy[Step]:
    wanted = st.fixed_dictionaries(
        {
            "instrument_name": st.just(INSTRUMENT),
            "side": st.sampled_from(["BUY", "SELL"]),
            "type": st.sampled_from(["STOP_LOSS", "TAKE_PROFIT"]),
            "quantity": st.sampled_from(["0.02", "0.5"]),
            "ref_price": st.sampled_from(["39500.00", "40500.00"]),
            "client_oid": st.sampled_from(OIDS),
        }
    )
    return wanted.map(lambda params: ("private/advanced/create-order", params))


def to_known() -> st.SearchStrategy[Step]:
    endpoints = st.sampled_from(
        ["private/cancel-order", "private/advanced/cancel-order", "private/get-order-detail"]
    )
    return st.tuples(endpoints, st.sampled_from(OIDS).map(lambda oid: {"client_oid": oid}))


def outside() -> st.SearchStrategy[Step]:
    return st.one_of(
        st.sampled_from(["38000", "39400.5", "40600", "42000"]).map(lambda p: ("price", {"at": p})),
        st.just(("walk", {"at": "40000"})),
        st.sampled_from([0.4, 1.0, 7.5, 60.3]).map(lambda s: ("wait", {"seconds": s})),
        st.sampled_from(["0.5", "100.25"]).map(lambda q: ("deposit", {"quantity": q})),
        st.sampled_from(["0.5", "5000"]).map(lambda q: ("withdraw", {"quantity": q})),
        st.sampled_from(["BUY", "SELL"]).map(lambda s: ("trade", {"side": s, "quantity": "0.01"})),
        st.sampled_from(OIDS).map(lambda oid: ("fill", {"client_oid": oid})),
    )


STEPS = st.lists(st.one_of(placing(), stopping(), to_known(), outside()), max_size=25)
SETTINGS = st.fixed_dictionaries(
    {
        "dedupe": st.just("off"),
        "depth": st.sampled_from([Decimal(500), Decimal(20_000)]),
        "creation_lag_s": st.sampled_from([0.0, 0.7]),
        "cancel_lag_s": st.sampled_from([0.0, 0.7]),
        "locks_triggers": st.booleans(),
    }
)
LIMIT = {
    "instrument_name": INSTRUMENT,
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.02",
    "price": "40010.00",
    "client_oid": "a",
}
FAULTS = [
    Rule(fault=Fault.LATE_EFFECT, probability=0.15, seconds=3),
    Rule(fault=Fault.LATE_REJECTION, probability=0.15, seconds=2),
    Rule(fault=Fault.DROP_AFTER, probability=0.2),
    Rule(fault=Fault.HTML_502_BEFORE, probability=0.1),
]


def play(place: InProcess, steps: list[Step]) -> Iterator[bytes]:
    """Do the steps one after another, and give what each was answered."""
    for name, params in steps:
        if name == "price":
            place.price(params["at"])
        elif name == "walk":
            place.price(params["at"], is_held=False)
        elif name == "wait":
            place.wait(params["seconds"])
        elif name.startswith("private/"):
            yield send(place, name, params).body
        else:
            try:
                yield msgspec.json.encode(place.owner(name, **params))
            except DeskError as refused:
                yield str(refused).encode()


@contextmanager
def made(settings: dict[str, Any], seed: int = 1) -> Iterator[InProcess]:
    place = InProcess(seed=seed, **settings)
    place.core.faults.set(FAULTS)
    yield place
    place.ledger.close()


@given(steps=STEPS, settings=SETTINGS)
def test_balances_are_deposits_and_fills_and_fees_to_the_last_digit(
    steps: list[Step], settings: dict[str, Any]
) -> None:
    with made(settings) as place, localcontext(prec=DIGITS):
        list(play(place, steps))
        place.wait(10)
        expected: dict[str, Decimal] = {}
        for change in place.ledger.balance_changes():
            if change.reason in {"deposit", "withdrawal"}:
                expected[change.coin] = expected.get(change.coin, Decimal(0)) + change.amount
        for fill in place.ledger.fills():
            listing = LISTINGS[fill.instrument]
            sign = 1 if fill.side == "BUY" else -1
            for coin, amount in (
                (listing.base, sign * fill.quantity),
                (listing.quote, -sign * fill.quantity * fill.price),
                (fill.fee_coin, -fill.fee),
            ):
                expected[coin] = expected.get(coin, Decimal(0)) + amount
        assert place.ledger.balances() == expected


@given(steps=STEPS, settings=SETTINGS)
def test_orders_trade_within_their_quantity_their_limit_and_the_coins(
    steps: list[Step], settings: dict[str, Any]
) -> None:
    with made(settings) as place, localcontext(prec=DIGITS):
        list(play(place, steps))
        fills = place.ledger.fills()
        for order in place.ledger.orders():
            own = [fill for fill in fills if fill.order_id == order.trades_as]
            assert sum((fill.quantity for fill in own), Decimal(0)) == order.filled
            assert order.filled <= order.quantity
            assert (order.filled == order.quantity) == (order.status == "FILLED")
            if order.limit_price is not None and order.maker == "api":
                sign = 1 if order.side == "BUY" else -1
                assert all(sign * fill.price <= sign * order.limit_price for fill in own)
            assert order.is_open or order.reserved == 0
        for coin, (total, reserved) in place.core.books.balances().items():
            assert total >= 0, coin
            assert reserved >= 0


@given(steps=STEPS, settings=SETTINGS)
def test_equal_seed_and_requests_give_equal_bytes(
    steps: list[Step], settings: dict[str, Any]
) -> None:
    with made(settings) as one, made(settings) as other:
        assert list(play(one, steps)) == list(play(other, steps))
        assert one.ledger.fills() == other.ledger.fills()
        assert one.ledger.requests() == other.ledger.requests()


def test_another_seed_is_another_market() -> None:
    with made({}, seed=1) as one, made({}, seed=2) as other:
        query = {"instrument_name": INSTRUMENT, "count": "30"}
        answers = {
            place.core.answer("public/get-candlestick", "GET", query, place.now).body
            for place in (one, other)
        }
    assert len(answers) == 2


@given(steps=STEPS, pauses=st.integers(1, 9))
def test_time_in_one_step_or_in_many_is_the_same_time(steps: list[Step], pauses: int) -> None:
    class Slower(InProcess):
        def wait(self, seconds: float) -> None:
            """Let the core look at the time more often, on the way to the same instant."""
            start = self.now
            for pause in range(1, pauses):
                self.core.advance(start + int(seconds * SECOND) * pause // pauses)
            super().wait(seconds)

    with made({"depth": Decimal(500)}) as one:
        list(play(one, steps))
        expected = one.ledger.fills()
    slower = Slower(depth=Decimal(500))
    slower.core.faults.set(FAULTS)
    list(play(slower, steps))
    assert slower.ledger.fills() == expected
    slower.ledger.close()


def test_what_is_due_happens_at_its_instant_however_late_one_looks() -> None:
    def ends(*looks: float) -> list[tuple[str, int]]:
        place = InProcess(creation_lag_s=5, depth=Decimal(100))
        place.price("40000", is_held=False)
        send(place, "private/create-order", LIMIT)
        for seconds in looks:
            place.wait(seconds)
        found = [(fill.trade_id, fill.filled_at) for fill in place.ledger.fills()]
        place.ledger.close()
        return found

    assert ends(300) == ends(4.9, 0.1, 0.7, 94.3, 200)
    assert len(ends(300)) > 1


def test_settings_are_checked() -> None:
    with pytest.raises(msgspec.ValidationError, match="dedup"):
        msgspec.convert({"dedup": "off"}, Settings)
