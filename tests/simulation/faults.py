"""Faults between us and the paper exchange, as plans that a world takes."""

from __future__ import annotations

import random
from collections.abc import Callable

from aegis.dialogue import (
    CancelOrder,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FindOrder,
    PlaceOrder,
)
from aegis.domain.order import Side
from aegis.exchange.paper import Fault

HTML_502 = "502 Bad Gateway: <html><head><title>502</title></head></html>"

REQUEST_LOST = Fault(is_request_lost=True)
ANSWER_LOST = Fault(is_answer_lost=True)
UNREADABLE = Fault(error=HTML_502)
LATE = Fault(answer_delay_s=30.0)
"""Later than the deadline of 10 s: heard by nobody."""

SLOW = Fault(answer_delay_s=3.0)

Faults = Callable[[ExchangeRequest], Fault | None]


def on(kind: type, fault: Fault, *, times: int | None = None, side: Side | None = None) -> Faults:
    """Let a fault befall requests of one type, the first ones or all."""
    left = [times]

    def plan(request: ExchangeRequest) -> Fault | None:
        if not isinstance(request, kind) or left[0] == 0:
            return None
        if side is not None and getattr(request, "side", None) is not side:
            return None
        if left[0] is not None:
            left[0] -= 1
        return fault

    return plan


def either(*plans: Faults) -> Faults:
    """Let the first plan that has a fault for a request have its way."""
    return lambda request: next((f for f in (plan(request) for plan in plans) if f), None)


def at_random(seed: int, *, rate: float) -> Faults:
    """Let faults befall requests about orders and the account, now and then."""
    chance = random.Random(seed)
    faults = (REQUEST_LOST, ANSWER_LOST, UNREADABLE, LATE, SLOW)

    def plan(request: ExchangeRequest) -> Fault | None:
        is_hit = chance.random() < rate
        fault = chance.choice(faults)
        is_meant = isinstance(request, PlaceOrder | CancelOrder | FindOrder | FetchAccount)
        return fault if is_hit and is_meant else None

    return plan


def everything(fault: Fault) -> Faults:
    """Let a fault befall each request, but what is asked once at a start."""
    return lambda request: None if isinstance(request, FetchInstruments) else fault
