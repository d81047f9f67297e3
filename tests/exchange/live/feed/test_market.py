"""The market of an exchange: what is told, what is not, and what happens when nobody answers."""

from __future__ import annotations

import queue
from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from aegis.clock import ManualClock, SystemClock
from aegis.domain.candles import Candle, Tick
from aegis.domain.commands import Quote
from aegis.domain.guard import quote_of
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.live.calls import Answered, Call, Limited, ReadCandles, ReadQuote
from aegis.exchange.live.feed.asker import PAUSE_S_MAX
from aegis.exchange.live.feed.market import PolledMarket
from aegis.news import (
    CandleClosed,
    HistoryRead,
    MarketEnded,
    MarketMoved,
    MarketNews,
    ReadHistory,
)
from supervisors.seeded import SeededRuntime
from supervisors.threads import ThreadRuntime
from tests.exchange.live.feed.fake_exchange import (
    BTC_USDT,
    PAGE,
    START,
    FakeExchange,
    candle_of,
    fair_quote,
    lost,
    minute,
)

BEGAN_S = 10 * 60 + 20
"""AEGIS starts in the middle of the eleventh minute."""


class Kept:
    """A recording: it knows what was kept in an earlier life, and takes what is new."""

    def __init__(self, known_until: Instant | None = None) -> None:
        self.seen: list[Candle] = []
        self._known_until = known_until

    def known_until(self, symbol: Symbol) -> Instant | None:
        del symbol
        return self._known_until

    def see(self, candle: Candle) -> None:
        self.seen.append(candle)


ABSENT = Symbol("XXX/USDT")


