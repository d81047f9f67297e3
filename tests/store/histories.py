"""Lawful histories for the store's tests: random commands, decided as the system decides them.

A command that is refused leaves no event, so whatever comes out here is lawful.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    AskForHuman,
    ChangeTradingState,
    Command,
    CompleteDiagnosis,
    CompleteReconciliation,
    EndOrder,
    IntendOrder,
    LoseSight,
    MarkPosition,
    Quote,
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
from aegis.domain.decisions import decide
from aegis.domain.events import CheckResult, Discrepancy, Opening, Recorded
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    EventId,
    ExchangeOrderId,
    Generation,
    Incarnation,
    Instant,
    PositionId,
    Symbol,
    entry_order_id,
    exit_order_id,
    position_id,
)
from aegis.domain.instrument import Instrument
from aegis.domain.money import floor_to, minus
from aegis.domain.order import Fill, Order, OrderStep, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide, StopPolicy
from aegis.domain.risk import Limits
from aegis.store.identity import Identity
from aegis.store.journal import Store
from aegis.store.recorder import Recorder

IDENTITY = Identity(mode="paper", exchange="cryptocom", account="main", market="simulated:1")
START = Instant(1_700_000_000_000_000_000)
STEP_NS = 1_000_000_007
TAG = "ae123456"
BTC, USDT = Coin("BTC"), Coin("USDT")
SYMBOLS = (Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("CRO/USDT"))

LIMITS = Limits(
    quote_coin=USDT,
    open_positions_max=10,
    entries_per_position_max=5,
    order_notional_max=Decimal(10_000_000),
    exposure_max=Decimal(100_000_000),
    orders_per_minute_max=1_000_000,
    price_collar_pct=Decimal(50),
    daily_loss_max=Decimal(100_000_000),
    drawdown_max_pct=Decimal(0),
    cooldown_s=0,
)


def no_notice(_recorded: Recorded, _book: Book) -> str | None:
    return None


def open_store(
    path: Path,
    *,
    identity: Identity = IDENTITY,
    now: Instant = START,
    channels: tuple[str, ...] = ("log",),
    notice_of: Callable[[Recorded, Book], str | None] = no_notice,
    incarnation: str = "first",
    may_mend: bool = False,
    is_kept: bool = True,
    recorder: Recorder | None = None,
) -> Store:
    return Store.open(
        path,
        identity,
        draw_incarnation=lambda: incarnation,
        now=now,
        channels=channels,
        notice_of=notice_of,
        may_mend=may_mend,
        is_kept=is_kept,
        recorder=recorder,
    )


class History:
    """A book that random, lawful things happen to."""

    def __init__(self, seed: int, book: Book | None = None, now: Instant = START) -> None:
        self.choose = random.Random(seed)
        self.book = Book() if book is None else book
        self.now = now
        self.trades = 0

    def happen(self, commands: int) -> tuple[Recorded, ...]:
        """Let some commands happen; return what was recorded."""
        records: list[Recorded] = []
        for _ in range(commands):
            records.extend(self.execute(self.any_command()))
        return tuple(records)

    def execute(self, command: Command) -> tuple[Recorded, ...]:
        """Decide a command and fold what it gives; nothing when it is refused."""
        self.now = Instant(self.now + STEP_NS)
        decision = decide(self.book, command, now=self.now, limits=LIMITS)
        if isinstance(decision, Refusal):
            return ()
        records = []
        for proposed in decision:
            recorded = Recorded(
                event_id=EventId(self.book.last_event_id + 1),
                position_id=proposed.position_id,
                version=self.book.version_of(proposed.position_id) + 1,
                actor="Test",
                at=self.now,
                event=proposed.event,
            )
            self.book.apply(recorded)
            records.append(recorded)
        return tuple(records)

    def open_position(self, symbol: Symbol = SYMBOLS[0]) -> tuple[Recorded, ...]:
        """Enter a position with one order, filled at once."""
        intent = self.entry(symbol)
        order = intent.order
        return (
            *self.execute(intent),
            *self.execute(self.submit(order)),
            *self.execute(
                AcceptOrder(
                    client_order_id=order.client_order_id,
                    exchange_order_id=ExchangeOrderId(f"x{self.now}"),
                )
            ),
            *self.execute(
                RecordFills(
                    client_order_id=order.client_order_id,
                    fills=(self.fill(order, order.amount),),
                )
            ),
        )

    def mark(self, position: PositionId) -> tuple[Recorded, ...]:
        """Let the price move."""
        return self.execute(MarkPosition(position_id=position, price=self.price()))

    def price(self) -> Decimal:
        return Decimal(self.choose.randint(9_000, 11_000)).scaleb(-2)

    def entry(self, symbol: Symbol) -> IntendOrder:
        alive = self.book.position_of(symbol)
        incarnation = Incarnation("first")
        key = position_id(incarnation, "test", symbol, self.now)
        key = key if alive is None else alive.position_id
        order = self.order(
            entry_order_id(TAG, incarnation, "test", key, self.now), key, symbol, Role.ENTRY
        )
        opening = Opening(
            side=PositionSide.LONG,
            created_by="strategy",
            policy=StopPolicy(
                stop_loss_pct=Decimal(2), trailing_stop_pct=Decimal(self.choose.choice("01"))
            ),
            instrument=Instrument(
                symbol=symbol,
                base=Coin(symbol.partition("/")[0]),
                quote=USDT,
                amount_step=Decimal("0.0001"),
                price_step=Decimal("0.01"),
                amount_min=Decimal("0.0010"),
                notional_min=Decimal("0.1"),
            ),
        )
        return IntendOrder(order=order, opening=opening if alive is None else None)

    def exit(self, position: Position) -> IntendOrder:
        key = exit_order_id(TAG, Incarnation("first"), position.position_id, position.exits_ended)
        order = self.order(key, position.position_id, position.symbol, Role.EXIT)
        part = position.amount if self.choose.random() < 0.6 else position.amount / 2
        amount = floor_to(part, position.instrument.amount_step)
        return IntendOrder(order=msgspec.structs.replace(order, amount=amount))

    def order(self, key: ClientOrderId, position: PositionId, symbol: Symbol, role: Role) -> Order:
        is_limit = self.choose.random() < 0.3
        price = self.price()
        return Order(
            client_order_id=key,
            position_id=position,
            symbol=symbol,
            role=role,
            side=Side.BUY if role is Role.ENTRY else Side.SELL,
            type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            amount=Decimal(self.choose.randint(50, 5_000)).scaleb(-4),
            strategy="test",
            reason="because",
            decision_price=price,
            price=price if is_limit else None,
            bid=price,
            ask=price,
        )

    def submit(self, order: Order) -> SubmitOrder:
        price = order.decision_price
        quote = Quote(bid=price, ask=price, at=self.now)
        return SubmitOrder(client_order_id=order.client_order_id, quote=quote)

    def fill(self, order: Order, amount: Decimal) -> Fill:
        self.trades += 1
        base = Coin(order.symbol.partition("/")[0])
        fee_coin = self.choose.choice([base, USDT, Coin("CRO")])
        fee = Decimal("0.0001") if fee_coin == base else Decimal("0.0430")
        return Fill(
            trade_id=f"t{self.now}-{self.trades}",
            amount=amount,
            price=self.price(),
            fee=fee if order.role is Role.ENTRY or fee_coin != base else Decimal(0),
            fee_currency=fee_coin,
            liquidity=self.choose.choice(["taker", "maker"]),
            filled_at=self.now,
        )

    def any_command(self) -> Command:
        active = self.book.active_orders()
        alive = self.book.alive_positions()
        roll = self.choose.random()
        if active and roll < 0.65:
            return self.of_order(self.choose.choice(active))
        if alive and roll < 0.8:
            return self.of_position(self.choose.choice(alive))
        if roll < 0.92:
            return self.entry(self.choose.choice(SYMBOLS))
        return self.of_account()

    def of_order(self, order: Order) -> Command:
        key = order.client_order_id
        part = self.choose.choice([order.remaining, minus(order.remaining, Decimal("0.0002"))])
        amount = part if part > 0 else order.remaining
        step = self.choose.choice(
            [OrderStep.CANCEL, OrderStep.REJECT, OrderStep.EXPIRE, OrderStep.PROVE_ABSENT]
        )
        kinds: list[Command] = [
            self.submit(order),
            AcceptOrder(client_order_id=key, exchange_order_id=ExchangeOrderId(f"x{key[-6:]}")),
            RecordFills(client_order_id=key, fills=(self.fill(order, amount),)),
        ]
        rarely: list[Command] = [
            LoseSight(client_order_id=key, reason="timed out"),
            RequestCancel(client_order_id=key, reason="changed my mind"),
            EndOrder(client_order_id=key, step=step, filled=order.filled, reason="as told"),
            AskForHuman(client_order_id=key, reason="nobody knows"),
        ]
        return self.choose.choice(kinds * 3 + rarely)

    def of_position(self, position: Position) -> Command:
        price = self.price()
        kinds: list[Command] = [
            MarkPosition(position_id=position.position_id, price=price),
            RaiseStop(position_id=position.position_id, stop_price=price, price=price),
        ]
        if position.amount > 0:
            kinds.append(self.exit(position))
            kinds.append(self.exit(position))
        return self.choose.choice(kinds)

    def reconciliation(self) -> Command:
        found = Discrepancy(
            kind="phantom",
            symbol=SYMBOLS[1],
            subject="p-1",
            expected="1",
            found="0",
            action="told",
            is_healed=self.choose.random() < 0.5,
        )
        return CompleteReconciliation(
            generation=Generation(1),
            trigger="start",
            exchange_positions=1,
            local_positions=2,
            discrepancies=(found,) if self.choose.random() < 0.5 else (),
            is_dry_run=self.choose.random() < 0.2,
        )

    def of_account(self) -> Command:
        kinds: list[Command] = [
            self.reconciliation(),
            StartBalances(balances={USDT: Decimal("10000.00"), BTC: Decimal("0.5")}),
            RecordExternalChange(
                kind="transfer", coin=USDT, amount=Decimal("12.50"), reference="r", note="ünïcode"
            ),
            StartDay(day_started_at=self.now, equity=Decimal("10012.5")),
            RecordPeak(equity=Decimal(self.choose.randint(10_000, 20_000))),
            ChangeTradingState(
                state=self.choose.choice([TradingState.ACTIVE, TradingState.REDUCING]),
                cause="person",
                reason="as you like",
            ),
            CompleteDiagnosis(
                generation=Generation(1),
                trigger="start",
                checks=(
                    CheckResult(check="chain", status="ok", details=""),
                    CheckResult(check="stops", status="fixed", details="set one"),
                ),
            ),
        ]
        return self.choose.choice(kinds)
