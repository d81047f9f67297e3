"""A market that stands still: the last price known at an instant, and nothing that came later."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from aegis.clock import ManualClock
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.standing import StandingMarket, last_tick
from aegis.news import (
    HistoryRead,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from supervisors.seeded import SeededRuntime
from tests.simulation.candles import START, SYMBOL, candle, opens_at

CANDLES = (candle(0, "100", "110", "90", "105"), candle(1, "105", "120", "104", "119"))


class Listed:
    """A source of two candles."""

    symbol: Symbol = SYMBOL
    starts_at: Instant = START

    def candles(self, after: Instant) -> Iterator[Candle]:
        return iter([each for each in CANDLES if each.close_at > after])

    def history(self, before: Instant, count: int) -> tuple[Candle, ...]:
        return tuple(each for each in CANDLES if each.close_at <= before)[-count:]


def at(number: int, second: int) -> Instant:
    return Instant(opens_at(number) + second * NANOS_PER_SECOND)


@pytest.mark.parametrize(
    ("instant", "price"),
    [
        (at(0, 0), "100"),
        (at(0, 14), "100"),
        (at(0, 15), "90"),
        (at(0, 31), "110"),
        (at(0, 59), "105"),
        (at(1, 20), "104"),
        (at(9, 0), "119"),
    ],
)
def test_the_last_price_is_the_one_that_was_reached_by_then(instant: Instant, price: str) -> None:
    tick = last_tick(Listed(), instant)
    assert tick is not None
    assert (tick.price, tick.start) == (Decimal(price), Decimal(price))
    assert tick.at <= instant


def test_before_the_first_candle_there_is_no_price() -> None:
    assert last_tick(Listed(), Instant(START - 1)) is None


def test_what_is_known_is_told_again_each_second_and_nothing_else() -> None:
    runtime = SeededRuntime(ManualClock(at(1, 20)), 1)
    tick = last_tick(Listed(), at(1, 20))
    assert tick is not None
    market, heard = StandingMarket([tick], runtime, Decimal(2)), list[MarketNews]()

    def hear(news: MarketNews) -> None:
        heard.append(news)
        market.next(hear)

    market.next(hear)
    runtime.run_for(3.5)
    assert heard == [MarketMoved(tick=tick, spread_bps=Decimal(2))] * 3


def test_without_a_price_nothing_is_ever_told() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    heard: list[MarketNews] = []
    StandingMarket([], runtime, Decimal(2)).next(heard.append)
    runtime.run_for(60)
    assert heard == []


def test_nobody_warms_up_on_it() -> None:
    heard: list[HistoryRead] = []
    market = StandingMarket([], SeededRuntime(ManualClock(START), 1), Decimal(2))
    market.history(ReadHistory(symbol=SYMBOL, after=None, least=5, reply_to="me"), heard.append)
    (read,) = heard
    assert (read.candles, read.is_last) == ((), True)
