"""Guard: stops, targets, trailing stops and flatten, whether or not a strategy is alive.

It owns when an own position must be left. It never enters, and what it wants is never refused
by a limit. It takes up a position as soon as none of its orders is in doubt.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.account import TradingState
from aegis.domain.belief import Belief, Verdict
from aegis.domain.book import Book
from aegis.domain.candles import Candle
from aegis.domain.commands import (
    ChangeTradingState,
    Command,
    IntendOrder,
    MarkPosition,
    Quote,
    RaiseStop,
    RecordPeak,
    StartDay,
)
from aegis.domain.events import (
    OrderCanceled,
    OrderExpired,
    OrderNotPlaced,
    OrderRejected,
    PositionClosed,
    Recorded,
    StrategyArmed,
)
from aegis.domain.guard import (
    ExitReason,
    ExitWanted,
    Seen,
    is_mark_due,
    is_mark_due_of,
    is_peak_due,
    mid_of,
    quote_of,
    raised_along,
    retry_after_s,
    seen_with,
    watch,
)
from aegis.domain.ids import NANOS_PER_SECOND, Incarnation, Instant, PositionId, Symbol
from aegis.domain.instants import day_start
from aegis.domain.leaving import departure, lost_before
from aegis.domain.money import text
from aegis.domain.order import Role
from aegis.domain.position import Position
from aegis.domain.risk import Limits, equity_of, is_held, loss_breach
from aegis.messages import (
    BookRead,
    CandleClosed,
    Committed,
    Execute,
    Executed,
    FeedCheckDue,
    FeedStarted,
    GuardMessage,
    HeartbeatDue,
    HistoryRead,
    MarketMoved,
    QuoteRead,
    ReadBook,
    ReadHistory,
    ReadQuote,
)
from aegis.ports import Pulse
from aegis.tuning import Reconfigured
from aegis.vitals import LastPrice, PricesRead, ReadVitals

Failed = OrderRejected | OrderCanceled | OrderExpired | OrderNotPlaced


class Guard(Actor):
    """`day_starts_at_s` is the second of the UTC day at which the daily limit begins anew.

    `heartbeat_s` is real seconds between heartbeats; None where nobody tails the log.
    `feed_check_s` is after how many real seconds of silence the exchange is asked for a price;
    None where the market cannot fall silent. `pulse` counts what is completed.
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
    ) -> None:
        super().__init__(context)
        self._tag = tag
        self._limits = limits
        self._day_starts_at_s = day_starts_at_s
        self._heartbeat_s = heartbeat_s
        self._feed_check_s = feed_check_s
        self._pulse = pulse
        self._spread_bps = spread_bps
        self._moved_at: dict[Symbol, float] = {}
        self._completed = 0
        self._is_beating = False
        self._book: Book | None = None
        self._incarnation = Incarnation("")
        self._belief = Belief()
        self._known_until: dict[Symbol, Instant] = {}  # the last close that was heard of
        self._seen: dict[PositionId, Seen] = {}
        self._seen_at: dict[Symbol, float] = {}  # since when a quote is the last one
        self._asked: dict[PositionId, int] = {}  # the exit that was asked for, by its ordinal
        self._failures: dict[PositionId, tuple[int, float]] = {}  # how many, and not before
        self._real_second = int(NANOS_PER_SECOND / self.clock.real_s(1.0))  # of market time

    def on_started(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        if self._feed_check_s is not None:
            self.every(self._feed_check_s, FeedCheckDue())

    def receive(self, message: GuardMessage) -> None:
        match message:
            case MarketMoved():
                self._moved(message)
            case QuoteRead():
                self._look(message.symbol, message.quote, is_traded=False)
            case FeedCheckDue():
                self._check_feed()
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
                held = [p.position_id for p in message.book.alive_positions() if is_held(p)]
                level = "info" if held or self.epoch > 1 else "debug"
                self.log("GuardStarted", level=level, generation=self.generation, positions=held)
                self._ask_missed()
            case Executed():
                self._executed(message)
            case HeartbeatDue():
                self._beat()
            case Reconfigured():
                self._limits = message.tuning.limits
                self._day_starts_at_s = message.tuning.day_starts_at_s
            case ReadVitals():
                self.tell(message.reply_to, self._prices_read(message.token))
            case _:
                assert_never(message)

    def _moved(self, message: MarketMoved) -> None:
        tick = message.tick
        self._moved_at[tick.symbol] = self.clock.monotonic()
        quote = quote_of(tick.price, message.spread_bps, tick.at)
        self._look(tick.symbol, quote, is_traded=tick.volume > 0)

    def _look(self, symbol: Symbol, quote: Quote, *, is_traded: bool) -> None:
        """See what a price asks of the position held in its symbol."""
        book = self._book
        if book is None or not self._is_believed(symbol, quote, is_traded=is_traded):
            return
        self._seen_at[symbol] = self.clock.monotonic()
        position = book.position_of(symbol)
        if position is not None and is_held(position):
            self._note_extremes(position, quote)
            self._watch(book, position, quote)
        if book.account.is_flattening:
            self._flatten(book)
        self._completed += 1
        self._pulse.complete()

    def _is_believed(self, symbol: Symbol, quote: Quote, *, is_traded: bool) -> bool:
        collar_pct = self._limits.price_collar_pct
        verdict = self._belief.judge(symbol, quote, is_traded=is_traded, collar_pct=collar_pct)
        if verdict in (Verdict.NO_PRICE, Verdict.DOUBTED):
            self.log("QuoteRefused", level="warning", symbol=symbol, bid=quote.bid, text=verdict)
        return verdict is Verdict.BELIEVED

    def _note_extremes(self, position: Position, quote: Quote) -> None:
        seen = seen_with(self._seen.get(position.position_id), quote.bid)
        self._seen[position.position_id] = seen
        if is_mark_due_of(position, seen):
            self._mark(position, mid_of(quote))

    def _mark(self, position: Position, price: Decimal) -> None:
        seen = self._seen.pop(position.position_id, None)
        high, low = (None, None) if seen is None else (seen.high, seen.low)
        key = position.position_id
        self._execute(MarkPosition(position_id=key, price=price, high=high, low=low))

    def _check_feed(self) -> None:
        """Ask the exchange itself for the price of what is held, where the feed is silent."""
        now = self.clock.monotonic()
        for position in self._book.alive_positions() if self._book else ():
            silent_s = now - self._moved_at.setdefault(position.symbol, now)
            if self._feed_check_s is not None and silent_s >= self._feed_check_s:
                self.log("FeedSilent", level="warning", symbol=position.symbol, silent_s=silent_s)
                self.tell(names.EXCHANGE_GATEWAY, ReadQuote(symbol=position.symbol))

    def _watch(self, book: Book, position: Position, quote: Quote) -> None:
        wanted = watch(position, quote.bid)
        if isinstance(wanted, ExitWanted):
            self._leave(book, position, wanted, quote)
        elif isinstance(wanted, RaiseStop):
            self._execute(wanted)

    def _leave(self, book: Book, position: Position, wanted: ExitWanted, quote: Quote) -> None:
        """Intend the next exit, once; what still fills or rests is cancelled first."""
        _, not_before = self._failures.get(position.position_id, (0, 0.0))
        if self.clock.monotonic() < not_before:
            return
        way_out = departure(
            book,
            position,
            wanted,
            quote,
            tag=self._tag,
            incarnation=self._incarnation,
            lost_before=lost_before(self.clock.now(), self._real_second),
        )
        if self._asked.get(position.position_id) == way_out.ordinal:
            return
        for cancel in way_out.cancels:
            self._execute(cancel)
        if way_out.exit is None:
            return
        self._asked[position.position_id] = way_out.ordinal
        self.log(
            "ExitTriggered",
            position=position.position_id,
            symbol=position.symbol,
            reason=wanted.reason,
            trigger_price=wanted.trigger_price,
            bid=quote.bid,
            gap=wanted.gap(quote.bid),
        )
        self._execute(IntendOrder(order=way_out.exit), is_answer_wanted=True)

    def _flatten(self, book: Book) -> None:
        """Leave everything held; the episode ends when nothing is alive any more."""
        alive = book.alive_positions()
        for position in alive:
            quote = self._belief.last.get(position.symbol)
            if quote is not None and is_held(position):
                wanted = ExitWanted(reason=ExitReason.FLATTEN, trigger_price=None)
                self._leave(book, position, wanted, quote)
        if not alive:
            dust = ", ".join(f"{text(left)} {coin}" for coin, left in book.account.dust.items())
            reason = f"flat{f' but for dust: {dust}' if dust else ''}; resume to trade again"
            command = ChangeTradingState(
                state=TradingState.REDUCING, cause="flatten", reason=reason
            )
            self._execute(command)

    def _closed(self, message: CandleClosed) -> None:
        """Mark, look at day and losses, at each close; one of a warm-up only raises a stop."""
        book, candle = self._book, message.candle
        if book is None:
            return
        self._raise_along(candle.symbol, (candle,))
        self._known_until[candle.symbol] = candle.close_at
        if message.is_warmup:
            return
        position = book.position_of(candle.symbol)
        if position is not None and is_held(position) and is_mark_due(position, candle.close):
            self._mark(position, candle.close)
        if book.account.has_balances:
            self._look_at_losses(book)

    def _ask_missed(self) -> None:
        """Ask for the candles since each trailing stop was last looked after."""
        for position in self._book.alive_positions() if self._book else ():
            if is_held(position) and position.policy.trailing_stop_pct > 0:
                known = self._known_until.get(position.symbol, position.opened_at)
                self._ask_history(position.symbol, max(known, position.opened_at))

    def _ask_history(self, symbol: Symbol, after: Instant) -> None:
        wanted = ReadHistory(symbol=symbol, after=after, least=0, reply_to=self.name)
        self.tell(names.MARKET_FEED, wanted)

    def _learn(self, page: HistoryRead) -> None:
        """Raise the stop along what was missed; meanwhile it is watched where it was."""
        self._raise_along(page.symbol, page.candles)
        if not page.is_last:
            self._ask_history(page.symbol, page.until)

    def _raise_along(self, symbol: Symbol, candles: tuple[Candle, ...]) -> None:
        position = None if self._book is None else self._book.position_of(symbol)
        if position is not None and is_held(position):
            raised = raised_along(position, candles, self._spread_bps)
            if raised is not None:
                self._execute(raised)

    def _look_at_losses(self, book: Book) -> None:
        equity = equity_of(book, self._limits.quote_coin)
        day = day_start(self.clock.now(), self._day_starts_at_s)
        began = book.account.day_started_at
        if began is None or day > began:  # a day start that was moved back begins no day again
            self._execute(StartDay(day_started_at=day, equity=equity))
            return
        breach = loss_breach(book, equity, self._limits)
        if breach is not None and book.account.trading_state is TradingState.ACTIVE:
            halt = ChangeTradingState(
                state=TradingState.REDUCING, cause=breach.code, reason=breach.text
            )
            self._execute(halt)
        elif is_peak_due(book.account.peak_equity, equity):
            self._execute(RecordPeak(equity=equity))

    def _follow(self, recorded: Recorded) -> None:
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._book = None
            self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
            return
        book.apply(recorded)
        event, position_id = recorded.event, recorded.position_id
        if isinstance(event, Failed):
            order = book.orders[event.client_order_id]
            if order.role is not Role.ENTRY:
                self._count_failure(position_id, order.end_reason)
        elif isinstance(event, StrategyArmed):
            self._pulse.arm()
            self._begin_to_beat()
        elif isinstance(event, PositionClosed):
            self._failures.pop(position_id, None)
            self._seen.pop(position_id, None)
            self._asked.pop(position_id, None)
        book.forget_ended()

    def _begin_to_beat(self) -> None:
        if self._is_beating or self._heartbeat_s is None:
            return
        self._is_beating = True
        self.every(self._heartbeat_s, HeartbeatDue())
        self._beat(is_first=True)

    def _beat(self, *, is_first: bool = False) -> None:
        """Say what was completed since the last time: prices watched to their end."""
        book = self._book
        assert book is not None
        self.log(
            "Heartbeat",
            completed=self._completed,
            is_first=is_first,
            generation=self.generation,
            trading_state=book.account.trading_state,
            cause=book.account.cause,
            positions=len(book.alive_positions()),
        )
        self._completed = 0

    def _prices_read(self, token: int) -> PricesRead:
        now = self.clock.monotonic()
        prices = {
            symbol: LastPrice(bid=quote.bid, age_s=now - self._seen_at[symbol])
            for symbol, quote in self._belief.last.items()
        }
        return PricesRead(token=token, prices=prices)

    def _count_failure(self, position_id: PositionId, reason: str) -> None:
        failures, _ = self._failures.get(position_id, (0, 0.0))
        pause_s = retry_after_s(failures + 1)
        self._failures[position_id] = (failures + 1, self.clock.monotonic() + pause_s)
        self.log(
            "ExitFailed",
            level="error",
            position=position_id,
            reason=reason,
            failures=failures + 1,
            retry_after_s=pause_s,
        )

    def _executed(self, message: Executed) -> None:
        """Ask again at the next price for an exit that the store would not have."""
        command = message.command
        if message.refusal is not None and isinstance(command, IntendOrder):
            self._asked.pop(command.order.position_id, None)
            self.log("ExitRefused", level="error", text=message.refusal.text)

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))
