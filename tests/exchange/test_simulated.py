from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

import pytest

from aegis.domain.candles import Candle, fault_of
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import floor_to
from aegis.domain.strategies import Signal
from aegis.domain.strategies.ema_cross import EmaCross
from aegis.exchange.simulated import WARMUP_CANDLES, SimulatedSource
from aegis.exchange.simulated_series import BLOCK_CANDLES, Series

BTC_USDT = Symbol("BTC/USDT")
START = Instant(1_704_067_200 * NANOS_PER_SECOND)
MINUTE_NS = 60 * NANOS_PER_SECOND
ROOT = Path(__file__).parents[2]

DIGEST_OF_SEED_1 = "6e0ba820ec469937"
"""A store of a simulated market is resumed by later versions too: its candles must be the same."""


def source(
    seed: int = 1, symbol: Symbol = BTC_USDT, candles_max: int | None = None
) -> SimulatedSource:
    return SimulatedSource(
        seed=seed, symbol=symbol, timeframe_s=60, start=START, candles_max=candles_max
    )


def after(candles: int) -> Instant:
    return Instant(START + candles * MINUTE_NS)


def first(count: int, made: SimulatedSource | None = None) -> tuple[Candle, ...]:
    return tuple(islice((made or source()).candles(START), count))


def digest(candles: Sequence[Candle]) -> str:
    return hashlib.sha256(repr(candles).encode()).hexdigest()


@pytest.fixture(scope="module")
def month() -> tuple[Candle, ...]:
    return first(45_000)


def test_every_candle_is_sound(month: tuple[Candle, ...]) -> None:
    assert [fault for candle in month if (fault := fault_of(candle))] == []


def test_prices_stand_on_the_price_step(month: tuple[Candle, ...]) -> None:
    cent = Decimal("0.01")
    prices = {price for c in month[:3_000] for price in (c.open, c.high, c.low, c.close)}
    assert all(floor_to(price, cent) == price for price in prices)


def test_candles_come_in_order_on_the_grid(month: tuple[Candle, ...]) -> None:
    assert month[0].open_at == START
    assert all(before.close_at <= now.open_at for before, now in pairwise(month))
    assert all((candle.open_at - START) % MINUTE_NS == 0 for candle in month)


def test_candles_are_missing_now_and_then(month: tuple[Candle, ...]) -> None:
    holes = [
        (now.open_at - before.close_at) // MINUTE_NS
        for before, now in pairwise(month)
        if now.open_at != before.close_at
    ]
    assert 5 <= len(holes) <= 30
    assert all(2 <= hole <= 30 for hole in holes)


def test_a_candle_opens_where_the_one_before_closed(month: tuple[Candle, ...]) -> None:
    assert all(
        now.open == before.close
        for before, now in pairwise(month)
        if before.close_at == now.open_at
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_prices_stay_around_where_they_began_and_move(seed: int) -> None:
    closes = [candle.close for candle in first(20_000, source(seed))]
    assert Decimal(20_000) < min(closes) < Decimal(39_000)
    assert Decimal(40_000) < max(closes) < Decimal(80_000)


def test_two_per_cent_are_moved_within_hours(month: tuple[Candle, ...]) -> None:
    begin, moves = month[0].close, 0
    for candle in month:
        if abs(candle.close - begin) > begin * 2 / 100:
            begin, moves = candle.close, moves + 1
    assert 80 <= moves <= 400


def _first_trade(seed: int) -> tuple[int, int]:
    """Return after how many candles the default strategy enters, and then leaves."""
    made, strategy = source(seed), EmaCross({})
    for candle in made.history(START, strategy.warmup):
        strategy.on_candle(candle, is_holding=False)
    entered = 0
    for number, candle in enumerate(made.candles(START), start=1):
        signal = strategy.on_candle(candle, is_holding=bool(entered))
        if signal is Signal.LEAVE:
            return entered, number
        entered = entered or (number if signal is Signal.ENTER else 0)
    raise AssertionError("Expected an endless market")


def test_the_default_market_shows_a_trade_within_seconds() -> None:
    entered, left = _first_trade(seed=1)
    assert entered <= 50  # ten candles a second at the default speed
    assert left <= 80


def test_nearly_every_market_shows_a_trade_within_fifteen_seconds() -> None:
    slow = [seed for seed in range(1, 41) if _first_trade(seed)[1] > 110]
    assert len(slow) <= 1


def test_the_same_seed_is_the_same_market() -> None:
    assert first(2_000) == first(2_000)


def test_another_seed_or_symbol_is_another_market() -> None:
    other = SimulatedSource(seed=1, symbol=Symbol("ETH/USDT"), timeframe_s=60, start=START)
    closes = [c.close for c in first(50)]
    assert closes != [c.close for c in first(50, source(2))]
    assert closes != [c.close for c in first(50, other)]


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_no_process_or_hash_seed_changes_a_digit(hash_seed: str) -> None:
    program = "from tests.exchange.test_simulated import *; print(digest(first(3_000)))"
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONHASHSEED=hash_seed),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == digest(first(3_000))


