"""What is to be sold and cannot be: since when, how often, why, and what is in the way."""

from __future__ import annotations

import msgspec
import pytest

from aegis.domain.account import Account
from aegis.domain.commands import EndOrder
from aegis.domain.findings import not_ours
from aegis.domain.money import ZERO
from aegis.domain.order import OrderStep
from aegis.domain.unsold import Unsold, alarm_of_unsold, told_unsold, unsold_in
from tests.domain.kit import BTC, USDT, Desk, exit_of, reconciled

WHY = "insufficient_funds: code 306"


def refused(desk: Desk, times: int = 1, why: str = WHY) -> None:
    """Let exits be sent, and refused one after another, a second apart."""
    for _ in range(times):
        desk.waits(1)
        order = desk.submitted(exit_of(desk.position()))
        key = order.client_order_id
        desk.does(EndOrder(client_order_id=key, step=OrderStep.REJECT, filled=ZERO, reason=why))


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.holding()
    return desk


def found(desk: Desk) -> Unsold:
    (only,) = unsold_in(desk.book)
    return only


def test_a_row_of_exits_that_sold_nothing_is_told_with_its_beginning_and_last_end(
    desk: Desk,
) -> None:
    began = desk.now
    refused(desk, 2)
    refused(desk, 3, "key_denied: HTTP 401")
    seen = found(desk)
    assert (seen.tries, seen.why) == (5, "key_denied: HTTP 401")
    assert began < seen.since < desk.now
    assert seen.since == desk.book.orders_of(seen.position_id)[1].ended_at


def test_one_refusal_may_be_a_moment_s(desk: Desk) -> None:
    refused(desk)
    assert list(unsold_in(desk.book)) == []


def test_one_refusal_is_told_where_the_exchange_does_not_trade_the_symbol(desk: Desk) -> None:
    refused(desk, why="unknown_symbol: HTTP 400, code 209")
    assert found(desk).tries == 1
    assert told_unsold(found(desk)).endswith("209; the exchange does not trade it")


def test_an_exit_that_sells_a_part_ends_the_row(desk: Desk) -> None:
    refused(desk, 4)
    sold = desk.accepted(exit_of(desk.position()))
    desk.fills(sold, "0.5", "98")
    assert list(unsold_in(desk.book)) == []
    desk.ends(sold, OrderStep.CANCEL)
    refused(desk, 2)
    assert found(desk).tries == 2


def test_an_exit_under_way_is_none_that_failed(desk: Desk) -> None:
    refused(desk, 2)
    desk.unknown(exit_of(desk.position()))
    assert found(desk).tries == 2


def test_what_a_crash_kept_from_leaving_says_nothing(desk: Desk) -> None:
    for _ in range(3):
        desk.ends(desk.intended(exit_of(desk.position())), OrderStep.EXPIRE)
    assert list(unsold_in(desk.book)) == []


def test_what_was_left_is_told_no_more(desk: Desk) -> None:
    refused(desk, 3)
    desk.left()
    assert list(unsold_in(desk.book)) == []


def test_one_notice_is_sent_for_a_row(desk: Desk) -> None:
    alarms = []
    for _ in range(6):
        refused(desk)
        alarms.append(alarm_of_unsold(desk.book, desk.position().position_id))
    assert [alarm is not None for alarm in alarms] == [False, False, True, False, False, False]
    assert alarms[2] is not None
    assert WHY in alarms[2].text


def test_an_order_of_the_owner_s_that_locks_its_coins_is_named(desk: Desk) -> None:
    refused(desk, 2)
    assert "locks" not in told_unsold(found(desk))
    sale = not_ours(("order", "7"), "order 7", "sell 1 BTC/USDT", BTC).discrepancy
    bid = not_ours(("order", "8"), "order 8", "buy 1 BTC/USDT", USDT).discrepancy
    reconciled(desk, sale, bid)
    assert "order 7, not of AEGIS, locks its coins" in told_unsold(found(desk))
    reconciled(desk, bid)
    assert "locks" not in told_unsold(found(desk))
    reconciled(desk)
    assert desk.book.account.locks is msgspec.UNSET


def test_an_account_without_locks_is_written_as_before_there_were_any() -> None:
    assert b"locks" not in msgspec.json.encode(Account())
