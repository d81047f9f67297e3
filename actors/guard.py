"""Guard: stops, targets, trailing stops and flatten, whether or not a strategy is alive.

It owns when an own position must be left. It never enters, and what it wants is never refused
by a limit. It takes up a position as soon as none of its orders is in doubt, and leaves it once the
process has looked at the exchange.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from actors.beating import Beats
from actors.exit_lines import tell_failed, tell_stop_lost, tell_trigger, tell_unfilled, tell_wait
from actors.quotes import UNPRICED_S, Leaving, Quotes
from actors.trailing import Trail
from aegis.domain.book import Book
from aegis.domain.commands import Command, IntendOrder, Quote, RaiseStop, Reading
from aegis.domain.events import (
    OrderEnding,
    PositionClosed,
    PositionMarked,
    ReconciliationCompleted,
    Recorded,
    StrategyArmed,
)
from aegis.domain.first_look import FirstLook
from aegis.domain.guard import (
    ExitWanted,
    Extremes,
    is_mark_due,
    last_known,
    quote_of,
    traded_from,
    watch,
)
from aegis.domain.ids import NANOS_PER_SECOND, Incarnation, PositionId, Symbol
from aegis.domain.instants import day_start
from aegis.domain.leaving import departure, flat, found_few_takers, lost_before
from aegis.domain.losses import after_close
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.position import Position
from aegis.domain.protection import Keeper, alarm_of, called_off, is_left
from aegis.domain.pursuit import Pursuit
from aegis.domain.risk import Limits, has_exit, is_held
from aegis.domain.unsold import alarm_of_unsold
from aegis.messages import (
    BalanceRead,
    BookRead,
    Committed,
    Execute,
    Executed,
    FeedCheckDue,
    GuardMessage,
    HeartbeatDue,
    QuoteRead,
    ReadBalance,
    ReadBook,
    ReadQuote,
    UnpricedDue,
)
from aegis.news import (
    CandleClosed,
    FeedStarted,
    HistoryRead,
    MarketMoved,
)
from aegis.ports import Pulse
from aegis.tuning import Reconfigured
from aegis.vitals import PricesRead, ReadVitals


class Guard(Actor):
    """`day_starts_at_s` is the second of the UTC day at which the daily limit begins anew.

    `heartbeat_s` is real seconds between heartbeats; None where nobody tails the log.
    `feed_check_s` is after how many real seconds of silence the exchange is asked for a price;
    None where the market cannot fall silent.
    `first_look` is the same for each life of it in a process.
    `has_exchange_stop`: a stop is to rest at the exchange beside what is held.
    """

    def __init__(
        self,
        context: Context,
        *,
        tag: str,
        limits: Limits,
        day_starts_at_s: int,
        heartbeat_s: float | None,
        feed_check_s: float | None,
        pulse: Pulse,
        spread_bps: Decimal,
        has_exchange_stop: bool,
        first_look: FirstLook,
    ) -> None:
        super().__init__(context)
        self._tag = tag
        self._limits = limits
        self._day_starts_at_s = day_starts_at_s
        self._feed_check_s = feed_check_s
        self._beats = Beats(
            log=self.log,
            every=self.every,
            each_s=heartbeat_s,
            pulse=pulse,
            generation=self.generation,
        )
        self._book: Book | None = None
        self._incarnation = Incarnation("")
        self._trail = Trail(self.name, spread_bps)
        self._quotes = Quotes(self.log, self.clock.monotonic, feed_check_s)
        self._extremes = Extremes()
        self._first_look = first_look
        self._pursuit = Pursuit()
        self._keeper = Keeper(tag, is_wanted=has_exchange_stop)
        self._real_second = int(NANOS_PER_SECOND / self.clock.real_s(1.0))  # of market time

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        if self._feed_check_s is not None:
            self.every(self._feed_check_s, FeedCheckDue())
            self.every(UNPRICED_S, UnpricedDue())

    def receive(self, message: GuardMessage) -> None:
        match message:
            case MarketMoved():
                self._moved(message)
            case QuoteRead():
                self._look(message.symbol, message.quote)
            case BalanceRead():
                self._weigh(message.reading)
            case FeedCheckDue():
                if self._book is not None:
                    self._check_feed(self._book)
            case UnpricedDue():
                if self._book is not None:
                    self._leave_all(self._book, self._quotes.unpriced(self._book))
            case CandleClosed():
                self._closed(message)
            case FeedStarted():
                self._ask_missed()
            case HistoryRead():
                self._learn(message)
            case Committed():
                for recorded in message.records:
                    self._follow(recorded)
            case BookRead():
                self._book, self._incarnation = message.book, message.incarnation
                if message.reconciled > 0:
                    self._first_look.see(message.book.account)
                held = [p.position_id for p in message.book.alive_positions() if is_held(p)]
                level = "info" if held or self.epoch > 1 else "debug"
                self.log("GuardStarted", level=level, generation=self.generation, positions=held)
                self._ask_missed()
            case Executed():
                self._executed(message)
            case HeartbeatDue():
                self._beats.beat(self._book)
            case Reconfigured():
                self._limits = message.tuning.limits
                self._day_starts_at_s = message.tuning.day_starts_at_s
            case ReadVitals():
                self.tell(message.reply_to, self._prices_read(message.token))
            case _:
                assert_never(message)

    def _moved(self, message: MarketMoved) -> None:
        tick = message.tick
        self._quotes.end_silence(tick.symbol)
        quote = quote_of(tick.price, message.spread_bps, tick.at)
        self._look(tick.symbol, quote, traded_from(tick, quote, message.spread_bps))

    def _look(self, symbol: Symbol, quote: Quote, traded_from: Decimal | None = None) -> None:
        """See what a price asks of the position held in its symbol."""
        book = self._book
        if book is None:
            return
        position, collar_pct = book.position_of(symbol), self._limits.price_collar_pct
        if not self._quotes.take(
            symbol, quote, traded_from=traded_from, collar_pct=collar_pct, held=position
        ):
            return
        if position is not None and is_held(position):
            self._execute(self._extremes.see(position, quote))
            self._watch(book, position, quote)
        if book.account.is_flattening:
            self._leave_all(book, self._quotes.priced(book))
        self._beats.complete()

    def _check_feed(self, book: Book) -> None:
        """Ask the exchange itself for the price of what is held, where the feed is silent."""
        for symbol, silent_s in self._quotes.silent(book):
            self.log("FeedSilent", level="warning", symbol=symbol, silent_s=silent_s)
            self.tell(names.EXCHANGE_GATEWAY, ReadQuote(symbol=symbol))

    def _watch(self, book: Book, position: Position, quote: Quote) -> None:
        wanted = watch(position, quote.bid)
        if isinstance(wanted, ExitWanted):
            self._leave(book, position, wanted, quote)
            return
        if isinstance(wanted, RaiseStop):
            self._execute(wanted)
        if not book.account.is_flattening and self._hold(book, position) is None:
            due = self._keeper.due(book, position, quote, self._incarnation, self._real_ns())
            self._execute(due, is_answer_wanted=isinstance(due, IntendOrder))

    def _weigh(self, reading: Reading) -> None:
        """See what a balance, just asked for, lets go beside an exit that is out of sight."""
        book = self._book
        position = None if book is None else book.position_of(reading.symbol)
        if book is None or position is None:
            return
        quote = self._last_quote(position)
        wanted = watch(position, quote.bid)
        if isinstance(wanted, ExitWanted):
            self._leave(book, position, wanted, quote, reading)

    def _last_quote(self, position: Position) -> Quote:
        return self._quotes.last.get(position.symbol) or last_known(position, self.clock.now())

    def _leave(
        self,
        book: Book,
        position: Position,
        wanted: ExitWanted,
        quote: Quote,
        reading: Reading | None = None,
    ) -> None:
        """Intend the next exit, once; what still fills or rests is cancelled first."""
        if self._pursuit.is_resting(position, self._real_ns()) or self._waits(book, position):
            return
        way_out = departure(
            book,
            position,
            wanted,
            quote,
            tag=self._tag,
            incarnation=self._incarnation,
            lost_before=lost_before(self.clock.now(), self._real_second),
            collar_pct=self._limits.price_collar_pct,
            has_leapt=self._quotes.has_leapt(position.symbol),
            reading=reading,
        )
        if self._pursuit.has_asked(position, way_out.ordinal):
            return
        for cancel in way_out.cancels:
            self._execute(cancel)
        if way_out.is_reading_wanted and reading is None:
            self.tell(names.EXCHANGE_GATEWAY, ReadBalance(symbol=position.symbol))
        if way_out.exit is None:
            return
        self._pursuit.ask(position, way_out.ordinal)
        self._execute(way_out.alarm)
        tell_trigger(self.log, position, wanted, quote, way_out.exit.price)
        intent = IntendOrder(order=way_out.exit, reading=reading)
        self._execute(intent, is_answer_wanted=True)

    def _hold(self, book: Book, position: Position) -> str | None:
        return self._first_look.hold(book.account, position, self._real_ns())

    def _waits(self, book: Book, position: Position) -> bool:
        """Say whether an exit has to wait until it is known whose coins there are; tell it.

        Of a second one, beside what an earlier life has sent, nothing is told.
        """
        if has_exit(book, position.position_id):
            return self._hold(book, position) is not None
        wait = self._first_look.wait(book.account, position, self._real_ns())
        if wait is None:
            return False
        if wait.is_news:
            tell_wait(self.log, position, wait.why)
        self._execute(wait.alarm)
        return True

    def _leave_all(self, book: Book, leaving: Leaving) -> None:
        """Leave some at the last price there was; a flatten ends when nothing is alive any more.

        Not before a first look either: it may find what an entry bought that nobody heard of.
        """
        for position, wanted in leaving:
            self._leave(book, position, wanted, self._last_quote(position))
        is_looked_for = self._first_look.is_over(self._real_ns())
        if book.account.is_flattening and not book.alive_positions() and is_looked_for:
            self._execute(flat(book.account))

    def _ask_missed(self) -> None:
        for wanted in self._trail.missed(self._book) if self._book else ():
            self.tell(names.MARKET_FEED, wanted)

    def _learn(self, page: HistoryRead) -> None:
        if self._book is not None:
            self._execute(self._trail.learn(self._book, page))
        for wanted in self._trail.after(page):
            self.tell(names.MARKET_FEED, wanted)

    def _closed(self, message: CandleClosed) -> None:
        """Mark, look at day and losses, at each close; one of a warm-up only raises a stop."""
        book, candle = self._book, message.candle
        if book is None:
            return
        self._execute(self._trail.follow(book, candle))
        if message.is_warmup:
            return
        position = book.position_of(candle.symbol)
        if position is not None and is_held(position) and is_mark_due(position, candle.close):
            self._execute(self._extremes.mark(position, candle.close))
        today = day_start(self.clock.now(), self._day_starts_at_s)
        self._execute(after_close(book, self._limits, today))

    def _follow(self, recorded: Recorded) -> None:
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._book = None
            self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
            return
        event, position_id = recorded.event, recorded.position_id
        before = book.orders.get(event.client_order_id) if isinstance(event, OrderEnding) else None
        book.apply(recorded)
        position = book.positions.get(position_id)
        if position is not None and not isinstance(event, PositionMarked):
            self._execute(called_off(book, position))
        if isinstance(event, OrderEnding) and before is not None:
            order = book.orders[event.client_order_id]
            if order.role is Role.EXIT and not book.positions[position_id].is_dust:
                self._exit_failed(book, order)
            elif order.role is Role.PROTECTIVE and before.state is not OrderState.CANCELING:
                self._stop_lost(book, position_id, order.end_reason)
        elif isinstance(event, ReconciliationCompleted) and not event.is_dry_run:
            self._first_look.see(book.account)
        elif isinstance(event, StrategyArmed):
            self._beats.begin(book)
        elif isinstance(event, PositionClosed):
            self._pursuit.forget(position_id)
            self._keeper.forget(position_id)
            self._extremes.forget(position_id)
        book.forget_ended()

    def _prices_read(self, token: int) -> PricesRead:
        last, real_ns = self._quotes.last, self._real_ns()
        waiting = self._first_look.waiting(self._book, last, real_ns) if self._book else {}
        return PricesRead(token=token, prices=self._quotes.told(), waiting=waiting)

    def _exit_failed(self, book: Book, order: Order) -> None:
        """Tell it, and let the next wait; one that found no taker goes on at the next price."""
        self._execute(alarm_of_unsold(book, order.position_id))
        if found_few_takers(order):
            tell_unfilled(self.log, order)
            return
        failed = self._pursuit.failed(order.position_id, self._real_ns())
        tell_failed(self.log, order.position_id, order.end_reason, *failed)

    def _stop_lost(self, book: Book, position_id: PositionId, reason: str) -> None:
        """Tell that the stop at the exchange is gone, where somebody still needs one."""
        position = book.positions[position_id]
        if is_left(book, position):
            return
        failures, pause_s = self._keeper.lost(position_id, self._real_ns())
        tell_stop_lost(self.log, position_id, reason, failures, pause_s)
        if failures == 1:
            self._execute(alarm_of(position, reason))

    def _real_ns(self) -> int:
        return int(self.clock.monotonic() * NANOS_PER_SECOND)

    def _executed(self, message: Executed) -> None:
        """Ask again at the next price for an exit that the store would not have."""
        command = message.command
        if message.refusal is None or not isinstance(command, IntendOrder):
            return
        if command.order.role is Role.PROTECTIVE and self._book is not None:
            self._stop_lost(self._book, command.order.position_id, message.refusal.text)
        elif command.order.role is Role.EXIT:
            self._pursuit.refused(command.order.position_id)
            self.log("ExitRefused", level="error", text=message.refusal.text)

    def _execute(self, command: Command | None, *, is_answer_wanted: bool = False) -> None:
        """Ask the store for something, where anything is wanted."""
        if command is None:
            return
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))
