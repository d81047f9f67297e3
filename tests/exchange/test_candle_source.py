"""Candles that are all there already, as a market's source."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.candle_source import CandleSource

BTC_USDT = Symbol("BTC/USDT")
T = 1_704_067_200  # 2024-01-01, in seconds


def at(seconds: int) -> Instant:
    return Instant(seconds * NANOS_PER_SECOND)


def candle(minute: int) -> Candle:
    one = Decimal(1)
    return Candle(
        symbol=BTC_USDT,
        open_at=at(T + 60 * minute),
        length_s=60,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=one,
    )


FIVE = tuple(map(candle, range(5)))


def test_a_sources_candles_go_on_after_an_instant() -> None:
    source = CandleSource(BTC_USDT, FIVE)
    opens = [candle.open_at for candle in source.candles(at(T + 150))]
    assert opens == [at(T + 120), at(T + 180), at(T + 240)]
    assert [candle.open_at for candle in source.candles(at(T + 120))] == opens
    assert source.starts_at == at(T)


def test_a_sources_history_ends_with_the_last_closed_candle() -> None:
    source = CandleSource(BTC_USDT, FIVE)
    assert [candle.open_at for candle in source.history(at(T + 179), 2)] == [at(T), at(T + 60)]
    assert len(source.history(at(T + 10_000), 99)) == 5
    assert source.history(at(T + 10_000), 0) == ()
    assert source.history(at(T + 59), 5) == ()


def test_trading_may_begin_later_than_the_first_candle() -> None:
    source = CandleSource(BTC_USDT, FIVE, starts_at=at(T + 120))
    assert source.starts_at == at(T + 120)
    assert len(source.history(source.starts_at, 9)) == 2


def test_a_source_without_a_candle_says_where_it_begins() -> None:
    assert CandleSource(BTC_USDT, (), starts_at=at(T)).history(at(T), 1) == ()
    with pytest.raises(AssertionError, match="beginning"):
        CandleSource(BTC_USDT, ())
