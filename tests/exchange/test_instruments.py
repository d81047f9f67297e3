from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.ids import Coin, Symbol
from aegis.exchange.instruments import PRICE_DIGITS, paper_instrument, paper_instruments


def test_bitcoin_has_the_fields_steps() -> None:
    btc = paper_instrument("BTC/USDT")
    assert btc is not None
    assert (btc.base, btc.quote) == (Coin("BTC"), Coin("USDT"))
    assert (btc.amount_step, btc.amount_min) == (Decimal("0.00001"), Decimal("0.00001"))
    assert (btc.price_step, btc.notional_min) == (Decimal("0.01"), Decimal(1))


def test_a_pair_against_bitcoin_has_eight_digits() -> None:
    pair = paper_instrument("DOGE/BTC")
    assert pair is not None
    assert (pair.price_step, pair.notional_min) == (Decimal("0.00000001"), Decimal("0.0001"))


@given(
    base=st.sampled_from(["BTC", "ETH", "DOGE", "SHIB"]),
    quote=st.sampled_from(["USDT", "EUR", "USD1"]),
    price=st.decimals("1e-12", "1e9", allow_nan=False),
)
def test_no_step_is_coarse_beside_the_price(base: str, quote: str, price: Decimal) -> None:
    found = paper_instrument(f"{base}/{quote}", price)
    assert found is not None
    assert found.price_step * 10 ** (PRICE_DIGITS - 1) <= price
    if base not in {"BTC", "ETH"}:
        assert found.amount_step * price < Decimal("0.1")


def test_a_price_leaves_the_known_steps_as_they_are() -> None:
    assert paper_instrument("BTC/USDT", Decimal(40_000)) == paper_instrument("BTC/USDT")
    assert paper_instrument("SOL/USDT", Decimal(9)) == paper_instrument("SOL/USDT")


@pytest.mark.parametrize(
    "text", ["", "BTC", "BTC/", "/USDT", "btc/usdt", "BTC/BTC", "BTC/USD:USD", "BTC/USDT\n", "Ä/B"]
)
def test_what_is_no_pair_has_no_instrument(text: str) -> None:
    assert paper_instrument(text) is None


def test_a_symbol_that_is_no_pair_is_named() -> None:
    with pytest.raises(ValueError, match="was 'BTCUSDT'"):
        paper_instruments((Symbol("BTC/USDT"), Symbol("BTCUSDT")))
