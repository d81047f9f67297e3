"""What the domain's tests build with: orders, and a desk that decides as the store does.

Figures are written as text, so that no test reckons under the thread's decimal context.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.book import Book, Recalled
from aegis.domain.commands import (
    AcceptOrder,
    ChangeTradingState,
    Command,
    CompleteReconciliation,
    EndOrder,
    IntendOrder,
    LoseSight,
    Quote,
    Reading,
    RecordFills,
    Refusal,
    StartBalances,
    StartDay,
    SubmitOrder,
)
from aegis.domain.decisions import decide
from aegis.domain.events import Discrepancy, Event, Opening, Recorded
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    ClientOrderId,
    Coin,
    EventId,
    ExchangeOrderId,
    Generation,
    Incarnation,
    Instant,
    PositionId,
    Symbol,
    coins_of,
    entry_order_id,
    exit_order_id,
    position_id,
    protective_order_id,
)
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.domain.order import Fill, Order, OrderState, OrderStep, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide, StopPolicy
from aegis.domain.risk import Limits

BTC, ETH, USDT, CRO = Coin("BTC"), Coin("ETH"), Coin("USDT"), Coin("CRO")
BTC_USDT, ETH_USDT, CRO_USDT = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("CRO/USDT")
START = Instant(1_704_067_200 * NANOS_PER_SECOND)
"""2024-01-01T00:00:00Z."""

TAG = "ae123456"
INCARNATION = Incarnation("first")
POLICY = StopPolicy(stop_loss_pct=Decimal(2), take_profit_pct=Decimal(4))

LIMITS = Limits(
    quote_coin=USDT,
    open_positions_max=3,
    entries_per_position_max=2,
    order_notional_max=Decimal(1000),
    exposure_max=Decimal(3000),
    orders_per_minute_max=20,
    price_collar_pct=Decimal(1),
    daily_loss_max=Decimal(200),
    drawdown_max_pct=Decimal(20),
    cooldown_s=0,
)

NO_LIMITS = Limits(
    quote_coin=USDT,
    open_positions_max=1000,
    entries_per_position_max=1000,
    order_notional_max=Decimal(10**15),
    exposure_max=Decimal(10**15),
    orders_per_minute_max=10**9,
    price_collar_pct=Decimal(10**9),
    daily_loss_max=Decimal(0),
    drawdown_max_pct=Decimal(0),
    cooldown_s=0,
)


def decimals(*figures: str | int) -> tuple[Decimal, ...]:
    return tuple(Decimal(figure) for figure in figures)


def seconds(count: int) -> int:
    return count * NANOS_PER_SECOND


def instrument(symbol: Symbol = BTC_USDT, **changes: object) -> Instrument:
    base, quote = coins_of(symbol)
    made = Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        amount_step=Decimal("0.0001"),
        price_step=Decimal("0.01"),
        amount_min=Decimal("0.001"),
        notional_min=Decimal(1),
    )
    return msgspec.structs.replace(made, **changes)


def opening(symbol: Symbol = BTC_USDT, policy: StopPolicy = POLICY, **changes: object) -> Opening:
    made = Opening(
        side=PositionSide.LONG,
        created_by="strategy",
        policy=policy,
        instrument=instrument(symbol),
    )
    return msgspec.structs.replace(made, **changes)


def quote(price: str | Decimal = "100") -> Quote:
    return Quote(bid=Decimal(price), ask=Decimal(price), at=START)


def entry(
    amount: str | Decimal = "1",
    price: str | Decimal = "100",
    /,
    *,
    symbol: Symbol = BTC_USDT,
    at: Instant = START,
    into: PositionId | None = None,
    **changes: object,
) -> Order:
    """Return an entry's intent, with ids as the strategy makes them; `changes` name its fields."""
    held = into or position_id(INCARNATION, "test", symbol, at)
    made = Order(
        client_order_id=entry_order_id(TAG, INCARNATION, "test", held, at),
        position_id=held,
        symbol=symbol,
        role=Role.ENTRY,
        side=Side.BUY,
        type=OrderType.MARKET,
        amount=Decimal(amount),
        strategy="test",
        reason="strategy",
        decision_price=Decimal(price),
        bid=Decimal(price),
        ask=Decimal(price),
    )
    return msgspec.structs.replace(made, **changes)


def exit_of(
    position: Position,
    amount: str | Decimal | None = None,
    price: str | Decimal = "100",
    /,
    *,
    reason: str = "stop_loss",
    **changes: object,
) -> Order:
    """Return an exit's intent; all that is held, and the position's next ordinal, unless told."""
    key = exit_order_id(TAG, INCARNATION, position.position_id, position.exits_ended)
    made = Order(
        client_order_id=key,
        position_id=position.position_id,
        symbol=position.symbol,
        role=Role.EXIT,
        side=Side.SELL,
        type=OrderType.MARKET,
        amount=position.amount if amount is None else Decimal(amount),
        strategy=position.strategy,
        reason=reason,
        decision_price=Decimal(price),
        reduce_only=True,
    )
    return msgspec.structs.replace(made, **changes)


