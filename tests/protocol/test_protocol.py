"""The order protocol walked through every order of troubles: nothing it must never do, it does.

`python -m tests.protocol` says how far that went, and shows each mutant's way to ruin.
"""

from __future__ import annotations

import pytest

from aegis.domain.order import OrderState
from tests.protocol.explore import Found, Walked, calm_end, played, walk
from tests.protocol.mutants import MUTANTS, SKEWED
from tests.protocol.world import GROUND, PERSONAL, Ground, World, entering, leaving

WALKS = {
    "an entry": (entering, GROUND, 1, 3),
    "an exit": (leaving, GROUND, 1, 3),
    "an entry, clocks further apart": (entering, SKEWED, 1, 2),
    "an entry where no request is ever late": (entering, PERSONAL, 1, 2),
    "an exit where no request is ever late": (leaving, PERSONAL, 1, 2),
}
"""Where each begins, and how much may go wrong on each way through it, by default and at most."""


@pytest.mark.parametrize("name", WALKS)
def test_no_way_through_troubles_breaks_a_rule_or_gets_stuck(name: str) -> None:
    begin, ground, troubles, _ = WALKS[name]
    walked = walk(begin(troubles), ground)
    assert isinstance(walked, Walked), f"{name}: {walked}"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WALKS)
def test_no_way_through_more_troubles_breaks_a_rule_or_gets_stuck(name: str) -> None:
    begin, ground, _, most = WALKS[name]
    walked = walk(begin(most), ground)
    assert isinstance(walked, Walked), f"{name}: {walked}"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_found(name: str) -> None:
    mutant = MUTANTS[name]
    found = walk(mutant.begin, mutant.ground)
    assert isinstance(found, Found), f"{name} goes wrong in none of {found.worlds} worlds"


LOST = ("is intended", "is lost on its way")


@pytest.mark.parametrize(
    ("begin", "ground", "script", "expected"),
    [
        (entering(1), GROUND, LOST, [OrderState.NOT_PLACED]),
        (entering(1), PERSONAL, LOST, [OrderState.NEEDS_HUMAN]),
        (leaving(1), PERSONAL, LOST, [OrderState.FILLED, OrderState.NEEDS_HUMAN]),
    ],
    ids=["absence is proved", "a person is asked", "a person is asked about an exit"],
)
def test_what_was_lost_ends_as_the_exchange_lets_it(
    begin: World, ground: Ground, script: tuple[str, ...], expected: list[OrderState]
) -> None:
    ended = calm_end(played(begin, ground, *script), ground)
    assert [order.state for order in ended.log.book.orders.values()] == expected
