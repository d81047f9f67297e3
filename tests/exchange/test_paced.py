"""News at its due instants, on the seeded runtime; the threads' one where lateness matters."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice, takewhile

import pytest

from aegis.clock import ManualClock, ScaledClock
from aegis.domain.candles import Candle, Tick
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.candle_source import CandleSource
from aegis.exchange.paced import HISTORY_CANDLES_MAX, PAGE_CANDLES, PacedMarket, Source
from aegis.exchange.simulated import SimulatedSource
from aegis.news import (
    CandleClosed,
    HistoryRead,
    MarketEnded,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from aegis.ports import Recorder, Timer
from supervisors.seeded import SeededRuntime
from supervisors.threads import ThreadRuntime
from tests.exchange.paper_kit import BTC_USDT, START

ETH_USDT = Symbol("ETH/USDT")
SPREAD = Decimal(2)


def after(seconds: float) -> Instant:
    return Instant(START + round(seconds * NANOS_PER_SECOND))


def candle(minute: int, symbol: Symbol = BTC_USDT, price: int = 100) -> Candle:
    """Return a candle that opens at `price`, falls by 10, rises by 20 and closes 1 above."""
    level = Decimal(price)
    return Candle(
        symbol=symbol,
        open_at=after(60 * minute),
        length_s=60,
        open=level,
        high=level + 20,
        low=level - 10,
        close=level + 1,
        volume=Decimal(8),
    )


def page_of(market: PacedMarket, since: Instant | None, least: int) -> HistoryRead:
    """Return the page that a market tells of a question."""
    heard: list[HistoryRead] = []
    wanted = ReadHistory(symbol=BTC_USDT, after=since, least=least, reply_to="me")
    market.history(wanted, heard.append)
    (page,) = heard
    return page


def replayed(*candles: Candle) -> CandleSource:
    return CandleSource(candles[0].symbol, candles)


class Heard:
    """A venue and an asker in one: what was heard, by whom, and when on the clock."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.lines: list[str] = []
        self.news: list[MarketNews] = []

    def observe(self, tick: Tick) -> None:
        self._note("venue", f"{tick.symbol} {tick.price}")

    def observe_close(self, closed: Candle) -> None:
        self._note("venue", f"{closed.symbol} closed")

    def hear(self, news: MarketNews) -> None:
        self.news.append(news)
        match news:
            case MarketMoved():
                self._note("feed", f"{news.tick.symbol} {news.tick.price}")
            case CandleClosed():
                self._note("feed", f"{news.candle.symbol} closed")
            case MarketEnded():
                self._note("feed", "ended")

    def _note(self, who: str, what: str) -> None:
        seconds = (self.clock.now() - START) / NANOS_PER_SECOND
        self.lines.append(f"{seconds:g} {who} {what}")


