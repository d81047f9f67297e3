"""Strategy: the person's strategy, one instance a symbol, and what its signals become.

It owns signals and sizing; it never sends anything, and what it wants passes the limits below
it. It runs code of others: whatever that raises ends this incarnation, and nothing else.

Invariants:
1. Armed only after a reconciliation of its own generation and a diagnosis of this process.
2. Only closed candles decide, once each, in order; warm-up and the first after a gap never,
   whoever has lost what is missing: the market or a feed that died.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

import msgspec
from msgspec.structs import replace

from actors import names
from actors.base import Actor, Context
from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.candles import Candle
from aegis.domain.commands import ArmStrategy, Command, IntendOrder, Refusal, RequestCancel
from aegis.domain.events import (
    DiagnosisCompleted,
    Opening,
    ReconciliationCompleted,
    Recorded,
)
from aegis.domain.guard import ExitReason, ExitWanted, exit_order, quote_of
from aegis.domain.ids import (
    Generation,
    Incarnation,
    Instant,
    Symbol,
    entry_order_id,
    exit_order_id,
    position_id,
)
from aegis.domain.indicators import Atr
from aegis.domain.instrument import Instrument
from aegis.domain.order import Order, OrderState, OrderType, Role, Side
from aegis.domain.position import Position, PositionSide, StopPolicy
from aegis.domain.risk import equity_of, is_held
from aegis.domain.sizing import ATR_PERIOD, Prospect, Sizing, size
from aegis.domain.strategies import Signal, Strategy, TimedStrategy
from aegis.messages import (
    Beat,
    BookRead,
    CandleClosed,
    Committed,
    Execute,
    Executed,
    HistoryRead,
    HistoryWanted,
    InstrumentsKnown,
    ReadBook,
    ReadHistory,
    ReadInstruments,
    StrategyMessage,
)
from aegis.tuning import Reconfigured
from aegis.vitals import ArmingRead, ReadVitals

HISTORY_AFTER_S = 5.0
"""A feed that died has forgotten who asked it for history; so it is asked again."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of trading."""

    name: str
    symbols: tuple[Symbol, ...]
    sizing: Sizing
    policy: StopPolicy
    spread_bps: Decimal


