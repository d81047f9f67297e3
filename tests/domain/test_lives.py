"""When a position was held, asked at a close: the same answer then and at any time after."""

from __future__ import annotations

import pytest

from aegis.domain.commands import ArmStrategy
from aegis.domain.ids import Generation, Instant, PositionId
from aegis.domain.lives import Life, Lives, Taught, taught_by
from aegis.domain.order import OrderStep
from tests.domain.kit import BTC_USDT, ETH_USDT, START, Desk, entry, seconds


def at(second: int) -> Instant:
    return Instant(START + seconds(second))


def life(began: int, ended: int | None = None) -> Life:
    return Life(
        position_id=PositionId(f"p-{began}"),
        symbol=BTC_USDT,
        began_at=at(began),
        ended_at=None if ended is None else at(ended),
    )


@pytest.mark.parametrize(
    ("close", "is_held"),
    [
        pytest.param(59, False, id="before"),
        pytest.param(60, False, id="decided at this very close"),
        pytest.param(61, True, id="after its intent"),
        pytest.param(120, True, id="ended at this very instant, so after the close"),
        pytest.param(121, False, id="after its end"),
    ],
)
def test_a_position_is_held_past_its_intent_up_to_its_end(close: int, is_held: bool) -> None:  # noqa: FBT001  the case's answer
    assert Lives([life(60, 120)]).held_at(BTC_USDT, at(close)) is is_held


def test_a_position_that_is_alive_is_held_from_its_intent_on() -> None:
    assert Lives([life(60)]).held_at(BTC_USDT, at(10**9))


def test_each_of_many_lives_is_seen_in_its_turn() -> None:
    lives = Lives([life(0, 10), life(30, 40), life(40, 40), life(41)])
    asked = [5, 10, 20, 31, 40, 41, 42]
    held = [lives.held_at(BTC_USDT, at(second)) for second in asked]
    assert held == [True, True, False, True, True, False, True]


def test_another_symbol_s_position_is_not_held() -> None:
    assert not Lives([life(0)]).held_at(ETH_USDT, at(5))


def followed(desk: Desk) -> Lives:
    lives = Lives()
    for recorded in desk.log:
        lives.follow(recorded)
    return lives


def test_the_log_s_events_make_the_lives() -> None:
    desk = Desk().funded()
    desk.waits(60)
    desk.holding()
    desk.waits(60)
    desk.left()
    desk.waits(60)
    desk.holding()
    lives = followed(desk)
    held = [lives.held_at(BTC_USDT, at(second)) for second in (60, 61, 120, 121, 180, 181)]
    assert held == [False, True, True, False, False, True]


def test_an_entry_that_came_to_nothing_lived_until_it_was_void() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry(at=desk.now))
    desk.waits(5)
    desk.ends(order, OrderStep.CANCEL)
    lives = followed(desk)
    assert [lives.held_at(BTC_USDT, at(second)) for second in (0, 5, 6)] == [False, True, False]


# What a strategy was taught ---------------------------------------------------------------


def arming(strategy: str, since: int) -> ArmStrategy:
    return ArmStrategy(
        generation=Generation(1), strategy=strategy, taught_since={BTC_USDT: at(since)}
    )


def test_the_last_arming_says_since_when_and_the_first_from_when_on() -> None:
    desk = Desk()
    desk.does(arming("crosses", 50))
    desk.waits(100)
    desk.does(arming("beats", 100))
    desk.does(arming("crosses", 20))
    assert taught_by(desk.log, "crosses") == {BTC_USDT: Taught(since=at(20), armed_at=START)}


def test_an_arming_of_an_old_log_teaches_nothing() -> None:
    desk = Desk()
    desk.does(ArmStrategy(generation=Generation(1), strategy="crosses"))
    assert taught_by(desk.log, "crosses") == {}
