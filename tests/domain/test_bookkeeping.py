"""The books: what came and went, coin by coin, to the last digit."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.domain.bookkeeping import (
    Booked,
    Bookkeeper,
    Flow,
    Movement,
    movements_of_event,
    movements_of_fill,
)
from aegis.domain.events import ExternalChangeSeen, PositionTransferred
from aegis.domain.ids import Coin, Instant, Symbol
from aegis.domain.money import total
from aegis.domain.order import Side

BTC, USDT, CRO = Coin("BTC"), Coin("USDT"), Coin("CRO")
BTC_USDT = Symbol("BTC/USDT")


def fill(side: Side, fee_coin: Coin = USDT, fee: str = "0.1") -> Booked:
    return Booked(
        at=Instant(5),
        symbol=BTC_USDT,
        side=side,
        amount=Decimal("0.5"),
        price=Decimal(200),
        fee=Decimal(fee),
        fee_coin=fee_coin,
    )


def moved(made: list[Movement]) -> list[tuple[Coin, Flow, str]]:
    return [(each.coin, each.flow, str(each.amount)) for each in made]


def test_what_is_bought_comes_in_and_what_is_paid_goes_out() -> None:
    assert moved(list(movements_of_fill(fill(Side.BUY)))) == [
        (BTC, Flow.TRADED_IN, "0.5"),
        (USDT, Flow.TRADED_OUT, "-100.0"),
        (USDT, Flow.FEES, "-0.1"),
    ]


def test_what_is_sold_goes_out_and_its_price_comes_in() -> None:
    assert moved(list(movements_of_fill(fill(Side.SELL, CRO)))) == [
        (USDT, Flow.TRADED_IN, "100.0"),
        (BTC, Flow.TRADED_OUT, "-0.5"),
        (CRO, Flow.FEES, "-0.1"),
    ]


def test_a_fill_without_a_fee_moves_none() -> None:
    assert len(list(movements_of_fill(fill(Side.BUY, fee="0")))) == 2


def test_what_is_no_trade_has_a_flow_of_its_own() -> None:
    external = ExternalChangeSeen(
        kind="external", coin=BTC, amount=Decimal(-2), reference="", note=""
    )
    assert moved(list(movements_of_event(external, Instant(1)))) == [(BTC, Flow.EXTERNAL, "-2")]
    away = PositionTransferred(
        symbol=BTC_USDT, coin=BTC, amount=Decimal(2), cost=Decimal(9), value=Decimal(8)
    )
    assert moved(list(movements_of_event(away, Instant(1)))) == [(BTC, Flow.TRANSFERRED, "-2")]


def test_a_beginning_says_what_there_is_whatever_was() -> None:
    keeper = Bookkeeper(Instant(0), None)
    keeper.add(movements_of_fill(fill(Side.BUY)))
    keeper.start({USDT: Decimal(10)}, Instant(9))
    books = keeper.books({USDT: Decimal(10)})
    assert books.differences == ()
    assert {line.coin: str(line.flows[Flow.STARTED]) for line in books.lines} == {
        BTC: "-0.5",
        USDT: "110.1",
    }


MOVEMENTS = st.lists(
    st.builds(
        Movement,
        st.integers(0, 30).map(Instant),
        st.sampled_from([BTC, USDT, CRO]),
        st.sampled_from(Flow),
        st.decimals(-(10**9), 10**9, places=8),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(movements=MOVEMENTS, begin=st.integers(0, 30), end=st.none() | st.integers(0, 30))
def test_each_line_closes_and_intervals_join(
    movements: list[Movement], begin: int, end: int | None
) -> None:
    keeper = Bookkeeper(Instant(begin), None if end is None else Instant(end))
    keeper.add(movements)
    balances = {
        coin: total(each.amount for each in movements if each.coin == coin)
        for coin in (BTC, USDT, CRO)
    }
    books = keeper.books(balances)
    assert books.differences == ()
    for line in books.lines:
        assert line.closing == total((line.opening, *line.flows.values()))
        if end is None:
            assert line.closing == balances[line.coin]
        else:
            joined = Bookkeeper(Instant(max(begin, end)), None)
            joined.add(movements)
            later = {each.coin: each for each in joined.books(balances).lines}
            if begin <= end and line.coin in later:
                assert later[line.coin].opening == line.closing


def test_a_coin_that_does_not_close_is_named_with_what_is_missing() -> None:
    keeper = Bookkeeper(Instant(0), None)
    keeper.add(movements_of_fill(fill(Side.BUY)))
    books = keeper.books({BTC: Decimal("0.5"), USDT: Decimal(-100), CRO: Decimal(7)})
    assert [(each.coin, str(each.missing)) for each in books.differences] == [
        (CRO, "7"),
        (USDT, "0.1"),
    ]
