"""Strategy: the person's strategy, one instance a symbol, and what its signals become.

It owns signals and sizing; it never sends anything, and what it wants passes the limits below
it. It runs code of others: whatever that raises on a new candle ends this incarnation, and
nothing else.

Invariants:
1. Armed only after a reconciliation of its own generation and a diagnosis of this process.
2. Only closed candles decide, once each, in order; warm-up and the first after a gap in the
   market never.
3. A strategy's state is a function of all candles since the first one that this store's log
   says it was shown, each with `is_holding` as it was at that close. So a restart, of whatever
   part, changes no decision: what was missed is shown first, and the newest candle decides then.
4. What it decided once it may decide again: the same candle is the same intent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

from actors import names
from actors.base import Actor, Context, outcome_of
from aegis.domain.book import Book
from aegis.domain.candles import Candle
from aegis.domain.commands import ArmStrategy, Command, Refusal, RequestCancel
from aegis.domain.events import (
    DiagnosisCompleted,
    ReconciliationCompleted,
    Recorded,
    StrategyArmed,
)
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    Incarnation,
    Instant,
    Symbol,
)
from aegis.domain.instants import text_of
from aegis.domain.lives import Lives, Taught
from aegis.domain.order import OrderState, Role
from aegis.domain.pupil import Pupil, Said, meant
from aegis.domain.readiness import Readiness
from aegis.domain.strategies import Signal, Strategy, TimedStrategy
from aegis.domain.wishes import Origin, Plan, Wish, canary_bar, entry_intent, exit_intent
from aegis.messages import (
    Beat,
    BookRead,
    Committed,
    Execute,
    Executed,
    HistoryWanted,
    InstrumentsKnown,
    PastRead,
    ReadBook,
    ReadInstruments,
    ReadPast,
    StrategyMessage,
)
from aegis.news import (
    CandleClosed,
    FeedStarted,
    HistoryRead,
    ReadHistory,
)
from aegis.ports import Raised
from aegis.tuning import Reconfigured
from aegis.vitals import ArmingRead, ReadVitals

HISTORY_AFTER_S = 5.0
"""A feed that died has forgotten who asked it for history; so it is asked again."""


class StrategyRunner(Actor):
    """Feeds each symbol's strategy, and turns its signals into intents.

    A close older than `fresh_s` real seconds is nothing to enter on.
    """

    def __init__(
        self,
        context: Context,
        *,
        make: Callable[[], Strategy],
        plan: Plan,
        tag: str,
        fresh_s: float,
    ) -> None:
        super().__init__(context)
        self._make = make
        self._plan = plan
        self._tag = tag
        self._fresh_s = fresh_s
        self._book: Book | None = None
        self._lives: Lives | None = None
        self._incarnation = Incarnation("")
        self._readiness = Readiness(self.generation)
        self._pupils: dict[Symbol, Pupil] = {}
        self._behind: dict[Symbol, Instant | None] = {}  # and from where they wait for a page
        self._early: dict[Symbol, list[CandleClosed]] = {}  # closed while something is read
        self._is_arming = False
        self._is_armed = False

    def on_started(self) -> None:
        for symbol in self._plan.symbols:
            self._pupils[symbol] = Pupil(symbol, self._make())
            self._behind[symbol] = None
            self._early[symbol] = []
        self._read_anew()
        self.tell(names.EXCHANGE_GATEWAY, ReadInstruments(reply_to=self.name))

    def _read_anew(self) -> None:
        """Ask the store for all that it knows; until it has told, candles wait."""
        self._book = self._lives = None
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))
        past = ReadPast(strategy=self._plan.name, symbols=self._plan.symbols, reply_to=self.name)
        self.tell(names.POSITION_STORE, past)

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
                self._learn(message)
            case HistoryWanted():
                self._want_history(message.symbol)
            case FeedStarted():
                self._fall_behind(*self._plan.symbols)
            case BookRead():
                self._book, self._incarnation = message.book, message.incarnation
                self._readiness.reconciled = message.reconciled
                self._readiness.diagnosed = message.diagnosed
                self._go_on()
            case PastRead():
                self._know_past(message)
            case InstrumentsKnown():
                self._readiness.instruments = {each.symbol: each for each in message.instruments}
                self._arm()
            case Beat():
                self._beat(message.symbol)
            case Executed():
                self._executed(message)
            case Reconfigured(tuning=tuning):
                self._plan = tuning.plan(self._plan)
            case ReadVitals():
                self._tell_arming(message)
            case _:
                assert_never(message)

    # Arming ---------------------------------------------------------------------------------

    def _follow(self, recorded: Recorded) -> None:
        if self._lives is not None:
            self._lives.follow(recorded)
        book = self._book
        if book is None or recorded.event_id <= book.last_event_id:
            return
        if not book.follows(recorded):
            self._read_anew()
            return
        book.apply(recorded)
        book.forget_ended()
        event = recorded.event
        if isinstance(event, ReconciliationCompleted) and not event.is_dry_run:
            self._readiness.reconciled = event.generation
            self._arm()
        elif isinstance(event, DiagnosisCompleted):
            self._readiness.diagnosed = event.generation
            self._arm()

    def _arm(self) -> None:
        """Ask to be armed once this generation is reconciled and this process diagnosed."""
        if self._is_arming or self._readiness.waits_for(self._behind):
            return
        self._is_arming = True
        anchors = {symbol: pupil.anchor for symbol, pupil in self._pupils.items()}
        command = ArmStrategy(
            generation=self.generation, strategy=self._plan.name, taught_since=anchors
        )
        self._execute(command, is_answer_wanted=True)

    def _tell_arming(self, message: ReadVitals) -> None:
        waits_for = ""
        if not self._is_armed:
            waits_for = self._readiness.waits_for(self._behind) or "the store's word"
        arming = ArmingRead(token=message.token, is_armed=self._is_armed, waits_for=waits_for)
        self.tell(message.reply_to, arming)

    def _executed(self, message: Executed) -> None:
        refusal = message.refusal
        if isinstance(message.command, ArmStrategy) and refusal is None:
            for recorded in message.records:
                self._armed(recorded)
        elif refusal is not None:
            self.log("IntentRefused", level="warning", code=refusal.code, text=refusal.text)

    def _armed(self, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, StrategyArmed), f"Expected an arming, was {recorded}"
        self._is_armed = True
        self._tell_bars()
        for symbol, pupil in self._pupils.items():
            since = event.taught_since[symbol]
            pupil.taught = pupil.taught or Taught(since=since, armed_at=recorded.at)
            self._await_beat(pupil)
            self._decide(pupil)

    def _tell_bars(self) -> None:
        """Say, before any signal, of which symbols a canary would let no entry through."""
        for symbol, pupil in self._pupils.items():
            price = None if pupil.last is None else pupil.last.close
            bar = canary_bar(self._plan, price, self._readiness.instrument(symbol))
            if bar is not None:
                self.log("CanaryTooSmall", level="warning", symbol=symbol, text=bar.text)

    # History --------------------------------------------------------------------------------

    def _know_past(self, message: PastRead) -> None:
        self._lives = Lives(message.lives)
        for symbol, taught in message.taught.items():
            if symbol in self._pupils:
                self._pupils[symbol].taught = taught
        self._fall_behind(*self._behind)
        self._go_on()

    def _fall_behind(self, *symbols: Symbol) -> None:
        """Ask the feed for what was missed, from the last candle on or from where all began."""
        for symbol in symbols:
            self._behind[symbol] = self._pupils[symbol].reads_from
            self._want_history(symbol)

    def _want_history(self, symbol: Symbol) -> None:
        """Ask for the page that is waited for, and again until it has come."""
        if symbol not in self._behind or self._lives is None:
            return
        self._ask_page(symbol)
        self.after(HISTORY_AFTER_S, HistoryWanted(symbol=symbol))

    def _ask_page(self, symbol: Symbol) -> None:
        pupil = self._pupils[symbol]
        least = max(pupil.strategy.warmup, self._plan.sizing.warmup)
        wanted = ReadHistory(
            symbol=symbol,
            after=self._behind[symbol],
            least=least if pupil.until is None else 0,
            reply_to=self.name,
        )
        self.tell(names.MARKET_FEED, wanted)

    def _learn(self, page: HistoryRead) -> None:
        """Show a page of what was missed; a page that was asked for twice counts once."""
        symbol = page.symbol
        is_wanted = symbol in self._behind and self._behind[symbol] == page.after
        if not is_wanted or self._lives is None:
            return
        pupil = self._pupils[symbol]
        if page.is_cut:
            text = f"history goes back to {text_of(page.candles[0].open_at)} at most"
            self.log("HistoryCut", level="warning", symbol=symbol, text=text)
        for candle in page.candles:
            if not pupil.has_seen(candle):
                is_holding = self._lives.held_at(symbol, candle.close_at)
                self._show_again(pupil, candle, is_holding=is_holding)
        pupil.know_until(page.until)
        if page.is_last:
            del self._behind[symbol]
            self._go_on()
        else:
            self._behind[symbol] = page.until
            self._ask_page(symbol)

    def _show_again(self, pupil: Pupil, candle: Candle, *, is_holding: bool) -> None:
        """Show a candle of the past; where the strategy raises, as it did then, it said nothing."""
        outcome = outcome_of(partial(pupil.show, candle, is_holding=is_holding))
        if isinstance(outcome, Raised):
            at = text_of(candle.close_at)
            self.log("StrategyRaisedAgain", level="warning", closed_at=at, error=outcome.error)

    def _go_on(self) -> None:
        """Take up what closed meanwhile; the newest candle decides as if nothing had been."""
        if self._book is None or self._lives is None:
            return
        for symbol, pupil in self._pupils.items():
            if symbol not in self._behind:
                early, self._early[symbol] = self._early[symbol], []
                for closed in early:
                    self._show(pupil, closed, self._lives)
                self._decide(pupil)
        self._arm()

    # Candles --------------------------------------------------------------------------------

    def _closed(self, message: CandleClosed) -> None:
        candle, lives = message.candle, self._lives
        symbol, pupil = candle.symbol, self._pupils[candle.symbol]
        if symbol in self._behind or self._book is None or lives is None:
            self._early[symbol].append(message)
        elif pupil.is_behind(candle) and not message.has_gap_before:
            self._early[symbol].append(message)
            self._fall_behind(symbol)  # somebody lost a candle: where the market has it, so have we
        else:
            self._show(pupil, message, lives)
            self._decide(pupil, is_news=True)

    def _show(self, pupil: Pupil, message: CandleClosed, lives: Lives) -> None:
        candle = message.candle
        if not pupil.has_seen(candle):
            is_holding = lives.held_at(candle.symbol, candle.close_at)
            may_decide = not (message.is_warmup or message.has_gap_before)
            pupil.show(candle, is_holding=is_holding, may_decide=may_decide)

    def _decide(self, pupil: Pupil, *, is_news: bool = False) -> None:
        """Act on what was said of the newest candle; late, after a death, only if it is fresh."""
        if not self._is_armed or self._book is None:
            return
        said = pupil.decision()
        if said is None:
            return
        age_s = self.clock.real_s((self.clock.now() - said.candle.close_at) / NANOS_PER_SECOND)
        if said.signal is Signal.ENTER and not is_news and age_s > self._fresh_s:
            text = f"{pupil.symbol} closed {age_s:.0f} s ago, while nobody could act on it"
            self.log("EntryRefused", level="warning", code="stale", text=text)
            return
        self._act(self._book, said, said.candle.close_at)

    def _await_beat(self, pupil: Pupil) -> None:
        if isinstance(pupil.strategy, TimedStrategy):
            now = self.clock.now()
            wait_s = (pupil.next_beat(pupil.strategy.period_s, now) - now) / NANOS_PER_SECOND
            self.after(self.clock.real_s(wait_s), Beat(symbol=pupil.symbol))

    def _beat(self, symbol: Symbol) -> None:
        self._await_beat(self._pupils[symbol])
        pupil, book = self._pupils[symbol], self._book
        assert isinstance(pupil.strategy, TimedStrategy)
        if pupil.last is None or book is None:
            return
        is_holding = book.position_of(symbol) is not None
        signal = meant(pupil.strategy.on_timer(is_holding=is_holding))
        if signal is not None:
            said = Said(signal=signal, candle=pupil.last, was_holding=is_holding)
            self._act(book, said, self.clock.now())

    # Intents --------------------------------------------------------------------------------

    def _act(self, book: Book, said: Said, decided_at: Instant) -> None:
        wish = Wish(
            symbol=said.candle.symbol,
            decided_at=decided_at,
            price=said.candle.close,
            was_holding=said.was_holding,
            atr=self._pupils[said.candle.symbol].range.value,
        )
        origin = Origin(tag=self._tag, incarnation=self._incarnation)
        instrument = self._readiness.instrument(wish.symbol)
        if said.signal is Signal.ENTER:
            intent = entry_intent(book, wish, self._plan, origin, instrument)
        else:
            intent = exit_intent(book, wish, self._plan, origin)
        if isinstance(intent, Refusal):
            self.log("EntryRefused", level="warning", code=intent.code, text=intent.text)
        elif intent is not None:
            self._execute(intent, is_answer_wanted=True)

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self._by(), reply_to=reply_to))

    def _by(self) -> str:
        return f"{self.name}:{self._plan.name}"
