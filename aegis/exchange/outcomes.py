"""What an answer of the exchange makes true of an order, and when to ask again. Pure.

Invariants:
1. Only a definite refusal rejects, and only the exchange's own record ends an order.
2. Absence is proved by a look past the barrier together with the trades since the submission;
   anything less proves nothing. Where there is no barrier, a person is asked.
3. What the exchange has forgotten, its trades decide, once all of them must have come to light.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.dialogue import (
    HELD_BACK,
    KEY_DENIED,
    NO_ROOM,
    CancelAccepted,
    ExchangeAnswer,
    FetchAccount,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.account import TradingState
from aegis.domain.commands import (
    AcceptOrder,
    AskForHuman,
    ChangeTradingState,
    Command,
    EndOrder,
    LoseSight,
    RecordFills,
)
from aegis.domain.findings import fill_of
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.money import ZERO, plus, total
from aegis.domain.order import UNSETTLED, Order, OrderState, OrderStep, OrderType, Role
from aegis.domain.reconcile import EXIT_REFUSED
from aegis.domain.venue import VenueAccount, VenueOrderStatus, VenueTrade
from aegis.exchange.heard import Watch
from aegis.exchange.lookout import Patience
from aegis.messages import DiagnoseNow
from aegis.ports import Clock

NEVER_SENT = (HELD_BACK, KEY_DENIED)
"""Refusals of our own side, or of what stands before the exchange's books: nothing is in doubt."""

KEY_DENIED_HALT = ChangeTradingState(
    state=TradingState.REDUCING,
    cause=KEY_DENIED,
    reason="the exchange denies the key: it is wrong, revoked, or lacks a right",
)
"""Entries end; what is held is guarded, though nothing leaves until the key is mended."""

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

CLOCKS_APART_S_MAX = 60
"""An exchange refuses requests from clocks further apart; its trades carry its own time."""

AT_THE_EXCHANGE = (OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCELING)


def request_to_place(order: Order, sent_at: Instant) -> PlaceOrder:
    """Return the request that an order's intent asks for; an exit by a limit never rests."""
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
        is_immediate=order.role is Role.EXIT and order.type is OrderType.LIMIT,
    )


def request_to_find(order: Order) -> FindOrder:
    """Return the request that looks an order up by the id that we gave it."""
    return FindOrder(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        since=since_of(order),
        is_stop=order.type is OrderType.STOP,
    )


BOOKED_LAG_S = 3600
"""What an order's own record says of its fills has come to light of trades of so long before."""


def booked_until(order: Order, found: OrderFound, watch: Watch, clock: Clock) -> Instant | None:
    """Return until when all trades of a stop are booked, by its own record.

    It may rest for months, and each day of trades is a call of a second, while an exit waits. What
    is no hour later than what is known is not worth a change.
    """
    lag_ns = BOOKED_LAG_S * NANOS_PER_SECOND
    until, known = Instant(max(0, clock.now() - lag_ns)), scan_since(order, watch)
    is_booked = order.type is OrderType.STOP and found.order.filled == order.filled
    return until if is_booked and until - known >= lag_ns else watch.booked_until


def scan_since(order: Order, watch: Watch) -> Instant:
    """Return from when on an order's trades are read to see what became of it."""
    return max(since_of(order), watch.booked_until or Instant(0))


def request_to_scan(order: Order, watch: Watch) -> FetchAccount:
    """Return the request for a look at the account that shows all that an order can have done."""
    return FetchAccount(trades_since=scan_since(order, watch))


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
    if answer.code in NEVER_SENT:
        return None
    is_exit = order is not None and order.role is not Role.ENTRY
    return EXIT_REFUSED if is_exit else None


LOOK_FOR_ROOM = DiagnoseNow(trigger="disk is full", is_light=True)
"""What whoever was refused for want of room asks for: the reserve is freed, and people are told."""


def is_out_of_room(answer: ExchangeAnswer) -> bool:
    """Say whether an order was refused because its record found no room on the disk."""
    return isinstance(answer, RequestRefused) and answer.code == NO_ROOM


def is_key_denied(answer: ExchangeAnswer, *, was_denied: bool) -> bool:
    """Say whether the exchange denies the key; some answers say nothing of it."""
    if isinstance(answer, RequestRefused) and answer.code in NEVER_SENT:
        return was_denied or answer.code == KEY_DENIED
    is_public = isinstance(answer, QuoteFetched | InstrumentsFetched)
    return was_denied and (is_public or isinstance(answer, NoAnswer))


def after_finding(order: Order, found: OrderFound) -> tuple[Command, ...]:
    """Return what the exchange's record makes true: adopted, its new fills booked, ended."""
    order_id, venue = order.client_order_id, found.order
    commands: list[Command] = []
    if order.state in UNSETTLED:
        commands.append(
            AcceptOrder(client_order_id=order_id, exchange_order_id=venue.exchange_order_id)
        )
    commands.extend(_new_fills(order, found.trades))
    step, reason = ENDING_STEPS.get(venue.status), venue.reason
    if venue.status is VenueOrderStatus.FILLED and venue.filled < order.amount:
        step, reason = OrderStep.CANCEL, "the exchange took less than was asked, and filled that"
    if step is not None:
        commands.append(
            EndOrder(client_order_id=order_id, step=step, filled=venue.filled, reason=reason)
        )
    return tuple(commands)


def never_sent(order: Order) -> EndOrder:
    """Return how an intent ends that an earlier life did not send."""
    return _end(order, OrderStep.EXPIRE, "it was never sent")


