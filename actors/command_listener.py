"""CommandListener: a person's commands from the control socket, and their answers.

It owns the socket's server through the port handed in. It decides nothing: each command is
told to the actor that it concerns, and the connection waits for that actor's word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, assert_never

import msgspec

from actors import names
from actors.base import Actor, Context
from aegis.domain.answers import (
    Answer,
    change_for,
    told_change,
    told_late,
    told_order_resolution,
    told_reconciliation,
    told_resolution,
    told_unread,
)
from aegis.domain.book import Book
from aegis.domain.commands import ChangeTradingState, Refusal, ResolveOrder, ResolvePosition
from aegis.domain.ids import Coin
from aegis.domain.judgement import is_unresolved, line_of
from aegis.domain.unsold import told_unsold, unsold_in
from aegis.messages import (
    BookRead,
    ControlReply,
    ControlRequest,
    DiagnoseNow,
    DiagnosisReported,
    Execute,
    Executed,
    ListenerMessage,
    ReadBook,
    ReconcileNow,
    ReconciliationReported,
)
from aegis.vitals import (
    ArmingRead,
    ExchangeVitals,
    PricesRead,
    ReadVitals,
    TreeRead,
    Vitals,
    VitalsDue,
)

COMMANDS = ("status", "reconcile", "diagnose", "halt", "resume", "flatten", "resolve")

COMPARED_WITHIN_S = 25.0
"""Who waits longer is told why, and what becomes of it: a person's connection ends after 30 s."""

VITALS_WITHIN_S = 1.0
"""Who takes longer is told as not answering; a person waits."""


class ControlPort(Protocol):
    """Where people's commands come in."""

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        """Listen; `hear` gets each request."""
        ...

    def answer(self, reply: ControlReply) -> None:
        """Send a reply to the connection that its token names; gone ones are ignored."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants and the store has to decide, and the book before."""

    asked: ControlRequest
    before: Book
    command: ChangeTradingState | ResolvePosition | ResolveOrder


