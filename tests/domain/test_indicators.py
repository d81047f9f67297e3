"""Indicators against a plain reckoning in fractions, and what holds of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aegis.domain.candles import Candle
from aegis.domain.indicators import Atr, Band, Bollinger, Donchian, Ema, Rsi, Sma, Vwap
from aegis.domain.indicators.window import PERIOD_MAX, Window
from aegis.domain.money import EXACT, minus
from tests.domain.series import bar, series

Figures = tuple[Decimal, ...]
Fractions = tuple[Fraction, ...]
Feed = Callable[[Sequence[Candle]], list[Figures]]

PERIODS = st.integers(1, 20)
WIDE = st.integers(-20, 10)
"""From a hundredth of a billionth of a billionth to ten billions a tick."""

DIGITS_KEPT = Fraction(1, 10**28)
"""Of the largest figure that went in: 34 are reckoned with, and a few are lost on the way."""


def figures_of(value: Decimal | Band | None) -> Figures:
    match value:
        case None:
            return ()
        case Band():
            return (value.lower, value.middle, value.upper)
        case _:
            return (value,)


def on_closes(make: Callable[[], Ema | Sma | Rsi | Bollinger]) -> Feed:
    def feed(candles: Sequence[Candle]) -> list[Figures]:
        made = make()
        return [figures_of(made.add(candle.close)) for candle in candles]

    return feed


def on_candles(make: Callable[[], Atr | Donchian | Vwap]) -> Feed:
    def feed(candles: Sequence[Candle]) -> list[Figures]:
        made = make()
        return [figures_of(made.add(candle)) for candle in candles]

    return feed


ALL: dict[str, tuple[Feed, int]] = {
    "ema": (on_closes(lambda: Ema(5)), 1),
    "sma": (on_closes(lambda: Sma(5)), 5),
    "rsi": (on_closes(lambda: Rsi(5)), 6),
    "bollinger": (on_closes(lambda: Bollinger(5)), 5),
    "atr": (on_candles(lambda: Atr(5)), 6),
    "donchian": (on_candles(lambda: Donchian(5)), 5),
    "vwap": (on_candles(Vwap), 1),
}
"""Each indicator, and how many candles it takes until it answers."""

each = pytest.mark.parametrize("feed", [feed for feed, _ in ALL.values()], ids=list(ALL))


def largest(candles: Sequence[Candle]) -> Fraction:
    return max(Fraction(candle.high) for candle in candles)


def expect_near(found: Figures, plain: Fractions, among: Sequence[Candle]) -> None:
    assert len(found) == len(plain)
    for one, other in zip(found, plain, strict=True):
        assert abs(Fraction(one) - other) <= largest(among) * DIGITS_KEPT


# Against a plain reckoning --------------------------------------------------------------------


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_an_ema_is_what_its_formula_says(candles: tuple[Candle, ...], period: int) -> None:
    plain, found = Fraction(candles[0].close), Ema(period)
    for number, candle in enumerate(candles):
        if number:
            plain += (Fraction(candle.close) - plain) * Fraction(2, period + 1)
        expect_near((found.add(candle.close),), (plain,), candles)


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_an_sma_is_the_mean_of_its_window(candles: tuple[Candle, ...], period: int) -> None:
    found = on_closes(lambda: Sma(period))(candles)
    closes = [Fraction(candle.close) for candle in candles]
    for end, figures in enumerate(found, start=1):
        last = closes[max(end - period, 0) : end]
        plain = () if end < period else (sum(last, Fraction(0)) / period,)
        expect_near(figures, plain, candles)


@given(candles=series(exponents=WIDE), period=PERIODS, deviations=st.sampled_from(["1", "2.5"]))
def test_a_bollinger_band_is_the_mean_and_the_deviation_of_its_window(
    candles: tuple[Candle, ...], period: int, deviations: str
) -> None:
    found = on_closes(lambda: Bollinger(period, Decimal(deviations)))(candles)
    closes = [Fraction(candle.close) for candle in candles]
    for end, figures in enumerate(found, start=1):
        assert bool(figures) == (end >= period)
        if figures:
            last = closes[end - period : end]
            mean = sum(last, Fraction(0)) / period
            variance = sum(((close - mean) ** 2 for close in last), Fraction(0)) / period
            lower, middle, upper = (Fraction(figure) for figure in figures)
            least = largest(candles) * DIGITS_KEPT
            assert abs(middle - mean) <= least
            assert abs((upper - lower) / 2 - (upper - middle)) <= least
            wanted = variance * Fraction(deviations) ** 2
            assert abs((upper - middle) ** 2 - wanted) <= least * largest(candles)


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_a_donchian_channel_is_the_extremes_of_its_window(
    candles: tuple[Candle, ...], period: int
) -> None:
    found = on_candles(lambda: Donchian(period))(candles)
    for end, figures in enumerate(found, start=1):
        last = candles[max(end - period, 0) : end]
        lower, upper = min(each.low for each in last), max(each.high for each in last)
        middle = EXACT.divide(EXACT.add(lower, upper), Decimal(2))
        assert figures == (() if end < period else (lower, middle, upper))


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_an_atr_is_the_mean_of_the_first_ranges_and_moves_by_its_share_of_each_next(
    candles: tuple[Candle, ...], period: int
) -> None:
    found = on_candles(lambda: Atr(period))(candles)
    ranges = [
        Fraction(minus(max(after.high, before.close), min(after.low, before.close)))
        for before, after in pairwise(candles)
    ]
    expect_smoothed(found, [(each,) for each in ranges], period, candles)


def expect_smoothed(
    found: Sequence[Figures], values: Sequence[Fractions], period: int, among: Sequence[Candle]
) -> None:
    """Expect Wilder's average of values that the first candle has none of."""
    plain = Fraction(0)
    for number, figures in enumerate(found):
        if number <= period:
            plain = sum((value for (value,) in values[:number]), Fraction(0)) / period
        else:
            plain += (values[number - 1][0] - plain) / period
        expect_near(figures, () if number < period else (plain,), among)


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_an_rsi_is_the_share_of_the_gains(candles: tuple[Candle, ...], period: int) -> None:
    found = on_closes(lambda: Rsi(period))(candles)
    closes = [Fraction(candle.close) for candle in candles]
    gain = loss = Fraction(0)
    for number, figures in enumerate(found):
        change = closes[number] - closes[number - 1] if number else Fraction(0)
        kept = Fraction(1) if number <= period else Fraction(period - 1, period)
        gain = gain * kept + max(change, Fraction(0)) / period
        loss = loss * kept + max(-change, Fraction(0)) / period
        assert bool(figures) == (number >= period)
        if figures:
            plain = 100 * gain / (gain + loss) if gain + loss else Fraction(50)
            assert abs(Fraction(figures[0]) - plain) <= 100 * DIGITS_KEPT


