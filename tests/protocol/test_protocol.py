"""The order protocol walked through every order of troubles: nothing it must never do, it does.

`python -m tests.protocol` says how far that went, and shows each mutant's way to ruin.
"""

from __future__ import annotations

import pytest

from aegis.dialogue import RequestRefused
from aegis.domain import intents, risk, second
from aegis.domain import leaving as leaving_of_domain
from aegis.domain.order import OrderState
from tests.domain.kit import BTC
from tests.protocol import life
from tests.protocol.explore import Found, Walked, calm_end, played, walk
from tests.protocol.log import forget_all
from tests.protocol.moves import moves
from tests.protocol.mutants import DEPOSITED, LOST_EXIT, MUTANTS, SKEWED
from tests.protocol.world import (
    AMOUNT,
    GROUND,
    PERSONAL,
    Ground,
    World,
    entering,
    leaving,
    protected,
    replace,
)


def beside_owner(troubles: int) -> World:
    return leaving(troubles, owned=2)


OVERSELLING = replace(DEPOSITED, may_oversell=True)
DEPOSIT = "the owner brings coins"


def before_a_deposit(troubles: int) -> World:
    """Return a world where coins came after an exit went out of sight, which may still come."""
    return played(leaving(troubles + 2), DEPOSITED, *LOST_EXIT, DEPOSIT)


def deposited_too_late(troubles: int) -> World:
    """Return a world where coins came when a second exit had its leave: both may be carried out."""
    script = (*LOST_EXIT, "is intended", DEPOSIT)
    return played(leaving(troubles + 2), OVERSELLING, *script)


def beside_dust(troubles: int) -> World:
    """Return a world where a second exit is wanted beside one that is out of sight."""
    return played(leaving(troubles + 1, dust=1), GROUND, *LOST_EXIT, "is intended")


def protected_beside_owner(troubles: int) -> World:
    return protected(troubles, owned=2)


FEW, IMPATIENT = replace(GROUND, exits_max=1), replace(GROUND, exits_max=1, may_lose_patience=True)
FEW_PERSONAL = replace(PERSONAL, exits_max=1)
CALLED_OFF = ("starts again", "an exit is intended", "the stop is called off", "is looked up")


def past_silence(troubles: int) -> World:
    """Return a world where an exit went past a stop whose cancel is on its way."""
    return played(protected(troubles), IMPATIENT, *CALLED_OFF, "has waited for long")


def past_coins_that_came(troubles: int) -> World:
    """Return a world where coins came, and were seen, after a stop that was alone is called off."""
    ground = replace(IMPATIENT, has_deposits=True)
    script = (*CALLED_OFF, "the owner brings coins", "reconciles")
    return played(protected(troubles + 1), ground, *script)


WALKS = {
    "an entry": (entering, GROUND, 1, 3),
    "an exit": (leaving, GROUND, 1, 2),
    "an exit beside coins of the owner": (beside_owner, FEW, 1, 2),
    "two exits beside our own dust": (beside_dust, GROUND, 1, 2),
    "an exit out of sight, and a deposit": (before_a_deposit, DEPOSITED, 0, 1),
    "two exits, and a deposit that they sell": (deposited_too_late, OVERSELLING, 0, 1),
    "an exit past a stop at the exchange": (protected, FEW, 0, 1),
    "an exit past a stop, beside coins of the owner": (protected_beside_owner, IMPATIENT, 0, 1),
    "an exit past a stop that is silent": (past_silence, IMPATIENT, 0, 1),
    "an exit past a silent stop, coins seen since": (past_coins_that_came, IMPATIENT, 0, 1),
    "an entry, clocks further apart": (entering, SKEWED, 1, 2),
    "an entry where no request is ever late": (entering, PERSONAL, 1, 2),
    "an exit where no request is ever late": (leaving, FEW_PERSONAL, 1, 2),
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
        (leaving(1), FEW_PERSONAL, LOST, [OrderState.FILLED, OrderState.NEEDS_HUMAN]),
    ],
    ids=["absence is proved", "a person is asked", "a person is asked about an exit"],
)
def test_what_was_lost_ends_as_the_exchange_lets_it(
    begin: World, ground: Ground, script: tuple[str, ...], expected: list[OrderState]
) -> None:
    ended = calm_end(played(begin, ground, *script), ground)
    assert [order.state for order in ended.log.book.orders.values()] == expected