class Stage:
    """A paced market on a seeded runtime, and a feed that always asks for the next news."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        start_after: Instant | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.heard = Heard()
        if start_after is not None:
            self.heard.clock.advance_to(start_after)
        self.runtime = SeededRuntime(self.heard.clock, 1)
        self.market = PacedMarket(
            sources=sources,
            runtime=self.runtime,
            spread_bps=SPREAD,
            venue=self.heard,
            recorder=recorder,
            start_after=start_after,
        )

    def play(self) -> list[str]:
        """Ask until the market ends; return all that was heard."""
        self.market.next(self._hear_and_ask)
        self.runtime.run_until_quiet()
        return self.heard.lines

    def by_feed(self) -> list[str]:
        return [line for line in self.play() if " feed " in line]

    def one(self) -> MarketNews:
        self.market.next(self.heard.hear)
        self.runtime.run_until_quiet()
        return self.heard.news[-1]

    def _hear_and_ask(self, news: MarketNews) -> None:
        self.heard.hear(news)
        if not isinstance(news, MarketEnded):
            self.market.next(self._hear_and_ask)


def test_a_candle_is_four_ticks_and_a_close_at_their_instants() -> None:
    assert Stage([replayed(candle(0))]).by_feed() == [
        "0 feed BTC/USDT 100",
        "15 feed BTC/USDT 90",
        "30 feed BTC/USDT 120",
        "45 feed BTC/USDT 101",
        "60 feed BTC/USDT closed",
        "60 feed ended",
    ]


def test_the_venue_hears_each_before_the_feed() -> None:
    lines = [line.split(" ", 2) for line in Stage([replayed(candle(0), candle(1))]).play()]
    heard = [(when, what) for when, who, what in lines if who == "venue"]
    assert [who for _, who, _ in lines] == ["venue", "feed"] * 10 + ["feed"]
    assert heard == [(when, what) for when, who, what in lines if who == "feed"][:-1]


def test_the_next_open_comes_after_the_close_of_the_same_instant() -> None:
    at_the_turn = [
        line
        for line in Stage([replayed(candle(0), candle(1, price=101))]).by_feed()
        if line.startswith("60 ")
    ]
    assert at_the_turn == ["60 feed BTC/USDT closed", "60 feed BTC/USDT 101"]


def test_several_symbols_come_by_time_closes_first_then_in_their_order() -> None:
    sources = [
        replayed(candle(0, ETH_USDT), candle(1, ETH_USDT)),
        replayed(candle(0), candle(1)),
    ]
    at_the_turn = [line for line in Stage(sources).by_feed() if line.startswith("60 ")]
    assert at_the_turn == [
        "60 feed ETH/USDT closed",
        "60 feed BTC/USDT closed",
        "60 feed ETH/USDT 100",
        "60 feed BTC/USDT 100",
    ]


def test_ticks_carry_the_path_the_volume_and_the_spread() -> None:
    stage = Stage([replayed(candle(0))])
    stage.one()
    moved = stage.one()
    assert isinstance(moved, MarketMoved)
    assert moved.spread_bps == SPREAD
    assert (moved.tick.start, moved.tick.price) == (Decimal(100), Decimal(90))
    assert (moved.tick.at, moved.tick.volume) == (after(15), Decimal(2))


def test_a_gap_is_told_with_the_candle_after_it() -> None:
    stage = Stage([replayed(candle(0), candle(1), candle(5), candle(6))])
    stage.play()
    closed = [news for news in stage.heard.news if isinstance(news, CandleClosed)]
    assert [news.has_gap_before for news in closed] == [False, False, True, False]
    assert not any(news.is_warmup for news in closed)


def test_a_gap_is_waited_through() -> None:
    lines = Stage([replayed(candle(0), candle(5))]).by_feed()
    assert lines[4:6] == ["60 feed BTC/USDT closed", "300 feed BTC/USDT 100"]


def test_an_ended_market_goes_on_saying_so() -> None:
    stage = Stage([replayed(candle(0))])
    stage.play()
    assert stage.one() == MarketEnded()


def test_a_resumed_market_goes_on_within_its_candle() -> None:
    candles = (candle(0), candle(1), candle(2))
    lines = Stage([replayed(*candles)], start_after=after(80)).by_feed()
    assert lines[:4] == [
        "90 feed BTC/USDT 120",
        "105 feed BTC/USDT 101",
        "120 feed BTC/USDT closed",
        "120 feed BTC/USDT 100",
    ]


def test_a_market_resumed_at_a_close_tells_the_open_and_not_the_close() -> None:
    lines = Stage([replayed(candle(0), candle(1))], start_after=after(60)).by_feed()
    assert lines[:2] == ["60 feed BTC/USDT 100", "75 feed BTC/USDT 90"]


def test_a_market_resumed_in_a_gap_still_tells_it() -> None:
    stage = Stage([replayed(candle(0), candle(5))], start_after=after(200))
    stage.play()
    (closed,) = [news for news in stage.heard.news if isinstance(news, CandleClosed)]
    assert closed.has_gap_before


def test_a_resumed_simulation_is_the_uninterrupted_one() -> None:
    def simulated() -> list[SimulatedSource]:
        return [
            SimulatedSource(seed=seed, symbol=symbol, timeframe_s=60, start=START, candles_max=60)
            for seed, symbol in ((1, BTC_USDT), (2, ETH_USDT))
        ]

    def is_to_come(line: str, stopped_at: float) -> bool:
        at = float(line.split(" ", maxsplit=1)[0])
        return at > stopped_at or (at == stopped_at and not line.endswith("closed"))

    whole = Stage(simulated()).by_feed()
    for stopped_at in (0.0, 31.0, 60.0, 1_234.5, 3_590.0):
        resumed = Stage(simulated(), start_after=after(stopped_at)).by_feed()
        assert resumed == [line for line in whole if is_to_come(line, stopped_at)]


def test_history_is_the_closed_candles_before_now() -> None:
    candles = tuple(candle(minute) for minute in range(6))
    stage = Stage([replayed(*candles)], start_after=after(130))
    page = page_of(stage.market, None, 10)
    assert (page.candles, page.until, page.is_last) == (candles[:2], after(130), True)
    while not isinstance(stage.one(), CandleClosed):
        pass
    assert page_of(stage.market, None, 2).candles == candles[1:3]


def test_history_begins_behind_an_instant_or_earlier_where_more_is_wanted() -> None:
    candles = tuple(candle(minute) for minute in range(6))
    market = Stage([replayed(*candles)], start_after=after(360)).market
    assert page_of(market, after(180), 0).candles == candles[3:]
    assert page_of(market, after(179), 0).candles == candles[2:]
    assert page_of(market, after(180), 5).candles == candles[1:]
    assert page_of(market, after(180), 1).candles == candles[3:]
    assert page_of(market, None, 0).candles == ()


def test_a_simulated_market_has_history_at_its_first_start() -> None:
    made = SimulatedSource(seed=1, symbol=BTC_USDT, timeframe_s=60, start=START)
    candles = page_of(Stage([made]).market, None, 200).candles
    assert len(candles) == 200
    assert candles[-1].close_at == START


def test_a_market_before_its_first_close_has_an_empty_history_and_nothing_left_out() -> None:
    page = page_of(Stage([replayed(candle(0))], start_after=after(1)).market, START, 0)
    assert (page.candles, page.is_last, page.is_cut) == ((), True, False)


def test_history_comes_in_pages_that_make_a_whole() -> None:
    made = SimulatedSource(seed=1, symbol=BTC_USDT, timeframe_s=60, start=START)
    now = after(60 * 2_500)
    market = Stage([made], start_after=now).market
    page = page_of(market, START, 0)
    found = list(page.candles)
    while not page.is_last:
        assert len(page.candles) == PAGE_CANDLES
        page = page_of(market, page.until, 0)
        found += page.candles
    assert found == list(takewhile(lambda each: each.close_at <= now, made.candles(START)))


def test_history_that_goes_back_too_far_is_cut_and_says_so() -> None:
    eldest, last = candle(0), candle(HISTORY_CANDLES_MAX + 1)
    market = Stage([replayed(eldest, last)], start_after=last.close_at).market
    page = page_of(market, START, 0)
    assert (page.candles, page.is_cut) == ((last,), True)
    assert not page_of(market, None, 1).is_cut


def test_who_asks_again_hears_the_news_and_who_asked_before_does_not() -> None:
    stage = Stage([replayed(candle(0))])
    dead: list[MarketNews] = []
    stage.market.next(dead.append)
    heard = stage.one()
    assert dead == []
    assert isinstance(heard, MarketMoved)
    assert heard.tick.at == START


def test_a_timer_that_was_cancelled_too_late_tells_nothing() -> None:
    clock = ManualClock(START)
    runtime = Unstoppable(clock, 1)
    market = PacedMarket(sources=[replayed(candle(0))], runtime=runtime, spread_bps=SPREAD)
    first: list[MarketNews] = []
    second: list[MarketNews] = []
    market.next(first.append)
    market.next(second.append)
    runtime.run_until_quiet()
    assert (len(first), len(second)) == (0, 1)


class Unstoppable(SeededRuntime):
    """A runtime whose timers fire though they were cancelled, as a thread's may."""

    def after(self, delay_s: float, deliver: Callable[[], None]) -> Timer:
        super().after(delay_s, deliver)
        return super().after(3_600, lambda: None)


