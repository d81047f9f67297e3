"""What a command makes true: `decide(book, command)` gives new events, or says no.

Pure, and the only place where events are born. A command whose fact is in the book already
gives no events: it is known, not wrong.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    ArmStrategy,
    AskForHuman,
    ChangeTradingState,
    Command,
    CompleteDiagnosis,
    CompleteReconciliation,
    EndOrder,
    IntendOrder,
    LoseSight,
    MarkPosition,
    RaiseStop,
    RecordExternalChange,
    RecordFills,
    RecordPeak,
    Refusal,
    RequestCancel,
    StartBalances,
    StartDay,
    SubmitOrder,
)
from aegis.domain.events import (
    BalancesStarted,
    DayStarted,
    DiagnosisCompleted,
    DustSetAside,
    EquityPeaked,
    Event,
    ExternalChangeSeen,
    Opening,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
    PositionClosed,
    PositionMarked,
    PositionOpened,
    PositionVoided,
    Proposed,
    ReconciliationCompleted,
    StopRaised,
    StrategyArmed,
    TradingStateChanged,
)
from aegis.domain.fold import evolve_order, evolve_position
from aegis.domain.guard import opening_stops
from aegis.domain.ids import SYSTEM_POSITION, Instant, PositionId
from aegis.domain.money import FEE_DECIMALS_MAX, ZERO, distance, is_amount, is_figure, plus
from aegis.domain.order import (
    TRANSITIONS,
    Fill,
    Order,
    OrderState,
    OrderStep,
    OrderType,
    Role,
    Side,
)
from aegis.domain.position import Position, PositionSide
from aegis.domain.risk import Limits, gate, is_reducing, oversell, own_side

Decision = tuple[Proposed, ...] | Refusal

NOTHING_NEW: tuple[Proposed, ...] = ()

ALREADY: dict[OrderStep, OrderState] = {
    OrderStep.LOSE_SIGHT: OrderState.UNKNOWN,
    OrderStep.WANT_CANCEL: OrderState.CANCELING,
    OrderStep.GIVE_UP: OrderState.NEEDS_HUMAN,
}
"""Steps that only say what the state says: taken again there, they are known, not wrong."""


def decide(book: Book, command: Command, *, now: Instant, limits: Limits) -> Decision:
    """Return the events that a command makes true now, or why it must not."""
    match command:
        case IntendOrder():
            return _intend(book, command)
        case SubmitOrder():
            return _submit(book, command, now, limits)
        case RecordFills():
            return _record_fills(book, command, now)
        case EndOrder():
            return _end(book, command, now)
        case AcceptOrder() | LoseSight() | RequestCancel() | AskForHuman():
            return _step(book, command)
        case MarkPosition() | RaiseStop():
            return _guard(book, command)
        case ChangeTradingState():
            return _change_trading_state(book, command)
        case StartDay():
            return _start_day(book, command)
        case CompleteReconciliation():
            return _complete_reconciliation(book, command)
        case StartBalances() | RecordExternalChange() | RecordPeak() | CompleteDiagnosis():
            return _account(book, command, limits)
        case ArmStrategy():
            return _system(StrategyArmed(generation=command.generation, strategy=command.strategy))
        case _:
            assert_never(command)


def _intend(book: Book, command: IntendOrder) -> Decision:
    order, opening = command.order, command.opening
    known = book.orders.get(order.client_order_id)
    if known is not None:
        return NOTHING_NEW if _is_same_intent(known, order) else _conflict(known, order)
    refusal = (
        _fault_of_figures(order)
        or _fault_of_shape(order, opening)
        or _fault_of_place(book, order, opening)
        or (None if order.role is Role.ENTRY else oversell(book, order))
    )
    if refusal is not None:
        return refusal
    return _of(order.position_id, _intended(order, opening))


def _fault_of_figures(order: Order) -> Refusal | None:
    named = {
        "amount": order.amount,
        "decision_price": order.decision_price,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "bid": order.bid,
        "ask": order.ask,
    }
    for name, value in named.items():
        if value is not None and not (is_amount(value) and is_figure(value)):
            return _bad_intent(order, f"expected {name} as a positive figure, was {value}")
    return None


def _fault_of_shape(order: Order, opening: Opening | None) -> Refusal | None:
    """Return what makes an order no order of ours at all, whatever is held."""
    if (order.price is None) is not (order.type is OrderType.MARKET):
        return _bad_intent(order, f"a {order.type} order at {order.price}")
    if order.role is Role.FORCED:
        return _bad_intent(order, "only the exchange makes a forced order")
    if opening is None:
        return None
    if order.role is not Role.ENTRY or opening.instrument.symbol != order.symbol:
        return _bad_intent(order, f"{order.role} cannot open {opening.instrument.symbol}")
    if opening.side is not PositionSide.LONG:
        return Refusal(code="no_shorts", text=f"expected a long {order.symbol}: spot has no other")
    return None


def _fault_of_place(book: Book, order: Order, opening: Opening | None) -> Refusal | None:
    """Return why an order does not belong where it wants to, or None."""
    alive = book.position_of(order.symbol)
    if opening is None and (alive is None or alive.position_id != order.position_id):
        return Refusal(code="no_position", text=f"{order.position_id} is not alive")
    if opening is not None and (alive is not None or order.position_id in book.positions):
        held = alive or book.positions[order.position_id]
        return Refusal(code="position_exists", text=f"{order.symbol} has {held.position_id}")
    side = own_side(alive) if alive is not None else Side.SELL
    if (order.side is side) is (order.role is Role.ENTRY):
        return _bad_intent(order, f"{order.side} is no {order.role} of a position to {side}")
    in_flight = [o for o in book.active_orders(order.position_id) if _excludes(o, order)]
    if in_flight:
        return Refusal(
            code="in_flight",
            text=f"{in_flight[0].client_order_id} ({in_flight[0].role}) has not ended",
            mends_with_time=True,
        )
    return None


def _excludes(active: Order, order: Order) -> bool:
    """One order of a role at a time, and nothing enters what is being left."""
    return active.role is order.role or (order.role is Role.ENTRY and active.role is Role.EXIT)


def _bad_intent(order: Order, text: str) -> Refusal:
    return Refusal(code="bad_intent", text=f"{order.client_order_id}: {text}")


def _intended(order: Order, opening: Opening | None) -> OrderIntended:
    return OrderIntended(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        role=order.role,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        trigger_price=order.trigger_price,
        reduce_only=order.reduce_only,
        strategy=order.strategy,
        reason=order.reason,
        decision_price=order.decision_price,
        bid=order.bid,
        ask=order.ask,
        opening=opening,
    )


def _is_same_intent(known: Order, order: Order) -> bool:
    """Two intents are one when all that the exchange would do is the same."""
    return all(
        getattr(known, name) == getattr(order, name)
        for name in ("position_id", "symbol", "role", "side", "type", "amount", "price")
    )


def _conflict(known: Order, order: Order) -> Refusal:
    return Refusal(
        code="intent_conflict",
        text=f"{order.client_order_id} is {known.side} {known.amount} {known.symbol} already, "
        f"was asked as {order.side} {order.amount}; the first stands",
    )


def _submit(book: Book, command: SubmitOrder, now: Instant, limits: Limits) -> Decision:
    order = book.orders.get(command.client_order_id)
    if order is None or order.state is not OrderState.INTENT:
        return Refusal(
            code="not_intent",
            text=f"{command.client_order_id} is {order.state if order else 'unknown'}",
        )
    if is_reducing(book, order):
        refusal = oversell(book, order)
    else:
        refusal = gate(book, order, command, now, limits)
    if refusal is None:
        event = OrderSubmitted(client_order_id=order.client_order_id)
        return (Proposed(position_id=order.position_id, event=event),)
    rejected = OrderRejected(
        client_order_id=order.client_order_id,
        filled=order.filled,
        reason=f"{refusal.code}: {refusal.text}",
    )
    return _ending(book, order, rejected, now)


def _step(book: Book, command: AcceptOrder | LoseSight | RequestCancel | AskForHuman) -> Decision:
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    event: Event
    match command:
        case AcceptOrder():
            if order.exchange_order_id == command.exchange_order_id:
                return NOTHING_NEW
            step = OrderStep.ACCEPT
            event = OrderAccepted(
                client_order_id=order.client_order_id,
                exchange_order_id=command.exchange_order_id,
            )
        case LoseSight():
            step = OrderStep.LOSE_SIGHT
            event = OrderOutcomeUnknown(
                client_order_id=order.client_order_id, reason=command.reason
            )
        case RequestCancel():
            step = OrderStep.WANT_CANCEL
            event = OrderCancelRequested(
                client_order_id=order.client_order_id, reason=command.reason
            )
        case AskForHuman():
            step = OrderStep.GIVE_UP
            event = OrderNeedsHuman(client_order_id=order.client_order_id, reason=command.reason)
    if order.state is ALREADY.get(step):
        return NOTHING_NEW
    if (order.state, step) not in TRANSITIONS:
        return _unlawful(order, step)
    return (Proposed(position_id=order.position_id, event=event),)


def _unlawful(order: Order, step: OrderStep) -> Refusal:
    return Refusal(
        code="unlawful", text=f"{step} does not follow {order.state} ({order.client_order_id})"
    )


def _record_fills(book: Book, command: RecordFills, now: Instant) -> Decision:
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    position = book.positions[order.position_id]
    proposals: list[Proposed] = []
    for fill in command.fills:
        if fill.trade_id in order.trade_ids:
            continue
        refusal = _fault_of_fill(book, order, position, fill)
        if refusal is not None:
            return refusal
        filled = plus(order.filled, fill.amount)
        event = OrderFilled(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            fill=fill,
            is_complete=filled == order.amount,
        )
        is_first = order.role is Role.ENTRY and (position.entered == 0 or not position.is_alive)
        order = evolve_order(order, event, now)
        position = evolve_position(position, event, now, order)
        proposals.append(Proposed(position_id=position.position_id, event=event))
        if is_first:
            opened = _opened(position, fill)
            position = evolve_position(position, opened, now, order)
            proposals.append(Proposed(position_id=position.position_id, event=opened))
    if proposals and order.is_ended:
        proposals.extend(_consequences(book, position, order))
    return tuple(proposals)


def _fault_of_fill(book: Book, order: Order, position: Position, fill: Fill) -> Refusal | None:
    """Return why a fill fits neither the order nor what is held: a person must look."""
    if (order.state, OrderStep.FILL) not in TRANSITIONS:
        return _unlawful(order, OrderStep.FILL)
    if not _is_sound(fill, position):
        return Refusal(
            code="bad_fill", text=f"{order.client_order_id}: expected figures, was {fill}"
        )
    alive = book.position_of(order.symbol)
    if not position.is_alive and alive is not None and alive.position_id != position.position_id:
        return Refusal(
            code="position_exists",
            text=f"{order.client_order_id}, given up long ago, has filled, and {order.symbol} has "
            f"{alive.position_id} by now",
            mends_with_time=True,
        )
    if plus(order.filled, fill.amount) > order.amount:
        return Refusal(
            code="overfill",
            text=f"{order.client_order_id}: {fill.trade_id} fills {fill.amount} over "
            f"{order.filled} of {order.amount}",
        )
    if order.role is not Role.ENTRY and fill.amount > position.amount:
        return Refusal(
            code="oversold",
            text=f"{order.client_order_id}: {fill.trade_id} sold {fill.amount} of "
            f"{position.amount}",
        )
    return None


def _is_sound(fill: Fill, position: Position) -> bool:
    is_fee = is_figure(fill.fee, FEE_DECIMALS_MAX) and (
        fill.fee_currency != position.instrument.base or distance(fill.fee, ZERO) <= fill.amount
    )
    return is_fee and all(is_amount(each) and is_figure(each) for each in (fill.amount, fill.price))


def _opened(position: Position, fill: Fill) -> PositionOpened:
    stop_price, take_profit_price = opening_stops(position, fill.price)
    return PositionOpened(
        symbol=position.symbol,
        price=fill.price,
        stop_price=stop_price,
        take_profit_price=take_profit_price,
    )


def _end(book: Book, command: EndOrder, now: Instant) -> Decision:
    order = book.orders.get(command.client_order_id)
    if order is None:
        return Refusal(code="unknown_order", text=f"{command.client_order_id} is not known")
    if order.is_ended:
        return NOTHING_NEW
    if (order.state, command.step) not in TRANSITIONS:
        return _unlawful(order, command.step)
    if command.filled != order.filled:
        return Refusal(
            code="fills_missing",
            text=f"the exchange filled {command.filled} of {order.client_order_id}, "
            f"{order.filled} is booked",
            mends_with_time=True,
        )
    return _ending(book, order, _end_event(command, order), now)


def _end_event(
    command: EndOrder, order: Order
) -> OrderCanceled | OrderRejected | OrderExpired | OrderNotPlaced:
    order_id, filled, reason = order.client_order_id, order.filled, command.reason
    match command.step:
        case OrderStep.CANCEL:
            return OrderCanceled(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.REJECT:
            return OrderRejected(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.EXPIRE:
            return OrderExpired(client_order_id=order_id, filled=filled, reason=reason)
        case OrderStep.PROVE_ABSENT:
            return OrderNotPlaced(client_order_id=order_id, reason=reason)
        case _:
            raise AssertionError(f"Expected a step that ends an order, was {command.step}")


def _ending(
    book: Book,
    order: Order,
    event: OrderCanceled | OrderRejected | OrderExpired | OrderNotPlaced,
    now: Instant,
) -> tuple[Proposed, ...]:
    ended = evolve_order(order, event, now)
    position = evolve_position(book.positions[order.position_id], event, now, ended)
    first = Proposed(position_id=order.position_id, event=event)
    return (first, *_consequences(book, position, ended))


def _consequences(book: Book, position: Position, ended: Order) -> tuple[Proposed, ...]:
    """Return what follows for a position when its last active order has ended."""
    others = [
        order
        for order in book.active_orders(position.position_id)
        if order.client_order_id != ended.client_order_id
    ]
    if others or not position.is_alive:
        return ()
    if position.entered == 0:
        voided = PositionVoided(symbol=position.symbol, reason=ended.end_reason)
        return (Proposed(position_id=position.position_id, event=voided),)
    price = position.mark or position.intended_price
    if not position.instrument.is_dust(position.amount, price):
        return ()
    events: list[Event] = []
    pnl = position.pnl
    if position.amount > 0 or position.cost > 0:
        dust = DustSetAside(
            coin=position.instrument.base, amount=position.amount, cost=position.cost
        )
        pnl = evolve_position(position, dust, Instant(0), None).pnl
        events.append(dust)
    reason = _close_reason(book, position, ended)
    events.append(PositionClosed(symbol=position.symbol, pnl=pnl, reason=reason))
    return tuple(Proposed(position_id=position.position_id, event=event) for event in events)


def _close_reason(book: Book, position: Position, ended: Order) -> str:
    """Return why the last exit that sold something was wanted; dust where none sold anything."""
    exits = [order for order in (*book.orders_of(position.position_id), ended)
             if order.role is not Role.ENTRY and order.filled > 0]  # fmt: skip
    return exits[-1].reason if exits else "dust"


def _guard(book: Book, command: MarkPosition | RaiseStop) -> Decision:
    position = book.positions.get(command.position_id)
    if position is None or not position.is_alive:
        return Refusal(code="no_position", text=f"{command.position_id} is not alive")
    price = command.price if isinstance(command, MarkPosition) else command.stop_price
    if not (is_amount(price) and is_figure(price)):
        return Refusal(code="no_price", text=f"expected a positive price, was {price}")
    if isinstance(command, MarkPosition):
        if position.mark == command.price:
            return NOTHING_NEW
        return _of(position.position_id, PositionMarked(price=command.price))
    if position.stop_price is not None and command.stop_price <= position.stop_price:
        return NOTHING_NEW
    return _of(
        position.position_id,
        StopRaised(stop_price=command.stop_price, price=command.price),
    )


def _change_trading_state(book: Book, command: ChangeTradingState) -> Decision:
    account = book.account
    if _is_weaker(account, command):
        return NOTHING_NEW
    if _is_latched(account, command):
        command = replace(command, is_flattening=True)
    wanted = (command.state, command.cause, command.is_flattening)
    if (account.trading_state, account.cause, account.is_flattening) == wanted:
        return NOTHING_NEW
    if command.state is TradingState.ACTIVE:
        refusal = _not_resumable(book)
        if refusal is not None:
            return refusal
    return _system(
        TradingStateChanged(
            state=command.state,
            cause=command.cause,
            reason=command.reason,
            is_flattening=command.is_flattening,
            equity=command.equity,
        )
    )


def _is_weaker(account: Account, command: ChangeTradingState) -> bool:
    """Say whether what holds trading now ends no sooner than what is wanted would."""
    is_held = account.trading_state is TradingState.REDUCING and account.cause != "daily_loss"
    return is_held and command.cause in ("daily_loss", "drawdown", "orphan")


def _is_latched(account: Account, command: ChangeTradingState) -> bool:
    """Say whether a flatten under way goes on: only its own end and a `resume` end it."""
    is_end = command.state is TradingState.ACTIVE or command.cause == "flatten"
    return account.is_flattening and not is_end


def _not_resumable(book: Book) -> Refusal | None:
    lost = [
        order.client_order_id
        for order in book.active_orders()
        if order.state in (OrderState.UNKNOWN, OrderState.NEEDS_HUMAN)
    ]
    if lost:
        return Refusal(
            code="unknown_outcome",
            text=f"the outcome of {', '.join(lost)} is unknown; wait or resolve it first",
            mends_with_time=True,
        )
    if book.account.orphans:
        return Refusal(
            code="orphan",
            text=f"orders that this store does not know: {', '.join(book.account.orphans)}",
        )
    return None


def _start_day(book: Book, command: StartDay) -> Decision:
    began = book.account.day_started_at
    if began is not None and command.day_started_at <= began:
        return NOTHING_NEW
    started = _system(DayStarted(day_started_at=command.day_started_at, equity=command.equity))
    if book.account.cause != "daily_loss":
        return started
    resumed = TradingStateChanged(
        state=TradingState.ACTIVE,
        cause="",
        reason="a new day began",
        is_flattening=False,
        equity=None,
    )
    return (*started, *_system(resumed))


def _complete_reconciliation(book: Book, command: CompleteReconciliation) -> Decision:
    completed = _system(
        ReconciliationCompleted(
            generation=command.generation,
            trigger=command.trigger,
            exchange_positions=command.exchange_positions,
            local_positions=command.local_positions,
            discrepancies=command.discrepancies,
            is_dry_run=command.is_dry_run,
        )
    )
    orphans = [found.subject for found in command.discrepancies if found.kind == "orphan"]
    if command.is_dry_run or not orphans:
        return completed
    halt = ChangeTradingState(
        state=TradingState.REDUCING,
        cause="orphan",
        reason=f"orders with our tag that this store does not know: {', '.join(orphans)}",
    )
    halted = _change_trading_state(book, halt)
    assert not isinstance(halted, Refusal), f"Expected a halt to be taken, was {halted}"
    return (*completed, *halted)


def _account(
    book: Book,
    command: StartBalances | RecordExternalChange | RecordPeak | CompleteDiagnosis,
    limits: Limits,
) -> Decision:
    match command:
        case StartBalances():
            if book.account.has_balances:
                return NOTHING_NEW
            return _system(BalancesStarted(balances=command.balances))
        case RecordExternalChange():
            expected = book.account.balances.get(command.coin, ZERO)
            if command.before is not None and command.before != expected:
                return NOTHING_NEW
            return _system(
                ExternalChangeSeen(
                    kind=command.kind,
                    coin=command.coin,
                    amount=command.amount,
                    reference=command.reference,
                    note=command.note,
                    counts_as_equity=command.coin == limits.quote_coin,
                )
            )
        case RecordPeak():
            if command.equity <= book.account.peak_equity:
                return NOTHING_NEW
            return _system(EquityPeaked(equity=command.equity))
        case CompleteDiagnosis():
            return _system(
                DiagnosisCompleted(
                    generation=command.generation,
                    trigger=command.trigger,
                    checks=command.checks,
                )
            )


def _system(event: Event) -> tuple[Proposed, ...]:
    return _of(SYSTEM_POSITION, event)


def _of(position: PositionId, event: Event) -> tuple[Proposed, ...]:
    return (Proposed(position_id=position, event=event),)
