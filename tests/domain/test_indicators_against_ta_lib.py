"""Indicators against TA-Lib's: the same definitions, to what its floats can tell.

TA-Lib reckons with 53 bits. What it adds up along a series it knows to a billionth; its
deviations come from the difference of two sums of squares, so their squares are compared, to a
trillionth of the square of the largest price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegis.domain.candles import Candle
from aegis.domain.indicators import Atr, Bollinger, Donchian, Ema, Rsi, Sma, Vwap
from tests.domain.series import series
from tests.real_candles import needs_real_candles, real_candles

Floats = NDArray[np.float64]

NEAR = 1e-9
NEAR_SQUARE = 1e-12
NEAR_INDEX = 1e-6
STILL = 10
"""After so many equal closes TA-Lib's strength may have run below what it takes for zero."""

PERIODS = st.integers(2, 20)
given_series = given(candles=series(), period=PERIODS)


def column(candles: Sequence[Candle], name: str) -> Floats:
    return np.array([float(getattr(each, name)) for each in candles])


def columns(candles: Sequence[Candle], *names: str) -> tuple[Floats, ...]:
    return tuple(column(candles, name) for name in names)


def as_floats(figures: Sequence[object]) -> Floats:
    return np.array([math.nan if each is None else float(str(each)) for each in figures])


def expect_near(found: Floats, oracle: Floats, within: float) -> None:
    """Expect both to be silent at the same candles, and to say the same at all others."""
    assert np.array_equal(np.isnan(found), np.isnan(oracle))
    assert np.all(np.abs(found - oracle)[~np.isnan(found)] <= within)


def expect_ema(candles: Sequence[Candle], period: int) -> None:
    """TA-Lib starts with a mean, ours with the first value: a mean of nothing but that."""
    closes, average = column(candles, "close"), Ema(period)
    found = as_floats([average.add(candle.close) for candle in candles])
    before = np.full(period - 1, closes[0])
    oracle = talib.EMA(np.concatenate((before, closes)), period)[period - 1 :]
    expect_near(found, oracle, NEAR * float(closes.max()))


def expect_sma(candles: Sequence[Candle], period: int) -> None:
    closes, average = column(candles, "close"), Sma(period)
    found = as_floats([average.add(candle.close) for candle in candles])
    expect_near(found, talib.SMA(closes, period), NEAR * float(closes.max()))


def expect_rsi(candles: Sequence[Candle], period: int) -> None:
    closes, index = column(candles, "close"), Rsi(period)
    found = as_floats([index.add(candle.close) for candle in candles])
    oracle = talib.RSI(closes, period)
    moves = np.concatenate((np.zeros(STILL), np.abs(np.diff(closes, prepend=closes[0]))))
    is_still = np.lib.stride_tricks.sliding_window_view(moves, STILL + 1).sum(axis=1) == 0
    found[is_still] = oracle[is_still] = math.nan
    expect_near(found, oracle, NEAR_INDEX)


def expect_atr(candles: Sequence[Candle], period: int) -> None:
    high, low, close = columns(candles, "high", "low", "close")
    average = Atr(period)
    found = as_floats([average.add(candle) for candle in candles])
    expect_near(found, talib.ATR(high, low, close, period), NEAR * float(high.max()))


def expect_bollinger(candles: Sequence[Candle], period: int) -> None:
    closes, made = column(candles, "close"), Bollinger(period)
    bands = [made.add(candle.close) for candle in candles]
    upper, middle, lower = talib.BBANDS(closes, period, 2, 2)
    most = float(closes.max())
    expect_near(as_floats([each and each.middle for each in bands]), middle, NEAR * most)
    for side, oracle in (("upper", upper), ("lower", lower)):
        found = as_floats([each and getattr(each, side) for each in bands])
        expect_near((found - middle) ** 2, (oracle - middle) ** 2, NEAR_SQUARE * most**2)


def expect_donchian(candles: Sequence[Candle], period: int) -> None:
    high, low = columns(candles, "high", "low")
    made = Donchian(period)
    bands = [made.add(candle) for candle in candles]
    upper, middle, lower = talib.DONCHIAN(high, low, period)
    expect_near(as_floats([each and each.upper for each in bands]), upper, 0.0)
    expect_near(as_floats([each and each.lower for each in bands]), lower, 0.0)
    expect_near(as_floats([each and each.middle for each in bands]), middle, NEAR * high.max())


def expect_vwap(candles: Sequence[Candle], starts_at_s: int) -> None:
    """TA-Lib knows no sessions, and says 0 where nothing was traded: each is a series to it."""
    made = Vwap(starts_at_s)
    found = as_floats([made.add(candle) for candle in candles])
    high, low, close, volume = columns(candles, "high", "low", "close", "volume")
    days = (np.array([each.open_at for each in candles]) // 10**9 - starts_at_s) // 86_400
    oracle = np.concatenate(
        [
            talib.VWAP(*(each[days == day] for each in (high, low, close, volume)))
            for day in np.unique(days)
        ]
    )
    oracle[oracle == 0] = math.nan
    expect_near(found, oracle, NEAR * float(high.max()))


EXPECTED: dict[str, tuple[Callable[[Sequence[Candle], int], None], int]] = {
    "ema": (expect_ema, 21),
    "sma": (expect_sma, 50),
    "rsi": (expect_rsi, 14),
    "atr": (expect_atr, 14),
    "bollinger": (expect_bollinger, 20),
    "donchian": (expect_donchian, 55),
    "vwap": (expect_vwap, 8 * 3_600),
}
"""What is compared, and with which period, or start of the session, over the real month."""


@needs_real_candles
@pytest.mark.parametrize("name", EXPECTED)
def test_over_a_real_month_it_says_what_ta_lib_says(name: str) -> None:
    expect, parameter = EXPECTED[name]
    expect(real_candles(), parameter)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "vwap"])
@given_series
def test_over_any_series_it_says_what_ta_lib_says(
    name: str, candles: tuple[Candle, ...], period: int
) -> None:
    EXPECTED[name][0](candles, period)


@given(candles=series(), starts_at_s=st.integers(0, 86_399))
def test_over_any_series_a_vwap_is_ta_lib_s_of_each_session(
    candles: tuple[Candle, ...], starts_at_s: int
) -> None:
    expect_vwap(candles, starts_at_s)
