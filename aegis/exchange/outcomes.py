"""What an answer of the exchange makes true of an order, and when to ask again. Pure.

Invariants:
1. Only a definite refusal rejects, and only the exchange's own record ends an order.
2. Absence is proved by a look past the barrier together with the trades since the submission;
   anything less proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.dialogue import (
    NO_ROOM,
    CancelAccepted,
    ExchangeAnswer,
    FindOrder,
    NoAnswer,
    OrderFound,
    OrderPlaced,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.commands import AcceptOrder, Command, EndOrder, LoseSight, RecordFills
from aegis.domain.findings import fill_of
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.money import ZERO
from aegis.domain.order import UNSETTLED, Order, OrderState, OrderStep, Role
from aegis.domain.venue import VenueAccount, VenueOrderStatus
from aegis.ports import Clock

ENDING_STEPS: Mapping[VenueOrderStatus, OrderStep] = {
    VenueOrderStatus.CANCELED: OrderStep.CANCEL,
    VenueOrderStatus.REJECTED: OrderStep.REJECT,
    VenueOrderStatus.EXPIRED: OrderStep.EXPIRE,
}

LOOK_AFTER_S_OPEN = 0.05
"""First pause before an open order is looked at again; fills mostly follow at once."""

LOOK_AFTER_S_LOST = 0.25
LOOK_AFTER_S_LOST_MAX = 30.0
DOUBLINGS_MAX = 10

UNKNOWN_EXIT_ALARM_S = 10
"""Real seconds until somebody is told that an exit is out of sight."""

AT_THE_EXCHANGE = (OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCELING)


def request_to_place(order: Order, sent_at: Instant) -> PlaceOrder:
    """Return the request that an order's intent asks for."""
    return PlaceOrder(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        trigger_price=order.trigger_price,
        reduce_only=order.reduce_only,
        sent_at=sent_at,
    )


def request_to_find(order: Order) -> FindOrder:
    """Return the request that looks an order up by the id that we gave it."""
    return FindOrder(
        client_order_id=order.client_order_id, symbol=order.symbol, since=submitted_at(order)
    )


def after_placing(
    order_id: ClientOrderId, answer: ExchangeAnswer
) -> AcceptOrder | EndOrder | LoseSight:
    """Return what the answer to a placing makes true; all but a yes and a known no is unknown."""
    if isinstance(answer, OrderPlaced):
        return AcceptOrder(client_order_id=order_id, exchange_order_id=answer.exchange_order_id)
    if isinstance(answer, RequestRefused) and answer.code != "duplicate_id":
        return EndOrder(
            client_order_id=order_id,
            step=OrderStep.REJECT,
            filled=ZERO,
            reason=f"{answer.code}: {answer.reason}",
        )
    return LoseSight(client_order_id=order_id, reason=reason_of(answer))


def doubt_of(order: Order | None, answer: ExchangeAnswer) -> str | None:
    """Return why the books may differ from the exchange's after an answer to a placing, or None.

    An exit that the exchange has no coins for was sold by somebody else, or moved.
    """
    if isinstance(answer, OrderPlaced):
        return None
    if not isinstance(answer, RequestRefused) or answer.code == "duplicate_id":
        return "unknown outcome"
    is_exit = order is not None and order.role is not Role.ENTRY
    return "exit refused" if is_exit else None


def is_out_of_room(answer: ExchangeAnswer) -> bool:
    """Say whether an order was refused because its record found no room on the disk."""
    return isinstance(answer, RequestRefused) and answer.code == NO_ROOM


def after_finding(order: Order, found: OrderFound) -> tuple[Command, ...]:
    """Return what the exchange's record makes true: adopted, its new fills booked, ended."""
    order_id, venue = order.client_order_id, found.order
    commands: list[Command] = []
    if order.state in UNSETTLED:
        commands.append(
            AcceptOrder(client_order_id=order_id, exchange_order_id=venue.exchange_order_id)
        )
    fills = tuple(fill_of(trade) for trade in found.trades if trade.trade_id not in order.trade_ids)
    if fills:
        commands.append(RecordFills(client_order_id=order_id, fills=fills))
    step = ENDING_STEPS.get(venue.status)
    if step is not None:
        commands.append(
            EndOrder(client_order_id=order_id, step=step, filled=venue.filled, reason=venue.reason)
        )
    return tuple(commands)


def never_sent(order: Order) -> EndOrder:
    """Return how an intent ends that an earlier life did not send."""
    return _end(order, OrderStep.EXPIRE, "it was never sent")


def proof_of_absence(
    order: Order, account: VenueAccount | None, barrier_s: float
) -> EndOrder | None:
    """Return the end of an order that was not found, if this look at the account proves it."""
    if account is None or account.trades_since > submitted_at(order):
        return None
    shown = {each.client_order_id for each in account.open_orders}
    shown |= {trade.client_order_id for trade in account.trades}
    if order.client_order_id in shown or not is_past_barrier(order, account.as_of, barrier_s):
        return None
    return _end(order, OrderStep.PROVE_ABSENT, "not found after the barrier, and no trade since")


def is_past_barrier(order: Order, as_of: Instant, barrier_s: float) -> bool:
    """Say whether a request that is not there by now can come no more."""
    return until_barrier_s(order, as_of, barrier_s) < 0


def until_barrier_s(order: Order, as_of: Instant, barrier_s: float) -> float:
    """Return the exchange's seconds until an order that is not there is provably absent."""
    barrier = submitted_at(order) + int(barrier_s * NANOS_PER_SECOND)
    return (barrier - as_of) / NANOS_PER_SECOND


def is_exit_lost(order: Order, clock: Clock) -> bool:
    """Say whether an exit is out of sight for so long that somebody should be told."""
    if order.role is Role.ENTRY or order.unknown_at is None:
        return False
    waited_s = clock.real_s((clock.now() - order.unknown_at) / NANOS_PER_SECOND)
    return waited_s > UNKNOWN_EXIT_ALARM_S


def pause_s(order: Order, looks: int, poll_interval_s: float) -> float:
    """Return how long to wait after so many looks in vain: doubling, up to a bound."""
    first_s, most_s = LOOK_AFTER_S_LOST, LOOK_AFTER_S_LOST_MAX
    if order.state in AT_THE_EXCHANGE:
        first_s, most_s = LOOK_AFTER_S_OPEN, poll_interval_s
    return float(min(first_s * 2 ** min(looks - 1, DOUBLINGS_MAX), most_s))


def submitted_at(order: Order) -> Instant:
    """Return from when on an order may be at the exchange."""
    return order.submitted_at or order.intended_at


def reason_of(answer: object) -> str:
    """Return why an answer is not the one that was hoped for."""
    match answer:
        case NoAnswer():
            return answer.reason
        case RequestRefused():
            return f"{answer.code}: {answer.reason}"
        case CancelAccepted():
            return "the cancel was accepted"
        case _:
            return f"expected another answer than {type(answer).__name__}"


def _end(order: Order, step: OrderStep, reason: str) -> EndOrder:
    return EndOrder(
        client_order_id=order.client_order_id, step=step, filled=order.filled, reason=reason
    )
