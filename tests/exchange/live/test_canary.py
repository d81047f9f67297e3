"""A canary lets so many entries through, and everything that reduces."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from aegis.dialogue import (
    HELD_BACK,
    CancelOrder,
    ExchangeReplied,
    ExchangeRequest,
    NoAnswer,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.ids import ClientOrderId, Instant, Symbol
from aegis.domain.order import OrderType, Side
from aegis.exchange.live.canary import Canary
from aegis.exchange.watching import WatchedExchange
from aegis.vitals import ExchangeVitals


class Sent:
    """An exchange that remembers what it was sent, and answers when it is told to."""

    def __init__(self) -> None:
        self.requests: list[ExchangeRequest] = []
        self.replies: list[Callable[[], None]] = []
        self.is_banned = False

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        self.requests.append(request)
        answer = ExchangeReplied(request=request, answer=NoAnswer(reason="lost"))
        self.replies.append(lambda: reply_to(answer))

    def hold(self) -> str | None:
        return None

    def vitals(self) -> ExchangeVitals | None:
        return ExchangeVitals(hold="a ban" if self.is_banned else None, offset_s=0.0, lanes=())


def order(side: Side, number: int = 0) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=ClientOrderId(f"{number:032x}"),
        symbol=Symbol("BTC/USDT"),
        side=side,
        type=OrderType.MARKET,
        amount=Decimal("0.001"),
        price=None,
        trigger_price=None,
        reduce_only=False,
        sent_at=Instant(0),
    )


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_no_more_entries_go_out_than_it_has(sent: Sent, before: int) -> None:
    canary = Canary(sent, sent=before, orders_max=3, on_over=lambda _why: None)
    heard: list[ExchangeReplied] = []
    for number in range(6):
        canary.submit(order(Side.BUY, number), heard.append)
    assert len(sent.requests) == 3 - before
    refusals = [each.answer for each in heard]
    assert all(isinstance(each, RequestRefused) and each.code == HELD_BACK for each in refusals)
    assert len(refusals) == 3 + before


def test_whatever_reduces_or_calls_off_passes_when_it_is_over(sent: Sent) -> None:
    canary = Canary(sent, sent=3, orders_max=3, on_over=lambda _why: None)
    leaving = order(Side.SELL)
    calling_off = CancelOrder(client_order_id=leaving.client_order_id, symbol=leaving.symbol)
    canary.submit(leaving, lambda _replied: None)
    canary.submit(calling_off, lambda _replied: None)
    assert sent.requests == [leaving, calling_off]


def test_it_is_over_once_and_when_the_last_entry_was_heard_of(sent: Sent) -> None:
    over: list[str] = []
    canary = Canary(sent, sent=0, orders_max=1, on_over=over.append)
    canary.submit(order(Side.BUY), lambda _replied: None)
    assert over == []
    sent.replies[0]()
    canary.submit(order(Side.BUY, 1), lambda _replied: None)
    (why,) = over
    assert "live.canary_orders" in why


def test_it_holds_entries_back_when_it_is_over_and_says_so(sent: Sent) -> None:
    canary = Canary(sent, sent=0, orders_max=1, on_over=lambda _why: None)
    assert canary.hold() is None
    canary.submit(order(Side.BUY), lambda _replied: None)
    vitals = canary.vitals()
    assert vitals is not None
    assert canary.hold() == vitals.hold == vitals.needs_person is not None
    assert vitals.is_of_entries


def test_one_that_is_over_hides_nothing_that_holds_all_back(sent: Sent) -> None:
    sent.is_banned = True
    vitals = Canary(sent, sent=1, orders_max=1, on_over=lambda _why: None).vitals()
    assert vitals is not None
    assert (vitals.hold, vitals.is_of_entries) == ("a ban", False)


def test_one_that_was_over_before_says_so_once_when_somebody_wants_to_enter(sent: Sent) -> None:
    over: list[str] = []
    canary = Canary(sent, sent=1, orders_max=1, on_over=over.append)
    assert canary.vitals() is not None
    assert over == []
    assert [canary.hold(), canary.hold()] == over * 2
    assert len(over) == 1


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_dry_run_sends_no_order_and_no_cancel(sent: Sent, side: Side) -> None:
    watched, heard = WatchedExchange(sent), list[ExchangeReplied]()
    placing = order(side)
    watched.submit(placing, heard.append)
    cancel = CancelOrder(client_order_id=placing.client_order_id, symbol=placing.symbol)
    watched.submit(cancel, heard.append)
    assert sent.requests == []
    assert [type(each.answer) for each in heard] == [RequestRefused, RequestRefused]
    assert watched.hold()
