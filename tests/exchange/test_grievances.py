"""What the store would not have is told when it is new, and then ever more rarely."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from aegis.domain.commands import Refusal
from aegis.exchange.grievances import AGAIN_AFTER_S, AGAIN_AFTER_S_MAX, Grievances
from aegis.exchange.outcomes import LOOK_AFTER_S_LOST_MAX, pause_s
from tests.domain.kit import Desk, entry

KEY = entry().client_order_id
WRONG = Refusal(code="bad_fill", text="t-1")


def test_what_repeats_is_told_at_pauses_that_double() -> None:
    told = Grievances()
    due = [second for second in range(8 * 3600) if told.is_due(KEY, WRONG, float(second))]
    pauses = [after - before for before, after in pairwise(due)]
    assert pauses[:3] == [AGAIN_AFTER_S, 2 * AGAIN_AFTER_S, 4 * AGAIN_AFTER_S]
    assert max(pauses) == AGAIN_AFTER_S_MAX


def test_what_is_new_is_told_at_once() -> None:
    told = Grievances()
    other = replace(WRONG, text="t-2")
    assert [told.is_due(KEY, each, 0.0) for each in (WRONG, WRONG, other)] == [True, False, True]


def test_what_comes_back_after_news_of_the_order_is_new() -> None:
    told = Grievances()
    assert told.is_due(KEY, WRONG, 0.0)
    told.forget(KEY)
    assert told.is_due(KEY, WRONG, 1.0)


@pytest.mark.parametrize(("is_misfit", "most_s"), [(False, 2.0), (True, LOOK_AFTER_S_LOST_MAX)])
def test_what_the_store_would_not_have_is_looked_at_ever_more_rarely(
    *, is_misfit: bool, most_s: float
) -> None:
    desk = Desk().funded()
    order = desk.order(desk.accepted(entry()))
    waits = [pause_s(order, looks, 2.0, is_misfit=is_misfit) for looks in range(1, 20)]
    assert waits == sorted(waits)
    assert waits[-1] == most_s
