"""ExchangeGateway: the only actor that speaks with the exchange.

It owns the dialogue about orders: what may be sent, what was heard, what to look up again. It
never sends an order without `OrderSubmitted` in its hands, never takes silence for a no, and
never ends an order on anything but the exchange's own record.

Invariants:
1. An order is sent by the receiver of its `OrderSubmitted`, once; nothing is ever sent again.
2. No answer means UNKNOWN; an unknown order is looked up until evidence ends it.
3. A cancel's answer closes nothing: look up, book the trades, then end the order.
4. "Not found" proves absence only after the barrier and with a scan of the trades.
5. An order that has not ended is always being looked up, or has a timer that will.
"""

from __future__ import annotations

from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.dialogue import (
    AccountFetched,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    OrderFound,
    OrderNotFound,
    PlaceOrder,
    QuoteFetched,
)
from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import Command, LoseSight, RequestCancel, SubmitOrder
from aegis.domain.events import (
    OrderAccepted,
    OrderCancelRequested,
    OrderEnding,
    OrderFilled,
    OrderIntended,
    OrderOutcomeUnknown,
    OrderSubmitted,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.guard import quote_of
from aegis.domain.ids import ClientOrderId, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.venue import VenueAccount
from aegis.exchange.lookout import Breaker, Lookout, Patience, Prices
from aegis.exchange.outcomes import (
    after_finding,
    after_placing,
    doubt_of,
    is_exit_lost,
    is_out_of_room,
    never_sent,
    proof_of_absence,
    reason_of,
    request_to_find,
    request_to_place,
    submitted_at,
    until_barrier_s,
)
from aegis.messages import (
    LOOK_FOR_ROOM,
    AccountRead,
    BookRead,
    Committed,
    Execute,
    Executed,
    GatewayMessage,
    InstrumentsKnown,
    InstrumentsWanted,
    LookAgain,
    MarketMoved,
    QuoteRead,
    ReadAccount,
    ReadBook,
    ReadInstruments,
    ReadQuote,
    ReconcileNow,
)
from aegis.ports import Exchange, Timer


class ExchangeGateway(Actor):
    """Turns intents into orders at the exchange, and its records into commands."""

    def __init__(
        self,
        context: Context,
        *,
        exchange: Exchange,
        symbols: tuple[Symbol, ...],
        patience: Patience,
    ) -> None:
        super().__init__(context)
        self._exchange = exchange
        self._symbols = symbols
        self._patience = patience
        self._book: Book | None = None
        self._prices = Prices(self.clock.monotonic, patience.stale_after_s)
        self._lookout = Lookout(self._look_later, patience.poll_interval_s)
        self._breaker = Breaker()
        self._proving: set[ClientOrderId] = set()  # past the barrier, waiting for the trades
        self._readers: list[ReadAccount] = []
        self._instruments: tuple[Instrument, ...] = ()
        self._instrument_readers: list[str] = []

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        self._ask_for_market()
        level, symbols = "debug" if self.epoch == 1 else "info", list(self._symbols)
        self.log("GatewayStarted", level=level, generation=self.generation, symbols=symbols)

    def receive(self, message: GatewayMessage) -> None:
        match message:
            case MarketMoved():
                self._see_price(message)
            case Committed():
                for recorded in message.records:
                    self._follow(recorded)
            case BookRead():
                self._take_up(message.book)
            case Executed():
                self._executed(message)
            case ExchangeReplied():
                self._heard(message)
            case LookAgain():
                self._look_due(message.client_order_id)
            case ReadAccount():
                self._read_account(message)
            case ReadQuote():
                self._submit(FetchQuote(symbol=message.symbol))
            case ReadInstruments():
                self._instrument_readers.append(message.reply_to)
                self._tell_instruments()
            case InstrumentsWanted():
                self._ask_for_market()
            case _:
                assert_never(message)

    # What the market and the log say ------------------------------------------------------

    def _see_price(self, message: MarketMoved) -> None:
        tick = message.tick
        self._prices.see(tick.symbol, quote_of(tick.price, message.spread_bps, tick.at))

    def _take_up(self, book: Book) -> None:
        """Begin from the log: what an earlier life left unfinished is finished first."""
        self._book = book
        for order in book.active_orders():
            self._resume(order)
        self._cancel_entries_if_halted()

    def _resume(self, order: Order) -> None:
        match order.state:
            case OrderState.INTENT:
                self._execute(never_sent(order), is_answer_wanted=True)
            case OrderState.SUBMITTING:
                reason = "the process ended before the answer"
                self._execute(LoseSight(client_order_id=order.client_order_id, reason=reason))
            case OrderState.CANCELING:
                self._send_cancel(order)
            case _:
                self._look_up(order.client_order_id)

    def _follow(self, recorded: Recorded) -> None:
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._book = None
            self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
            return
        book.apply(recorded)
        match event := recorded.event:
            case OrderIntended() if event.role is not Role.FORCED:
                self._ask_leave(event)
            case OrderAccepted() | OrderOutcomeUnknown():
                self._lookout.news(event.client_order_id)
                self._look_up(event.client_order_id)
                self._cancel_entries_if_halted()
            case OrderCancelRequested():
                self._send_cancel(book.orders[event.client_order_id])
            case OrderFilled(is_complete=False):
                self._lookout.news(event.client_order_id)
            case TradingStateChanged():
                self._cancel_entries_if_halted()
            case _ if isinstance(event, OrderFilled | OrderEnding):
                self._lookout.over(event.client_order_id)
            case _:
                pass
        book.forget_ended()

    def _cancel_entries_if_halted(self) -> None:
        assert self._book is not None
        if self._book.account.trading_state is TradingState.ACTIVE:
            return
        for order in self._book.active_orders():
            if order.role is Role.ENTRY and order.state in (OrderState.OPEN, OrderState.PARTIAL):
                key, reason = order.client_order_id, "entries are halted"
                self._execute(RequestCancel(client_order_id=key, reason=reason))

    # Sending --------------------------------------------------------------------------------

    def _ask_leave(self, event: OrderIntended) -> None:
        command = SubmitOrder(
            client_order_id=event.client_order_id,
            quote=self._prices.fresh(event.symbol),
            hold=self._breaker.hold,
        )
        self._execute(command, is_answer_wanted=True)

    def _executed(self, message: Executed) -> None:
        """Send what was submitted, now that it is on disk and the leave is ours alone."""
        if self._book is None:
            return  # an answer to an earlier life: what was submitted then is looked up
        for recorded in message.records:
            if isinstance(recorded.event, OrderSubmitted):
                order = self._book.orders[recorded.event.client_order_id]
                self._submit(request_to_place(order, self.clock.now()))
        refusal = message.refusal
        if refusal is None or isinstance(message.command, SubmitOrder):
            return
        doubtful = self._active(getattr(message.command, "client_order_id", ClientOrderId("")))
        if refusal.mends_with_time and doubtful is not None:
            self._lookout.again(doubtful)
            return
        self.log("ExecutionError", level="error", code=refusal.code, text=refusal.text)
        self.tell(names.RECONCILER, ReconcileNow(trigger="execution error"))

    def _send_cancel(self, order: Order) -> None:
        self._submit(CancelOrder(client_order_id=order.client_order_id, symbol=order.symbol))

    def _submit(self, request: ExchangeRequest) -> None:
        self._exchange.submit(request, self.reply_to())

    # Hearing --------------------------------------------------------------------------------

    def _heard(self, message: ExchangeReplied) -> None:
        request, answer = message.request, message.answer
        self._count(answer)
        match request:
            case PlaceOrder():
                self._heard_place(request, answer)
            case CancelOrder():
                self._look_up(request.client_order_id)
            case FindOrder():
                self._heard_find(request, answer)
            case FetchAccount():
                self._heard_account(request, answer)
            case FetchInstruments():
                self._heard_instruments(answer)
            case FetchQuote():
                if isinstance(answer, QuoteFetched) and answer.quote is not None:
                    self._prices.see(request.symbol, answer.quote)
                    self.tell(names.GUARD, QuoteRead(symbol=request.symbol, quote=answer.quote))
            case _:
                assert_never(request)

    def _count(self, answer: ExchangeAnswer) -> None:
        if not self._breaker.count(answer):
            return
        if (hold := self._breaker.hold) is None:
            self.log("BreakerClosed", level="warning", text="the exchange answers")
        else:
            self.log("BreakerOpened", level="warning", text=hold)
            self.tell(names.RECONCILER, ReconcileNow(trigger="breaker open"))

    def _heard_place(self, request: PlaceOrder, answer: ExchangeAnswer) -> None:
        self._execute(after_placing(request.client_order_id, answer))
        trigger = doubt_of(self._active(request.client_order_id), answer)
        if trigger is not None:
            self.tell(names.RECONCILER, ReconcileNow(trigger=trigger))
        if is_out_of_room(answer):
            self.tell(names.DIAGNOSTICIAN, LOOK_FOR_ROOM)

    # Looking up -------------------------------------------------------------------------------

    def _look_up(self, order_id: ClientOrderId) -> None:
        """Look now, unless a look is under way."""
        order = self._active(order_id)
        if order is not None and self._lookout.begin(order_id):
            self._submit(request_to_find(order))

    def _look_later(self, delay_s: float, order_id: ClientOrderId) -> Timer:
        return self.after(delay_s, LookAgain(client_order_id=order_id))

    def _look_due(self, order_id: ClientOrderId) -> None:
        """Look again; a cancel that the exchange has not followed goes out again first."""
        self._lookout.due(order_id)
        order = self._active(order_id)
        if order is not None and order.state is OrderState.CANCELING:
            self._send_cancel(order)
        else:
            self._look_up(order_id)

    def _active(self, order_id: ClientOrderId) -> Order | None:
        order = None if self._book is None else self._book.orders.get(order_id)
        is_over = order is None or order.is_ended or order.role is Role.FORCED
        return None if is_over else order

    def _heard_find(self, request: FindOrder, answer: ExchangeAnswer) -> None:
        order_id = request.client_order_id
        self._lookout.heard(order_id)
        order = self._active(order_id)
        if order is None:
            return
        match answer:
            case OrderFound():
                for command in after_finding(order, answer):
                    self._execute(command, is_answer_wanted=True)
                self._lookout.again(order)  # its end, once committed, cancels the look
            case OrderNotFound():
                self._not_found(order, answer.as_of)
            case _:
                self._lookout.again(order)
        self._alarm_if_exit_is_lost(order)

    def _not_found(self, order: Order, as_of: Instant) -> None:
        """Take an answer that is not silence: absent now, provably so past the barrier."""
        order_id = order.client_order_id
        left_s = until_barrier_s(order, as_of, self._patience.barrier_s)
        if order.state is OrderState.UNKNOWN and left_s < 0:
            self._lookout.begin(order_id)
            self._proving.add(order_id)
            self._submit(FetchAccount(trades_since=submitted_at(order)))
            return
        if order.role is Role.ENTRY and self._lookout.is_first_call_off(order_id):
            self._send_cancel(order)
        self._lookout.again(order, self.clock.real_s(left_s) if left_s >= 0 else None)

    def _alarm_if_exit_is_lost(self, order: Order) -> None:
        order_id = order.client_order_id
        if is_exit_lost(order, self.clock) and self._lookout.is_first_alarm(order_id):
            self.log("ExitOutcomeUnknown", level="error", client_order_id=order_id)

    # The account ------------------------------------------------------------------------------

    def _read_account(self, message: ReadAccount) -> None:
        """Look at the account, and meanwhile at each order that is not settled."""
        self._readers.append(message)
        for order in self._book.active_orders() if self._book else ():
            if order.state not in (OrderState.INTENT, OrderState.SUBMITTING):
                self._look_up(order.client_order_id)
        self._submit(FetchAccount(trades_since=message.trades_since))

    def _heard_account(self, request: FetchAccount, answer: ExchangeAnswer) -> None:
        account = answer.account if isinstance(answer, AccountFetched) else None
        self._prove_absences(account)
        reply = AccountRead(account=account, reason="" if account else reason_of(answer))
        for reader in [r for r in self._readers if r.trades_since == request.trades_since]:
            self._readers.remove(reader)
            self.tell(reader.reply_to, reply)

    def _prove_absences(self, account: VenueAccount | None) -> None:
        """End the unknown orders that neither look-up nor trades show past their barrier."""
        proving, self._proving = self._proving, set()
        for order_id in sorted(proving):
            self._lookout.heard(order_id)
            order = self._active(order_id)
            if order is None:
                continue
            end = proof_of_absence(order, account, self._patience.barrier_s)
            if end is None:
                self._lookout.again(order)
            else:
                self._execute(end, is_answer_wanted=True)

    def _ask_for_market(self) -> None:
        self._submit(FetchInstruments(symbols=self._symbols))
        for symbol in self._symbols:
            self._submit(FetchQuote(symbol=symbol))

    def _heard_instruments(self, answer: ExchangeAnswer) -> None:
        if not isinstance(answer, InstrumentsFetched):
            self.log("InstrumentsUnknown", level="warning", reason=reason_of(answer))
            self.after(self._patience.poll_interval_s, InstrumentsWanted())
            return
        self._instruments = answer.instruments
        self._tell_instruments()

    def _tell_instruments(self) -> None:
        if not self._instruments:
            return
        readers, self._instrument_readers = self._instrument_readers, []
        for name in readers:
            self.tell(name, InstrumentsKnown(instruments=self._instruments))

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))