class StrategyRunner(Actor):
    """Feeds each symbol's strategy, and turns its signals into intents."""

    def __init__(
        self,
        context: Context,
        *,
        make: Callable[[], Strategy],
        plan: Plan,
        tag: str,
    ) -> None:
        super().__init__(context)
        self._make = make
        self._plan = plan
        self._tag = tag
        self._book: Book | None = None
        self._incarnation = Incarnation("")
        self._instruments: dict[Symbol, Instrument] = {}
        self._strategies: dict[Symbol, Strategy] = {}
        self._ranges = {symbol: Atr(ATR_PERIOD) for symbol in plan.symbols}
        self._seen: dict[Symbol, int] = {}
        self._last: dict[Symbol, Candle] = {}
        self._early: list[CandleClosed] = []  # closed while the history was on its way
        self._reconciled = Generation(0)
        self._diagnosed = Generation(0)
        self._is_arming = False
        self._is_armed = False

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        self.tell(names.EXCHANGE_GATEWAY, ReadInstruments(reply_to=self.name))
        for symbol in self._plan.symbols:
            strategy = self._strategies[symbol] = self._make()
            self._want_history(symbol)
            if isinstance(strategy, TimedStrategy):
                self.every(self.clock.real_s(strategy.period_s), Beat(symbol=symbol))

    def _want_history(self, symbol: Symbol) -> None:
        if symbol in self._seen:
            return
        count = max(self._strategies[symbol].warmup, self._plan.sizing.warmup)
        wanted = ReadHistory(symbol=symbol, count=count, reply_to=self.name)
        self.tell(names.MARKET_FEED, wanted)
        self.after(HISTORY_AFTER_S, HistoryWanted(symbol=symbol))

    def on_stopped(self) -> None:
        """Disarm, and call off the entries that still fill: what protects and leaves stays."""
        if not self._is_armed or self._book is None:
            return
        self.log("StrategyDisarmed", generation=self.generation)
        for order in self._book.active_orders():
            if order.role is Role.ENTRY and order.state in (OrderState.OPEN, OrderState.PARTIAL):
                reason = "the strategy was disarmed"
                self._execute(RequestCancel(client_order_id=order.client_order_id, reason=reason))

    def receive(self, message: StrategyMessage) -> None:
        match message:
            case CandleClosed():
                self._closed(message)
            case Committed():
                for recorded in message.records:
                    self._follow(recorded)
            case HistoryRead():
                self._warm_up(message)
            case BookRead():
                self._book, self._incarnation = message.book, message.incarnation
                self._reconciled, self._diagnosed = message.reconciled, message.diagnosed
                self._arm()
            case HistoryWanted():
                self._want_history(message.symbol)
            case InstrumentsKnown():
                self._instruments = {each.symbol: each for each in message.instruments}
                self._arm()
            case Beat():
                self._beat(message.symbol)
            case Executed():
                self._executed(message)
            case Reconfigured(tuning=tuning):
                self._plan = replace(self._plan, sizing=tuning.sizing, policy=tuning.policy)
            case ReadVitals():
                self._tell_arming(message)
            case _:
                assert_never(message)

    # Arming ---------------------------------------------------------------------------------

    def _follow(self, recorded: Recorded) -> None:
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._book = None
            self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
            return
        book.apply(recorded)
        book.forget_ended()
        event = recorded.event
        if isinstance(event, ReconciliationCompleted) and not event.is_dry_run:
            self._reconciled = event.generation
            self._arm()
        elif isinstance(event, DiagnosisCompleted):
            self._diagnosed = event.generation
            self._arm()

    def _arm(self) -> None:
        """Ask to be armed once this generation is reconciled and this process diagnosed."""
        if self._is_arming or self._waits_for():
            return
        self._is_arming = True
        command = ArmStrategy(generation=self.generation, strategy=self._plan.name)
        self._execute(command, is_answer_wanted=True)

    def _waits_for(self) -> str:
        """Return what has to come before it may be armed, or nothing."""
        if self._reconciled != self.generation:
            return "the reconciliation with the exchange"
        if self._diagnosed == 0:
            return "the diagnosis"
        if not self._instruments:
            return "the exchange to say what can be traded"
        if len(self._seen) < len(self._plan.symbols):
            return "the market's history"
        return ""

    def _tell_arming(self, message: ReadVitals) -> None:
        waits_for = "" if self._is_armed else self._waits_for() or "the store's word"
        arming = ArmingRead(token=message.token, is_armed=self._is_armed, waits_for=waits_for)
        self.tell(message.reply_to, arming)

    def _executed(self, message: Executed) -> None:
        refusal = message.refusal
        if isinstance(message.command, ArmStrategy) and refusal is None:
            self._is_armed = True
        elif refusal is not None:
            self.log("IntentRefused", level="warning", code=refusal.code, text=refusal.text)

    # Candles --------------------------------------------------------------------------------

    def _warm_up(self, message: HistoryRead) -> None:
        symbol = message.symbol
        if symbol in self._seen:
            return
        self._seen[symbol] = 0
        for candle in message.candles:
            self._feed(candle)
        early, self._early = self._early, []
        for closed in early:
            self._closed(closed)
        self._arm()

    def _closed(self, message: CandleClosed) -> None:
        symbol = message.candle.symbol
        if symbol not in self._seen:
            self._early.append(message)
            return
        last = self._last.get(symbol)
        has_gap = last is not None and message.candle.open_at > last.close_at
        signal = self._feed(message.candle)
        may_act = not (message.is_warmup or message.has_gap_before or has_gap)
        if signal is not None and may_act:
            self._act(symbol, signal, message.candle.close_at)

    def _feed(self, candle: Candle) -> Signal | None:
        """Show a candle to its strategy, once; return a signal that means something."""
        symbol, last = candle.symbol, self._last.get(candle.symbol)
        if last is not None and candle.open_at <= last.open_at:
            return None
        self._last[symbol] = candle
        self._seen[symbol] += 1
        self._ranges[symbol].add(candle)
        strategy = self._strategies[symbol]
        signal = _meant(strategy.on_candle(candle, is_holding=self._position(symbol) is not None))
        return signal if self._seen[symbol] > strategy.warmup else None

    def _beat(self, symbol: Symbol) -> None:
        strategy = self._strategies[symbol]
        assert isinstance(strategy, TimedStrategy)
        if symbol not in self._last:
            return
        signal = _meant(strategy.on_timer(is_holding=self._position(symbol) is not None))
        if signal is not None:
            self._act(symbol, signal, self.clock.now())

    def _position(self, symbol: Symbol) -> Position | None:
        return None if self._book is None else self._book.position_of(symbol)

    # Intents --------------------------------------------------------------------------------

    def _act(self, symbol: Symbol, signal: Signal, decided_at: Instant) -> None:
        if not self._is_armed or self._book is None:
            return
        position = self._position(symbol)
        if signal is Signal.LEAVE and position is not None and is_held(position):
            self._leave(self._book, position)
        elif signal is Signal.ENTER and position is None:
            is_active = self._book.account.trading_state is TradingState.ACTIVE
            if is_active:
                self._enter(self._book, symbol, decided_at)

    def _enter(self, book: Book, symbol: Symbol, decided_at: Instant) -> None:
        instrument, price = self._instruments.get(symbol), self._last[symbol].close
        if instrument is None or not instrument.is_active:
            text = f"{symbol} is not traded at the exchange now"
            self.log("EntryRefused", level="warning", code="inactive", text=text)
            return
        prospect = Prospect(
            instrument=instrument,
            price=price,
            stop_price=self._plan.policy.first_stop(price, instrument.price_step),
            equity=equity_of(book, instrument.quote),
            atr=self._ranges[symbol].value,
        )
        amount = size(self._plan.sizing, prospect)
        if isinstance(amount, Refusal):
            self.log("EntryRefused", level="warning", code=amount.code, text=amount.text)
            return
        quote = quote_of(price, self._plan.spread_bps, decided_at)
        held = position_id(self._incarnation, self._plan.name, symbol, decided_at)
        order = Order(
            client_order_id=entry_order_id(
                self._tag, self._incarnation, self._plan.name, held, decided_at
            ),
            position_id=held,
            symbol=symbol,
            role=Role.ENTRY,
            side=Side.BUY,
            type=OrderType.MARKET,
            amount=amount,
            strategy=self._plan.name,
            reason="strategy",
            decision_price=price,
            bid=quote.bid,
            ask=quote.ask,
        )
        opening = Opening(
            side=PositionSide.LONG,
            created_by="strategy",
            policy=self._plan.policy,
            instrument=instrument,
        )
        self._execute(IntendOrder(order=order, opening=opening), is_answer_wanted=True)

    def _leave(self, book: Book, position: Position) -> None:
        if any(order.role is not Role.ENTRY for order in book.active_orders(position.position_id)):
            return
        last = self._last[position.symbol]
        quote = quote_of(last.close, self._plan.spread_bps, last.close_at)
        order_id = exit_order_id(
            self._tag, self._incarnation, position.position_id, position.exits_ended
        )
        wanted = ExitWanted(reason=ExitReason.STRATEGY, trigger_price=None)
        order = exit_order(book, position, wanted, quote, order_id)
        if order is not None:
            self._execute(IntendOrder(order=order), is_answer_wanted=True)

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self._by(), reply_to=reply_to))

    def _by(self) -> str:
        return f"{self.name}:{self._plan.name}"


def _meant(said: str | None) -> Signal | None:
    """Return what a strategy said as a signal; anything else is its bug, and ends it here."""
    if said is None or said in tuple(Signal):
        return None if said is None else Signal(said)
    raise ValueError(f'Expected "enter", "leave" or None of on_candle, was {said!r}')