def test_a_second_exit_goes_beside_one_out_of_sight_and_the_balance_is_its_bound() -> None:
    world = played(leaving(1), GROUND, *LOST_EXIT, "is intended")
    both = played(world, GROUND, "carries", "carries")
    answers = [each.answer for each in both.flying]
    assert [type(each.client_order_id) for each in both.venue.orders] == [str, str]
    assert any(isinstance(a, RequestRefused) and a.code == "insufficient_funds" for a in answers)


def test_no_second_exit_goes_where_coins_of_the_owner_could_be_sold() -> None:
    world = played(leaving(1, owned=2), GROUND, *LOST_EXIT)
    assert not [what for what, _ in moves(world, GROUND) if "is intended" in what]


def test_a_second_exit_that_ignores_the_owner_s_coins_sells_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (risk, intents, leaving_of_domain):
        monkeypatch.setattr(module, "may_go_second", lambda _book, order, _: not order.adds)
    forget_all()
    try:
        found = walk(leaving(1, owned=2), GROUND)
    finally:
        forget_all()
    assert isinstance(found, Found)
    assert "own orders hold -2 coins" in found.fault


def _walked_without(
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    instead: object,
    begin: World,
    *,
    ground: Ground = FEW,
) -> Found | Walked:
    """Walk with one rule of the domain's put out of force."""
    monkeypatch.setattr(module, name, instead)
    forget_all()
    try:
        return walk(begin, ground)
    finally:
        forget_all()


def test_an_exit_that_does_not_wait_for_the_stop_s_end_sells_the_owner_s_coins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = protected_beside_owner(0)
    found = _walked_without(monkeypatch, intents, "stop_in_the_way", lambda *_: None, begin)
    assert isinstance(found, Found)
    assert "own orders hold -" in found.fault


def test_no_exit_goes_past_a_silent_stop_where_coins_of_the_owner_could_be_sold() -> None:
    waiting = played(protected_beside_owner(0), IMPATIENT, *CALLED_OFF)
    assert played(waiting, IMPATIENT, "has waited for long").log == waiting.log
    gone = played(played(protected(0), IMPATIENT, *CALLED_OFF), IMPATIENT, "has waited for long")
    assert [each.state for each in gone.log.book.active_orders()] == [
        OrderState.CANCELING,
        OrderState.SUBMITTING,
    ]


def test_none_goes_past_it_either_where_such_coins_came_since_and_look_like_ours() -> None:
    came = past_coins_that_came(1)
    taken_for_the_owners = ("fills by one", "fills by one", "reconciles, late")
    waiting = played(came, IMPATIENT, *taken_for_the_owners)
    assert waiting.log.book.account.balances[BTC] == AMOUNT  # as much as is held
    assert played(waiting, IMPATIENT, "has waited for long").log == waiting.log


def test_an_exit_that_goes_past_any_silent_stop_sells_the_owner_s_coins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = protected_beside_owner(0)
    found = _walked_without(
        monkeypatch, second, "_has_others", lambda *_: False, begin, ground=IMPATIENT
    )
    assert isinstance(found, Found)
    assert "own orders hold -" in found.fault


def test_an_exit_that_nobody_asks_for_again_after_the_stop_s_end_never_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = _walked_without(monkeypatch, life, "released", lambda *_: (), protected(0))
    assert isinstance(found, Found)
    assert "INTENT" in found.fault