def test_late_news_is_delivered_at_once_in_order_and_none_is_left_out() -> None:
    runtime = ThreadRuntime(ScaledClock(after(86_400), 600))  # a day behind
    made = SimulatedSource(seed=1, symbol=BTC_USDT, timeframe_s=60, start=START, candles_max=200)
    market = PacedMarket(sources=[made], runtime=runtime, spread_bps=SPREAD)
    heard: queue.Queue[MarketNews] = queue.Queue()
    market.next(asking_again(market, heard))
    closed = []
    while not isinstance(news := heard.get(timeout=5), MarketEnded):
        if isinstance(news, CandleClosed):
            closed.append(news.candle)
    runtime.close()
    assert closed == list(islice(made.candles(START), len(closed)))
    assert closed[-1].close_at == after(200 * 60)


def test_news_on_threads_is_never_early() -> None:
    clock = ScaledClock(START, 6_000)  # a candle in 10 ms
    runtime = ThreadRuntime(clock)
    market = PacedMarket(
        sources=[replayed(*(candle(minute) for minute in range(3)))],
        runtime=runtime,
        spread_bps=SPREAD,
    )
    early_ns: queue.Queue[int | None] = queue.Queue()

    def hear(news: MarketNews) -> None:
        if isinstance(news, MarketEnded):
            early_ns.put(None)
            return
        due_at = news.tick.at if isinstance(news, MarketMoved) else news.candle.close_at
        early_ns.put(due_at - clock.now())
        market.next(hear)

    market.next(hear)
    earliness = list(iter(lambda: early_ns.get(timeout=5), None))
    runtime.close()
    assert len(earliness) == 15
    assert max(earliness) <= 6_000 * 1_000  # a microsecond of real time, lost in the float