def stop_at_exchange(
    position: Position, amount: str | Decimal | None = None, /, **changes: object
) -> Order:
    """Return the intent of a stop at the exchange, for all that is held unless told."""
    fields: dict[str, object] = {
        "client_order_id": protective_order_id(TAG, INCARNATION, position.position_id, 0),
        "role": Role.PROTECTIVE,
        "type": OrderType.STOP,
        "trigger_price": Decimal(96),
    }
    return exit_of(position, amount, reason="exchange_stop", **{**fields, **changes})


def fill(
    trade_id: str,
    amount: str | Decimal = "1",
    price: str | Decimal = "100",
    fee: str | Decimal = "0",
    coin: Coin = USDT,
) -> Fill:
    return Fill(
        trade_id=trade_id,
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=coin,
        liquidity="taker",
        filled_at=START,
    )


class Desk:
    """A book, its log, and an archive of all that the book may forget: the store without a disk.

    `keeps` false lets go of what has ended after each command, as the running store does.
    """

    def __init__(self, limits: Limits = LIMITS, *, keeps: bool = False) -> None:
        self.book = Book()
        self.limits = limits
        self.keeps = keeps
        self.now = START
        self.log: list[Recorded] = []
        self.positions: dict[PositionId, Position] = {}
        self.orders: dict[ClientOrderId, Order] = {}
        self._trades = 0

    # The store's way ----------------------------------------------------------------------

    def execute(self, command: Command) -> tuple[Recorded, ...] | Refusal:
        """Decide a command, record what came of it, and forget what has ended."""
        self._remember(command)
        decision = decide(self.book, command, now=self.now, limits=self.limits)
        records: list[Recorded] = []
        for proposed in () if isinstance(decision, Refusal) else decision:
            recorded = Recorded(
                event_id=EventId(self.book.last_event_id + 1),
                position_id=proposed.position_id,
                version=self.book.version_of(proposed.position_id) + 1,
                actor="test",
                at=self.now,
                event=proposed.event,
            )
            self.book.apply(recorded)
            records.append(recorded)
        self.log.extend(records)
        self.positions.update(self.book.positions)
        self.orders.update(self.book.orders)
        if not self.keeps:
            self.book.forget_ended()
        return decision if isinstance(decision, Refusal) else tuple(records)

    def _remember(self, command: Command) -> None:
        subject = command.order if isinstance(command, IntendOrder) else command
        order = self.orders.get(getattr(subject, "client_order_id", ClientOrderId("")))
        if order is not None:
            self.recall(order.position_id)
        if isinstance(command, IntendOrder) and command.order.position_id in self.positions:
            self.recall(command.order.position_id)

    def recall(self, position: PositionId) -> None:
        orders = tuple(o for o in self.orders.values() if o.position_id == position)
        self.book.recall(Recalled(position=self.positions[position], orders=orders))

    # Shorter ways to say it ----------------------------------------------------------------

    def does(self, command: Command) -> tuple[Event, ...]:
        """Execute what must be taken; return its events."""
        done = self.execute(command)
        assert not isinstance(done, Refusal), f"Expected {command} to be taken, was {done}"
        return tuple(recorded.event for recorded in done)

    def refuses(self, command: Command) -> Refusal:
        """Execute what must be refused; return the refusal."""
        before, log = self.book.last_event_id, len(self.log)
        done = self.execute(command)
        assert isinstance(done, Refusal), f"Expected {command} to be refused, was {done}"
        assert (self.book.last_event_id, len(self.log)) == (before, log)
        return done

    def waits(self, duration_s: int) -> None:
        self.now = Instant(self.now + seconds(duration_s))

    def reading(self, **changes: object) -> Reading:
        """Return what the exchange has of bitcoin's two coins now, where the books are right."""
        base, quote = (self.book.account.balances.get(coin, ZERO) for coin in (BTC, USDT))
        told = Reading(symbol=BTC_USDT, base=base, quote=quote, asked_at=self.now)
        return msgspec.structs.replace(told, **changes)

    def order(self, order: Order) -> Order:
        return self.orders[order.client_order_id]

    def position(self, symbol: Symbol = BTC_USDT) -> Position:
        """Return the alive position of a symbol."""
        held = self.book.position_of(symbol)
        assert held is not None, f"Expected a position alive in {symbol}"
        return held

    def last_position(self) -> Position:
        """Return the position of the last event that had one, whatever became of it."""
        ids = [r.position_id for r in self.log if r.position_id in self.positions]
        return self.positions[ids[-1]]

    def names(self) -> list[str]:
        return [type(recorded.event).__name__ for recorded in self.log]

    def trade_id(self) -> str:
        self._trades += 1
        return f"t-{self._trades}"

    # A way into each state ------------------------------------------------------------------

    def funded(self, amount: str = "10000") -> Desk:
        self.does(StartBalances(balances={USDT: Decimal(amount)}))
        self.does(StartDay(day_started_at=START, equity=Decimal(amount)))
        return self

    def intended(self, order: Order, policy: StopPolicy = POLICY) -> Order:
        is_opening = order.role is Role.ENTRY and order.position_id not in self.positions
        makes = opening(order.symbol, policy) if is_opening else None
        self.does(IntendOrder(order=order, opening=makes))
        return order

    def submitted(self, order: Order, policy: StopPolicy = POLICY) -> Order:
        self.intended(order, policy)
        self.does(submit(order))
        assert self.order(order).state is OrderState.SUBMITTING, self.order(order)
        return order

    def accepted(self, order: Order, policy: StopPolicy = POLICY) -> Order:
        self.submitted(order, policy)
        self.does(accept(order))
        return order

    def unknown(self, order: Order, policy: StopPolicy = POLICY) -> Order:
        self.submitted(order, policy)
        self.does(LoseSight(client_order_id=order.client_order_id, reason="timed out"))
        return order

    def fills(
        self,
        order: Order,
        amount: str | Decimal,
        price: str | Decimal = "100",
        fee: str | Decimal = "0",
        coin: Coin = USDT,
    ) -> tuple[Event, ...]:
        """Book one trade of an order."""
        made = fill(self.trade_id(), amount, price, fee, coin)
        return self.does(RecordFills(client_order_id=order.client_order_id, fills=(made,)))

    def holding(
        self,
        amount: str = "1",
        price: str = "100",
        policy: StopPolicy = POLICY,
        symbol: Symbol = BTC_USDT,
    ) -> Position:
        """Enter with one order, filled at once; return the position."""
        order = self.accepted(entry(amount, price, symbol=symbol, at=self.now), policy)
        self.fills(order, order.amount, price)
        return self.position(symbol)

    def left(
        self, price: str = "100", reason: str = "stop_loss", symbol: Symbol = BTC_USDT
    ) -> Position:
        """Leave the position with one order, filled at once; return what became of it."""
        order = self.accepted(exit_of(self.position(symbol), None, price, reason=reason))
        self.fills(order, order.amount, price)
        return self.positions[order.position_id]

    def ends(self, order: Order, step: OrderStep) -> tuple[Event, ...]:
        return self.does(end(order, step, self.order(order).filled))

    def halted(self, cause: str = "operator") -> None:
        self.does(halt(cause))


