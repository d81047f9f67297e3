"""The checks that need nothing but the book."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.commands import Command, RaiseStop
from aegis.domain.diagnose import missing_stops, stuck_positions
from aegis.domain.ids import Instant
from aegis.domain.judgement import what_was_done
from aegis.domain.position import StopPolicy
from tests.domain.kit import START, Desk, entry, seconds

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
