"""PositionStore: the one writer of the log.

It owns the open store and the book that its events add up to. It decides commands with
`aegis.domain.decisions` and makes them durable in groups; it must never answer or publish
before the commit, and never touch the network.

Invariants:
1. What a sender or a subscriber hears is on disk.
2. A command that is refused, or known already, writes nothing and is still answered.
3. Any failure of the store ends this incarnation; the next one reads what is on disk.
4. Who reads the book gets it as of the last commit, and hears of every later one: what was
   committed along with the answer is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import msgspec

from actors import names
from actors.base import Actor, Context
from aegis.domain.book import Book, Recalled
from aegis.domain.commands import (
    BookForcedFills,
    Command,
    IntendOrder,
    MarkPosition,
    RecordFills,
    Refusal,
    ResolvePosition,
)
from aegis.domain.decisions import decide
from aegis.domain.events import (
    DiagnosisCompleted,
    PositionMarked,
    ReconciliationCompleted,
    Recorded,
    name_of,
)
from aegis.domain.ids import ClientOrderId, Generation, Instant, PositionId, Symbol
from aegis.domain.lives import taught_by
from aegis.domain.mends import RebuildRows
from aegis.domain.narrate import describe
from aegis.domain.order import Fill, Order
from aegis.domain.proposals import Decision
from aegis.domain.risk import Limits
from aegis.messages import (
    BookRead,
    Committed,
    Execute,
    Executed,
    KnownRead,
    MarkNotified,
    MarkNotifyFailed,
    MendStore,
    NoticesAdded,
    NoticesRead,
    PastRead,
    ReadBook,
    ReadKnown,
    ReadNotices,
    ReadPast,
    StoreMended,
    StoreMessage,
)
from aegis.store.journal import Store
from aegis.store.mending import mend
from aegis.store.reserve import refusal_for_room
from aegis.tuning import Reconfigured
from aegis.vitals import NoteCalls

GROUP_MAX = 256
"""Commands at most in one commit: the batch at which a commit's cost no longer matters."""

Asked = (
    ReadBook | ReadKnown | ReadPast | ReadNotices | MarkNotified | MarkNotifyFailed | MendStore
    | NoteCalls
)  # fmt: skip
"""What is answered from what is committed, so after the commit."""


