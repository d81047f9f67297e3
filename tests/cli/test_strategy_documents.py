"""The document on strategies and its example: what they say is what happens."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from actors.base import outcome_of
from aegis.domain import indicators
from aegis.domain.money import plus
from aegis.domain.order import Order, Role
from aegis.domain.sizing import Method, Prospect, Sizing, size
from aegis.domain.strategies import Signal, Strategy
from aegis.strategy_loader import strategy_maker
from tests.cli.candle_files import BEGIN_S, HEADER, write
from tests.cli.place import ROOT, Place
from tests.crash.evidence import look
from tests.domain.kit import decimals, instrument
from tests.domain.series import bar

DOCUMENT = (ROOT / "docs" / "strategies.md").read_text()
EXAMPLES = ROOT / "examples"
NAME = "donchian_breakout:DonchianBreakout"
LEAST = {"enter": 3, "leave": 2}

CLOSES = [100, 101, 100, 101, 104, 103, 107, 106, 102, 101, 100, 100]
"""Up out of three candles at number 4 and again at 6, down out of two at 8."""


def rows_of(*columns: str) -> list[dict[str, str]]:
    """Return the rows of the document's one table with these columns."""
    head = re.escape(f"| {' | '.join(columns)} |")
    (table,) = re.findall(rf"^{head}\n\|[-|]+\|\n((?:\|.*\|\n)+)", DOCUMENT, re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]
    return [dict(zip(columns, row, strict=True)) for row in cells]


def breakout(params: Mapping[str, object]) -> Strategy:
    return strategy_maker(NAME, params, EXAMPLES, outcome_of)()


def signals(strategy: Strategy, closes: Iterable[int], *, is_holding: bool) -> list[Signal | None]:
    return [
        strategy.on_candle(bar(number, [str(close)] * 4), is_holding=is_holding)
        for number, close in enumerate(closes)
    ]


# The document ---------------------------------------------------------------------------------


def test_every_indicator_is_in_the_document_with_its_warm_up() -> None:
    rows = rows_of("indicator", "fed with", "says", "first answer", "source")
    told = {row["indicator"].strip("`").partition("(")[0]: row for row in rows}
    assert set(told) == set(indicators.__all__) - {"Band"}
    for name, row in told.items():
        first = row["first answer"].replace("`period`", "7").split(" + ")
        made: Any = getattr(indicators, name)(7)
        assert made.warmup == sum(int(each) for each in first), name


@pytest.mark.parametrize(
    "row",
    rows_of("method", "value", "price", "stop", "ATR", "buys", "because"),
    ids=lambda row: f"{row['method']} at {row['price']}",
)
def test_every_size_in_the_document_is_what_would_be_bought(row: dict[str, str]) -> None:
    sizing = Sizing(method=cast("Method", row["method"].strip("`")), value=Decimal(row["value"]))
    prospect = Prospect(
        instrument=instrument(),
        price=Decimal(row["price"]),
        stop_price=Decimal(row["stop"]),
        equity=Decimal(10_000),
        atr=Decimal(row["ATR"]),
    )
    assert size(sizing, prospect) == Decimal(row["buys"])


def test_every_log_line_and_setting_that_is_named_is_there() -> None:
    lines = (ROOT / "docs" / "logging.md").read_text()
    events = set(re.findall(r"`((?:[A-Z][a-z]+){2,})`", DOCUMENT)) - set(indicators.__all__)
    assert {"EntryRefused", "HistoryCut", "ActorDied"} <= events
    assert {event for event in events if f"`{event}`" not in lines} == {"ValueError"}
    settings = (ROOT / "config.toml").read_text()
    named = set(re.findall(r"`(?:risk|supervisor|sizing)\.([a-z_]+)`", DOCUMENT))
    assert len(named) >= 6
    assert {key for key in named if f"\n{key} = " not in settings} == set()


# The example ----------------------------------------------------------------------------------


def test_the_example_enters_at_each_new_high_and_leaves_at_a_new_low() -> None:
    free, held = (signals(breakout(LEAST), CLOSES, is_holding=each) for each in (False, True))
    assert [number for number, signal in enumerate(free) if signal] == [4, 6]
    assert {signal for signal in free if signal} == {Signal.ENTER}
    leaves = [number for number, signal in enumerate(held) if signal is Signal.LEAVE]
    assert leaves == [8, 9, 10]


def test_the_example_is_warm_when_its_longer_channel_is() -> None:
    assert breakout({}).warmup == 20
    assert breakout({"enter": 5, "leave": 9}).warmup == 9


def test_the_example_s_settings_are_in_order(place: Place) -> None:
    copied(place)
    assert place.say("config", "check").code == 0


def test_the_example_trades_as_it_says(place: Place) -> None:
    """52 USDT are risked over the 26 that lie between price and stop."""
    entry, left = traded(place, entries_max=1)
    assert entry.role is Role.ENTRY
    assert (entry.decision_price, entry.amount) == decimals(104, 2)
    assert left.role is Role.EXIT
    assert (left.reason, left.decision_price) == ("strategy", Decimal(102))


def test_the_example_adds_at_the_next_high_down_to_the_same_stop(place: Place) -> None:
    """The second high is 29 above the stop; both entries are left together."""
    first, added, left = traded(place, entries_max=3)
    assert (added.role, added.position_id) == (Role.ENTRY, first.position_id)
    assert added.decision_price == 107
    assert Decimal("1.79") < added.amount < Decimal("1.80")
    assert left.amount == plus(first.amount, added.amount)


def traded(place: Place, entries_max: int) -> list[Order]:
    """Run the example in a process of its own over the hand-made closes; return its orders."""
    copied(place)
    prices = [100] * 20 + CLOSES[4:]
    candles = [
        f"{BEGIN_S + 60 * number},{before},{max(before, close)},{min(before, close)},{close},1000"
        for number, (before, close) in enumerate(pairwise([100, *prices]))
    ]
    write(place.folder, [HEADER, *candles])
    ran = place.run(
        "--json",
        AEGIS_MARKET__SOURCE="replay",
        AEGIS_MARKET__PATH="candles.csv",
        AEGIS_MARKET__SPEED="0",
        AEGIS_PAPER__SPREAD_BPS="0",
        AEGIS_PAPER__SLIPPAGE_BPS="0",
        AEGIS_PAPER__FEE_RATE="0",
        AEGIS_STRATEGY__PARAMS__LEAVE="2",
        AEGIS_SIZING__VALUE="0.52",
        AEGIS_RISK__STOP_LOSS_PCT="25",
        AEGIS_RISK__ENTRIES_PER_POSITION_MAX=str(entries_max),
    )
    assert ran.code == 0, ran.err
    assert ran.json["trades"] == 1
    return orders(place)


def copied(place: Place) -> None:
    for name in ("config.toml", "donchian_breakout.py"):
        shutil.copy(EXAMPLES / name, place.folder / name)


def orders(place: Place) -> list[Order]:
    found = look(place.folder / "data" / "donchian.db").orders.values()
    return sorted(found, key=lambda order: order.intended_at)