def after_account(
    order: Order, account: VenueAccount, missed_at: Instant, watch: Watch, patience: Patience
) -> tuple[Command, ...]:
    """Return what a look at the account makes of an order that look-ups do not find.

    Its trades are booked, whatever became of it. It ends where it is not open, and everything that
    happened to it must have come to light. `missed_at` is when it was first not found, past the
    instant by which it had to show if it was there.
    """
    if is_open_in(account, order):
        return ()
    trades = tuple(trade for trade in account.trades if _is_of(trade, order))
    is_settled = seconds_until(missed_at, patience.lag_s, account.as_of) <= 0
    if order.state in UNSETTLED:
        if trades:
            return (_adoption(order, trades[0]), *_new_fills(order, trades))
        return _unseen(order, account, patience) if is_settled else ()
    booked = _new_fills(order, trades)
    since = scan_since(order, watch)
    filled = total(trade.amount for trade in trades)
    if since > since_of(order):  # what was booked before is not told again
        news = (trade.amount for trade in trades if trade.trade_id not in order.trade_ids)
        filled = plus(order.filled, total(news))
    if not is_settled or account.trades_since > since or filled == order.amount:
        return booked
    reason = "the exchange knows it no more; its trades say what was filled"
    end = EndOrder(
        client_order_id=order.client_order_id,
        step=OrderStep.CANCEL,
        filled=filled,
        reason=reason,
    )
    return (*booked, end)


def is_open_in(account: VenueAccount, order: Order) -> bool:
    """Say whether an account shows an order among the open ones."""
    return any(each.client_order_id == order.client_order_id for each in account.open_orders)


def _is_of(trade: VenueTrade, order: Order) -> bool:
    return (
        trade.client_order_id == order.client_order_id
        or trade.exchange_order_id == order.exchange_order_id
    )


def _adoption(order: Order, trade: VenueTrade) -> AcceptOrder:
    return AcceptOrder(
        client_order_id=order.client_order_id, exchange_order_id=trade.exchange_order_id
    )


def _new_fills(order: Order, trades: tuple[VenueTrade, ...]) -> tuple[Command, ...]:
    fills = tuple(fill_of(trade) for trade in trades if trade.trade_id not in order.trade_ids)
    return (RecordFills(client_order_id=order.client_order_id, fills=fills),) if fills else ()


def _unseen(order: Order, account: VenueAccount, patience: Patience) -> tuple[Command, ...]:
    """Return how an order ends of which nothing was ever shown, or that a person has to say it."""
    why = ""
    if patience.barrier_s is None:
        why = "not found, and the exchange refuses no request as late"
    elif not is_told_since(order, account):
        why = "not found, and the exchange tells no trades so far back"
    if not why:
        absent = "not found after the barrier, and no trade since"
        return (_end(order, OrderStep.PROVE_ABSENT, absent),)
    if order.state is OrderState.NEEDS_HUMAN:
        return ()
    return (AskForHuman(client_order_id=order.client_order_id, reason=why),)


def shows_within_s(patience: Patience) -> float:
    """Return within how many of the exchange's seconds from its submission an order must show."""
    return patience.lag_s if patience.barrier_s is None else patience.barrier_s


def seconds_until(begin: Instant, limit_s: float, as_of: Instant) -> float:
    """Return how long, from `as_of`, until `limit_s` have gone by since `begin`."""
    return (begin + int(limit_s * NANOS_PER_SECOND) - as_of) / NANOS_PER_SECOND


def is_told_since(order: Order, account: VenueAccount) -> bool:
    """Say whether an account's trades reach back to an order's first possible one."""
    return account.trades_since <= since_of(order)


def is_exit_lost(order: Order, clock: Clock) -> bool:
    """Say whether an exit is out of sight for so long that somebody should be told."""
    is_lost = order.role is not Role.ENTRY and order.unknown_at is not None
    return is_lost and is_long_ago(order.unknown_at, clock)


def is_long_ago(
    instant: Instant | None, clock: Clock, limit_s: float = SECOND_EXIT_AFTER_S
) -> bool:
    """Say whether so many real seconds have gone by since an instant."""
    passed_ns = clock.now() - (instant or 0)
    return clock.real_s(passed_ns / NANOS_PER_SECOND) >= limit_s


def pause_s(order: Order, looks: int, poll_interval_s: float, *, is_misfit: bool = False) -> float:
    """Return how long to wait after so many looks in vain: doubling, up to a bound.

    What the store would not have of it, it will not have in a second either.
    """
    first_s, most_s = LOOK_AFTER_S_LOST, LOOK_AFTER_S_LOST_MAX
    if order.state in AT_THE_EXCHANGE and not is_misfit:
        first_s, most_s = LOOK_AFTER_S_OPEN, poll_interval_s
        if order.type is OrderType.STOP and order.state is OrderState.OPEN:
            most_s = LOOK_AFTER_S_LOST_MAX  # nothing is expected of it while somebody guards
    return float(min(first_s * 2 ** min(looks - 1, DOUBLINGS_MAX), most_s))


def submitted_at(order: Order) -> Instant:
    """Return from when on an order may be at the exchange."""
    return order.submitted_at or order.intended_at


def since_of(order: Order) -> Instant:
    """Return from when on the exchange may have booked trades of an order, by its own clock."""
    return Instant(max(0, submitted_at(order) - CLOCKS_APART_S_MAX * NANOS_PER_SECOND))


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
