"""Which price is acted on: a wrong digit costs nothing, and a real crash one look."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.belief import Belief, Verdict
from aegis.domain.commands import Quote
from aegis.domain.ids import Instant
from tests.domain.kit import BTC_USDT, ETH_USDT, START, seconds

COLLAR = Decimal(1)


class Watch:
    """A belief that was at 100 already, and takes one quote a second."""

    def __init__(self) -> None:
        self.belief = Belief()
        self.at = START
        assert self.sees("100") == Verdict.BELIEVED

    def sees(self, bid: str, *, is_traded: bool = False, age_s: int = 0) -> Verdict:
        self.at = Instant(self.at + seconds(1))
        quote = Quote(bid=Decimal(bid), ask=Decimal(bid), at=Instant(self.at - seconds(age_s)))
        traded_from = quote.bid if is_traded else None
        return self.belief.judge(BTC_USDT, quote, traded_from=traded_from, collar_pct=COLLAR)

    def sees_each(self, *bids: str) -> list[str]:
        return [self.sees(bid).name for bid in bids]


def test_the_first_price_of_all_is_believed() -> None:
    quote = Quote(bid=Decimal(5), ask=Decimal(5), at=START)
    belief = Watch().belief
    assert belief.judge(ETH_USDT, quote, traded_from=None, collar_pct=COLLAR) is Verdict.BELIEVED


@pytest.mark.parametrize("bid", ["0", "-1", "NaN", "Infinity"])
def test_what_is_no_price_is_none(bid: str) -> None:
    watch = Watch()
    assert watch.sees(bid) is Verdict.NO_PRICE
    assert watch.belief.last[BTC_USDT].bid == 100


def test_a_price_older_than_the_last_is_no_news() -> None:
    watch = Watch()
    assert watch.sees("99.5", age_s=10) is Verdict.OLD
    assert watch.sees("50", is_traded=True, age_s=10) is Verdict.OLD


@pytest.mark.parametrize("bid", ["99", "101", "99.5"])
def test_a_step_within_the_collar_is_believed(bid: str) -> None:
    assert Watch().sees(bid) is Verdict.BELIEVED


@pytest.mark.parametrize("bid", ["98.99", "101.01", "10", "1000"])
def test_a_jump_beyond_the_collar_wants_a_second_look(bid: str) -> None:
    watch = Watch()
    assert watch.sees(bid) is Verdict.DOUBTED
    assert watch.belief.last[BTC_USDT].bid == 100


def test_a_wrong_digit_between_two_prices_is_never_believed() -> None:
    watch = Watch()
    assert watch.sees_each("10", "100", "10", "100") == ["DOUBTED", "BELIEVED"] * 2


def test_a_crash_that_goes_on_is_believed_at_its_second_price() -> None:
    watch = Watch()
    assert watch.sees_each("87", "75") == ["DOUBTED", "BELIEVED"]
    assert watch.belief.last[BTC_USDT].bid == 75


def way_of(belief: Belief) -> str:
    return "leapt" if belief.has_leapt(BTC_USDT) else "came"


@pytest.mark.parametrize(
    ("bids", "way"),
    [(["99"], "came"), (["98.9", "98.9"], "leapt"), (["90", "89", "88.5"], "came")],
)
def test_a_believed_price_has_leapt_where_it_is_far_from_the_one_before(
    bids: list[str], way: str
) -> None:
    watch = Watch()
    watch.sees_each(*bids)
    assert way_of(watch.belief) == way


@pytest.mark.parametrize(("start", "way"), [("100", "came"), ("99.5", "came"), ("90", "leapt")])
def test_a_price_that_was_traded_on_the_way_to_has_not_leapt(start: str, way: str) -> None:
    belief = Watch().belief
    belief.judge(
        BTC_USDT,
        Quote(bid=Decimal(90), ask=Decimal(90), at=Instant(START + seconds(9))),
        traded_from=Decimal(start),
        collar_pct=COLLAR,
    )
    assert way_of(belief) == way


@pytest.mark.parametrize(("known", "way"), [("100", "leapt"), ("95.5", "came"), (None, "came")])
def test_the_first_price_is_judged_by_the_one_on_record(known: str | None, way: str) -> None:
    belief = Belief()
    belief.judge(
        BTC_USDT,
        Quote(bid=Decimal(95), ask=Decimal(95), at=START),
        traded_from=None,
        collar_pct=COLLAR,
        known=None if known is None else Decimal(known),
    )
    assert way_of(belief) == way


def test_a_price_that_was_traded_at_is_believed_at_once() -> None:
    assert Watch().sees("75", is_traded=True) is Verdict.BELIEVED
