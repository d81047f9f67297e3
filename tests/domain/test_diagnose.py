"""The checks that need nothing but the book."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import Command, MarkPosition, RaiseAlarm, RaiseStop
from aegis.domain.diagnose import (
    differences,
    excesses,
    kept_exits,
    lost_orders,
    missing_stops,
    stuck_positions,
)
from aegis.domain.ids import Instant
from aegis.domain.judgement import what_was_done
from aegis.domain.position import StopPolicy
from tests.domain.kit import (
    BTC_USDT,
    LIMITS,
    START,
    Desk,
    entry,
    exit_of,
    seconds,
    stop_at_exchange,
)

WEEK_S = 7 * 86_400


@pytest.mark.parametrize(("age_s", "status"), [(WEEK_S, "ok"), (WEEK_S + 1, "finding")])
def test_a_position_open_for_longer_than_it_should_be_is_flagged(age_s: int, status: str) -> None:
    desk = Desk()
    held = desk.holding()
    found = stuck_positions(desk.book, Instant(START + seconds(age_s)), 7)
    result, remedies = found.result, found.remedies
    assert (result.check, result.status, remedies) == ("stuck", status, ())
    assert (held.position_id in result.details) is (status == "finding")


def test_nothing_is_stuck_where_nothing_is_open() -> None:
    desk = Desk()
    desk.holding()
    desk.left()
    found = stuck_positions(desk.book, Instant(START + seconds(10 * WEEK_S)), 7)
    assert found.result.status == "ok"


def test_a_position_with_the_stop_of_its_policy_is_no_finding() -> None:
    desk = Desk()
    desk.holding()
    assert missing_stops(desk.book).result.status == "ok"


def bare(policy: StopPolicy) -> Desk:
    desk = Desk()
    held = desk.holding("1", "100", policy)
    desk.book.keep_position(msgspec.structs.replace(held, stop_price=None))
    return desk


@pytest.mark.parametrize(
    ("stop", "trailing", "price"), [("2", "0", 98), ("0", "5", 95), ("2", "1", 99)]
)
def test_a_position_without_the_stop_of_its_policy_gets_it(
    stop: str, trailing: str, price: int
) -> None:
    desk = bare(StopPolicy(stop_loss_pct=Decimal(stop), trailing_stop_pct=Decimal(trailing)))
    found = missing_stops(desk.book)
    result, remedies = found.result, found.remedies
    assert (result.check, result.status) == ("stops", "finding")
    for command in remedies:
        assert isinstance(command, Command)
        desk.does(command)
    assert desk.position().stop_price == price
    assert missing_stops(desk.book).result.status == "ok"


def test_a_policy_without_a_stop_is_lawful() -> None:
    found = missing_stops(bare(StopPolicy(stop_loss_pct=Decimal(0))).book)
    assert (found.result.status, found.remedies) == ("ok", ())


def test_what_has_not_opened_yet_needs_no_stop() -> None:
    desk = Desk()
    desk.accepted(entry("1"))
    assert missing_stops(desk.book).result.status == "ok"


def test_what_was_done_is_told_in_words() -> None:
    desk = bare(StopPolicy(stop_loss_pct=Decimal(2)))
    remedies = missing_stops(desk.book).remedies
    (command,) = remedies
    assert isinstance(command, RaiseStop)
    assert what_was_done(remedies) == f"set the stop of {command.position_id} to 98"


def test_a_stop_that_the_price_has_passed_is_told_before_it_is_set() -> None:
    desk = bare(StopPolicy(stop_loss_pct=Decimal(2)))
    desk.book.keep_position(msgspec.structs.replace(desk.position(), mark=Decimal(98)))
    alarm, stop = missing_stops(desk.book).remedies
    assert isinstance(alarm, RaiseAlarm)
    assert alarm.text == (
        "BTC/USDT has lost its stop of 98, and its price 98 is below it: leaving it now"
    )
    assert isinstance(stop, RaiseStop)


def test_a_stop_that_the_price_has_not_passed_is_set_without_an_alarm() -> None:
    desk = bare(StopPolicy(stop_loss_pct=Decimal(2)))
    desk.book.keep_position(msgspec.structs.replace(desk.position(), mark=Decimal("98.01")))
    assert [type(each) for each in missing_stops(desk.book).remedies] == [RaiseStop]


@pytest.mark.parametrize(("age_s", "status"), [(60, "ok"), (61, "finding")])
def test_an_order_unknown_for_too_long_is_flagged(age_s: int, status: str) -> None:
    desk = Desk().funded()
    order = desk.unknown(entry("1"))
    found = lost_orders(desk.book, Instant(START + seconds(age_s)), 60)
    assert (found.result.status, found.remedies) == (status, ())
    assert (order.client_order_id in found.result.details) is (status == "finding")


def test_an_order_that_the_exchange_knows_is_not_lost() -> None:
    desk = Desk().funded()
    desk.accepted(entry("1"))
    assert lost_orders(desk.book, Instant(START + seconds(WEEK_S)), 60).result.status == "ok"


def left_open(desk: Desk, **changes: object) -> str:
    """Return what is told of an account on which a reconciliation left something open."""
    desk.book.account = msgspec.structs.replace(desk.book.account, **changes)
    return differences(desk.book).result.details


def test_where_nothing_differs_there_is_no_finding() -> None:
    desk = Desk()
    desk.holding()
    assert differences(desk.book).result.status == "ok"


def test_a_symbol_that_differs_is_told() -> None:
    assert "BTC/USDT" in left_open(Desk(), blocked=(BTC_USDT,))


def test_what_is_asked_of_a_person_is_told_once_with_the_way_to_answer() -> None:
    desk = Desk()
    held = desk.holding()
    told = left_open(desk, blocked=(BTC_USDT,), unresolved={held.position_id: Decimal("0.5")})
    assert f"run.py resolve {held.position_id}" in told
    assert told.count("BTC/USDT") == 1


def test_orders_of_another_aegis_are_told_and_not_the_symbols_that_they_block() -> None:
    told = left_open(Desk(), blocked=(BTC_USDT,), orphans=("order x-9",))
    assert "order x-9" in told
    assert "differs" not in told


def test_what_is_within_the_limits_is_no_excess() -> None:
    desk = Desk().funded()
    desk.holding("10", "100")
    assert excesses(desk.book, LIMITS).result.status == "ok"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"open_positions_max": 0}, "1 positions, at most 0 may be open"),
        ({"exposure_max": Decimal(999)}, "more than 999 USDT is at risk"),
    ],
)
def test_what_is_beyond_a_limit_that_was_lowered_is_flagged(
    change: dict[str, object], said: str
) -> None:
    desk = Desk().funded()
    desk.holding("10", "100")
    limits = msgspec.structs.replace(LIMITS, **change)
    found = excesses(desk.book, limits)
    assert (found.result.details, found.remedies) == (said, ())


def test_an_entry_under_way_that_is_too_large_is_flagged() -> None:
    desk = Desk().funded()
    order = desk.accepted(entry("10", "100"))
    limits = msgspec.structs.replace(LIMITS, order_notional_max=Decimal(999))
    assert excesses(desk.book, limits).result.details == (
        f"larger than 999 USDT: {order.client_order_id}"
    )


@pytest.mark.parametrize(
    ("mark", "has_looked", "status"),
    [("97", False, "finding"), ("99", False, "ok"), ("97", True, "ok")],
)
def test_an_exit_that_is_due_and_waits_for_the_first_look_is_a_finding(
    mark: str, status: str, *, has_looked: bool
) -> None:
    desk = Desk()
    held = desk.holding()
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(mark)))
    result = kept_exits(desk.book, START, has_looked=has_looked).result
    assert result.status == status
    assert ("is due and waits" in result.details) is (status == "finding")


def test_an_exit_that_is_under_way_waits_no_more() -> None:
    desk = Desk()
    held = desk.holding()
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(97)))
    desk.accepted(exit_of(held))
    assert kept_exits(desk.book, START, has_looked=False).result.status == "ok"


@pytest.mark.parametrize(("age_s", "status"), [(9, "ok"), (10, "finding")])
def test_an_exit_that_is_not_sent_for_long_is_told_with_the_stop_in_its_way(
    age_s: int, status: str
) -> None:
    desk = Desk(keeps=True)
    held = desk.holding()
    stop = desk.accepted(stop_at_exchange(held))
    intended = desk.order(desk.intended(exit_of(held)))
    found = kept_exits(desk.book, Instant(intended.intended_at + seconds(age_s)), has_looked=True)
    assert found.result.status == status
    assert (f"{stop.client_order_id} rests" in found.result.details) is (status == "finding")
