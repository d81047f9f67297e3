"""The clocks and the market's news."""

from __future__ import annotations

import pytest

from aegis.domain.ids import Instant
from aegis.domain.surroundings import STEP_S_MAX, Clocks, stale_symbols, stepped
from tests.domain.kit import BTC_USDT, ETH_USDT, START, seconds

BEFORE = Clocks(wall_ns=seconds(1_000), monotonic_ns=seconds(50))


def after(passed_s: int, step_s: int) -> Clocks:
    return Clocks(
        wall_ns=BEFORE.wall_ns + seconds(passed_s + step_s),
        monotonic_ns=BEFORE.monotonic_ns + seconds(passed_s),
    )


@pytest.mark.parametrize("step_s", [0, STEP_S_MAX, -STEP_S_MAX])
def test_clocks_that_go_together_are_well(step_s: int) -> None:
    assert stepped(BEFORE, after(3600, step_s), START, START).result.status == "ok"


@pytest.mark.parametrize(
    ("step_s", "said"),
    [(-3600, "back by 3600 s"), (7200, "ahead by 7200 s"), (STEP_S_MAX + 1, "ahead by 6 s")],
)
def test_a_wall_clock_that_stepped_is_told(step_s: int, said: str) -> None:
    assert said in stepped(BEFORE, after(3600, step_s), START, START).result.details


@pytest.mark.parametrize(("ahead_s", "status"), [(STEP_S_MAX, "ok"), (STEP_S_MAX + 1, "finding")])
def test_a_store_ahead_of_its_clock_is_told(ahead_s: int, status: str) -> None:
    last = Instant(START + seconds(ahead_s))
    assert stepped(BEFORE, after(1, 0), last, START).result.status == status


def test_silent_symbols_are_named() -> None:
    found = stale_symbols((BTC_USDT, ETH_USDT), 45).result
    assert found.details == "no news for over 45 s: BTC/USDT, ETH/USDT"
    assert stale_symbols((), 45).result.status == "ok"