def test_the_market_of_a_seed_never_changes_between_versions() -> None:
    assert digest(first(3_000)).startswith(DIGEST_OF_SEED_1)


@pytest.mark.parametrize("lived", [1, 439, 440, 441, 1_000, 5_000])
def test_a_resumed_series_is_the_uninterrupted_one(lived: int) -> None:
    whole = first(lived + 2_000)
    resumed = tuple(islice(source().candles(after(lived)), 1_000))
    assert resumed == tuple(c for c in whole if c.close_at > after(lived))[:1_000]


def test_the_present_candle_is_told_again_until_it_is_closed() -> None:
    within = Instant(after(5) + MINUTE_NS // 2)
    assert next(source().candles(within)).open_at == after(5)
    assert next(source().candles(after(6))).open_at == after(6)


def test_there_is_history_before_the_first_candle() -> None:
    history = source().history(START, 500)
    assert len(history) == 500
    assert history[-1].close_at == START
    assert history[-1].close == first(1)[0].open


def test_history_is_what_was_told(month: tuple[Candle, ...]) -> None:
    until = month[4_000].close_at
    assert source().history(until, 1_000) == month[3_001:4_001]


def test_history_ends_where_the_series_begins() -> None:
    assert 900 < len(source().history(START, 10 * WARMUP_CANDLES)) <= WARMUP_CANDLES


def test_a_market_of_so_many_candles_ends_with_the_last() -> None:
    made = source(candles_max=3_000)
    candles = tuple(made.candles(START))
    assert candles == tuple(c for c in first(3_000) if c.close_at <= after(3_000))
    assert tuple(made.candles(after(3_000))) == ()
    assert made.history(after(9_999), 1) == candles[-1:]


def test_a_block_is_the_same_whichever_was_made_before() -> None:
    there, back = Series("1:BTC/USDT", 4_000_000), Series("1:BTC/USDT", 4_000_000)
    blocks = [there.block(number) for number in range(4)]
    assert [back.block(number) for number in (3, 0, 2, 1)] == [blocks[n] for n in (3, 0, 2, 1)]


def test_blocks_meet_where_they_touch() -> None:
    series = Series("1:BTC/USDT", 4_000_000)
    ends = [(series.block(number)[-1], series.block(number + 1)[0]) for number in range(30)]
    assert all(last.close == then.open for last, then in ends if last and then)


def test_a_cheap_coin_never_falls_to_nothing() -> None:
    series = Series("1:DUST/BTC", 1)
    figures = [each for number in range(20) for each in series.block(number) if each]
    assert len(figures) > 19 * BLOCK_CANDLES
    assert min(each.low for each in figures) == 1


def test_a_start_off_the_grid_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="grid"):
        SimulatedSource(seed=1, symbol=BTC_USDT, timeframe_s=60, start=Instant(START + 1))
