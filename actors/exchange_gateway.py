"""ExchangeGateway: the only actor that speaks with the exchange.

It carries out what `aegis.exchange.protocol` says of each order, and passes on what the exchange
shows of account, prices and instruments. It never sends an order without `OrderSubmitted` in its
hands, and decides nothing about one: the protocol's invariants are not its to break.
"""

from __future__ import annotations

from typing import assert_never

from actors import names
from actors.base import Actor, Context
from actors.catalogue import Catalogue
from actors.looks import LookTimers
from aegis.dialogue import (
    AccountFetched,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    PlaceOrder,
    QuoteFetched,
)
from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import Command, Quote, RecordFills, SubmitOrder
from aegis.domain.events import (
    OrderAccepted,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.fold import is_beginning
from aegis.domain.guard import quote_of
from aegis.domain.ids import ClientOrderId, Symbol
from aegis.domain.order import Order, Role
from aegis.domain.protection import released, told_of
from aegis.domain.second import READING_WORTH_S, is_balance_wanted, unsent_exits
from aegis.exchange.grievances import Grievances
from aegis.exchange.heard import (
    UNWATCHED,
    AccountHeard,
    AlarmDue,
    AlarmLater,
    AskLeave,
    CancelHeard,
    Declined,
    Doubt,
    Effect,
    FindHeard,
    Halted,
    Heard,
    Leave,
    LookDue,
    LookLater,
    LookWanted,
    Make,
    PlaceHeard,
    Send,
    StopTimer,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.lookout import Breaker, Patience, Prices, fault_of_time
from aegis.exchange.outcomes import (
    KEY_DENIED_HALT,
    LOOK_FOR_ROOM,
    is_key_denied,
    is_out_of_room,
    reason_of,
)
from aegis.exchange.protocol import step
from aegis.exchange.readings import Readings
from aegis.exchange.waiting import alarm_of_waiting, silent_stop, waited_for
from aegis.messages import (
    AccountRead,
    BalanceRead,
    BookRead,
    Committed,
    Execute,
    Executed,
    GatewayMessage,
    InstrumentsWanted,
    LookAgain,
    QuoteRead,
    ReadAccount,
    ReadBalance,
    ReadBook,
    ReadInstruments,
    ReadQuote,
    ReconcileNow,
)
from aegis.news import MarketMoved
from aegis.ports import Exchange


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
        self._catalogue = Catalogue(self, self._submit, symbols, patience)
        self._readings = Readings(self.clock)
        self._prices = Prices(self.clock.monotonic, patience.stale_after_s)
        self._breaker = Breaker()
        self._grievances = Grievances()
        self._is_denied = False  # the key, by what the exchange last said of it
        self._watches: dict[ClientOrderId, Watch] = {}
        self._looks = LookTimers(self.after)
        self._reader: ReadAccount | None = None  # of its last life: it asks one thing at a time

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        self._catalogue.ask()
        level, symbols = "debug" if self.epoch == 1 else "info", list(self._symbols)
        self.log("GatewayStarted", level=level, generation=self.generation, symbols=symbols)

    def receive(self, message: GatewayMessage) -> None:
        match message:
            case MarketMoved(tick=tick, spread_bps=spread_bps):
                self._prices.see(tick.symbol, quote_of(tick.price, spread_bps, tick.at))
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
                self._look_due(message)
            case ReadAccount():
                self._read_account(message)
            case ReadBalance():
                self._ask_balance(message.symbol)
            case ReadQuote():
                self._submit(FetchQuote(symbol=message.symbol))
            case ReadInstruments():
                self._catalogue.want(message.reply_to)
            case InstrumentsWanted(is_anew=True):
                self._catalogue.ask_anew()
            case InstrumentsWanted():
                self._catalogue.ask()
            case _:
                assert_never(message)

    # What the log says --------------------------------------------------------------------

    def _take_up(self, book: Book) -> None:
        """Begin from the log: what an earlier life left unfinished is finished first."""
        self._book = book
        for order in book.active_orders():
            self._step(order.client_order_id, TakenUp())
        self._cancel_entries_if_halted()
        self._go_by_catalogue()

    def _follow(self, recorded: Recorded) -> None:
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._book = None
            self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
            return
        book.apply(recorded)
        event = recorded.event
        for order_id in told_of(book, event):
            self._grievances.forget(order_id)
            self._step(order_id, Told(event=event))
        if isinstance(event, TradingStateChanged) and event.state is TradingState.ACTIVE:
            self._is_denied = False  # whoever resumed means to try: a denial halts anew
        if isinstance(event, OrderAccepted | OrderOutcomeUnknown | TradingStateChanged):
            self._cancel_entries_if_halted()
        if isinstance(event, OrderRejected) and book.orders[event.client_order_id].reduce_only:
            self._catalogue.ask_anew()  # changed, maybe
        if is_beginning(event):
            self._go_by_catalogue()
        for waiting in released(book, event):
            self._ask_leave(waiting)
        book.forget_ended()

    def _go_by_catalogue(self) -> None:
        for change in self._catalogue.changes(self._book):
            self._execute(change)

    def _cancel_entries_if_halted(self) -> None:
        assert self._book is not None
        if not self._book.account.calls_off_entries:
            return
        for order in self._book.active_orders():
            self._step(order.client_order_id, Halted())

    # The protocol -----------------------------------------------------------------------------

    def _active(self, order_id: ClientOrderId) -> Order | None:
        order = None if self._book is None else self._book.orders.get(order_id)
        is_over = order is None or order.is_ended or order.role is Role.FORCED
        return None if is_over else order

    def _step(self, order_id: ClientOrderId, heard: Heard) -> None:
        """Take one step of the order protocol, and do what it says."""
        order, watch = self._active(order_id), self._watches.pop(order_id, UNWATCHED)
        watch, effects = step(order, watch, heard, self._patience, self.clock)
        if watch != UNWATCHED:
            self._watches[order_id] = watch
        for effect in effects:
            self._do(order_id, effect)

    def _do(self, order_id: ClientOrderId, effect: Effect) -> None:
        match effect:
            case AskLeave():
                self._ask_leave(order_id)
            case Send():
                self._submit(effect.request)
            case Make():
                self._execute(effect.command, is_answer_wanted=effect.is_answer_wanted)
            case LookLater():
                self._looks.set(order_id, effect.delay_s)
            case AlarmLater():
                self.after(effect.delay_s, LookAgain(client_order_id=order_id, is_alarm=True))
            case StopTimer():
                self._looks.stop(order_id)
            case Doubt():
                self.tell(names.RECONCILER, ReconcileNow(trigger=effect.trigger))
            case TellLost():
                self.log("ExitOutcomeUnknown", level="error", client_order_id=order_id)
            case TellWaiting():
                assert self._book is not None
                alarm = alarm_of_waiting(order_id, self._book, self._watches)
                about = waited_for(order_id, self._book)
                if self._grievances.is_due(about, alarm, self.clock.monotonic()):
                    self.log("ExitWaits", level="error", client_order_id=order_id, text=alarm.text)
                    self._execute(alarm)
            case _:
                assert_never(effect)

    def _look_due(self, message: LookAgain) -> None:
        if not message.is_alarm:
            self._looks.fired(message.client_order_id)
        self._step(message.client_order_id, AlarmDue() if message.is_alarm else LookDue())

    # The store --------------------------------------------------------------------------------

    def _ask_leave(self, order_id: ClientOrderId) -> None:
        assert self._book is not None
        order = self._book.orders[order_id]
        command = SubmitOrder(
            client_order_id=order_id,
            quote=self._prices.fresh(order.symbol),
            hold=self._breaker.hold or self._exchange.hold(),
            reading=self._readings.fresh(order.symbol),
            silent_stop=silent_stop(order, self._book, self._watches, self.clock),
        )
        self._execute(command, is_answer_wanted=True)

    def _executed(self, message: Executed) -> None:
        """Send what was submitted, now that it is on disk and the leave is ours alone."""
        if self._book is None:
            return  # an answer to an earlier life: what was submitted then is looked up
        for recorded in message.records:
            if isinstance(recorded.event, OrderSubmitted):
                self._step(recorded.event.client_order_id, Leave(at=recorded.at))
        refusal = message.refusal
        order_id = getattr(message.command, "client_order_id", ClientOrderId(""))
        if refusal is None:
            return
        is_leave, order = isinstance(message.command, SubmitOrder), self._active(order_id)
        is_trade = isinstance(message.command, RecordFills)
        if order is not None and (refusal.mends_with_time or is_trade):
            self._step(order_id, Declined(refusal=refusal))
            self._weigh_later(order)
        if refusal.mends_with_time and order is not None:
            return
        if not is_leave and self._grievances.is_due(order_id, refusal, self.clock.monotonic()):
            self.log("ExecutionError", level="error", code=refusal.code, text=refusal.text)
            self.tell(names.RECONCILER, ReconcileNow(trigger="execution error"))

    def _weigh_later(self, order: Order) -> None:
        """Ask what there is to sell, where that may let an exit past a stop out of sight."""
        assert self._book is not None
        if is_balance_wanted(self._book, order) and not self._ask_balance(order.symbol):
            self.after(READING_WORTH_S, ReadBalance(symbol=order.symbol))

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))

    # The exchange -----------------------------------------------------------------------------

    def _submit(self, request: ExchangeRequest) -> None:
        self._exchange.submit(request, self.reply_to())

    def _heard(self, message: ExchangeReplied) -> None:
        request, answer = message.request, message.answer
        self._count(answer)
        match request:
            case PlaceOrder():
                key = request.client_order_id
                self._step(key, PlaceHeard(client_order_id=key, answer=answer))
                if is_out_of_room(answer):
                    self.tell(names.DIAGNOSTICIAN, LOOK_FOR_ROOM)
            case CancelOrder():
                self._step(request.client_order_id, CancelHeard())
            case FindOrder():
                self._step(request.client_order_id, FindHeard(answer=answer))
            case FetchAccount():
                self._heard_account(request, answer)
            case FetchBalance():
                self._heard_balance(request, answer)
            case FetchInstruments():
                self._catalogue.hear(request, answer)
                self._go_by_catalogue()
            case FetchQuote():
                if isinstance(answer, QuoteFetched) and answer.quote is not None:
                    self._heard_quote(answer.quote, answer)
            case _:
                assert_never(request)

    def _count(self, answer: ExchangeAnswer) -> None:
        was_denied = self._is_denied
        self._is_denied = is_key_denied(answer, was_denied=was_denied)
        if self._is_denied and not was_denied:
            self._execute(KEY_DENIED_HALT)
        if not self._breaker.count(answer):
            return
        if (hold := self._breaker.hold) is None:
            self.log("BreakerClosed", level="warning", text="the exchange answers")
        else:
            self.log("BreakerOpened", level="warning", text=hold)
            self.tell(names.RECONCILER, ReconcileNow(trigger="breaker open"))

    # The account and the market ---------------------------------------------------------------

    def _read_account(self, message: ReadAccount) -> None:
        """Look at the account, and meanwhile at each order that is not settled."""
        self._reader = message
        for order in self._book.active_orders() if self._book else ():
            self._step(order.client_order_id, LookWanted())
        self._submit(FetchAccount(trades_since=message.trades_since))

    def _heard_account(self, request: FetchAccount, answer: ExchangeAnswer) -> None:
        account = answer.account if isinstance(answer, AccountFetched) else None
        heard = AccountHeard(asked_since=request.trades_since, account=account)
        for order_id in sorted(self._watches):
            self._step(order_id, heard)
        reader = self._reader
        if reader is not None and reader.trades_since == request.trades_since:
            self._reader = None
            reason = "" if account else reason_of(answer)
            self.tell(reader.reply_to, AccountRead(account=account, reason=reason))

    def _ask_balance(self, symbol: Symbol) -> bool:
        """Ask what there is of a symbol's coins; say whether that was not asked just now."""
        question = self._readings.question(symbol)
        if question is not None:
            self._submit(question)
        return question is not None

    def _heard_balance(self, request: FetchBalance, answer: ExchangeAnswer) -> None:
        """Pass on what there is, and ask for the leave of exits that wait for it."""
        reading = self._readings.hear(request, answer)
        if reading is not None:
            self.tell(names.GUARD, BalanceRead(reading=reading))
        for order_id in unsent_exits(self._book, request.symbol) if self._book else ():
            self._ask_leave(order_id)

    def _heard_quote(self, quote: Quote, answer: QuoteFetched) -> None:
        """Pass a price on that is of now: an exchange goes on to tell the last that it had."""
        stale_after_s = self._patience.stale_after_s / self.clock.real_s(1.0)
        fault = fault_of_time(quote.at, answer.as_of, stale_after_s)
        if fault is not None:
            self.log("TickRefused", level="warning", symbol=answer.symbol, text=fault)
            return
        self._prices.see(answer.symbol, quote)
        self.tell(names.GUARD, QuoteRead(symbol=answer.symbol, quote=quote))
