"""The paper exchange over the port, on the seeded runtime: what is lost, late and raised."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aegis.dialogue import ExchangeReplied, ExchangeRequest, NoAnswer, OrderPlaced
from aegis.domain.order import Side
from aegis.exchange.called import CalledExchange, answer_of
from aegis.exchange.paper import Fault
from aegis.ports import Overran, Raised
from supervisors.seeded import SeededRuntime
from tests.exchange.paper_kit import Table

DEADLINE_S = 10.0


class Caller:
    """A table behind the port; the fault of the next request is laid ready."""

    def __init__(self, folder: Path) -> None:
        self.fault: Fault | None = None
        self.table = Table(folder, faults=lambda _: self.fault)
        self.table.tick("100")
        self.runtime = SeededRuntime(self.table.clock, 1)
        self.port = CalledExchange(self.table.exchange.execute, self.runtime, DEADLINE_S)
        self.heard: list[ExchangeReplied] = []

    def submit(self, request: ExchangeRequest, fault: Fault | None = None) -> ExchangeReplied:
        """Send a request, wait until all is quiet, and return the one thing that was heard."""
        self.fault, self.heard = fault, []
        self.port.submit(request, self.heard.append)
        self.runtime.run_until_quiet()
        self.fault = None
        (replied,) = self.heard
        return replied


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def test_an_answer_comes_with_its_request(caller: Caller) -> None:
    request = caller.table.order(Side.SELL, "1")
    replied = caller.submit(request)
    assert replied.request == request
    assert isinstance(replied.answer, OrderPlaced)


def test_a_lost_answer_is_no_answer_and_the_order_stands(caller: Caller) -> None:
    request = caller.table.order(Side.SELL, "1")
    replied = caller.submit(request, Fault(is_answer_lost=True))
    assert replied.answer == NoAnswer(reason="no answer within 10.0 s")
    assert caller.table.fills(request.client_order_id) == [("1", "100")]


def test_a_lost_request_is_no_answer_and_no_order(caller: Caller) -> None:
    before = caller.table.view()
    replied = caller.submit(caller.table.order(Side.SELL, "1"), Fault(is_request_lost=True))
    assert isinstance(replied.answer, NoAnswer)
    assert caller.table.view() == before


def test_a_late_answer_within_the_deadline_is_heard(caller: Caller) -> None:
    replied = caller.submit(caller.table.order(Side.SELL, "1"), Fault(answer_delay_s=9))
    assert isinstance(replied.answer, OrderPlaced)


def test_an_answer_after_the_deadline_is_never_heard(caller: Caller) -> None:
    replied = caller.submit(caller.table.order(Side.SELL, "1"), Fault(answer_delay_s=11))
    assert isinstance(replied.answer, NoAnswer)


def test_an_unreadable_answer_is_no_answer_and_the_order_stands(caller: Caller) -> None:
    request = caller.table.order(Side.SELL, "1")
    replied = caller.submit(request, Fault(error="502 Bad Gateway"))
    assert replied.answer == NoAnswer(reason="502 Bad Gateway")
    assert caller.table.fills(request.client_order_id) == [("1", "100")]


def test_a_client_that_raises_is_no_answer(caller: Caller) -> None:
    caller.table.ledger.close()
    replied = caller.submit(caller.table.order(Side.SELL, "1"))
    assert isinstance(replied.answer, NoAnswer)
    assert "closed" in replied.answer.reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Overran(2.5), "no answer within 2.5 s"),
        (Raised("ConnectionResetError: by peer"), "ConnectionResetError: by peer"),
        (None, "Expected an answer of the exchange, was NoneType"),
        (Decimal(1), "Expected an answer of the exchange, was Decimal"),
    ],
)
def test_what_is_no_answer_says_why(value: object, reason: str) -> None:
    assert answer_of(value) == NoAnswer(reason=reason)