class Venue:
    """Who trades on paper."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.closes: list[Candle] = []

    def observe(self, tick: Tick) -> None:
        self.ticks.append(tick)

    def observe_close(self, candle: Candle) -> None:
        self.closes.append(candle)


class Stage:
    """A market on the seeded runtime, and whoever asks it again and again."""

    def __init__(
        self, *, recorder: Kept | None = None, symbols: tuple[Symbol, ...] = (BTC_USDT,)
    ) -> None:
        self.clock = ManualClock(Instant(START + BEGAN_S * NANOS_PER_SECOND))
        self.runtime = SeededRuntime(self.clock, 1)
        self.exchange = FakeExchange(self.clock)
        self.news: list[MarketNews] = []
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.venue = Venue()
        self.market = PolledMarket(
            symbols,
            timeframe_s=60,
            candles_page=PAGE,
            poll_interval_s=2.0,
            stale_after_s=30.0,
            deadline_s=5.0,
            make_client=self.exchange.make_client,
            runtime=self.runtime,
            log=self.log,
            venue=self.venue,
            recorder=recorder,
        )

    def log(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    def begin(self) -> Stage:
        self.market.next(self._hear)
        return self

    def live(self, seconds: float) -> Stage:
        self.runtime.run_for(seconds)
        return self

    def live_until_minute(self, number: int) -> Stage:
        """Live on, up to a few seconds into a minute."""
        until = Instant(minute(number) + 5 * NANOS_PER_SECOND)
        self.runtime.run_until(until)
        return self

    def closes(self) -> list[CandleClosed]:
        return [each for each in self.news if isinstance(each, CandleClosed)]

    def moves(self) -> list[MarketMoved]:
        return [each for each in self.news if isinstance(each, MarketMoved)]

    def said(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.lines if name == event]

    def page(self, after: Instant | None, least: int = 0) -> HistoryRead:
        """Return the page that answers a question, within the time of a few calls."""
        pages: list[HistoryRead] = []
        wanted = ReadHistory(symbol=BTC_USDT, after=after, least=least, reply_to="Strategy")
        self.market.history(wanted, pages.append)
        self.live(5)
        (page,) = pages
        return page

    def _hear(self, news: MarketNews) -> None:
        assert not isinstance(news, MarketEnded)
        self.news.append(news)
        self.market.next(self._hear)


@pytest.fixture
def stage() -> Stage:
    return Stage()


# Prices -------------------------------------------------------------------------------------


def test_nothing_is_asked_before_somebody_wants_news(stage: Stage) -> None:
    assert stage.live(10).exchange.asked == []


def test_a_price_is_asked_for_each_interval_and_told(stage: Stage) -> None:
    stage.begin().live(20)
    assert 8 <= len(stage.moves()) <= 11
    assert stage.exchange.counts()["ReadQuote"] <= 11


def test_a_price_is_told_with_the_exchanges_own_spread_and_instant(stage: Stage) -> None:
    stage.begin().live(1)
    (moved,) = stage.moves()
    told = quote_of(moved.tick.price, moved.spread_bps, moved.tick.at)
    assert told.bid <= Decimal("99.99") < told.bid + Decimal("0.000001")
    assert (moved.tick.price, moved.tick.volume) == (Decimal(100), Decimal(0))


def test_each_price_begins_where_the_last_one_was(stage: Stage) -> None:
    prices = iter([100, 104, 103, 102])
    stage.exchange.quote_of = lambda now: Quote(
        bid=(price := Decimal(next(prices))), ask=price, at=now
    )
    ticks = [moved.tick for moved in stage.begin().live(6.5).moves()]
    assert [tick.start for tick in ticks] == [100, 100, 104, 103]
    assert [tick.price for tick in ticks] == [100, 104, 103, 102]


BAD_QUOTES: list[Callable[[Instant], Quote | None]] = [
    lambda now: replace(fair_quote(now), bid=Decimal(0)),
    lambda now: replace(fair_quote(now), ask=Decimal("NaN")),
    lambda now: replace(fair_quote(now), bid=Decimal(-1)),
    lambda now: replace(fair_quote(now), bid=Decimal("100.02")),
    lambda now: replace(fair_quote(now), at=Instant(now - 40 * NANOS_PER_SECOND)),
    lambda now: replace(fair_quote(now), at=Instant(now + 40 * NANOS_PER_SECOND)),
    lambda _now: None,
]


@pytest.mark.parametrize("number", range(len(BAD_QUOTES)))
def test_a_bad_price_is_told_once_and_never_used(stage: Stage, number: int) -> None:
    stage.begin().live(3)
    before = len(stage.moves())
    stage.exchange.quote_of = BAD_QUOTES[number]
    stage.live(20)
    assert len(stage.moves()) == before
    assert len(stage.said("TickRefused")) == 1
    stage.exchange.quote_of = fair_quote
    assert len(stage.live(5).moves()) > before


def test_a_price_of_another_time_is_told_with_how_far_it_is_off_and_by_which_clock(
    stage: Stage,
) -> None:
    stage.exchange.quote_of = BAD_QUOTES[4]
    (said,) = stage.begin().live(3).said("TickRefused")
    assert str(said["text"]).endswith(", 40 s ago by the exchange's clock")


def test_a_price_a_moment_ahead_is_one(stage: Stage) -> None:
    """Headers tell whole seconds."""
    stage.exchange.quote_of = lambda now: fair_quote(Instant(now + NANOS_PER_SECOND))
    assert len(stage.begin().live(5).moves()) > 1


def test_a_price_from_before_the_last_one_is_not_used(stage: Stage) -> None:
    stage.begin().live(1)
    stage.exchange.quote_of = lambda now: fair_quote(Instant(now - 5 * NANOS_PER_SECOND))
    assert len(stage.live(2).moves()) == 1


def test_a_symbol_that_is_not_priced_is_heard_of_no_more(stage: Stage) -> None:
    stage.begin().live(3)
    stage.exchange.verdicts = lost
    heard_s = stage.live(1).market.heard_at()
    assert stage.live(60).market.heard_at() == heard_s


def test_a_symbol_that_the_exchange_does_not_list_is_said_in_words() -> None:
    stage = Stage(symbols=(BTC_USDT, Symbol("XXX/USDT")))
    stage.exchange.unlisted.add(Symbol("XXX/USDT"))
    stage.begin().live(10)
    (said,) = stage.said("SymbolNotListed")
    assert said["symbol"] == "XXX/USDT"
    assert "not listed" in str(said["text"])


def test_every_symbol_gets_its_turn() -> None:
    symbols = (BTC_USDT, Symbol("ETH/USDT"), Symbol("SOL/USDT"))
    stage = Stage(symbols=symbols).begin().live(10)
    assert {moved.tick.symbol for moved in stage.moves()} == set(symbols)


# Candles as they close ------------------------------------------------------------------------


def test_each_candle_is_told_once_when_it_is_closed(stage: Stage) -> None:
    stage.begin().live_until_minute(14)
    told = [each.candle for each in stage.closes()]
    assert told == [candle_of(number) for number in (10, 11, 12, 13)]
    assert not any(each.is_warmup or each.has_gap_before for each in stage.closes())


def test_the_candle_under_way_is_never_told(stage: Stage) -> None:
    stage.exchange.tells_its_time = False
    stage.begin().live_until_minute(13)
    assert [each.candle for each in stage.closes()] == [candle_of(n) for n in (10, 11, 12)]


def test_an_exchange_whose_clock_is_behind_has_not_closed_what_we_think(stage: Stage) -> None:
    stage.exchange.clock_off_s = -8
    stage.begin().live_until_minute(11)
    assert stage.closes() == []
    assert [each.candle for each in stage.live(10).closes()] == [candle_of(10)]


def test_a_candle_that_shows_late_is_told_late_and_as_news(stage: Stage) -> None:
    stage.exchange.lags = 2  # the one under way, and the one before
    stage.begin().live_until_minute(11)
    assert stage.closes() == []
    stage.exchange.lags = 0
    (closed,) = stage.live(3).closes()
    assert (closed.candle, closed.is_warmup) == (candle_of(10), False)


def test_what_closed_while_nobody_answered_is_told_in_order_as_a_warm_up(stage: Stage) -> None:
    stage.begin().live_until_minute(11)
    stage.exchange.verdicts = lost
    stage.live_until_minute(19)
    assert len(stage.closes()) == 1
    stage.exchange.verdicts = lambda _call: None
    closes = stage.live(20).closes()
    assert [each.candle for each in closes] == [candle_of(number) for number in range(10, 19)]
    assert [each.is_warmup for each in closes] == [False] + 7 * [True] + [False]
    assert not any(each.has_gap_before for each in closes)


def test_what_the_exchange_has_not_is_a_gap(stage: Stage) -> None:
    stage.exchange.missing = {11}
    closes = stage.begin().live_until_minute(13).closes()
    assert [(each.candle, each.has_gap_before) for each in closes] == [
        (candle_of(10), False),
        (candle_of(12), True),
    ]


@pytest.mark.parametrize("gap", [range(11, 11 + PAGE), range(11, 30)], ids=["a page", "pages"])
def test_what_comes_after_a_gap_of_pages_is_told(stage: Stage, gap: range) -> None:
    stage.exchange.tells_window, stage.exchange.missing = True, set(gap)
    closes = stage.begin().live_until_minute(gap.stop + 2).closes()
    assert [(each.candle, each.has_gap_before) for each in closes] == [
        (candle_of(10), False),
        (candle_of(gap.stop), True),
        (candle_of(gap.stop + 1), False),
    ]


def test_an_answer_without_candles_that_comes_once_is_no_gap(stage: Stage) -> None:
    stage.exchange.tells_window = True
    stage.begin().live_until_minute(11)
    stage.exchange.verdicts = lost
    stage.live_until_minute(11 + 2 * PAGE)
    empty = iter([Answered(value=())])
    stage.exchange.verdicts = lambda call: (
        next(empty, None) if isinstance(call, ReadCandles) else None
    )
    closes = stage.live(30).closes()
    assert not any(each.has_gap_before for each in closes)
    assert closes[-1].candle == candle_of(10 + 2 * PAGE)


def test_a_candle_that_reads_otherwise_later_is_told_of_and_stays(stage: Stage) -> None:
    stage.begin().live_until_minute(11)
    stage.exchange.others[10] = replace(candle_of(10), volume=Decimal(61))
    stage.live_until_minute(12)
    assert len(stage.said("CandleRevised")) == 1
    assert [each.candle for each in stage.closes()] == [candle_of(10), candle_of(11)]


def test_a_candle_that_comes_late_is_dropped(stage: Stage) -> None:
    stage.exchange.missing = {11}
    stage.begin().live_until_minute(13)
    stage.exchange.missing = set()
    numbers = [each.candle.open_at for each in stage.live_until_minute(15).closes()]
    assert numbers == [minute(number) for number in (10, 12, 13, 14)]


@pytest.mark.parametrize(
    "bad",
    [
        replace(candle_of(11), high=Decimal(1)),
        replace(candle_of(11), close=Decimal("NaN")),
        replace(candle_of(11), length_s=59),
    ],
    ids=["high", "nan", "length"],
)
def test_a_candle_that_cannot_be_true_is_told_and_not_used(stage: Stage, bad: Candle) -> None:
    stage.exchange.others[11] = bad
    closes = stage.begin().live_until_minute(13).closes()
    assert [each.candle for each in closes] == [candle_of(10), candle_of(12)]
    assert stage.said("CandleRefused")


# When nobody answers --------------------------------------------------------------------------


def test_silence_is_told_once_and_asked_into_ever_more_slowly(stage: Stage) -> None:
    stage.begin().live(1)
    stage.exchange.asked.clear()
    stage.exchange.verdicts = lost
    stage.live(300)
    assert [line["what"] for line in stage.said("MarketUnreachable")] == ["prices", "candles"]
    assert 300 / PAUSE_S_MAX <= stage.exchange.counts()["ReadQuote"] <= 300 / PAUSE_S_MAX + 6


def test_an_exchange_that_is_back_is_heard_and_told_of_once(stage: Stage) -> None:
    stage.exchange.verdicts = lost
    stage.begin().live(60)
    stage.exchange.verdicts = lambda _call: None
    stage.live(PAUSE_S_MAX + 4)
    assert len(stage.said("MarketReachable")) == 2
    assert stage.moves()


def test_a_symbol_that_is_refused_beside_others_is_told_once() -> None:
    stage = Stage(symbols=(BTC_USDT, ABSENT))
    stage.exchange.verdicts = lambda call: lost(call) if is_of(ABSENT, call) else None
    stage.begin().live(60)
    assert said_of_prices(stage) == ["MarketUnreachable", "MarketReachable"]
    assert stage.moves()


def test_an_outage_is_told_though_a_symbol_was_refused_before() -> None:
    stage = Stage(symbols=(BTC_USDT, ABSENT))
    stage.exchange.verdicts = lambda call: lost(call) if is_of(ABSENT, call) else None
    stage.begin().live(60)
    stage.lines.clear()
    stage.exchange.verdicts = lost
    stage.live(60)
    assert said_of_prices(stage) == ["MarketUnreachable"]
    stage.exchange.verdicts = lambda _call: None
    stage.live(PAUSE_S_MAX + 4)
    assert said_of_prices(stage) == ["MarketUnreachable", "MarketReachable"]


def is_of(symbol: Symbol, call: Call) -> bool:
    return isinstance(call, ReadQuote) and call.symbol == symbol


def said_of_prices(stage: Stage) -> list[str]:
    """Return what was said of the way to prices, in its order."""
    return [name for name, fields in stage.lines if fields.get("what") == "prices"]


def test_an_exchange_that_asks_for_rest_is_left_alone_for_so_long(stage: Stage) -> None:
    stage.begin().live(1)
    stage.exchange.verdicts = lambda _call: Limited(retry_after_s=45.0, reason="slow down")
    stage.live(2)
    asked = stage.exchange.counts()["ReadQuote"]
    assert stage.live(40).exchange.counts()["ReadQuote"] == asked
    assert stage.live(10).exchange.counts()["ReadQuote"] == asked + 1


def test_a_client_that_hangs_is_left_behind_for_a_fresh_one(stage: Stage) -> None:
    stage.begin().live(3)
    before = stage.exchange.clients

    def hang(call: Call) -> None:
        assert not isinstance(call, ReadQuote), "out of its mind"

    stage.exchange.verdicts = hang
    stage.live(1.5)
    stage.exchange.verdicts = lambda _call: None
    stage.live(5)
    assert stage.exchange.clients == before + 1


def test_a_long_history_holds_up_no_price(stage: Stage) -> None:
    stage.begin().live(2)

    stage.exchange.verdicts = lambda call: lost(call) if isinstance(call, ReadCandles) else None
    before = len(stage.moves())
    stage.market.history(
        ReadHistory(symbol=BTC_USDT, after=START, least=0, reply_to="Strategy"), lambda _page: None
    )
    assert len(stage.live(20).moves()) >= before + 8


def test_who_closes_asks_no_more(stage: Stage) -> None:
    stage.begin().live(3)
    stage.market.close()
    asked = len(stage.live(3).exchange.asked)
    assert len(stage.live(60).exchange.asked) == asked


# History ----------------------------------------------------------------------------------------


def test_history_comes_page_by_page_up_to_the_last_close(stage: Stage) -> None:
    stage.begin()
    found: list[Candle] = []
    page = stage.page(minute(1))
    found += page.candles
    while not page.is_last:
        page = stage.page(page.until)
        found += page.candles
    assert found == [candle_of(number) for number in range(1, 10)]
    assert page.until == minute(10)


def test_history_reaches_back_at_least_as_far_as_is_wanted(stage: Stage) -> None:
    assert stage.begin().page(None, 3).candles == tuple(map(candle_of, (7, 8, 9)))
    assert stage.page(minute(9), 4).candles == tuple(map(candle_of, (6, 7, 8, 9)))


def test_history_after_the_last_close_is_empty_and_asks_nobody(stage: Stage) -> None:
    page = stage.begin().page(minute(10))
    assert (page.candles, page.is_last) == ((), True)
    assert all(call.since >= minute(10) for call in stage.exchange.asked
               if isinstance(call, ReadCandles))  # fmt: skip


def test_a_candle_that_an_instant_lies_in_closed_after_it(stage: Stage) -> None:
    inside = Instant(minute(8) + 7 * NANOS_PER_SECOND)
    assert stage.begin().page(inside).candles == (candle_of(8), candle_of(9))


def test_a_question_stays_asked_until_somebody_answers(stage: Stage) -> None:
    stage.exchange.verdicts = lost
    stage.begin()
    pages: list[HistoryRead] = []
    wanted = ReadHistory(symbol=BTC_USDT, after=None, least=2, reply_to="Strategy")
    for _ in range(3):
        stage.market.history(wanted, pages.append)
        stage.live(5)
    stage.exchange.verdicts = lambda _call: None
    stage.live(PAUSE_S_MAX + 2)
    assert [page.candles for page in pages] == [(candle_of(8), candle_of(9))]


def test_an_empty_answer_is_believed_when_it_comes_again(stage: Stage) -> None:
    stage.exchange.missing = set(range(5, 10))
    stage.exchange.lags = 0
    stage.begin().live(1)
    asked = stage.exchange.counts()["ReadCandles"]
    stage.exchange.missing = set(range(5, 30))
    page = stage.page(minute(6))
    assert (page.candles, page.is_last) == ((), True)
    assert stage.exchange.counts()["ReadCandles"] == asked + 2


@pytest.mark.parametrize("gap", [range(2, 2 + PAGE), range(2, 9)], ids=["a page", "pages"])
def test_history_goes_on_after_a_gap_of_pages(stage: Stage, gap: range) -> None:
    stage.exchange.tells_window, stage.exchange.missing = True, set(gap)
    page = stage.begin().page(minute(2))
    assert (page.candles, page.is_last) == ((), False)
    found = page.candles
    while not page.is_last:
        page = stage.page(page.until)
        found += page.candles
    assert found == tuple(map(candle_of, range(gap.stop, 10)))


def test_the_recording_goes_on_after_a_gap_of_pages() -> None:
    kept = Kept(known_until=minute(1))
    stage = Stage(recorder=kept)
    stage.exchange.tells_window, stage.exchange.missing = True, set(range(1, 8))
    stage.begin().live_until_minute(12)
    assert kept.seen == [candle_of(number) for number in range(8, 12)]


# The recording, and who trades on paper -----------------------------------------------------


def test_the_recording_has_what_was_missed_before_what_comes(stage: Stage) -> None:
    kept = Kept(known_until=minute(3))
    Stage(recorder=kept).begin().live_until_minute(12)
    assert kept.seen == [candle_of(number) for number in range(3, 12)]


def test_the_recording_waits_for_what_it_lacks(stage: Stage) -> None:
    kept = Kept(known_until=minute(3))
    stage = Stage(recorder=kept)
    stage.exchange.verdicts = lost
    stage.begin().live_until_minute(12)
    assert kept.seen == []
    stage.exchange.verdicts = lambda _call: None
    stage.live_until_minute(14)
    assert kept.seen == [candle_of(number) for number in range(3, 14)]


def test_who_trades_on_paper_hears_prices_with_their_share_of_the_last_candle(
    stage: Stage,
) -> None:
    stage.begin().live_until_minute(12)
    assert stage.venue.ticks[0].volume == 0
    assert stage.venue.ticks[-1].volume == 2  # 2 s of 60 coins a minute
    assert stage.venue.closes == [candle_of(10), candle_of(11)]
    assert stage.moves()[-1].tick.volume == 0


# Whoever asks -------------------------------------------------------------------------------


def test_who_asks_again_hears_the_news_and_who_asked_before_does_not(stage: Stage) -> None:
    first: list[MarketNews] = []
    second: list[MarketNews] = []
    stage.market.next(first.append)
    stage.market.next(second.append)
    stage.live(1)
    assert (len(first), len(second)) == (0, 1)


def test_of_prices_that_nobody_heard_only_the_newest_is_told(stage: Stage) -> None:
    heard: list[MarketNews] = []
    stage.market.next(heard.append)
    stage.live_until_minute(12)
    while len(heard) < 4:
        stage.market.next(heard.append)
    closes, move = heard[1:3], heard[3]
    assert [c.candle for c in closes if isinstance(c, CandleClosed)] == [
        candle_of(10),
        candle_of(11),
    ]
    assert isinstance(move, MarketMoved)
    assert move.tick.at > minute(12)


def test_on_threads_prices_and_history_come_as_well() -> None:
    lines: list[str] = []

    def log(event: str, /, **_fields: object) -> None:
        lines.append(event)

    clock = SystemClock()
    exchange = FakeExchange(ManualClock(clock.now()))
    runtime = ThreadRuntime(clock, log)
    market = PolledMarket(
        (BTC_USDT,),
        timeframe_s=60,
        candles_page=PAGE,
        poll_interval_s=0.01,
        stale_after_s=30.0,
        deadline_s=5.0,
        make_client=exchange.make_client,
        runtime=runtime,
        log=log,
    )
    news: queue.Queue[MarketNews | HistoryRead] = queue.Queue()
    for _ in range(3):
        market.next(news.put)
        assert isinstance(news.get(timeout=5), MarketMoved)
    wanted = ReadHistory(symbol=BTC_USDT, after=None, least=3, reply_to="Strategy")
    market.history(wanted, news.put)
    page = news.get(timeout=5)
    assert isinstance(page, HistoryRead)
    assert len(page.candles) == 3
    market.close()
    assert lines == []
