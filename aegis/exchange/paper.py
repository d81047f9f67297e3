"""The paper exchange: another party, with books of its own, that trades as a real one would.

Owns the account on paper. It never imports the store and hears nothing of AEGIS but requests;
what it knows after a restart it knows from its ledger. Requests and market come from different
threads; one lock makes them one after another.

Invariants:
1. An effect is in the ledger before its answer exists; a lost answer loses no effect.
2. One client order id is one order, ever; the second request is `duplicate_id`.
3. Memory is a copy of the ledger: after a failed write, or when somebody else has written (the
   account's owner, by hand), it is thrown away and read anew.
4. The market moves here before anybody else hears of it (`PacedMarket` sees to that).
5. An order that a full disk kept out of the ledger is refused, not left in doubt.
6. Trades are booked at instants that never go back, across restarts too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar, assert_never

import msgspec

from aegis.dialogue import (
    NO_ROOM,
    AccountFetched,
    CancelAccepted,
    CancelOrder,
    ExchangeAnswer,
    ExchangeRequest,
    FetchAccount,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
    balance_of,
)
from aegis.domain.candles import Candle, Tick
from aegis.domain.commands import Quote
from aegis.domain.ids import Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO, ceil_to, floor_to
from aegis.domain.order import Side
from aegis.domain.venue import VenueAccount, VenueOrderStatus
from aegis.exchange.paper_admission import Desk, admit, fault_of_id, lateness_of
from aegis.exchange.paper_ledger import (
    Change,
    LedgerError,
    LedgerFullError,
    LedgerMovedError,
    PaperLedger,
)
from aegis.exchange.paper_matching import (
    Book,
    Level,
    Matched,
    PaperOrder,
    PaperRules,
    Terms,
    ended,
    level_of,
    match,
    side_price,
    with_order,
    without_rest,
)
from aegis.ports import Clock, Late

T = TypeVar("T")

TRIES_MAX = 5
"""How often a request is worked out anew because somebody else has written in between."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with one request, for drills and simulations.

    A request that is lost has no effect. An answer that is lost or late has had its effect.
    `error` stands for an answer that nobody can read (a gateway's 502, HTML): it comes at once.
    """

    is_request_lost: bool = False
    is_answer_lost: bool = False
    answer_delay_s: float | None = None
    error: str = ""


def no_faults(_request: ExchangeRequest) -> Fault | None:
    """Let every request and answer through: what production uses."""
    return None


class PaperExchange:
    """One account on paper. `execute` blocks for a commit at most; it may run on any thread."""

    def __init__(
        self,
        *,
        ledger: PaperLedger,
        rules: PaperRules,
        instruments: Mapping[Symbol, Instrument],
        clock: Clock,
        faults: Callable[[ExchangeRequest], Fault | None] = no_faults,
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._instruments = dict(instruments)
        self._clock = clock
        self._faults = faults
        self._lock = threading.Lock()
        self._levels: dict[Symbol, Level] = {}
        self._book: Book | None = None
        self._version = 0  # of the ledger, when the book was read
        self._booked_until = Instant(0)
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the last tick could not be traded on, or nothing; the next tick tries again."""
        return self._trouble

    def execute(self, request: ExchangeRequest) -> ExchangeAnswer | Late:
        """Do what a request asks and return the answer; raises LedgerError when it cannot."""
        fault = self._faults(request)
        if fault is None:
            return self._answer(request)
        answer = None if fault.is_request_lost else self._answer(request)
        if fault.error:
            return NoAnswer(reason=fault.error)
        if answer is None or fault.is_answer_lost:
            return Late(answer, None)
        return answer if fault.answer_delay_s is None else Late(answer, fault.answer_delay_s)

    def observe(self, tick: Tick) -> None:
        """Move a symbol's market, and trade what can be traded there; never raises for the disk.

        On a broken ledger nothing trades, as on any exchange that is down; see `trouble`.
        """
        instrument = self._instruments.get(tick.symbol)
        if instrument is None:
            return
        with self._lock:
            self._levels[tick.symbol] = level_of(tick, self._rules)
            if self._book is not None and not self._book.orders:
                return  # others trade in the ledger and end orders of ours; they open none
            try:
                self._worked_out(lambda: self._trade(tick.symbol, self._present_book()))
                self._trouble = ""
            except LedgerError as broken:
                self._trouble = str(broken)

    def observe_close(self, candle: Candle) -> None:
        """Stop a symbol's trading until its next tick: what comes now waits for the open."""
        with self._lock:
            level = self._levels.get(candle.symbol)
            if level is not None:
                closed = msgspec.structs.replace(level, left=ZERO, is_open=False)
                self._levels[candle.symbol] = closed

    def close(self) -> None:
        """Close the ledger when nobody is at it; what comes later fails as on a broken one."""
        with self._lock:
            self._ledger.close()

    def _answer(self, request: ExchangeRequest) -> ExchangeAnswer:
        with self._lock:
            return self._worked_out(lambda: self._answered(request))

    def _worked_out(self, work: Callable[[], T]) -> T:
        """Work out what changes the ledger; anew when somebody else was quicker to change it."""
        for _ in range(TRIES_MAX - 1):
            try:
                return work()
            except LedgerMovedError:
                continue
        return work()

    def _answered(self, request: ExchangeRequest) -> ExchangeAnswer:
        match request:
            case PlaceOrder():
                return self._placed(request)
            case CancelOrder():
                return self._cancel(request)
            case FindOrder():
                return self._find(request)
            case FetchAccount():
                return self._account(request)
            case FetchBalance():
                return balance_of(request, self._ledger.balances())
            case FetchQuote():
                return self._quote(request)
            case FetchInstruments():
                known = [self._instruments.get(symbol) for symbol in request.symbols]
                return InstrumentsFetched(instruments=tuple(each for each in known if each))
            case _:
                assert_never(request)

    def _placed(self, request: PlaceOrder) -> OrderPlaced | RequestRefused:
        """Place an order; no other failure of the ledger than a lack of room is a definite no."""
        try:
            return self._place(request)
        except LedgerFullError as full:
            return RequestRefused(code=NO_ROOM, reason=str(full))

    def _place(self, request: PlaceOrder) -> OrderPlaced | RequestRefused:
        self._present_book()  # what is read from the ledger next is at least as new
        admitted = self._admit(request)
        if isinstance(admitted, RequestRefused):
            return admitted
        book = with_order(self._present_book(), admitted)
        self._trade(request.symbol, book, placed=admitted, is_immediate=request.is_immediate)
        return OrderPlaced(
            client_order_id=request.client_order_id,
            exchange_order_id=admitted.order.exchange_order_id,
        )

    def _admit(self, request: PlaceOrder) -> PaperOrder | RequestRefused:
        """Say yes or no to a request; a duplicate is told first, as its order may well stand."""
        fault = fault_of_id(request.client_order_id)
        if fault is not None:
            return fault
        if self._ledger.find(request.client_order_id) is not None:
            reason = f"Expected a new client order id, was {request.client_order_id}"
            return RequestRefused(code="duplicate_id", reason=reason)
        now = self._clock.now()
        late = lateness_of(request, self._rules, now)
        if late is not None:
            return late
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            return _unknown_symbol(request.symbol)
        desk = Desk(
            book=self._present_book(),
            level=self._levels.get(request.symbol),
            instrument=instrument,
            rules=self._rules,
            now=now,
        )
        return admit(request, desk, self._ledger.next_order_number())

    def _cancel(self, request: CancelOrder) -> CancelAccepted | RequestRefused:
        book = self._present_book()
        order = self._ledger.find(request.client_order_id)
        if order is None or order.order.status is not VenueOrderStatus.OPEN:
            was = "no such order" if order is None else order.order.status
            reason = f"Expected an open order {request.client_order_id}, was {was}"
            return RequestRefused(code="not_open", reason=reason)
        canceled = ended(order, VenueOrderStatus.CANCELED, "canceled on request")
        after = with_order(book, canceled)
        self._commit(Change(at=self._booking_instant(), orders=(canceled,)), after)
        return CancelAccepted(client_order_id=request.client_order_id)

    def _find(self, request: FindOrder) -> OrderFound | OrderNotFound:
        with self._ledger.snapshot():
            kept = self._ledger.find(request.client_order_id)
            if kept is not None:
                trades = self._ledger.trades_of(kept.order.exchange_order_id)
                return OrderFound(order=kept.order, trades=trades)
        return OrderNotFound(client_order_id=request.client_order_id, as_of=self._clock.now())

    def _account(self, request: FetchAccount) -> AccountFetched:
        with self._ledger.snapshot():
            account = VenueAccount(
                balances=self._ledger.balances(),
                open_orders=tuple(kept.order for kept in self._ledger.open_orders()),
                trades=self._ledger.trades_since(request.trades_since),
                trades_since=request.trades_since,
                as_of=self._clock.now(),
            )
        return AccountFetched(account=account)

    def _quote(self, request: FetchQuote) -> QuoteFetched | RequestRefused:
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            return _unknown_symbol(request.symbol)
        level = self._levels.get(request.symbol)
        if level is None:
            return QuoteFetched(symbol=request.symbol, quote=None, as_of=self._clock.now())
        mid = level.tick.price
        bid = floor_to(side_price(Side.SELL, mid, self._rules), instrument.price_step)
        ask = ceil_to(side_price(Side.BUY, mid, self._rules), instrument.price_step)
        quote = Quote(bid=bid, ask=ask, at=level.tick.at)
        return QuoteFetched(symbol=request.symbol, quote=quote, as_of=self._clock.now())

    def _trade(
        self,
        symbol: Symbol,
        book: Book,
        *,
        placed: PaperOrder | None = None,
        is_immediate: bool = False,
    ) -> None:
        """Match a symbol's orders at its present level, and commit what came of it.

        What is placed and immediate ends with what it got.
        """
        matched = self._matched(symbol, book)
        after = book if matched is None else matched.book
        trades = () if matched is None else matched.trades
        orders = (*(() if placed is None else (placed,)), *(matched.orders if matched else ()))
        if placed is not None and is_immediate:
            after, expired = without_rest(after, placed)
            orders = (*orders, *expired)
        if not orders:
            return
        balances = after.balances if trades else {}
        at = self._booking_instant()
        self._commit(Change(at=at, orders=orders, trades=trades, balances=balances), after)
        if matched is not None:
            self._levels[symbol] = matched.level

    def _matched(self, symbol: Symbol, book: Book) -> Matched | None:
        level = self._levels.get(symbol)
        if level is None or not any(kept.order.symbol == symbol for kept in book.orders):
            return None
        terms = Terms(
            instrument=self._instruments[symbol],
            rules=self._rules,
            now=self._booking_instant(),
            first_trade_number=self._ledger.next_trade_number(),
        )
        return match(book, level, terms)

    def _commit(self, change: Change, after: Book) -> None:
        """Make a change durable, then ours; a write in doubt throws the copy away."""
        self._book = None
        self._ledger.write(msgspec.structs.replace(change, version=self._version))
        self._book, self._booked_until = after, change.at

    def _present_book(self) -> Book:
        version = self._ledger.version
        if self._book is None or version != self._version:
            with self._ledger.snapshot():
                balances, orders = self._ledger.balances(), self._ledger.open_orders()
                self._booked_until = self._ledger.last_instant
            self._version = version  # read before the rest: a change in between is noticed
            self._book = Book(balances=balances, orders=orders)
        return self._book

    def _booking_instant(self) -> Instant:
        return max(self._clock.now(), self._booked_until)


def _unknown_symbol(symbol: Symbol) -> RequestRefused:
    return RequestRefused(code="unknown_symbol", reason=f"Expected a listed symbol, was {symbol}")
