"""How much to buy: rounded down, and never what could not be sold again at its stop."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.commands import Refusal
from aegis.domain.money import minus, percent_of
from aegis.domain.position import StopPolicy
from aegis.domain.sizing import Sizing, size
from tests.domain.kit import POLICY, instrument

NO_STOP = StopPolicy(stop_loss_pct=Decimal(0))


def sized(
    value: str, price: str, policy: StopPolicy = POLICY, amount_min: str = "0.001"
) -> Decimal | Refusal:
    sizing = Sizing(method="notional", value=Decimal(value))
    traded = instrument(amount_min=Decimal(amount_min))
    return size(sizing, Decimal(price), traded, policy)


def test_a_notional_buys_what_it_pays_for() -> None:
    assert sized("100", "50") == 2


def test_an_amount_is_rounded_down_to_the_lot() -> None:
    assert sized("100", "30000") == Decimal("0.0033")


@given(value=st.integers(1, 10**9), cents=st.integers(1, 10**8))
def test_what_is_bought_never_costs_more_than_was_meant(value: int, cents: int) -> None:
    price = Decimal(f"{cents}E-2")
    amount = sized(str(value), str(price), NO_STOP)
    if not isinstance(amount, Refusal):
        assert Fraction(amount) * Fraction(price) <= value
        assert Fraction(amount) * Fraction(price) > value - Fraction(price) / 10_000


@given(
    value=st.integers(1, 10**4),
    cents=st.integers(1, 10**7),
    percents=st.sampled_from(["0", "2", "50"]),
)
def test_what_is_bought_can_be_sold_at_its_stop(value: int, cents: int, percents: str) -> None:
    price, policy = Decimal(f"{cents}E-2"), StopPolicy(stop_loss_pct=Decimal(percents))
    amount = sized(str(value), str(price), policy)
    if not isinstance(amount, Refusal):
        at_stop = minus(price, percent_of(price, policy.stop_loss_pct))
        assert not instrument().is_dust(amount, at_stop)


@pytest.mark.parametrize(("value", "is_enough"), [("1.02", False), ("1.03", True)])
def test_what_falls_below_the_least_notional_at_the_stop_is_too_small(
    value: str, *, is_enough: bool
) -> None:
    amount = sized(value, "1")
    assert isinstance(amount, Decimal) is is_enough


@pytest.mark.parametrize(
    ("stop", "trailing", "is_enough"), [("2", "1", True), ("0", "1", True), ("2", "0", False)]
)
def test_the_stop_in_force_first_is_the_nearer_one(
    stop: str, trailing: str, *, is_enough: bool
) -> None:
    policy = StopPolicy(stop_loss_pct=Decimal(stop), trailing_stop_pct=Decimal(trailing))
    assert isinstance(sized("1.015", "1", policy), Decimal) is is_enough


def test_less_than_a_lot_is_too_small() -> None:
    refusal = sized("1", "1000000")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.mends_with_time) == ("too_small", False)


def test_less_than_the_least_amount_is_too_small() -> None:
    assert isinstance(sized("100", "50", amount_min="3"), Refusal)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_without_a_price_nothing_is_bought(price: str) -> None:
    refusal = sized("100", price)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "no_price"


def test_a_method_that_nobody_knows_is_our_bug() -> None:
    sizing = msgspec.structs.replace(Sizing(method="notional", value=Decimal(1)), method="luck")
    with pytest.raises(AssertionError, match="luck"):
        size(sizing, Decimal(1), instrument(), POLICY)
