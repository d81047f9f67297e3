"""A candle, the path that a price takes inside it, and what is wrong with a bad one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.candles import TIMEFRAMES_S, Candle, fault_of, path
from aegis.domain.ids import Instant
from aegis.domain.money import total
from tests.domain.kit import BTC_USDT, START, decimals, seconds

CANDLE = Candle(
    symbol=BTC_USDT,
    open_at=START,
    length_s=60,
    open=Decimal(100),
    high=Decimal(110),
    low=Decimal(90),
    close=Decimal(105),
    volume=Decimal(8),
)


def test_a_candle_is_closed_at_the_first_instant_after_it() -> None:
    assert CANDLE.close_at == START + seconds(60)


def test_a_path_that_falls_first_goes_to_the_low_before_the_high() -> None:
    ticks = path(CANDLE, falls_first=True)
    assert tuple(tick.price for tick in ticks) == decimals(100, 90, 110, 105)
    assert tuple(tick.start for tick in ticks) == decimals(100, 100, 90, 110)


def test_a_path_that_rises_first_goes_to_the_high_before_the_low() -> None:
    ticks = path(CANDLE, falls_first=False)
    assert tuple(tick.price for tick in ticks) == decimals(100, 110, 90, 105)


def test_a_path_stays_inside_its_candle_s_time() -> None:
    instants = [tick.at for tick in path(CANDLE, falls_first=True)]
    assert instants == [Instant(START + seconds(15 * step)) for step in range(4)]
    assert instants[-1] < CANDLE.close_at


def prices() -> st.SearchStrategy[Decimal]:
    return st.integers(1, 10**6).map(lambda cents: Decimal(f"{cents}E-2"))


@given(
    levels=st.lists(prices(), min_size=4, max_size=4),
    volume=prices(),
    length_s=st.sampled_from(list(TIMEFRAMES_S.values())),
    falls_first=st.booleans(),
)
def test_a_path_touches_both_extremes_joins_up_and_has_the_candle_s_volume(
    levels: list[Decimal], volume: Decimal, length_s: int, *, falls_first: bool
) -> None:
    low, start, close, high = sorted(levels)
    candle = msgspec.structs.replace(
        CANDLE, open=start, high=high, low=low, close=close, volume=volume, length_s=length_s
    )
    assert fault_of(candle) is None
    ticks = path(candle, falls_first=falls_first)
    assert {low, high} <= {tick.price for tick in ticks}
    assert (ticks[0].start, ticks[0].price, ticks[-1].price) == (start, start, close)
    assert [tick.start for tick in ticks[1:]] == [tick.price for tick in ticks[:-1]]
    assert total(tick.volume for tick in ticks) == volume
    assert candle.open_at <= ticks[0].at < ticks[-1].at < candle.close_at


def test_a_sound_candle_has_no_fault() -> None:
    assert fault_of(CANDLE) is None
    flat = decimals(5, 5, 5, 5)
    still = dict(zip(("open", "high", "low", "close"), flat, strict=True))
    assert fault_of(msgspec.structs.replace(CANDLE, **still, volume=Decimal(0))) is None


@pytest.mark.parametrize("figure", ["0", "-1", "NaN", "sNaN", "Infinity"])
@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
def test_a_price_that_is_none_is_a_fault_by_its_name(name: str, figure: str) -> None:
    candle = msgspec.structs.replace(CANDLE, **{name: Decimal(figure)})
    fault = fault_of(candle)
    assert fault is not None
    assert fault.startswith(f"{name}: expected a positive price, was ")


@pytest.mark.parametrize("figure", ["-0.1", "NaN", "sNaN", "Infinity"])
def test_a_volume_below_zero_is_a_fault(figure: str) -> None:
    fault = fault_of(msgspec.structs.replace(CANDLE, volume=Decimal(figure)))
    assert fault is not None
    assert fault.startswith("volume: expected zero or more")


@pytest.mark.parametrize(
    ("name", "figure"), [("high", "104"), ("high", "99"), ("low", "101"), ("low", "106")]
)
def test_an_open_or_close_outside_the_extremes_is_a_fault(name: str, figure: str) -> None:
    fault = fault_of(msgspec.structs.replace(CANDLE, **{name: Decimal(figure)}))
    assert fault is not None
    assert "low <= open, close <= high" in fault
