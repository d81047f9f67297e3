"""The feed: news in order, once, and nothing that cannot be true."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from actors import names
from actors.market_feed import MarketFeed
from aegis.news import (
    CandleClosed,
    FeedStarted,
    HistoryRead,
    MarketEnded,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from tests.actors.ensemble import Ensemble, closed, tick
from tests.domain.kit import BTC_USDT
from tests.stage import Stage

ME = names.MARKET_FEED


class Market:
    """Tells its news one by one, each when it is asked for."""

    def __init__(self, news: list[MarketNews]) -> None:
        self.news = news
        self.asked = 0

    def next(self, reply_to: Callable[[MarketNews], None]) -> None:
        self.asked += 1
        if self.news:
            reply_to(self.news.pop(0))

    def history(self, wanted: ReadHistory, reply_to: Callable[[HistoryRead], None]) -> None:
        candles = tuple(closed(number).candle for number in range(wanted.least))
        page = HistoryRead(
            symbol=wanted.symbol,
            after=wanted.after,
            candles=candles,
            until=candles[-1].close_at,
            is_last=True,
        )
        reply_to(page)


class Scene(Ensemble):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.ends: list[bool] = []

    def play(self, *news: MarketNews) -> Market:
        """Let a market tell its news, and wait until all of it was asked for."""
        market = Market(list(news))
        build = partial(MarketFeed, market=market, on_ended=lambda: self.ends.append(True))
        self.stage.launch(ME, build)
        self.stage.wait_for(lambda: not market.news)
        return market


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def test_a_move_goes_to_gateway_and_guard(scene: Scene) -> None:
    scene.play(tick("100"))

    assert scene.wait_heard(names.EXCHANGE_GATEWAY, MarketMoved) == [tick("100")]
    assert scene.wait_heard(names.GUARD, MarketMoved) == [tick("100")]


def test_a_close_goes_to_guard_and_strategy(scene: Scene) -> None:
    scene.play(closed(0))

    assert scene.wait_heard(names.GUARD, CandleClosed) == [closed(0)]
    assert scene.wait_heard(names.STRATEGY, CandleClosed) == [closed(0)]


def test_news_keeps_its_order(scene: Scene) -> None:
    news: list[MarketNews] = [tick("100"), closed(0), tick("101"), tick("102"), closed(1)]
    scene.play(*news)
    scene.wait_heard(names.GUARD, CandleClosed, 2)

    assert list(scene.stage.directory.slot(names.GUARD).messages) == [FeedStarted(), *news]


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_tick_that_cannot_be_true_is_told_and_not_passed_on(scene: Scene, price: str) -> None:
    bad = msgspec.structs.replace(tick("1").tick, price=Decimal(price))
    scene.play(MarketMoved(tick=bad, spread_bps=Decimal(0)), tick("100"))
    scene.wait_heard(names.GUARD, MarketMoved)

    assert scene.heard(names.GUARD, MarketMoved) == [tick("100")]
    assert "TickRefused" in scene.stage.events()


def test_an_absurd_jump_is_told_and_not_passed_on(scene: Scene) -> None:
    scene.play(tick("100"), tick("1000"), tick("101"))

    assert scene.wait_heard(names.GUARD, MarketMoved, 2) == [tick("100"), tick("101")]
    assert "TickRefused" in scene.stage.events()


def test_a_jump_that_a_second_look_confirms_is_the_price(scene: Scene) -> None:
    scene.play(tick("100"), tick("50"), tick("51"), tick("52"))

    assert scene.wait_heard(names.GUARD, MarketMoved, 3) == [tick("100"), tick("51"), tick("52")]


def test_the_same_candle_twice_is_passed_on_once_and_silently(scene: Scene) -> None:
    scene.play(closed(0), closed(0), closed(1))

    assert scene.wait_heard(names.STRATEGY, CandleClosed, 2) == [closed(0), closed(1)]
    assert "CandleRefused" not in scene.stage.events()


def test_a_candle_that_differs_from_itself_is_told_and_dropped(scene: Scene) -> None:
    scene.play(closed(0, "100"), closed(0, "101"), closed(1))

    assert scene.wait_heard(names.STRATEGY, CandleClosed, 2) == [closed(0), closed(1)]
    assert "CandleRefused" in scene.stage.events()


def test_a_late_candle_is_told_and_dropped(scene: Scene) -> None:
    scene.play(closed(3), closed(1), closed(4))

    assert scene.wait_heard(names.STRATEGY, CandleClosed, 2) == [closed(3), closed(4)]
    assert "CandleRefused" in scene.stage.events()


def test_a_candle_whose_figures_contradict_each_other_is_told_and_dropped(scene: Scene) -> None:
    bad = msgspec.structs.replace(closed(0).candle, high=Decimal(1))
    scene.play(CandleClosed(candle=bad, is_warmup=False), closed(1))

    assert scene.wait_heard(names.STRATEGY, CandleClosed) == [closed(1)]
    assert "CandleRefused" in scene.stage.events()


def test_a_gap_is_told_and_the_candle_behind_it_passed_on(scene: Scene) -> None:
    scene.play(closed(5, has_gap=True))

    assert scene.wait_heard(names.STRATEGY, CandleClosed) == [closed(5, has_gap=True)]
    assert "MarketGap" in scene.stage.events()


def test_the_end_is_told_and_nothing_more_is_asked(scene: Scene) -> None:
    market = scene.play(MarketEnded())
    scene.stage.wait_for(lambda: bool(scene.ends))

    assert market.asked == 1


def test_a_feed_that_begins_tells_who_may_have_missed_something(scene: Scene) -> None:
    scene.play()

    scene.wait_heard(names.STRATEGY, FeedStarted)


def test_history_is_given_without_asking_for_more_news(scene: Scene) -> None:
    market = scene.play()
    scene.stage.wait_for(lambda: market.asked == 1)
    wanted = ReadHistory(symbol=BTC_USDT, after=None, least=3, reply_to=names.STRATEGY)
    scene.tell(ME, wanted)

    (read,) = scene.wait_heard(names.STRATEGY, HistoryRead)
    assert len(read.candles) == 3
    assert market.asked == 1