@given(
    candles=series(exponents=WIDE), starts_at_s=st.sampled_from([0, 1, 60, 43_200, 43_230, 86_399])
)
def test_a_vwap_is_what_its_session_was_paid_on_the_mean(
    candles: tuple[Candle, ...], starts_at_s: int
) -> None:
    found = on_candles(lambda: Vwap(starts_at_s))(candles)

    def session(candle: Candle) -> int:
        return (candle.open_at // 10**9 - starts_at_s) // 86_400

    for end, figures in enumerate(found, start=1):
        own = [each for each in candles[:end] if session(each) == session(candles[end - 1])]
        volume = sum((Fraction(each.volume) for each in own), Fraction(0))
        paid = sum(
            (
                (Fraction(each.high) + Fraction(each.low) + Fraction(each.close))
                * Fraction(each.volume)
                for each in own
            ),
            Fraction(0),
        )
        expect_near(figures, (paid / 3 / volume,) if volume else (), candles)


# What holds of all of them --------------------------------------------------------------------


@pytest.mark.parametrize(("feed", "warmup"), ALL.values(), ids=list(ALL))
@given(candles=series())
def test_it_answers_from_its_warm_up_on_and_not_before(
    feed: Feed, warmup: int, candles: tuple[Candle, ...]
) -> None:
    trading = [replace(each, volume=Decimal(1)) for each in candles]
    answers = [bool(figures) for figures in feed(trading)]
    assert answers == [number >= warmup for number in range(1, len(candles) + 1)]


@pytest.mark.parametrize(
    ("made", "warmup"),
    [(Ema(7), 1), (Sma(7), 7), (Rsi(7), 8), (Atr(7), 8), (Bollinger(7), 7), (Donchian(7), 7),
     (Vwap(), 1)],
)  # fmt: skip
def test_it_says_its_warm_up(made: Any, warmup: int) -> None:
    assert made.warmup == warmup
    assert made.value is None


@each
@given(candles=series(), cut=st.integers(0, 50))
def test_what_comes_later_changes_nothing_that_was_said(
    feed: Feed, candles: tuple[Candle, ...], cut: int
) -> None:
    assert feed(candles)[:cut] == feed(candles[:cut])


@each
@given(candles=series(), exponent=WIDE)
def test_a_price_in_another_unit_is_the_same_market(
    feed: Feed, candles: tuple[Candle, ...], exponent: int
) -> None:
    """To the last digit: nothing is compared with a figure that is small or large by itself."""

    def moved(price: Decimal) -> Decimal:
        return EXACT.scaleb(price, exponent)

    other = [
        replace(
            each,
            open=moved(each.open),
            high=moved(each.high),
            low=moved(each.low),
            close=moved(each.close),
        )
        for each in candles
    ]
    has_no_unit = feed is ALL["rsi"][0]
    expected = feed(candles)
    if not has_no_unit:
        expected = [tuple(moved(figure) for figure in figures) for figures in expected]
    assert feed(other) == expected


@each
@given(ticks=st.integers(1, 10**8), exponent=WIDE, count=st.integers(1, 40))
def test_a_flat_market_is_flat(feed: Feed, ticks: int, exponent: int, count: int) -> None:
    price = Decimal(f"{ticks}E{exponent}")
    flat = [bar(number, [price] * 4) for number in range(count)]
    expected = {"rsi": Decimal(50), "atr": Decimal(0)}
    wanted = next((figure for name, figure in expected.items() if feed is ALL[name][0]), price)
    assert {figure for figures in feed(flat) for figure in figures} <= {wanted}


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_an_rsi_is_between_0_and_100(candles: tuple[Candle, ...], period: int) -> None:
    for figures in on_closes(lambda: Rsi(period))(candles):
        assert all(0 <= figure <= 100 for figure in figures)


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_a_close_is_within_its_donchian_channel(candles: tuple[Candle, ...], period: int) -> None:
    channel = Donchian(period)
    for candle in candles:
        band = channel.add(candle)
        assert band is None or band.lower <= candle.close <= band.upper


@given(candles=series(exponents=WIDE), period=PERIODS)
def test_a_band_is_in_order(candles: tuple[Candle, ...], period: int) -> None:
    for feed in (on_closes(lambda: Bollinger(period)), on_candles(lambda: Donchian(period))):
        for figures in feed(candles):
            assert list(figures) == sorted(figures)


# A few by hand --------------------------------------------------------------------------------


def added(made: Ema | Sma | Rsi | Bollinger, *closes: str) -> list[Decimal | Band | None]:
    return [made.add(Decimal(close)) for close in closes]


def test_an_ema_starts_at_its_first_value() -> None:
    assert added(Ema(3), "2", "4", "8") == [2, 3, Decimal("5.5")]


def test_a_period_of_one_is_the_value_itself() -> None:
    for made in (Ema(1), Sma(1)):
        assert added(made, "2", "9", "4") == [2, 9, 4]


def test_only_gains_are_100_and_only_losses_0() -> None:
    assert added(Rsi(2), "1", "2", "4")[-1] == 100
    assert added(Rsi(2), "4", "2", "1")[-1] == 0


def test_a_huge_value_that_has_left_the_window_leaves_nothing_behind() -> None:
    average, band = Sma(2), Bollinger(2)
    for close in ("1E18", "1E-18", "1E-18"):
        average.add(Decimal(close))
        band.add(Decimal(close))

    tiny = Decimal("1E-18")
    assert average.value == tiny
    assert band.value == Band(lower=tiny, middle=tiny, upper=tiny)


def test_a_gap_to_the_last_close_belongs_to_the_true_range() -> None:
    average = Atr(1)
    average.add(bar(0, ["10", "10", "10", "10"]))
    assert average.add(bar(1, ["14", "15", "13", "14"])) == 5
    assert average.add(bar(2, ["9", "10", "8", "9"])) == 6


def test_a_breakout_is_above_the_channel_of_before() -> None:
    channel = Donchian(2)
    channel.add(bar(0, ["10", "11", "9", "10"]))
    before = channel.add(bar(1, ["10", "12", "8", "10"]))
    assert before == channel.value == Band(lower=Decimal(8), middle=Decimal(10), upper=Decimal(12))
    after = channel.add(bar(2, ["12", "13", "12", "13"]))
    assert after is not None
    assert before.upper < 13 == after.upper


@pytest.mark.parametrize("starts_at", [0, 1, 8, 23])
def test_a_session_s_price_begins_anew_and_waits_for_its_volume(starts_at: int) -> None:
    hour_s, first = 3_600, starts_at + 24
    price = Vwap(starts_at * hour_s)
    for number in range(first - 24, first - 1):
        price.add(bar(number, ["10", "10", "10", "10"], "5", hour_s))
    assert price.add(bar(first - 1, ["40"] * 4, "5", hour_s)) == Decimal("11.25")
    assert price.add(bar(first, ["20"] * 4, "0", hour_s)) is None
    assert price.add(bar(first + 1, ["21", "25", "20", "24"], "3", hour_s)) == 23


# The window -----------------------------------------------------------------------------------


@pytest.mark.parametrize("period", range(1, 9))
def test_a_window_joins_the_last_values_in_their_order(period: int) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    window: Window[str] = Window(period, lambda one, other: one + other)
    for end, letter in enumerate(letters, start=1):
        found = window.add(letter)
        assert found == (letters[end - period : end] if end >= period else None)
        assert len(window) == min(end, period)


@given(period=PERIODS, count=st.integers(1, 300))
def test_a_value_is_joined_three_times_at_most(period: int, count: int) -> None:
    joins = 0

    def join(one: int, other: int) -> int:
        nonlocal joins
        joins += 1
        return one + other

    window: Window[int] = Window(period, join)
    for value in range(count):
        window.add(value)
    assert joins <= 3 * count


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Ema, Sma, Rsi, Atr, Bollinger, Donchian])
@pytest.mark.parametrize("period", [0, -1, PERIOD_MAX + 1, 2.0, "5", True, None])
def test_a_wrong_period_is_refused_in_one_phrase(
    make: Callable[[Any], object], period: Any
) -> None:
    with pytest.raises(ValueError, match=r"^period: ") as refused:
        make(period)
    assert str(refused.value) == f"period: expected a whole number from 1 to 5000, was {period!r}"


@pytest.mark.parametrize("deviations", ["0", "-1", "NaN", "Infinity"])
def test_deviations_are_above_zero(deviations: str) -> None:
    expected = f"deviations: expected a number above 0, was {deviations}"
    with pytest.raises(ValueError, match=expected):
        Bollinger(20, Decimal(deviations))


@pytest.mark.parametrize("starts_at_s", [-1, 86_400, 0.0, True, "00:00"])
def test_a_session_starts_at_a_second_of_the_day(starts_at_s: Any) -> None:
    with pytest.raises(ValueError, match=r"^starts_at_s: ") as refused:
        Vwap(starts_at_s)
    expected = f"expected a whole number from 0 to 86399, was {starts_at_s!r}"
    assert str(refused.value) == f"starts_at_s: {expected}"
