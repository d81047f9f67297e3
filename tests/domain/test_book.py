"""The book's indexes: what is alive, what is in flight, what may be forgotten."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from aegis.domain.account import Account
from aegis.domain.book import Book, Recalled
from aegis.domain.commands import RequestCancel
from aegis.domain.ids import SYSTEM_POSITION, EventId, PositionId
from aegis.domain.order import OrderState, OrderStep
from aegis.domain.position import Position, PositionStatus
from tests.domain.kit import (
    BTC_USDT,
    ETH_USDT,
    Desk,
    accept,
    book_of,
    end,
    entry,
    exit_of,
)


def test_a_symbol_has_its_alive_position() -> None:
    desk = Desk()
    held = desk.holding()
    assert desk.book.position_of(BTC_USDT) == held
    assert desk.book.position_of(ETH_USDT) is None
    assert desk.book.alive_positions() == (held,)


def test_orders_in_flight_are_those_that_have_not_ended() -> None:
    desk = Desk()
    desk.holding()
    other = desk.accepted(entry("1", symbol=ETH_USDT))
    assert [o.client_order_id for o in desk.book.active_orders()] == [other.client_order_id]
    assert desk.book.active_orders(desk.position().position_id) == ()
    assert desk.book.active_orders(other.position_id) == (desk.order(other),)


def test_a_position_counts_its_events() -> None:
    desk = Desk()
    held = desk.holding()
    assert desk.book.version_of(held.position_id) == held.version == 5
    assert desk.book.version_of(PositionId("nobody's")) == 0
    assert desk.book.version_of(SYSTEM_POSITION) == 0


def test_what_has_ended_is_forgotten_with_all_its_orders() -> None:
    desk = Desk()
    desk.holding()
    desk.left()
    assert desk.book.positions == {}
    assert desk.book.orders == {}


def test_what_is_alive_is_kept_with_its_ended_orders() -> None:
    desk = Desk()
    held = desk.holding()
    assert [o.state for o in desk.book.orders_of(held.position_id)] == [OrderState.FILLED]


def given_up() -> tuple[Desk, PositionId]:
    """Return a desk on which an order, given up for absent, has appeared."""
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    assert desk.book.positions == {}
    desk.does(accept(order))
    return desk, order.position_id


def test_an_order_that_was_given_up_and_appears_holds_its_position() -> None:
    desk, position = given_up()
    desk.book.forget_ended()
    assert desk.book.positions[position].status is PositionStatus.VOID
    assert [o.state for o in desk.book.active_orders(position)] == [OrderState.OPEN]


def test_it_is_forgotten_when_that_order_has_ended_too() -> None:
    desk, position = given_up()
    (order,) = desk.book.active_orders(position)
    desk.does(RequestCancel(client_order_id=order.client_order_id, reason="given up"))
    desk.ends(order, OrderStep.CANCEL)
    assert desk.book.positions == {}
    assert desk.book.orders == {}
    assert desk.names().count("PositionVoided") == 1


def test_what_is_recalled_has_all_its_orders() -> None:
    desk = Desk()
    held = desk.holding()
    desk.left()
    desk.recall(held.position_id)
    assert len(desk.book.orders_of(held.position_id)) == 2
    assert desk.book.active_orders() == ()


def test_what_is_held_already_is_not_recalled_over() -> None:
    desk = Desk()
    held = desk.holding()
    stale = Recalled(position=entry_less(), orders=())
    desk.book.recall(stale)
    assert desk.book.positions[held.position_id] == held


def entry_less() -> Position:
    other = Desk()
    other.intended(entry("1"))
    return other.position()


def test_what_was_recalled_is_forgotten_again() -> None:
    desk = Desk()
    held = desk.holding()
    desk.left()
    desk.recall(held.position_id)
    desk.book.forget_ended()
    assert desk.book.positions == {}


def test_a_copy_is_equal_and_a_book_of_its_own() -> None:
    desk = Desk()
    desk.holding()
    twin = desk.book.copy()
    assert vars(twin) == vars(desk.book)
    desk.left()
    assert twin.position_of(BTC_USDT) is not None
    assert twin.active_orders() == ()


def test_a_restored_book_is_the_one_that_was() -> None:
    desk = Desk().funded()
    desk.holding()
    desk.accepted(entry("1", symbol=ETH_USDT))
    book = desk.book
    twin = Book()
    twin.restore(book.account, book.positions.values(), book.orders.values(), book.last_event_id)
    assert vars(twin) == vars(book)


def test_an_empty_book_holds_nothing() -> None:
    book = Book()
    assert (book.account, book.last_event_id) == (Account(), 0)
    assert (book.alive_positions(), book.active_orders()) == ((), ())


# Following a log --------------------------------------------------------------------------


def test_the_next_event_follows_and_an_old_or_a_later_one_does_not() -> None:
    desk = Desk()
    desk.holding()
    book = book_of(desk.log[:3])
    assert [book.follows(recorded) for recorded in desk.log] == [False] * 3 + [True, False]


def test_an_event_of_an_order_that_is_not_held_does_not_follow() -> None:
    desk = Desk()
    desk.holding()
    stranger = Book()
    stranger.last_event_id = EventId(1)
    assert not stranger.follows(desk.log[1])


@pytest.mark.parametrize("step", [OrderStep.CANCEL, OrderStep.REJECT])
def test_a_position_is_leaving_while_an_exit_of_it_is_in_flight(step: OrderStep) -> None:
    desk = Desk()
    held = desk.holding()
    assert held.status is PositionStatus.OPEN
    order = desk.accepted(exit_of(held))
    assert desk.position().status is PositionStatus.CLOSING
    desk.ends(order, step)
    assert desk.position().status is PositionStatus.OPEN
    assert desk.position().exits_ended == 1


def test_a_position_is_opening_until_something_is_entered() -> None:
    desk = Desk()
    order = desk.accepted(entry("1"))
    assert desk.position().status is PositionStatus.OPENING
    desk.fills(order, "0.1")
    assert desk.position().status is PositionStatus.OPEN


def test_two_exits_in_flight_leave_until_both_have_ended() -> None:
    desk = Desk()
    held = desk.holding()
    first = desk.unknown(exit_of(held, "0.5"))
    desk.does(end(first, OrderStep.PROVE_ABSENT))
    second = desk.accepted(exit_of(desk.position(), "0.5"))
    desk.does(accept(first))
    desk.ends(first, OrderStep.CANCEL)
    assert desk.position().status is PositionStatus.CLOSING
    desk.ends(second, OrderStep.CANCEL)
    assert desk.position().status is PositionStatus.OPEN


def test_an_event_that_does_not_fit_leaves_the_book_as_it_was() -> None:
    """Who folds a log with such an event in it leaves it out, and goes on."""
    desk = Desk().funded()
    desk.holding()
    desk.accepted(exit_of(desk.position(), "0.4"))
    for recorded in tuple(desk.log):
        wrong = msgspec.structs.replace(recorded, event_id=EventId(desk.book.last_event_id + 1))
        before = desk.book.copy()
        with contextlib.suppress(AssertionError, KeyError):
            desk.book.apply(wrong)
            desk.book = before.copy()  # this one fits again
        assert same(desk.book, before), recorded


def same(left: Book, right: Book) -> bool:
    return vars(left) == vars(right)