def asking_again(
    market: PacedMarket, heard: queue.Queue[MarketNews]
) -> Callable[[MarketNews], None]:
    def hear(news: MarketNews) -> None:
        heard.put(news)
        if not isinstance(news, MarketEnded):
            market.next(hear)

    return hear


def test_a_symbol_has_one_source() -> None:
    with pytest.raises(AssertionError, match="one source a symbol"):
        Stage([replayed(candle(0)), replayed(candle(1))])


class Kept:
    """A recorder that keeps candles by their minute, and knows them up to an instant."""

    def __init__(self, known_until: Instant | None = None) -> None:
        self.minutes: list[int] = []
        self._known_until = known_until

    def known_until(self, _symbol: Symbol) -> Instant | None:
        return self._known_until

    def see(self, candle: Candle) -> None:
        minute = (candle.open_at - START) // (60 * NANOS_PER_SECOND)
        if minute not in self.minutes:
            self.minutes.append(minute)


def test_a_candle_is_recorded_before_its_first_tick_is_told() -> None:
    kept = Kept()
    stage = Stage([replayed(*map(candle, range(3)))], recorder=kept)
    assert kept.minutes == []
    stage.one()
    assert kept.minutes == [0]
    stage.play()
    assert kept.minutes == [0, 1, 2]


def test_a_first_recording_begins_with_what_there_is_to_warm_up_on() -> None:
    source = CandleSource(BTC_USDT, [*map(candle, range(5))], starts_at=after(180))
    kept = Kept()
    Stage([source], recorder=kept, start_after=after(180))
    assert kept.minutes == [0, 1, 2]


def test_what_an_earlier_life_was_told_and_lost_is_recorded_anew() -> None:
    kept = Kept(known_until=after(60))
    stage = Stage([replayed(*map(candle, range(6)))], recorder=kept, start_after=after(250))
    assert kept.minutes == [1, 2, 3, 4]  # of the fifth something was told
    stage.play()
    assert kept.minutes == [1, 2, 3, 4, 5]
