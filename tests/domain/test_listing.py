"""How a symbol usually trades: no step is coarse, and what is no pair has none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.ids import Coin
from aegis.domain.listing import PRICE_DIGITS, usual_instrument
from aegis.domain.money import times


def test_bitcoin_has_the_fields_steps() -> None:
    btc = usual_instrument("BTC/USDT")
    assert btc is not None
    assert (btc.base, btc.quote) == (Coin("BTC"), Coin("USDT"))
    assert (btc.amount_step, btc.amount_min) == (Decimal("0.00001"), Decimal("0.00001"))
    assert (btc.price_step, btc.notional_min) == (Decimal("0.01"), Decimal(1))


def test_a_pair_against_bitcoin_has_eight_digits() -> None:
    pair = usual_instrument("DOGE/BTC")
    assert pair is not None
    assert (pair.price_step, pair.notional_min) == (Decimal("0.00000001"), Decimal("0.0001"))


@given(
    base=st.sampled_from(["BTC", "ETH", "DOGE", "SHIB"]),
    quote=st.sampled_from(["USDT", "EUR", "USD1"]),
    price=st.decimals("1e-12", "1e9", allow_nan=False),
)
def test_no_step_is_coarse_beside_the_price(base: str, quote: str, price: Decimal) -> None:
    found = usual_instrument(f"{base}/{quote}", price)
    assert found is not None
    assert times(found.price_step, Decimal(10 ** (PRICE_DIGITS - 1))) <= price
    if base not in {"BTC", "ETH"}:
        assert times(found.amount_step, price) < Decimal("0.1")


def test_a_price_leaves_the_known_steps_as_they_are() -> None:
    assert usual_instrument("BTC/USDT", Decimal(40_000)) == usual_instrument("BTC/USDT")
    assert usual_instrument("SOL/USDT", Decimal(9)) == usual_instrument("SOL/USDT")


@pytest.mark.parametrize(
    "text", ["", "BTC", "BTC/", "/USDT", "btc/usdt", "BTC/BTC", "BTC/USD:USD", "BTC/USDT\n", "Ä/B"]
)
def test_what_is_no_pair_has_no_instrument(text: str) -> None:
    assert usual_instrument(text) is None
