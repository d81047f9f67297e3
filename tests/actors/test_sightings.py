"""Since when a difference has been seen, over all looks: what is new, old, or was gone."""

from __future__ import annotations

import pytest

from actors.sightings import SECOND_LOOK_AFTER_S, UNWATCHED_S_MAX, Sightings
from aegis.domain.findings import Finding, not_ours

LAG_S = 10.0
ORDER = not_ours(("order", "1"), "order 1", "sell 1 BTC/USDT")
OTHER = not_ours(("order", "2"), "order 2", "sell 1 BTC/USDT")
TOLD = Finding(key=("trade", "3"), discrepancy=ORDER.discrepancy, is_told=True)


def seen(*looks: tuple[float, tuple[Finding, ...]]) -> Sightings:
    sightings = Sightings(LAG_S)
    for at_s, findings in looks:
        sightings.see(findings, at_s)
    return sightings


def test_what_is_new_has_to_be_seen_for_as_long_as_reads_may_lag() -> None:
    sightings = seen((100, (ORDER,)))
    assert sightings.due_s((ORDER,), 100) == LAG_S
    assert sightings.settled((ORDER,), 100) == ()


def test_what_the_exchange_told_waits_for_no_lag() -> None:
    sightings = seen((100, (TOLD,)))
    assert sightings.due_s((TOLD,), 100) == SECOND_LOOK_AFTER_S


def test_what_stood_since_before_is_due_at_once() -> None:
    sightings = seen((100, (ORDER,)), (100 + LAG_S, (ORDER, OTHER)))
    assert sightings.settled((ORDER, OTHER), 100 + LAG_S) == (ORDER,)
    assert sightings.due_s((ORDER, OTHER), 100 + LAG_S) == LAG_S


def test_what_was_gone_in_between_is_new() -> None:
    sightings = seen((100, (ORDER,)), (105, ()), (111, (ORDER,)))
    assert sightings.settled((ORDER,), 111) == ()


@pytest.mark.parametrize(("gap_s", "is_old"), [(UNWATCHED_S_MAX, True), (121.0, False)])
def test_what_nobody_looked_for_is_new(gap_s: float, *, is_old: bool) -> None:
    sightings = seen((100, (ORDER,)), (100 + gap_s, (ORDER,)))
    assert bool(sightings.settled((ORDER,), 100 + gap_s)) is is_old


def test_nothing_is_due_where_nothing_differs() -> None:
    assert seen((100, ())).due_s((), 100) == 0
