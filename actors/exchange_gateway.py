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

from collections.abc import Mapping
from typing import assert_never

import msgspec

from actors import names
from actors.base import Actor, Context
from aegis.dialogue import (
    AccountFetched,
    CancelAccepted,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    AcceptOrder,
    Command,
    EndOrder,
    LoseSight,
    Quote,
    RecordFills,
    RequestCancel,
    SubmitOrder,
)
from aegis.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.guard import quote_of
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.domain.order import Order, OrderState, OrderStep, Role
from aegis.domain.reconcile import fill_of
from aegis.domain.venue import VenueAccount, VenueOrder, VenueOrderStatus
from aegis.messages import (
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
    ReadAccount,
    ReadBook,
    ReadInstruments,
    ReconcileNow,
)
from aegis.ports import Exchange, Timer

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
FAILURES_TO_OPEN = 5
"""Answers missing in a row until entries are held back; one answer lets them go on."""


AT_THE_EXCHANGE = (OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCELING)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Real seconds, but `barrier_s`: on the exchange's clock, from submission to provable absence.

    The barrier = the exchange's refusal of late requests + its look-up lag + a clock margin.
    """

    poll_interval_s: float
    stale_after_s: float
    barrier_s: float


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
        self._quotes: dict[Symbol, tuple[Quote, float]] = {}
        self._looks: dict[ClientOrderId, int] = {}  # look-ups since the last news of an order
        self._looking: set[ClientOrderId] = set()  # an answer is under way
        self._looks_due: dict[ClientOrderId, Timer] = {}  # a look is due later
        self._proving: set[ClientOrderId] = set()  # past the barrier, waiting for the trades
        self._called_off: set[ClientOrderId] = set()  # entries cancelled while out of sight
        self._alarmed: set[ClientOrderId] = set()
        self._readers: list[ReadAccount] = []
        self._failures = 0
        self._instruments: tuple[Instrument, ...] = ()
        self._instrument_readers: list[str] = []

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        self._ask_instruments()
        self.log("GatewayStarted", generation=self.generation, symbols=list(self._symbols))

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
            case ReadInstruments():
                self._instrument_readers.append(message.reply_to)
                self._tell_instruments()
            case InstrumentsWanted():
                self._ask_instruments()
            case _:
                assert_never(message)

    # What the market and the log say ------------------------------------------------------

    def _see_price(self, message: MarketMoved) -> None:
        tick = message.tick
        quote = quote_of(tick.price, message.spread_bps, tick.at)
        self._quotes[tick.symbol] = (quote, self.clock.monotonic())

    def _fresh_quote(self, symbol: Symbol) -> Quote | None:
        seen = self._quotes.get(symbol)
        if seen is None or self.clock.monotonic() - seen[1] > self._patience.stale_after_s:
            return None
        return seen[0]

    def _take_up(self, book: Book) -> None:
        """Begin from the log: what an earlier life left unfinished is finished first."""
        self._book = book
        for order in book.active_orders():
            self._resume(order)
        self._cancel_entries_if_halted()

    def _resume(self, order: Order) -> None:
        match order.state:
            case OrderState.INTENT:
                self._end(order, OrderStep.EXPIRE, "it was never sent")
            case OrderState.SUBMITTING:
                self._lose_sight(order, "the process ended before the answer")
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
        event = recorded.event
        match event:
            case OrderIntended():
                self._ask_leave(event)
            case OrderAccepted() | OrderOutcomeUnknown():
                self._looks.pop(event.client_order_id, None)
                self._look_up(event.client_order_id)
                self._cancel_entries_if_halted()
            case OrderCancelRequested():
                self._send_cancel(book.orders[event.client_order_id])
            case OrderFilled():
                self._looks.pop(event.client_order_id, None)
            case TradingStateChanged():
                self._cancel_entries_if_halted()
            case OrderRejected() | OrderCanceled() | OrderExpired() | OrderNotPlaced():
                self._stop_looking(event.client_order_id)
            case _:
                pass
        if isinstance(event, OrderFilled) and event.is_complete:
            self._stop_looking(event.client_order_id)
        book.forget_ended()

    def _cancel_entries_if_halted(self) -> None:
        assert self._book is not None
        if self._book.account.trading_state is TradingState.ACTIVE:
            return
        for order in self._book.active_orders():
            if order.role is Role.ENTRY and order.state in (OrderState.OPEN, OrderState.PARTIAL):
                command = RequestCancel(
                    client_order_id=order.client_order_id, reason="entries are halted"
                )
                self._execute(command)

    # Sending --------------------------------------------------------------------------------

    def _ask_leave(self, event: OrderIntended) -> None:
        hold = None
        if self._failures >= FAILURES_TO_OPEN:
            hold = f"the exchange left {self._failures} requests in a row unanswered"
        command = SubmitOrder(
            client_order_id=event.client_order_id,
            quote=self._fresh_quote(event.symbol),
            hold=hold,
        )
        self._execute(command, is_answer_wanted=True)

    def _executed(self, message: Executed) -> None:
        if self._book is None:
            return  # an answer to an earlier life: what was submitted then is looked up
        for recorded in message.records:
            if isinstance(recorded.event, OrderSubmitted):
                self._send(recorded)
        refusal = message.refusal
        if refusal is None or isinstance(message.command, SubmitOrder):
            return
        order_id = getattr(message.command, "client_order_id", None)
        if refusal.mends_with_time and order_id is not None:
            self._look_again(order_id)
            return
        self.log("ExecutionError", level="error", code=refusal.code, text=refusal.text)
        self.tell(names.RECONCILER, ReconcileNow(trigger="execution error"))

    def _send(self, recorded: Recorded) -> None:
        """Send the order, now that its submission is on disk and the leave is ours alone."""
        assert self._book is not None
        assert isinstance(recorded.event, OrderSubmitted)
        order = self._book.orders[recorded.event.client_order_id]
        self._submit(
            PlaceOrder(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                type=order.type,
                amount=order.amount,
                price=order.price,
                trigger_price=order.trigger_price,
                reduce_only=order.reduce_only,
                sent_at=self.clock.now(),
            )
        )

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
                pass
            case _:
                assert_never(request)

    def _count(self, answer: object) -> None:
        was_open = self._failures >= FAILURES_TO_OPEN
        self._failures = self._failures + 1 if isinstance(answer, NoAnswer) else 0
        is_open = self._failures >= FAILURES_TO_OPEN
        if is_open and not was_open:
            self.log("BreakerOpened", level="warning", failures=self._failures)
            self.tell(names.RECONCILER, ReconcileNow(trigger="breaker open"))
        elif was_open and not is_open:
            self.log("BreakerClosed")

    def _heard_place(self, request: PlaceOrder, answer: ExchangeAnswer) -> None:
        order_id = request.client_order_id
        if isinstance(answer, OrderPlaced):
            self._execute(
                AcceptOrder(client_order_id=order_id, exchange_order_id=answer.exchange_order_id)
            )
            return
        if isinstance(answer, RequestRefused) and answer.code != "duplicate_id":
            reason = f"{answer.code}: {answer.reason}"
            self._execute(
                EndOrder(
                    client_order_id=order_id, step=OrderStep.REJECT, filled=ZERO, reason=reason
                )
            )
            return
        self._execute(LoseSight(client_order_id=order_id, reason=reason_of(answer)))
        self.tell(names.RECONCILER, ReconcileNow(trigger="unknown outcome"))

    def _lose_sight(self, order: Order, reason: str) -> None:
        self._execute(LoseSight(client_order_id=order.client_order_id, reason=reason))

    # Looking up -------------------------------------------------------------------------------

    def _look_up(self, order_id: ClientOrderId) -> None:
        """Look now, unless a look is under way."""
        order = self._active(order_id)
        if order is None or order_id in self._looking:
            return
        self._cancel_timer(order_id)
        self._looking.add(order_id)
        request = FindOrder(
            client_order_id=order_id, symbol=order.symbol, since=_submitted_at(order)
        )
        self._submit(request)

    def _look_again(self, order_id: ClientOrderId) -> None:
        """Look later: after a pause that doubles with each look in vain, up to a bound."""
        order = self._active(order_id)
        if order is None or order_id in self._looking:
            return
        looks = self._looks[order_id] = self._looks.get(order_id, 0) + 1
        first_s, most_s = LOOK_AFTER_S_LOST, LOOK_AFTER_S_LOST_MAX
        if order.state in AT_THE_EXCHANGE:
            first_s, most_s = LOOK_AFTER_S_OPEN, self._patience.poll_interval_s
        pause_s = min(first_s * 2 ** min(looks - 1, DOUBLINGS_MAX), most_s)
        self._cancel_timer(order_id)
        self._looks_due[order_id] = self.after(pause_s, LookAgain(client_order_id=order_id))

    def _look_due(self, order_id: ClientOrderId) -> None:
        """Look again; a cancel that the exchange has not followed goes out again first."""
        self._looks_due.pop(order_id, None)
        order = self._active(order_id)
        if order is not None and order.state is OrderState.CANCELING:
            self._send_cancel(order)
        else:
            self._look_up(order_id)

    def _stop_looking(self, order_id: ClientOrderId) -> None:
        self._cancel_timer(order_id)
        self._looks.pop(order_id, None)
        self._called_off.discard(order_id)
        self._alarmed.discard(order_id)

    def _cancel_timer(self, order_id: ClientOrderId) -> None:
        timer = self._looks_due.pop(order_id, None)
        if timer is not None:
            timer.cancel()

    def _active(self, order_id: ClientOrderId) -> Order | None:
        order = None if self._book is None else self._book.orders.get(order_id)
        return None if order is None or order.is_ended else order

    def _heard_find(self, request: FindOrder, answer: ExchangeAnswer) -> None:
        order_id = request.client_order_id
        self._looking.discard(order_id)
        order = self._active(order_id)
        if order is None:
            return
        match answer:
            case OrderFound():
                self._found(order, answer)
            case OrderNotFound():
                self._not_found(order, answer.as_of)
            case _:
                self._look_again(order_id)
        self._alarm_if_exit_is_lost(order)

    def _found(self, order: Order, answer: OrderFound) -> None:
        order_id, venue = order.client_order_id, answer.order
        if order.state in (OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_HUMAN):
            self._execute(
                AcceptOrder(client_order_id=order_id, exchange_order_id=venue.exchange_order_id)
            )
        fills = tuple(fill_of(t) for t in answer.trades if t.trade_id not in order.trade_ids)
        if fills:
            self._execute(RecordFills(client_order_id=order_id, fills=fills), is_answer_wanted=True)
        step = ENDING_STEPS.get(venue.status)
        if step is not None:
            self._end_found(order_id, step, venue)
        self._look_again(order_id)  # its end, once committed, cancels the look

    def _end_found(self, order_id: ClientOrderId, step: OrderStep, venue: VenueOrder) -> None:
        command = EndOrder(
            client_order_id=order_id, step=step, filled=venue.filled, reason=venue.reason
        )
        self._execute(command, is_answer_wanted=True)

    def _not_found(self, order: Order, as_of: Instant) -> None:
        """Take an answer that is not silence: absent now, provably so past the barrier."""
        order_id = order.client_order_id
        if order.state is OrderState.UNKNOWN and self._is_past_barrier(order, as_of):
            self._looking.add(order_id)
            self._proving.add(order_id)
            self._submit(FetchAccount(trades_since=_submitted_at(order)))
            return
        if order.role is Role.ENTRY and order_id not in self._called_off:
            self._called_off.add(order_id)
            self._send_cancel(order)
        self._look_again(order_id)

    def _is_past_barrier(self, order: Order, as_of: Instant) -> bool:
        barrier_ns = int(self._patience.barrier_s * NANOS_PER_SECOND)
        return as_of > _submitted_at(order) + barrier_ns

    def _alarm_if_exit_is_lost(self, order: Order) -> None:
        if order.role is Role.ENTRY or order.unknown_at is None:
            return
        waited_s = self.clock.real_s((self.clock.now() - order.unknown_at) / NANOS_PER_SECOND)
        if waited_s > UNKNOWN_EXIT_ALARM_S:
            order_id = order.client_order_id
            if order_id not in self._alarmed:
                self._alarmed.add(order_id)
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
        served = [r for r in self._readers if r.trades_since == request.trades_since]
        for reader in served:
            self._readers.remove(reader)
            self.tell(reader.reply_to, reply)

    def _prove_absences(self, account: VenueAccount | None) -> None:
        """End the unknown orders that neither look-up nor trades show past their barrier."""
        proving, self._proving = self._proving, set()
        shown = set[str | None]()
        if account is not None:
            shown |= {order.client_order_id for order in account.open_orders}
            shown |= {trade.client_order_id for trade in account.trades}
        for order_id in sorted(proving):
            self._looking.discard(order_id)
            order = self._active(order_id)
            if order is None:
                continue
            covers = account is not None and account.trades_since <= _submitted_at(order)
            if account is None or not covers or order_id in shown:
                self._look_again(order_id)
            elif self._is_past_barrier(order, account.as_of):
                reason = "not found after the barrier, and no trade since"
                self._end(order, OrderStep.PROVE_ABSENT, reason)
            else:
                self._look_again(order_id)

    def _ask_instruments(self) -> None:
        self._submit(FetchInstruments(symbols=self._symbols))

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

    # To the store -------------------------------------------------------------------------------

    def _end(self, order: Order, step: OrderStep, reason: str) -> None:
        self._execute(
            EndOrder(
                client_order_id=order.client_order_id,
                step=step,
                filled=order.filled,
                reason=reason,
            ),
            is_answer_wanted=True,
        )

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        message = Execute(command=command, by=self.name, reply_to=reply_to)
        self.tell(names.POSITION_STORE, message)


def _submitted_at(order: Order) -> Instant:
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
