"""Reconciler: the store beside the exchange, at each start, in intervals, and after any trouble.

It owns one run at a time. It never judges on one look: what differs is looked at again, and
only what was seen for long enough is healed and recorded, whichever runs looked. What would heal
is worked out, and tried on a copy, by `aegis.domain.reconcile`. It never speaks with the exchange
itself.

Invariants:
1. An answer counts only in the stage that waits for it: one that comes twice, or belongs to an
   earlier life, changes nothing.
2. A discrepancy is called healed only when the store took each command that heals it (`Healing`).
3. People go first. A run that pauses gives way to who asks meanwhile, one that nobody waits for to
   who had asked before as well: their look comes at once, and what was seen before stays seen. What
   they hear was looked at after they asked.
4. A trade that stands for a person, or for a time when it can be booked, stays in sight.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from actors.sightings import Sightings
from actors.turns import AT_START, WATCH, Turns
from aegis.domain.commands import (
    Command,
    CompleteReconciliation,
    RecordExternalChange,
    StartBalances,
)
from aegis.domain.discrepancies import named_orders, named_trades
from aegis.domain.findings import Finding, Mark, View, marks_of
from aegis.domain.healing import Healing
from aegis.domain.ids import Instant
from aegis.domain.position import Position
from aegis.domain.reconcile import (
    EXIT_REFUSED,
    confirmed,
    plan,
    trades_since,
)
from aegis.domain.risk import Limits
from aegis.domain.venue import VenueAccount
from aegis.messages import (
    AccountRead,
    BookRead,
    Execute,
    Executed,
    KnownRead,
    ReadAccount,
    ReadBook,
    ReadKnown,
    ReconcileNow,
    ReconcilerMessage,
    ReconciliationReported,
    SecondLook,
)
from aegis.ports import Timer
from aegis.tuning import Reconfigured, Tuning

RETRY_AFTER_S = 2.0

REFUSED_REST_S = 15.0
"""So long after a refused exit had nothing new to show, others that are refused start no run."""

UNREAD_MAX = 2
"""Looks in a row that show nothing until people who wait are told so: they wait 30 s at most."""


class Stage(Enum):
    """What the run under way waits for."""

    IDLE = auto()
    BOOK = auto()
    ACCOUNT = auto()
    KNOWN = auto()
    PAUSE = auto()  # before another look
    HEALING = auto()
    RECORDING = auto()


class Reconciler(Actor):
    """`interval_s` is real seconds between two runs; `is_healing` false only reports.

    `first` is the run that it begins with. `lag_s` is how far the exchange's reads may lag behind.
    Who `gives_up` tells a person who waits that the account cannot be read; else all wait on.
    `watch_s` is real seconds between two looks for others on the account, None where nobody is.
    """

    def __init__(
        self,
        context: Context,
        *,
        tag: str,
        limits: Limits,
        interval_s: float,
        is_healing: bool,
        first: ReconcileNow = AT_START,
        lag_s: float = 0.0,
        watch_s: float | None = None,
        gives_up: bool = False,
    ) -> None:
        super().__init__(context)
        self._tag = tag
        self._limits = limits
        self._interval_s = interval_s
        self._is_healing = is_healing  # in the run under way
        self._will_heal = is_healing  # from the next run on
        self._sightings = Sightings(lag_s)
        self._watch_s = watch_s
        self._gives_up = gives_up
        self._unread = 0  # looks in a row that showed nothing
        self._watched_until = Instant(0)  # by looks that had nothing to tell
        self._told: frozenset[Mark] = frozenset()  # differences that stand
        self._stands_since: Instant | None = None  # from when on trades tell of one
        self._stage = Stage.IDLE
        self._turns = Turns(first)
        self._rests_until_s = 0.0  # and starts no run for an exit that was refused
        self._first: tuple[Finding, ...] | None = None
        self._account: VenueAccount | None = None
        self._held: tuple[Position, ...] = ()
        self._healing = Healing((), None)  # of the run under way
        self._is_waiting_told = False

    def on_started(self) -> None:
        self._timer = self._each_interval()
        if self._watch_s is not None:
            self.every(self._watch_s, WATCH)
        self._next()

    def receive(self, message: ReconcilerMessage) -> None:
        match message:
            case ReconcileNow():
                self._want(message)
            case BookRead():
                self._book_read(message)
            case AccountRead():
                self._account_read(message)
            case KnownRead():
                self._judge(message)
            case Reconfigured():
                self._retune(message.tuning)
            case SecondLook():
                if self._stage is Stage.PAUSE:
                    self._look()
            case Executed():
                self._executed(message)
            case _:
                assert_never(message)

    def _each_interval(self) -> Timer:
        return self.every(self._interval_s, ReconcileNow(trigger="interval"))

    def _retune(self, tuning: Tuning) -> None:
        """Heal or not from the next run on; a new interval begins now."""
        self._will_heal, self._limits = tuning.is_healing, tuning.limits
        if tuning.reconcile_interval_s != self._interval_s:
            self._interval_s = tuning.reconcile_interval_s
            self._timer.cancel()
            self._timer = self._each_interval()

    @property
    def _run(self) -> ReconcileNow:
        return self._turns.under_way[0]

    def _want(self, message: ReconcileNow) -> None:
        """Begin, or queue: the run under way may have looked too early for this one."""
        if message.trigger == EXIT_REFUSED and self.clock.monotonic() < self._rests_until_s:
            return
        self._turns.put(message)
        if self._stage is Stage.IDLE:
            self._next()
        elif self._stage is Stage.PAUSE and message.reply_to is not None:
            self._give_way()

    def _give_way(self) -> None:
        """Let a person's run look at once, in place of one that pauses."""
        self._pause.cancel()
        self._turns.give_way()
        self._next()

    def _look(self) -> None:
        self._stage = Stage.BOOK
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _look_later(self, delay_s: float) -> None:
        self._stage = Stage.PAUSE
        self._pause = self.after(delay_s, SecondLook())
        if self._run.reply_to is None and self._turns.is_somebody_waiting:
            self._give_way()

    def _book_read(self, message: BookRead) -> None:
        if self._stage is not Stage.BOOK:
            return
        self._stage = Stage.ACCOUNT
        is_first, kept = self._account is None, self._stands_since
        since = trades_since(message.book, self._watched_until, is_first=is_first)
        if kept is not None:
            since = min(since or kept, kept)  # 0: no beginning is known
        self.tell(names.EXCHANGE_GATEWAY, ReadAccount(trades_since=since, reply_to=self.name))

    def _account_read(self, message: AccountRead) -> None:
        if self._stage is not Stage.ACCOUNT:
            return
        if message.account is None:
            self._wait_for_account(message.reason)
            return
        self._unread, self._is_waiting_told = 0, False
        self._account = message.account
        self._stage = Stage.KNOWN
        asked = ReadKnown(
            client_order_ids=named_orders(message.account, self._tag),
            trades=named_trades(message.account),
            reply_to=self.name,
        )
        self.tell(names.POSITION_STORE, asked)

    def _wait_for_account(self, reason: str) -> None:
        """Look again later, and let nobody wait for it who can be told why."""
        self._unread += 1
        is_hopeless = self._gives_up and self._unread >= UNREAD_MAX
        if is_hopeless and not self._turns.let_go(lambda each: self._tell_unread(each, reason)):
            self._next()
            return
        if self._run == WATCH:
            self._next()  # whoever needs the exchange says that it does not answer
            return
        if not self._is_waiting_told:
            self._is_waiting_told = True
            self.log("ReconciliationWaiting", level="warning", reason=reason)
        self._look_later(RETRY_AFTER_S)

    def _tell_unread(self, run: ReconcileNow, reason: str) -> bool:
        """Tell who waits for a run that there will be none; say whether anybody does."""
        if run.reply_to is None:
            return False
        report = ReconciliationReported(
            is_dry_run=run.is_dry_run, discrepancies=(), token=run.token, unread=reason
        )
        self.tell(run.reply_to, report)
        return True

    def _judge(self, message: KnownRead) -> None:
        if self._stage is not Stage.KNOWN:
            return
        account, book = self._account, message.book
        assert account is not None, "Expected a look at the account before its orders"
        if not book.account.has_balances and not self._run.is_dry_run:
            self._execute(StartBalances(balances=account.balances))
        view = View(account=account, fills=message.fills, tag=self._tag)
        findings = plan(book, view, limits=self._limits, now=self.clock.now())
        is_any_told = any(each.is_told for each in findings)
        self._stands_since = account.trades_since if is_any_told else None
        now_s = self.clock.monotonic()
        self._sightings.see(findings, now_s)
        if self._is_quiet() and marks_of(findings) == self._told:
            self._watched_until = account.as_of
            self._end_quietly()
            return
        due_s = self._sightings.due_s(findings, now_s)
        if due_s > 0 and self._first is None:
            self._first = findings
            self._look_later(due_s)
            return
        self._held = tuple(p for p in book.alive_positions() if p.amount > 0)
        seen = (*(self._first or ()), *self._sightings.settled(findings, now_s))
        self._heal(confirmed(seen, findings))

    def _is_quiet(self) -> bool:
        """Say whether the run leaves no word where it has nothing new to tell."""
        return self._run == WATCH or self._run.trigger == EXIT_REFUSED

    def _end_quietly(self) -> None:
        if self._run.trigger == EXIT_REFUSED:
            self._rests_until_s = self.clock.monotonic() + REFUSED_REST_S
        self._next()

    def _heal(self, found: tuple[Finding, ...]) -> None:
        """Tell the store what makes each finding right, and wait for what it says."""
        self._stage = Stage.HEALING
        why_not = None if self._is_healing else "reconcile.heal is off"
        self._healing = Healing(found, "" if self._run.is_dry_run else why_not)
        for command in self._healing.asked:
            self._execute(command, is_answer_wanted=True)
        if not self._healing.asked:
            self._complete()

    def _executed(self, message: Executed) -> None:
        command = message.command
        if self._stage is Stage.HEALING and command in self._healing.asked:
            refusal = _refusal_of(message)
            if refusal:
                self.log("HealRefused", level="error", text=refusal)
            self._healing.hear(command, refusal)
            if not self._healing.asked:
                self._complete()
        elif self._stage is Stage.RECORDING and isinstance(command, CompleteReconciliation):
            self._finish(command)

    def _complete(self) -> None:
        run, account = self._run, self._account
        assert account is not None, "Expected a look at the account before its verdict"
        standing, discrepancies = self._healing.standing(), self._healing.discrepancies()
        if self._is_quiet() and len(standing) == len(discrepancies) and standing == self._told:
            self._end_quietly()  # what had seemed to differ was on its way
            return
        if not run.is_dry_run:
            self._told = standing
        for found in discrepancies:
            self.log(
                "DiscrepancyFound",
                level="warning",
                kind=str(found.kind),
                symbol=found.symbol,
                subject=found.subject,
                expected=found.expected,
                found=found.found,
                action=found.action,
                healed=found.is_healed,
            )
        command = CompleteReconciliation(
            generation=self.generation,
            trigger=run.trigger,
            exchange_positions=_positions_there(account, self._held),
            local_positions=len(self._held),
            discrepancies=discrepancies,
            is_dry_run=run.is_dry_run,
            as_of=account.as_of,
        )
        self._stage = Stage.RECORDING
        self._execute(command, is_answer_wanted=True)

    def _finish(self, command: CompleteReconciliation) -> None:
        for run in self._turns.under_way:
            if run.reply_to is not None:
                report = ReconciliationReported(
                    is_dry_run=run.is_dry_run, discrepancies=command.discrepancies, token=run.token
                )
                self.tell(run.reply_to, report)
        self._turns.finish()
        self._next()

    def _next(self) -> None:
        self._stage, self._first, self._is_healing = Stage.IDLE, None, self._will_heal
        if self._turns.begin():
            self._look()

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))


def _positions_there(account: VenueAccount, held: tuple[Position, ...]) -> int:
    """Return how many positions an account has: as it tells, or by the coins of those held here."""
    if account.positions is not None:
        return len(account.positions)
    bases = {position.instrument.base for position in held}
    return sum(account.balances.get(base, 0) > 0 for base in bases)


def _refusal_of(message: Executed) -> str:
    """Return why a heal was not taken, or nothing.

    A change that was seen against other books is no news to the store, and not recorded either.
    """
    if message.refusal is not None:
        return message.refusal.text
    is_external = isinstance(message.command, RecordExternalChange)
    return "the books moved meanwhile" if is_external and not message.records else ""
