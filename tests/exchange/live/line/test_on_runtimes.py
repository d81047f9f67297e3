"""The line on both runtimes: asked from many threads, answered on others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from aegis.clock import SystemClock, seeded_random
from aegis.dialogue import ExchangeReplied, ExchangeRequest, FetchQuote, NoAnswer, OrderPlaced
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Lost,
    Outcome,
    Page,
    Place,
    ReadBalances,
    ReadOpenOrders,
    ReadOrder,
    ReadQuote,
    ReadTrades,
)
from aegis.exchange.live.line.line import Line
from aegis.exchange.live.line.offset import ServerClock
from supervisors.runtime import SeededRuntime, ThreadRuntime
from tests.domain.kit import BTC_USDT
from tests.exchange.live.line.kit import OID, PROFILE, Rig, account, cancel, find, replace
from tests.stage import Stage

T = TypeVar("T")

ANSWERS = {
    Place: Answered(value=OID),
    ReadOrder: Answered(value=None),
    ReadBalances: Answered(value={}),
    ReadOpenOrders: Answered(value=()),
    ReadTrades: Answered(value=Page(trades=(), is_full=False)),
    ReadQuote: Answered(value=None),
}


class Shop:
    """A client a lane, each of which notes when it is used by two threads at once."""

    def __init__(self, runtime: ThreadRuntime | SeededRuntime) -> None:
        self.runtime = runtime
        self.calls: Counter[type[Call]] = Counter()
        self.crowded: list[Call] = []

    def make(self) -> Callable[[Call], Outcome]:
        busy = threading.Lock()

        def execute(call: Call) -> Outcome:
            if not busy.acquire(blocking=False):
                self.crowded.append(call)
                return Outcome(call=call, verdict=Lost(reason=""), server_at=None, http_status=None)
            try:
                self.calls[type(call)] += 1
                verdict = ANSWERS.get(type(call), Answered(value=None))
                now = self.runtime.clock.now()
                return Outcome(call=call, verdict=verdict, server_at=now, http_status=200)
            finally:
                busy.release()

        return execute


def line_of(runtime: ThreadRuntime | SeededRuntime, make: Shop) -> Line:
    return Line(
        profile=replace(PROFILE, rates={}),
        make_client=make.make,
        runtime=runtime,
        server_clock=ServerClock(runtime.clock, margin_s=60.0),
        call_deadline_s=5.0,
        draw=seeded_random(1).random,
    )


def requests(now: Instant, thread: int) -> list[ExchangeRequest]:
    order = replace(Rig().exit(thread), sent_at=now, amount=Decimal(thread + 1))
    return [find(), order, FetchQuote(symbol=BTC_USDT), account(), cancel()] * 4


def test_requests_from_many_threads_are_each_answered_once(
    runtime: ThreadRuntime | SeededRuntime,
) -> None:
    shop, stage = Shop(runtime), Stage(runtime)
    line, heard = line_of(runtime, shop), list[ExchangeReplied]()
    wanted = [request for n in range(4) for request in requests(runtime.clock.now(), n)]

    def ask(part: list[ExchangeRequest]) -> None:
        for request in part:
            line.submit(request, heard.append)
            line.hold()

    threads = [threading.Thread(target=ask, args=(wanted[n::4],)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stage.wait_for(lambda: len(heard) == len(wanted))
    assert Counter(map(repr, wanted)) == Counter(repr(each.request) for each in heard)
    assert not [each for each in heard if isinstance(each.answer, NoAnswer)]
    assert shop.crowded == []


def test_each_placing_is_made_once_whatever_the_threads(
    runtime: ThreadRuntime | SeededRuntime,
) -> None:
    shop, stage = Shop(runtime), Stage(runtime)
    line, heard = line_of(runtime, shop), list[ExchangeReplied]()
    for number in range(30):
        order = replace(Rig().exit(number), sent_at=runtime.clock.now())
        line.submit(order, heard.append)
    stage.wait_for(lambda: len(heard) == 30)
    assert all(isinstance(each.answer, OrderPlaced) for each in heard)
    assert shop.calls[Place] == 30


def test_a_client_that_hangs_is_left_behind_and_others_go_on() -> None:
    runtime = ThreadRuntime(SystemClock())
    stage, released = Stage(runtime), threading.Event()
    shop, makes = Shop(runtime), list[int]()

    def make() -> Callable[[Call], Outcome]:
        makes.append(1)
        execute, is_first = shop.make(), len(makes) == 1

        def hang(call: Call) -> Outcome:
            released.wait()
            return execute(call)

        return hang if is_first else execute

    shop_line = Line(
        profile=PROFILE,
        make_client=make,
        runtime=runtime,
        server_clock=ServerClock(runtime.clock, margin_s=60.0),
        call_deadline_s=0.05,
        draw=seeded_random(1).random,
    )
    heard: list[ExchangeReplied] = []
    for number in range(2):
        order = replace(Rig().exit(number), sent_at=runtime.clock.now())
        shop_line.submit(order, heard.append)
    stage.wait_for(lambda: len(heard) == 2)
    released.set()
    answers = sorted(type(each.answer).__name__ for each in heard)
    assert answers == ["NoAnswer", "OrderPlaced"]
    stage.wait_for(lambda: shop.calls[Place] == 2)  # the hung one had left, and only once
    runtime.close()
