"""No decision sees a later candle: what comes after an instant changes nothing before it.

Two runs share their candles up to a cut and differ after it. Everything recorded before the
cut, and what the strategy wanted at the cut itself, must be the same to the last hash.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aegis.domain.candles import Candle
from aegis.domain.instants import text_of
from aegis.store.reading import View
from tests.simulation.candles import walk, write_replay
from tests.simulation.one_life import replayed
from tests.simulation.world import Settings, config_of
from tests.store.looking import read_history

COUNT = 60
SLOW = 2
QUICK = settings(max_examples=4, phases=[Phase.generate])
"""An example is two runs of a quarter of a second, too slow to be shrunk."""

SYMBOLS = ["BTC/USDT", "ETH/USDT"]
SETTINGS: Settings = {
    "exchange": {"symbols": SYMBOLS},
    "strategy": {"name": "ema_cross", "params": {"fast": 1, "slow": SLOW}},
    "risk": {"stop_loss_pct": "0.4", "take_profit_pct": "0.6", "trailing_stop_pct": "0.5"},
}

Markets = Sequence[Sequence[Candle]]
"""The candles of each symbol."""

cuts = st.integers(min_value=SLOW + 1, max_value=COUNT - 2)
seeds = st.integers(min_value=1, max_value=10_000)
scales = st.sampled_from([Decimal("0.9"), Decimal("0.999"), Decimal("1.001"), Decimal("1.1")])


def markets_of(seed: int) -> list[list[Candle]]:
    return [walk(COUNT, seed=seed + number) for number in range(len(SYMBOLS))]


def lived(markets: Markets) -> tuple[View, ...]:
    """Return all that was recorded of a run over these candles."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [
            write_replay(folder / f"{number}.csv", candles)
            for number, candles in enumerate(markets)
        ]
        market = {"source": "replay", "path": files, "speed": 0}
        config = config_of(folder, SETTINGS, {"market": market})
        replayed(config)
        return read_history(config.store.path, limit=1_000_000)


def known_at(history: Sequence[View], cut: Candle) -> tuple[list[View], list[View]]:
    """Return what was recorded before a candle closed, and what the strategy wanted of it."""
    close = text_of(cut.close_at)
    before = [event for event in history if str(event["timestamp"]) < close]
    wanted = [
        event["data"]
        for event in history
        if event["timestamp"] == close
        and event["event_type"] == "OrderIntended"
        and str(event["actor"]).startswith("Strategy")
    ]
    return before, wanted  # type: ignore[return-value]  # data are views as well


def scaled(candle: Candle, by: Decimal) -> Candle:
    return msgspec.structs.replace(
        candle,
        open=candle.open * by,
        high=candle.high * by,
        low=candle.low * by,
        close=candle.close * by,
    )


@QUICK
@given(cut=cuts, seed=seeds)
def test_data_that_end_change_nothing_before_their_end(cut: int, seed: int) -> None:
    markets = markets_of(seed)
    whole, part = lived(markets), lived([candles[: cut + 1] for candles in markets])

    last = markets[0][cut]
    assert known_at(part, last) == known_at(whole, last)


@QUICK
@given(cut=cuts, seed=seeds, scale=scales)
def test_another_future_changes_nothing_before_it(cut: int, seed: int, scale: Decimal) -> None:
    markets = markets_of(seed)
    shifted = [
        [*candles[: cut + 1], *(scaled(candle, scale) for candle in candles[cut + 1 :])]
        for candles in markets
    ]

    last = markets[0][cut]
    assert known_at(lived(shifted), last) == known_at(lived(markets), last)


@QUICK
@given(cut=cuts, seed=seeds)
def test_the_future_of_one_symbol_changes_nothing_before_it_in_another(cut: int, seed: int) -> None:
    one, other = markets_of(seed)

    last = one[cut]
    assert known_at(lived([one, other[: cut + 1]]), last) == known_at(lived([one, other]), last)


def test_the_runs_compared_here_decide_something_at_many_candles() -> None:
    """Else the properties above would hold of a strategy that sleeps."""
    history, candles = lived(markets_of(1)), markets_of(1)[0]

    decided = [candle for candle in candles if known_at(history, candle)[1]]
    assert len(decided) >= COUNT // 6
    reasons = {str(event["event_type"]) for event in history}
    assert {"PositionOpened", "PositionClosed", "StopRaised"} <= reasons
