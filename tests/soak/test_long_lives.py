"""What a day, a month and ten minutes leave behind: the truth, readable lines, and no memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.ids import Coin
from aegis.domain.statistics.summary import summarize
from aegis.store.measuring import read_measures
from aegis.store.verify import verify
from tests.soak.lives import Life, live_on_the_clock, live_seeded
from tests.store.reckoned import Reckoned, expect_equal

BLOCKS_A_TRADE_MAX = 3
"""Of memory that a trade may leave behind; it was 28 while cancelled timers were kept."""

RESIDENT_GROWTH_KB_MAX = 4_000
"""Between a settled life and its end; the first month on a seed once grew by 5,000."""

LEVELS = {"debug", "info", "warning", "error"}


KINDS = [
    "day",
    "seconds",
    pytest.param("minutes", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
]


@pytest.fixture(scope="module", params=KINDS)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp(request.param)
    match request.param:
        case "day":
            return live_seeded(folder, 24)
        case "seconds":
            return live_on_the_clock(folder, 6)
        case _:
            return live_on_the_clock(folder, 600)


def test_it_ends_in_peace(life: Life) -> None:
    assert life.exit_code == 0


def test_its_store_is_proved(life: Life) -> None:
    verification = verify(life.store)

    assert verification.problems == ()
    assert verification.positions > 0


def test_its_figures_are_those_of_its_fills(life: Life) -> None:
    found = read_measures(life.store, Coin("USDT"))
    summary = summarize(found.closed, alive=found.alive, path=found.path)

    assert summary.trades > 0
    expect_equal(summary, Reckoned(life.store))


def test_every_line_of_its_log_is_a_fact(life: Life) -> None:
    lines = life.lines()

    assert lines
    for line in lines:
        assert line["level"] in LEVELS, line
        assert line["event"], line
        assert line["ts"].endswith("Z"), line


def test_nothing_goes_wrong_in_it(life: Life) -> None:
    assert [line for line in life.lines() if line["level"] == "error"] == []


def test_it_leaves_no_memory_behind(life: Life) -> None:
    settled = life.settled
    assert settled[-1].resident_kb - settled[0].resident_kb < RESIDENT_GROWTH_KB_MAX


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_month_leaves_no_memory_behind_for_its_trades(tmp_path: Path) -> None:
    month = live_seeded(tmp_path, 30 * 24)

    settled = month.settled
    first, last = settled[0].blocks, settled[-1].blocks
    assert first is not None
    assert last is not None
    trades = verify(month.store).positions * len(settled) // len(month.samples)
    assert trades > 500
    assert last - first < BLOCKS_A_TRADE_MAX * trades
