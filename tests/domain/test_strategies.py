"""The built-in strategies, and what they say to a wrong parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from aegis.domain.strategies import Signal, Strategy, TimedStrategy
from aegis.domain.strategies.ema_cross import EmaCross
from aegis.domain.strategies.metronome import Metronome
from aegis.domain.strategies.parameters import figure, refuse_unknown, whole_number
from aegis.domain.strategies.rsi_reversion import RsiReversion
from tests.domain.kit import BTC_USDT, START, seconds


def candle(number: int, close: str | int) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=BTC_USDT,
        open_at=Instant(START + seconds(60 * number)),
        length_s=60,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
    )


def played(strategy: Strategy, closes: Sequence[int | str]) -> list[Signal | None]:
    """Feed closes; hold from each ENTER to the next LEAVE."""
    signals: list[Signal | None] = []
    is_holding = False
    for number, close in enumerate(closes):
        signal = strategy.on_candle(candle(number, close), is_holding=is_holding)
        is_holding = signal is Signal.ENTER or (is_holding and signal is not Signal.LEAVE)
        signals.append(signal)
    return signals


def crossing() -> EmaCross:
    return EmaCross({"fast": 1, "slow": 3})


def test_a_rise_through_the_slow_average_enters_and_a_fall_leaves() -> None:
    signals = played(crossing(), [100, 100, 110, 120, 90, 90])
    assert signals == [None, None, Signal.ENTER, None, Signal.LEAVE, None]


def test_the_first_candle_says_nothing() -> None:
    assert played(crossing(), [100]) == [None]


def test_what_is_above_already_is_no_crossing() -> None:
    strategy = crossing()
    played(strategy, [100, 110])
    assert strategy.on_candle(candle(2, 120), is_holding=False) is None


def test_a_holding_is_left_for_as_long_as_the_fast_average_is_below() -> None:
    strategy = crossing()
    strategy.on_candle(candle(0, 100), is_holding=True)
    for number in range(1, 4):
        signal = strategy.on_candle(candle(number, 100 - number), is_holding=True)
        assert signal is Signal.LEAVE


def test_nothing_is_entered_twice() -> None:
    strategy = crossing()
    played(strategy, [100, 90])
    assert strategy.on_candle(candle(2, 200), is_holding=True) is None


@given(closes=st.lists(st.integers(1, 10**6), max_size=80))
def test_equal_candles_give_equal_signals(closes: list[int]) -> None:
    assert played(EmaCross({}), closes) == played(EmaCross({}), closes)


@given(closes=st.lists(st.integers(1, 10**6), max_size=80))
def test_entering_and_leaving_take_turns(closes: list[int]) -> None:
    said = [signal for signal in played(crossing(), closes) if signal]
    assert said == [(Signal.ENTER, Signal.LEAVE)[turn % 2] for turn in range(len(said))]


def test_the_warm_up_lasts_until_the_start_is_forgotten() -> None:
    assert EmaCross({}).warmup == 63
    assert EmaCross({"slow": 100}).warmup == 300


def reversion(**params: object) -> RsiReversion:
    return RsiReversion({"period": 2, **params})


def test_what_rises_out_of_oversold_is_entered_and_left_at_the_exit() -> None:
    """The indices are 0, 0, 37.5 and 77.3."""
    signals = played(reversion(), [100, 90, 80, 70, 76, 90])
    assert signals == [None, None, None, None, Signal.ENTER, Signal.LEAVE]


def test_what_still_falls_is_not_bought() -> None:
    assert played(reversion(), [100, 90, 80, 70, 60, 50]) == [None] * 6


def test_what_was_never_oversold_is_no_crossing() -> None:
    assert Signal.ENTER not in played(reversion(), [100, 102, 101, 103, 102, 104])


def test_a_rise_from_oversold_past_the_exit_at_once_is_not_entered() -> None:
    assert played(reversion(), [100, 90, 80, 120, 130]) == [None] * 5


def test_an_index_on_the_level_is_oversold_still() -> None:
    """The indices are 0, 20 and 25.9."""
    signals = played(reversion(oversold=20, exit=90), [100, 80, 60, 65, 66])
    assert signals == [None, None, None, None, Signal.ENTER]


def test_an_index_on_the_exit_is_at_the_exit() -> None:
    """The indices are 0 and 50."""
    strategy = reversion(exit=50)
    for number, close in enumerate([100, 90, 80]):
        strategy.on_candle(candle(number, close), is_holding=True)
    assert strategy.on_candle(candle(3, 90), is_holding=True) is Signal.LEAVE


def test_each_new_rise_from_oversold_says_to_enter_while_it_holds() -> None:
    """The indices are 0, 0, 37.5, 12.5, 6.8, 35.9, 12.5 and 35.1."""
    signals = played(reversion(), [100, 90, 80, 70, 76, 60, 50, 55, 40, 44])
    assert signals == [*[None] * 4, Signal.ENTER, None, None, Signal.ENTER, None, Signal.ENTER]


def test_what_is_held_is_left_for_as_long_as_the_index_is_at_the_exit() -> None:
    strategy = reversion()
    for number, close in enumerate([100, 110, 120]):
        strategy.on_candle(candle(number, close), is_holding=False)
    assert strategy.on_candle(candle(3, 130), is_holding=True) is Signal.LEAVE
    assert strategy.on_candle(candle(4, 140), is_holding=True) is Signal.LEAVE
    assert strategy.on_candle(candle(5, 150), is_holding=False) is None


@given(closes=st.lists(st.integers(1, 10**6), max_size=80))
def test_equal_candles_give_a_reversion_equal_signals(closes: list[int]) -> None:
    assert played(reversion(), closes) == played(reversion(), closes)


def test_a_reversion_is_warm_after_ten_periods() -> None:
    assert RsiReversion({}).warmup == 140
    assert RsiReversion({"period": 500}).warmup == 5000


def test_a_metronome_enters_and_leaves_in_turn_on_its_timer_alone() -> None:
    metronome = Metronome({})
    assert isinstance(metronome, TimedStrategy)
    assert metronome.on_timer(is_holding=False) is Signal.ENTER
    assert metronome.on_timer(is_holding=True) is Signal.LEAVE
    assert played(metronome, [100, 200, 50]) == [None, None, None]
    assert (metronome.warmup, metronome.period_s) == (0, 300)


def test_a_crossing_has_no_timer() -> None:
    assert not isinstance(EmaCross({}), TimedStrategy)


@pytest.mark.parametrize(
    ("make", "params", "text"),
    [
        (EmaCross, {"fast": 21, "slow": 21}, "fast: expected less than slow (21), was 21"),
        (EmaCross, {"fast": 30}, "fast: expected less than slow (21), was 30"),
        (EmaCross, {"fast": 0}, "fast: expected a whole number 1 to 1000, was 0"),
        (EmaCross, {"slow": 2001}, "slow: expected a whole number 2 to 2000, was 2001"),
        (EmaCross, {"fast": "9"}, "fast: expected a whole number 1 to 1000, was '9'"),
        (EmaCross, {"fast": True}, "fast: expected a whole number 1 to 1000, was True"),
        (EmaCross, {"fast": 9.0}, "fast: expected a whole number 1 to 1000, was 9.0"),
        (EmaCross, {"speed": 1}, "speed: unknown; expected fast, slow"),
        (RsiReversion, {"period": 1}, "period: expected a whole number 2 to 500, was 1"),
        (RsiReversion, {"period": 501}, "period: expected a whole number 2 to 500, was 501"),
        (RsiReversion, {"oversold": 0}, "oversold: expected a number 1 to 98, was 0"),
        (RsiReversion, {"exit": Decimal("99.5")}, "exit: expected a number 2 to 99, was 99.5"),
        (RsiReversion, {"exit": "60"}, "exit: expected a number 2 to 99, was '60'"),
        (RsiReversion, {"exit": True}, "exit: expected a number 2 to 99, was True"),
        (RsiReversion, {"oversold": 55}, "oversold: expected less than exit (55), was 55"),
        (
            RsiReversion,
            {"exit": Decimal("29.5")},
            "oversold: expected less than exit (29.5), was 30",
        ),
        (RsiReversion, {"overbought": 70}, "overbought: unknown; expected period, oversold, exit"),
        (Metronome, {"period_s": 0}, "period_s: expected a whole number 1 to 604800, was 0"),
        (Metronome, {"period": 5, "beat": 1}, "beat, period: unknown; expected period_s"),
    ],
)
def test_a_wrong_parameter_is_told_in_one_phrase(
    make: Callable[[dict[str, object]], Strategy], params: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        make(params)
    assert str(refused.value) == text


@pytest.mark.parametrize("value", [1, 5, 10])
def test_a_whole_number_in_range_is_taken(value: int) -> None:
    assert whole_number({"n": value}, "n", 3, least=1, most=10) == value


@pytest.mark.parametrize("value", [1, Decimal("1.5"), Decimal(10)])
def test_a_figure_in_range_is_taken(value: int | Decimal) -> None:
    assert figure({"n": value}, "n", 3, least=1, most=10) == value


def test_a_parameter_that_is_missing_takes_its_default() -> None:
    assert whole_number({}, "n", 3, least=1, most=10) == 3
    assert figure({}, "n", 3, least=1, most=10) == 3
    refuse_unknown({}, ("n",))
