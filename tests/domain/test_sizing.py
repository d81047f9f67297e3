"""How much to buy: rounded down, and never what could not be sold again at its stop."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.commands import Refusal
from aegis.domain.money import percent_of
from aegis.domain.position import StopPolicy
from aegis.domain.sizing import ATR_PERIOD, Method, Prospect, Sizing, canary_too_small, size
from tests.domain.kit import POLICY, instrument

METHODS: tuple[Method, ...] = get_args(Method)
PERCENTS = st.integers(1, 10_000).map(lambda value: Decimal(f"{value}E-2"))
PRICES = st.integers(1, 10**8).map(lambda value: Decimal(f"{value}E-2"))
MONEY = st.integers(1, 10**12).map(lambda value: Decimal(f"{value}E-2"))
STEP = Decimal("0.0001")


def prospect(at: str | Decimal = "100", policy: StopPolicy = POLICY, **told: object) -> Prospect:
    """Return an entry at a price; 10000 of equity and a range of 4 unless told."""
    traded = instrument()
    made = Prospect(
        instrument=traded,
        price=Decimal(at),
        stop_price=policy.first_stop(Decimal(at), traded.price_step),
        equity=Decimal(10_000),
        atr=Decimal(4),
    )
    return msgspec.structs.replace(made, **told)


def by(method: Method, value: str | Decimal) -> Sizing:
    return Sizing(method=method, value=Decimal(value))


def sized(
    value: str, price: str, policy: StopPolicy = POLICY, amount_min: str = "0.001"
) -> Decimal | Refusal:
    """Size by `notional`."""
    traded = instrument(amount_min=Decimal(amount_min))
    return size(by("notional", value), prospect(price, policy, instrument=traded))


def bought(sizing: Sizing, wanted: Prospect) -> Decimal:
    amount = size(sizing, wanted)
    assert isinstance(amount, Decimal), amount
    return amount


def refused(sizing: Sizing, wanted: Prospect) -> Refusal:
    refusal = size(sizing, wanted)
    assert isinstance(refusal, Refusal), refusal
    return refusal


# What each method means -----------------------------------------------------------------------


def test_a_notional_buys_what_it_pays_for() -> None:
    assert sized("100", "50") == 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("most", "amount"), [("50", "0.5"), ("0.16", "0.0016")])
def test_a_canary_costs_no_more_than_its_bound_whatever_the_method_says(
    method: Method, most: str, amount: str
) -> None:
    value = "100" if method == "notional" else "1"
    sizing = Sizing(method=method, value=Decimal(value), notional_max=Decimal(most))
    small = prospect(instrument=instrument(amount_min=STEP, notional_min=STEP))
    assert bought(sizing, small) == Decimal(amount)


def test_a_bound_that_is_not_reached_changes_nothing() -> None:
    bounded = Sizing(method="notional", value=Decimal(100), notional_max=Decimal(1000))
    assert bought(bounded, prospect()) == bought(by("notional", "100"), prospect())


def test_a_share_of_the_equity_buys_what_it_pays_for() -> None:
    assert bought(by("equity_pct", "5"), prospect("50")) == 10


def test_a_risk_buys_what_loses_it_at_the_stop() -> None:
    wanted = prospect("50", equity=Decimal(1000))
    assert wanted.stop_price == 49
    assert bought(by("risk_per_trade", "0.5"), wanted) == 5


def test_a_risk_is_spread_over_the_nearer_of_two_stops() -> None:
    both = StopPolicy(stop_loss_pct=Decimal(4), trailing_stop_pct=Decimal(1))
    assert bought(by("risk_per_trade", "1"), prospect("100", both)) == 100


def test_a_further_entry_risks_its_share_down_to_the_stop_in_force() -> None:
    raised = prospect("110", stop_price=Decimal(105))
    assert bought(by("risk_per_trade", "1"), raised) == 20


def test_a_volatility_buys_what_moves_by_it_in_one_usual_range() -> None:
    assert bought(by("volatility", "0.1"), prospect("50", atr=Decimal("2.5"))) == 4


@pytest.mark.parametrize("method", METHODS)
def test_an_amount_is_rounded_down_to_the_lot(method: Method) -> None:
    wanted = prospect("30000", equity=Decimal(100), stop_price=Decimal(29_993), atr=Decimal(7))
    expected = {"notional": "0.0003", "equity_pct": "0.0003"}.get(method, "1.4285")
    loose = msgspec.structs.replace(wanted, instrument=instrument(amount_min=STEP))
    assert bought(by(method, "10"), loose) == Decimal(expected)


# What always holds ----------------------------------------------------------------------------


@given(value=st.integers(1, 10**9), price=PRICES)
def test_a_notional_never_costs_more_than_was_meant(value: int, price: Decimal) -> None:
    amount = size(by("notional", Decimal(value)), prospect(price, stop_price=None))
    if isinstance(amount, Decimal):
        assert Fraction(amount) * Fraction(price) <= value
        assert Fraction(amount) * Fraction(price) > value - Fraction(price) / 10_000


@given(percent=PERCENTS, equity=MONEY, price=PRICES)
def test_a_share_of_the_equity_is_never_exceeded_and_used_to_the_last_lot(
    percent: Decimal, equity: Decimal, price: Decimal
) -> None:
    amount = size(by("equity_pct", percent), prospect(price, equity=equity))
    if isinstance(amount, Decimal):
        cost, most = Fraction(amount) * Fraction(price), Fraction(percent_of(equity, percent))
        assert most - Fraction(STEP) * Fraction(price) < cost <= most


@given(
    percent=PERCENTS,
    equity=MONEY,
    price=PRICES,
    stop=st.integers(1, 9_999).map(lambda value: Decimal(f"{value}E-2")),
)
def test_the_loss_at_the_stop_is_never_more_than_the_risk_and_all_but_a_lot_of_it(
    percent: Decimal, equity: Decimal, price: Decimal, stop: Decimal
) -> None:
    wanted = prospect(price, StopPolicy(stop_loss_pct=stop), equity=equity)
    amount = size(by("risk_per_trade", percent), wanted)
    if isinstance(amount, Decimal):
        assert wanted.stop_price is not None
        fall = Fraction(price) - Fraction(wanted.stop_price)
        most = Fraction(percent_of(equity, percent))
        assert most - Fraction(STEP) * fall < Fraction(amount) * fall <= most


@given(percent=PERCENTS, equity=MONEY, atr=PRICES)
def test_one_usual_range_never_moves_more_than_was_meant_and_all_but_a_lot_of_it(
    percent: Decimal, equity: Decimal, atr: Decimal
) -> None:
    amount = size(by("volatility", percent), prospect("1000", equity=equity, atr=atr))
    if isinstance(amount, Decimal):
        most = Fraction(percent_of(equity, percent))
        assert most - Fraction(STEP) * Fraction(atr) < Fraction(amount) * Fraction(atr) <= most


@given(
    method=st.sampled_from(METHODS),
    percent=PERCENTS,
    equity=MONEY,
    price=PRICES,
    stop=st.sampled_from(["0", "2", "50"]),
)
def test_what_is_bought_can_be_sold_at_its_stop(
    method: Method, percent: Decimal, equity: Decimal, price: Decimal, stop: str
) -> None:
    wanted = prospect(price, StopPolicy(stop_loss_pct=Decimal(stop)), equity=equity)
    amount = size(by(method, percent), wanted)
    if isinstance(amount, Decimal):
        at_stop = price if wanted.stop_price is None else wanted.stop_price
        assert not wanted.instrument.is_dust(amount, at_stop)


# What is refused ------------------------------------------------------------------------------


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


def test_less_than_a_lot_is_too_small_and_says_what_was_asked() -> None:
    refusal = refused(by("notional", "1"), prospect("1000000"))
    assert (refusal.code, refusal.mends_with_time) == ("too_small", False)
    assert refusal.text == (
        "notional 1 buys 0 BTC; at the stop that is below the least size 0.001 BTC or 1 USDT"
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("most", "is_barred"), [("1.02", True), ("1.03", False), (None, False)])
def test_a_canary_below_the_least_order_bars_whatever_the_method_says(
    method: Method, most: str | None, *, is_barred: bool
) -> None:
    sizing = msgspec.structs.replace(
        by(method, "100"), notional_max=None if most is None else Decimal(most)
    )
    barred = canary_too_small(sizing, prospect("1", atr=None))
    assert (barred is not None) is is_barred
    if barred is not None:
        assert barred.text.startswith("live.canary_notional 1.02 buys 1.02 BTC; at the stop")
        assert method == "volatility" or refused(sizing, prospect("1")) == barred


def test_less_than_the_least_amount_is_too_small() -> None:
    assert isinstance(sized("100", "50", amount_min="3"), Refusal)


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_a_share_of_it_is_too_small(method: Method, equity: str) -> None:
    assert refused(by(method, "5"), prospect(equity=Decimal(equity))).code == "too_small"


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_without_a_price_nothing_is_bought(price: str) -> None:
    assert refused(by("notional", "100"), prospect(price=Decimal(price))).code == "no_price"


def test_a_risk_without_a_stop_is_refused_in_one_line() -> None:
    refusal = refused(by("risk_per_trade", "1"), prospect(stop_price=None))
    assert (refusal.code, refusal.mends_with_time) == ("no_stop", False)
    assert refusal.text == "expected a stop to size by, the position has none"


@pytest.mark.parametrize("stop", ["100", "100.01"])
def test_a_risk_whose_stop_is_not_below_the_price_is_refused(stop: str) -> None:
    refusal = refused(by("risk_per_trade", "1"), prospect(stop_price=Decimal(stop)))
    assert refusal.text == f"expected a stop below the price 100, was {stop}"


def test_a_volatility_waits_for_its_candles() -> None:
    refusal = refused(by("volatility", "1"), prospect(atr=None))
    assert (refusal.code, refusal.mends_with_time) == ("no_range", True)
    assert refusal.text == "expected 15 candles to know the usual range from, were fewer"


@pytest.mark.parametrize("atr", ["0", "1E-500", "0.0099"])
def test_a_market_that_stands_still_has_no_volatility_to_size_by(atr: str) -> None:
    refusal = refused(by("volatility", "1"), prospect(atr=Decimal(atr)))
    assert (refusal.code, refusal.mends_with_time) == ("no_range", True)


def test_a_method_that_nobody_knows_is_our_bug() -> None:
    sizing = msgspec.structs.replace(by("notional", "1"), method="luck")
    with pytest.raises(AssertionError, match="luck"):
        size(sizing, prospect())


@pytest.mark.parametrize("method", METHODS)
def test_only_the_volatility_needs_candles_before_it_can_size(method: Method) -> None:
    expected = ATR_PERIOD + 1 if method == "volatility" else 0
    assert by(method, "1").warmup == expected