class PositionStore(Actor):
    """Everything that is true is asked of it, and told to it, by message."""

    group_max = GROUP_MAX

    def __init__(
        self,
        context: Context,
        *,
        open_store: Callable[[], Store],
        limits: Limits,
        subscribers: tuple[str, ...],
    ) -> None:
        super().__init__(context)
        self._open_store = open_store
        self._limits = limits
        self._subscribers = subscribers
        self._reconciled = Generation(0)
        self._diagnosed = Generation(0)
        self._is_wal_held_back = False

    def on_started(self) -> None:
        self._store = self._open_store()
        self._book = self._store.book
        self.log(
            "StoreOpened",
            events=self._store.recovered_events,
            head_hash=self._store.head_hash,
            positions=len(self._book.alive_positions()),
            text=f"recovered {self._store.recovered_events} events",
        )
        for finding in self._store.findings:
            self.log("StoreFinding", level="warning", text=finding)
        for channel, count in self._store.give_up_other_channels().items():
            self.log("NoticesGivenUp", level="warning", channel=channel, notices=count)

    def on_stopped(self) -> None:
        self._store.close()

    def on_died(self, error: str) -> None:
        del error
        store = getattr(self, "_store", None)
        if store is not None:
            store.close()

    def receive_batch(self, messages: tuple[StoreMessage, ...]) -> None:
        """Decide each message in turn, commit what came of them as one, then answer."""
        written: list[Recorded] = []
        answers: list[tuple[str, Executed]] = []
        asked: list[Asked] = []
        now = self._store.stamp(self.clock.now())
        for message in messages:
            match message:
                case Execute():
                    executed = self._execute(message, now)
                    written.extend(executed.records)
                    if message.reply_to is not None:
                        answers.append((message.reply_to, executed))
                case Reconfigured():
                    self._limits = message.tuning.limits
                case ReadBook() | ReadKnown() | ReadPast() | MendStore():
                    asked.append(message)
                case ReadNotices() | MarkNotified() | MarkNotifyFailed() | NoteCalls():
                    asked.append(message)
                case _:
                    assert_never(message)
        self.trust_batch()
        if written:
            self._commit(tuple(written))
        for name, answer in answers:
            self.tell(name, answer)
        for question in asked:
            self._answer(question, now)
        self._book.forget_ended()

    def _execute(self, message: Execute, now: Instant) -> Executed:
        self._remember(message.command)
        decision = self._decide(message.command, now)
        if isinstance(decision, Refusal):
            self.log(
                "CommandRefused",
                level="debug",
                command=type(message.command).__name__,
                by=message.by,
                code=decision.code,
                text=decision.text,
            )
            return Executed(command=message.command, records=(), refusal=decision)
        records = []
        for proposed in decision:
            recorded = self._book.record(proposed, by=message.by, at=now)
            self._note_completion(recorded)
            records.append(recorded)
        return Executed(command=message.command, records=tuple(records), refusal=None)

    def _decide(self, command: Command, now: Instant) -> Decision:
        if isinstance(command, BookForcedFills):
            booked = self._booked_of(command)
            if booked:
                text = f"trades {', '.join(booked)} are booked already"
                return Refusal(code="trade_known_elsewhere", text=text)
        if isinstance(command, RecordFills):
            own = self._without_strangers(command)
            if command.fills and not own.fills:
                text = f"{command.client_order_id}: its trades are booked for other orders"
                return Refusal(code="trade_known_elsewhere", text=text)
            command = own
        refusal = refusal_for_room(self._store.path, command)
        return refusal or decide(self._book, command, now=now, limits=self._limits)

    def _booked_of(self, command: BookForcedFills) -> list[str]:
        """Return those trades that another order has; the same order again is known, not wrong."""
        position = self._book.positions.get(command.position_id)
        if position is None or command.client_order_id in self._book.orders:
            return []
        symbol = position.symbol
        return [f.trade_id for f in command.fills if self._is_booked(symbol, f.trade_id)]

    def _without_strangers(self, command: RecordFills) -> RecordFills:
        """Return a command without the trades of other orders: the store keeps each trade once.

        An exchange that lost its record numbers trades anew; what is left out stays a difference
        that the reconciler finds, where the constraint would end every incarnation.
        """
        order = self._book.orders.get(command.client_order_id)
        if order is None:
            return command
        own = tuple(fill for fill in command.fills if not self._is_elsewhere(order, fill))
        if own != command.fills:
            left_out = [fill.trade_id for fill in command.fills if fill not in own]
            text = f"trades {', '.join(left_out)} of {order.client_order_id} are known already"
            self.log("TradeKnownElsewhere", level="warning", text=f"{text}, of other orders")
        return msgspec.structs.replace(command, fills=own)

    def _is_elsewhere(self, order: Order, fill: Fill) -> bool:
        return fill.trade_id not in order.trade_ids and self._is_booked(order.symbol, fill.trade_id)

    def _is_booked(self, symbol: Symbol, trade_id: str) -> bool:
        in_this_batch = any(
            trade_id in other.trade_ids and other.symbol == symbol
            for other in self._book.orders.values()
        )
        return in_this_batch or self._store.is_known_trade(symbol, trade_id)

    def _remember(self, command: Command) -> None:
        """Bring back an ended order, and its position, that a command speaks of.

        An intent too: the same reason again is the order that it was, whatever became of it.
        """
        if isinstance(command, MarkPosition):  # most commands; it is of what is alive, or refused
            return
        subject = command.order if isinstance(command, IntendOrder) else command
        order_id = getattr(subject, "client_order_id", None)
        if order_id is not None and order_id not in self._book.orders:
            self._find(order_id)
        if isinstance(command, IntendOrder):
            self._recall(command.order.position_id)
        elif isinstance(command, ResolvePosition):
            self._recall(PositionId(command.name))

    def _find(self, order_id: ClientOrderId) -> Order | None:
        known = self._book.orders.get(order_id) or self._store.find_order(order_id)
        if known is None:
            return None
        self._recall(known.position_id)
        return known

    def _recall(self, position_id: PositionId) -> None:
        """Bring a position back that was forgotten, with every order that it had."""
        if position_id in self._book.positions:
            return
        position = self._store.find_position(position_id)
        if position is not None:
            orders = self._store.orders_of(position_id)
            self._book.recall(Recalled(position=position, orders=orders))

    def _commit(self, records: tuple[Recorded, ...]) -> None:
        notices = self._store.commit(records, self._book)
        self._watch_wal()
        for recorded in records:
            self._tell_log(recorded)
        for name in self._subscribers:
            self.tell(name, Committed(records=records))
        if notices:
            self.tell(names.NOTIFIER, NoticesAdded())

    def _watch_wal(self) -> None:
        """Tell once that readers hold the WAL back, and again when it comes back."""
        was_held_back, self._is_wal_held_back = self._is_wal_held_back, self._store.wal.is_held_back
        if self._is_wal_held_back and not was_held_back:
            pages = self._store.wal.pages
            text = f"a reader keeps {pages} pages in the WAL; end whatever reads the store for long"
            self.log("StoreFinding", level="warning", text=text)

    def _note_completion(self, recorded: Recorded) -> None:
        """Keep in step with the book: who reads it later in this batch hears of this no more."""
        event = recorded.event
        if isinstance(event, ReconciliationCompleted) and not event.is_dry_run:
            self._reconciled = event.generation
        elif isinstance(event, DiagnosisCompleted):
            self._diagnosed = event.generation

    def _tell_log(self, recorded: Recorded) -> None:
        event = recorded.event
        if not isinstance(event, PositionMarked):
            level, fields = describe(recorded)
            self.log(name_of(event), level=level, **fields)

    def _answer(self, message: Asked, now: Instant) -> None:
        match message:
            case ReadBook():
                self.tell(message.reply_to, self._book_read())
            case ReadKnown():
                self.tell(message.reply_to, self._known_read(message))
            case ReadPast():
                self.tell(message.reply_to, self._past_read(message))
            case ReadNotices():
                self.tell(message.reply_to, self._notices_read(message))
            case MarkNotified():
                self._store.mark_notified(message.told, now)
            case MarkNotifyFailed():
                self._store.mark_notify_failed(message.failed)
            case NoteCalls():
                self._store.note_calls(message, now)
            case MendStore():
                self._mend(message, now)
            case _:
                assert_never(message)

    def _book_read(self) -> BookRead:
        return BookRead(
            book=self._book.copy(),
            incarnation=self._store.incarnation,
            reconciled=self._reconciled,
            diagnosed=self._diagnosed,
        )

    def _known_read(self, message: ReadKnown) -> KnownRead:
        for order_id in message.client_order_ids:
            self._find(order_id)
        found = {trade: self._store.find_fill(*trade) for trade in message.trades}
        fills = {trade: fill for trade, fill in found.items() if fill is not None}
        return KnownRead(book=self._book.copy(), fills=fills)

    def _past_read(self, message: ReadPast) -> PastRead:
        return PastRead(
            taught=taught_by(self._store.armings(), message.strategy),
            lives=self._store.lives(message.symbols),
        )

    def _notices_read(self, message: ReadNotices) -> NoticesRead:
        notices = self._store.pending_notices(message.channel, message.limit)
        return NoticesRead(channel=message.channel, turn=message.turn, notices=notices)

    def _mend(self, message: MendStore, now: Instant) -> None:
        """Do a mend; where the book was read from rows that were wrong, all start over with it."""
        self._book.forget_ended()
        before = self._book
        mend(self._store, message.mend, now)
        self._book = self._store.book if isinstance(message.mend, RebuildRows) else before
        self.log("StoreMended", level="warning", mend=type(message.mend).__name__)
        self.tell(message.reply_to, StoreMended(mend=message.mend))
        is_same = _working_set(before) == _working_set(self._book)
        assert is_same, "Expected the rows to make the book of the events: all start over from it"


def _working_set(book: Book) -> tuple[object, ...]:
    """Return what is alive in a book, to be compared with another."""
    positions = {each.position_id: each for each in book.alive_positions()}
    orders = {each.client_order_id: each for each in book.active_orders()}
    return book.account, positions, orders


def subscribers() -> tuple[str, ...]:
    """Return who hears of each commit, in the order in which they hear."""
    return (
        names.EXCHANGE_GATEWAY,
        names.GUARD,
        names.STRATEGY,
        names.DIAGNOSTICIAN,
    )