def submit(
    order: Order, price: str | Decimal | None = None, reading: Reading | None = None, **more: Any
) -> SubmitOrder:
    seen = quote(order.decision_price if price is None else price)
    return SubmitOrder(client_order_id=order.client_order_id, quote=seen, reading=reading, **more)


def accept(order: Order, exchange_order_id: str = "") -> AcceptOrder:
    key = exchange_order_id or f"x-{order.client_order_id[-8:]}"
    return AcceptOrder(
        client_order_id=order.client_order_id, exchange_order_id=ExchangeOrderId(key)
    )


def end(order: Order, step: OrderStep, filled: str | Decimal = "0") -> EndOrder:
    return EndOrder(
        client_order_id=order.client_order_id,
        step=step,
        filled=Decimal(filled),
        reason="the exchange said so",
    )


def halt(cause: str = "operator", *, is_flattening: bool = False) -> ChangeTradingState:
    return ChangeTradingState(
        state=TradingState.REDUCING,
        cause=cause,
        reason=f"halted: {cause}",
        is_flattening=is_flattening,
    )


def resume(equity: str | None = None) -> ChangeTradingState:
    return ChangeTradingState(
        state=TradingState.ACTIVE,
        cause="",
        reason="resumed",
        equity=None if equity is None else Decimal(equity),
    )


def unresolved(desk: Desk, position: Position, missing: str) -> None:
    """Let a reconciliation have found that coins of a position are gone."""
    found = Discrepancy(
        kind="phantom",
        symbol=position.symbol,
        subject=f"position {position.position_id}",
        expected="",
        found="",
        action="",
        is_healed=False,
        position_id=position.position_id,
        missing=Decimal(missing),
    )
    reconciled(desk, found)


def reconciled(desk: Desk, *found: Discrepancy) -> None:
    """Let a reconciliation have found so much."""
    command = CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=1,
        discrepancies=found,
        as_of=desk.now,
    )
    desk.does(command)


def book_of(records: Iterable[Recorded]) -> Book:
    """Return the book that records add up to, with nothing forgotten."""
    book = Book()
    for recorded in records:
        book.apply(recorded)
    return book


def orphan(subject: str, *, of: Position | None = None) -> Discrepancy:
    """Return what carries our tag and no intent, and may have sold coins of a position."""
    return Discrepancy(
        kind="orphan",
        symbol=BTC_USDT,
        subject=subject,
        expected="",
        found="",
        action="",
        is_healed=False,
        position_id=None if of is None else of.position_id,
    )
