"""What an exit waits for: a first look, bounded, and a person where coins may have been sold."""

from __future__ import annotations

import msgspec
import pytest

from aegis.domain.account import Account
from aegis.domain.events import ReconciliationCompleted
from aegis.domain.first_look import ALARM_AFTER_S, WITHIN_S, FirstLook, Wait
from aegis.domain.ids import NANOS_PER_SECOND, Generation, Instant
from aegis.domain.position import Position
from tests.domain.kit import ETH_USDT, Desk, orphan

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


def seen(position: Position | None = None, *, is_dry_run: bool = False) -> ReconciliationCompleted:
    """Return a comparison that found orders unknown here, which may have sold of a position."""
    return ReconciliationCompleted(
        generation=Generation(1),
        trigger="start",
        exchange_positions=1,
        local_positions=1,
        discrepancies=() if position is None else (orphan("o", of=position),),
        is_dry_run=is_dry_run,
    )


def test_a_store_that_was_not_restored_waits_for_a_bounded_time(
    look: FirstLook, held: Position
) -> None:
    assert look.hold(FRESH, held, TOO_LATE - 1) is not None
    assert look.hold(FRESH, held, TOO_LATE) is None


def test_a_restored_one_waits_for_the_look_itself(look: FirstLook, held: Position) -> None:
    assert look.hold(RESTORED, held, TOO_LATE * 100) is not None
    look.see(seen())
    assert look.hold(RESTORED, held, BEGAN) is None


def test_where_unknown_orders_stood_before_the_look_itself_is_waited_for(
    look: FirstLook, held: Position
) -> None:
    here = Account(orphans=("o",), blocked=(held.symbol,))
    elsewhere = Account(orphans=("o",), blocked=(ETH_USDT,))
    assert look.hold(here, held, TOO_LATE) is not None
    assert look.hold(elsewhere, held, TOO_LATE) is None
    look.see(seen())
    assert look.hold(here, held, BEGAN) is None


def test_a_dry_run_is_no_look(look: FirstLook, held: Position) -> None:
    look.see(seen(is_dry_run=True))
    assert look.hold(RESTORED, held, TOO_LATE) is not None


def test_what_may_have_been_sold_waits_until_a_later_look_finds_it_settled(
    look: FirstLook, held: Position
) -> None:
    look.see(seen(held))
    assert "run.py recover" in str(look.hold(FRESH, held, TOO_LATE))
    look.see(seen())
    assert look.hold(FRESH, held, TOO_LATE) is None


def test_another_position_does_not_wait_for_it(look: FirstLook, held: Position) -> None:
    look.see(seen(msgspec.structs.replace(held, position_id="another")))
    assert look.hold(FRESH, held, BEGAN) is None


def test_a_wait_is_news_once_and_an_alarm_once_it_lasts(look: FirstLook, held: Position) -> None:
    def told(after_s: int) -> tuple[bool, bool]:
        wait = look.wait(RESTORED, held, BEGAN + after_s * SECOND)
        assert isinstance(wait, Wait)
        return wait.is_news, wait.alarm is not None

    assert told(0) == (True, False)
    assert told(ALARM_AFTER_S - 1) == (False, False)
    assert told(ALARM_AFTER_S) == (False, True)
    assert told(100 + ALARM_AFTER_S) == (False, False)
