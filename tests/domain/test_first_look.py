"""What an exit waits for: a first look, bounded, and a person where coins may have been sold."""

from __future__ import annotations

import msgspec
import pytest

from aegis.domain.account import Account
from aegis.domain.first_look import ALARM_AFTER_S, WITHIN_S, FirstLook, Wait
from aegis.domain.ids import NANOS_PER_SECOND, Instant, PositionId
from aegis.domain.position import Position
from tests.domain.kit import ETH_USDT, Desk

SECOND = NANOS_PER_SECOND
BEGAN, LAG = 100 * SECOND, 5 * SECOND
TOO_LATE = BEGAN + LAG + WITHIN_S * SECOND
FRESH, RESTORED = Account(), Account(restored_at=Instant(1))


@pytest.fixture
def held() -> Position:
    return Desk().funded().holding()


@pytest.fixture
def look() -> FirstLook:
    return FirstLook(began_ns=BEGAN, lag_ns=LAG)


def doubting(position: Position) -> Account:
    """Return the books where orders that are unknown here may have sold of a position."""
    return Account(doubted=(position.position_id,))


def test_a_store_that_was_not_restored_waits_for_a_bounded_time(
    look: FirstLook, held: Position
) -> None:
    assert look.hold(FRESH, held, TOO_LATE - 1) is not None
    assert look.hold(FRESH, held, TOO_LATE) is None


def test_a_restored_one_waits_for_the_look_itself(look: FirstLook, held: Position) -> None:
    assert look.hold(RESTORED, held, TOO_LATE * 100) is not None
    look.see(FRESH)
    assert look.hold(RESTORED, held, BEGAN) is None


def test_where_unknown_orders_stood_before_the_look_itself_is_waited_for(
    look: FirstLook, held: Position
) -> None:
    here = Account(orphans=("o",), blocked=(held.symbol,))
    elsewhere = Account(orphans=("o",), blocked=(ETH_USDT,))
    assert look.hold(here, held, TOO_LATE) is not None
    assert look.hold(elsewhere, held, TOO_LATE) is None
    look.see(FRESH)
    assert look.hold(here, held, BEGAN) is None


def test_what_may_have_been_sold_waits_until_a_later_look_finds_it_settled(
    look: FirstLook, held: Position
) -> None:
    assert "run.py recover" in str(look.hold(doubting(held), held, TOO_LATE))
    assert look.hold(FRESH, held, TOO_LATE) is None


def test_another_position_does_not_wait_for_it(look: FirstLook, held: Position) -> None:
    other = msgspec.structs.replace(held, position_id=PositionId("another"))
    assert look.hold(doubting(other), held, TOO_LATE) is None


def test_a_doubt_that_comes_back_is_told_and_alarmed_again(look: FirstLook, held: Position) -> None:
    doubted = doubting(held)
    for began in (BEGAN, 2 * BEGAN):
        look.see(doubted)
        first = look.wait(doubted, held, began)
        last = look.wait(doubted, held, began + ALARM_AFTER_S * SECOND)
        assert first is not None
        assert last is not None
        assert (first.is_news, first.alarm, last.is_news) == (True, None, False)
        assert last.alarm is not None
        look.see(FRESH)


def test_a_wait_is_news_once_and_an_alarm_once_it_lasts(look: FirstLook, held: Position) -> None:
    def told(after_s: int) -> tuple[bool, bool]:
        wait = look.wait(RESTORED, held, BEGAN + after_s * SECOND)
        assert isinstance(wait, Wait)
        return wait.is_news, wait.alarm is not None

    assert told(0) == (True, False)
    assert told(ALARM_AFTER_S - 1) == (False, False)
    assert told(ALARM_AFTER_S) == (False, True)
    assert told(100 + ALARM_AFTER_S) == (False, False)