class CommandListener(Actor):
    """Remembers who waits for what; a reply that nobody waits for is dropped."""

    def __init__(
        self,
        context: Context,
        *,
        port: ControlPort,
        quote_coin: Coin,
        exchange_vitals: Callable[[], ExchangeVitals | None],
    ) -> None:
        super().__init__(context)
        self._port = port
        self._exchange_vitals = exchange_vitals
        self._quote_coin = quote_coin
        self._comparing: set[int] = set()  # tokens: wait for a reconciliation, to whatever end
        self._given_up: set[int] = set()  # and tokens of those whom it took too long
        self._resolving: dict[int, ControlRequest] = {}  # by token: wait for a reconciliation
        self._changing: deque[ControlRequest] = deque()  # wait for the book
        self._changed: deque[Change] = deque()  # wait for the store's word
        self._vitals: dict[int, Vitals] = {}  # by token: what was answered so far

    def on_started(self) -> None:
        self._port.open(self.reply_to())

    def on_stopped(self) -> None:
        self._port.close()

    def on_died(self, error: str) -> None:
        del error
        self._port.close()

    def receive(self, message: ListenerMessage) -> None:
        match message:
            case ControlRequest():
                self._take(message)
            case BookRead():
                self._change(message)
            case Executed():
                self._tell_change(message)
            case ReconciliationReported():
                self._tell_reconciliation(message)
            case DiagnosisReported():
                self._tell_diagnosis(message)
            case TreeRead():
                self._collect(message.token, tree=message)
            case PricesRead():
                self._collect(message.token, prices=message)
            case ArmingRead():
                self._collect(message.token, arming=message)
            case VitalsDue():
                self._tell_vitals(message.token)
                self._tell_silence(message.token)
            case _:
                assert_never(message)

    def _take(self, request: ControlRequest) -> None:
        match request.command:
            case "status":
                self._ask_vitals(request.token)
            case "reconcile":
                self._reconcile_for(request)
            case "diagnose":
                asked = DiagnoseNow(
                    trigger="operator",
                    is_dry_run=request.is_dry_run,
                    reply_to=self.name,
                    token=request.token,
                )
                self.tell(names.DIAGNOSTICIAN, asked)
            case "resolve" if request.resolve is not None:
                self._resolving[request.token] = request
                self._reconcile_for(request)
            case "halt" | "resume" | "flatten":
                self._ask_book(request)
            case _:
                text = f"expected one of {', '.join(COMMANDS)}, was {request.command!r}"
                self._answer(request.token, (False, text))

    def _reconcile_for(self, request: ControlRequest) -> None:
        wanted = ReconcileNow(
            trigger="operator",
            is_dry_run=request.is_dry_run,
            reply_to=self.name,
            token=request.token,
        )
        self.tell(names.RECONCILER, wanted)
        self._comparing.add(request.token)
        self.after(COMPARED_WITHIN_S, VitalsDue(token=request.token))

    def _tell_silence(self, token: int) -> None:
        """Tell who waits for a reconciliation what keeps it; a word on something is dropped."""
        if token not in self._comparing:
            return
        self._comparing.remove(token)
        self._given_up.add(token)
        is_word = self._resolving.pop(token, None) is not None
        if (hold := self._hold()) is not None:
            self._tell_unread(token, hold)
        else:
            self._answer(token, told_late(round(COMPARED_WITHIN_S), is_word=is_word))

    def _tell_unread(self, token: int, reason: str) -> None:
        word, text = told_unread(reason)
        self._port.answer(ControlReply(token=token, is_done=False, text=text, unread=word))

    def _ask_book(self, request: ControlRequest) -> None:
        self._changing.append(request)
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _change(self, message: BookRead) -> None:
        """Tell the store what a person wants; the book tells what was before."""
        if not self._changing:
            return  # the store restarted, and answered twice
        asked, book = self._changing.popleft(), message.book
        if asked.command == "resume" and (refusal := self._lasting_hold()) is not None:
            self._answer(asked.token, told_change("resume", book.account, (), refusal))
            return
        command = asked.resolve or change_for(asked.command, book, self._quote_coin)
        self._changed.append(Change(asked=asked, before=book, command=command))
        execute = Execute(command=command, by="operator", reply_to=self.name)
        self.tell(names.POSITION_STORE, execute)

    def _lasting_hold(self) -> Refusal | None:
        """Return what would hold entries after a `resume` as before it, or None."""
        vitals = self._exchange_vitals()
        if vitals is None or vitals.needs_person is None:
            return None
        return Refusal(code="held_back", text=vitals.needs_person)

    def _tell_change(self, message: Executed) -> None:
        change = next((each for each in self._changed if each.command == message.command), None)
        if change is None:
            return
        self._changed.remove(change)
        asked, before = change.asked, change.before
        if isinstance(change.command, ResolvePosition):
            told = told_resolution(change.command, before, message.records, message.refusal)
            self.tell(names.RECONCILER, ReconcileNow(trigger="resolve"))
        elif isinstance(change.command, ResolveOrder):
            told = told_order_resolution(change.command, before, message.refusal)
            self.tell(names.RECONCILER, ReconcileNow(trigger="resolve"))
        else:
            told = told_change(
                asked.command,
                before.account,
                message.records,
                message.refusal,
                hold=self._hold(),
                unsold=list(map(told_unsold, unsold_in(before))),
            )
        self._answer(asked.token, told)

    def _hold(self) -> str | None:
        """Return what keeps the exchange out of reach now, where it is a real one."""
        vitals = self._exchange_vitals()
        return None if vitals is None or vitals.is_of_entries else vitals.hold

    def _tell_reconciliation(self, message: ReconciliationReported) -> None:
        if message.token in self._given_up:
            self._given_up.remove(message.token)
            return  # who asked was told that it takes too long
        self._comparing.discard(message.token)  # it may be an errand's, which nobody here asked
        waiting = self._resolving.pop(message.token, None)
        if message.unread:
            self._tell_unread(message.token, message.unread)
            return
        if waiting is not None:
            self._ask_book(waiting)
            return
        told = told_reconciliation(message.discrepancies, is_dry_run=message.is_dry_run)
        self._answer(message.token, told)

    def _tell_diagnosis(self, message: DiagnosisReported) -> None:
        """Answer with a line a check; no when something critical is left."""
        checks = message.checks
        reply = ControlReply(
            token=message.token,
            is_done=not any(map(is_unresolved, checks)),
            text="\n".join(map(line_of, checks)),
            checks=checks,
        )
        self._port.answer(reply)

    def _ask_vitals(self, token: int) -> None:
        """Ask whoever knows what the store does not: supervisor, Guard and Strategy."""
        exchange = self._exchange_vitals()
        self._vitals[token] = Vitals(tree=None, prices=None, arming=None, exchange=exchange)
        for name in (self.supervisor, names.GUARD, names.STRATEGY):
            self.tell(name, ReadVitals(token=token, reply_to=self.name))
        self.after(VITALS_WITHIN_S, VitalsDue(token=token))

    def _collect(self, token: int, **part: TreeRead | PricesRead | ArmingRead) -> None:
        known = self._vitals.get(token)
        if known is None:
            return  # it was told without this one
        vitals = self._vitals[token] = msgspec.structs.replace(known, **part)
        if None not in (vitals.tree, vitals.prices, vitals.arming):
            self._tell_vitals(token)

    def _tell_vitals(self, token: int) -> None:
        vitals = self._vitals.pop(token, None)
        if vitals is not None:
            reply = ControlReply(token=token, is_done=True, text="as it is now", vitals=vitals)
            self._port.answer(reply)

    def _answer(self, token: int, told: Answer) -> None:
        is_done, text = told
        self._port.answer(ControlReply(token=token, is_done=is_done, text=text))
