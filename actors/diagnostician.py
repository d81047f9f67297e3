"""Diagnostician: looks for what is wrong inside, mends what has a remedy, writes down both.

It diagnoses after each start's reconciliation, in intervals, and on demand. It reads the store
through a function handed in, on a worker of its own; it changes nothing but by commands. After a
remedy it looks once more: fixed is what the second look no longer finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.book import Book
from aegis.domain.commands import Command, CompleteDiagnosis
from aegis.domain.diagnose import halt_for, missing_stops, stuck_positions, what_was_done
from aegis.domain.events import CheckResult, ReconciliationCompleted
from aegis.messages import (
    BookRead,
    Committed,
    DiagnoseNow,
    DiagnosisReported,
    DiagnosticianMessage,
    Execute,
    Executed,
    ProjectionsRebuilt,
    ReadBook,
    RebuildProjections,
    StoreInspected,
)
from aegis.ports import Timer
from aegis.tuning import Reconfigured, Tuning

INSPECTION_DEADLINE_S = 60.0

Inspection = Callable[[], tuple[CheckResult, ...]]


class Stage(Enum):
    """What the run under way waits for."""

    IDLE = auto()
    BOOK = auto()
    INSPECTION = auto()
    REMEDY = auto()
    RECORDING = auto()


class Diagnostician(Actor):
    """`inspect` looks at the store's own rows: the chain, and projection = fold."""

    def __init__(
        self,
        context: Context,
        *,
        inspect: Inspection,
        interval_s: float,
        stuck_after_days: int,
    ) -> None:
        super().__init__(context)
        self._inspect = inspect
        self._interval_s = interval_s
        self._stuck_after_days = stuck_after_days
        self._stage = Stage.IDLE
        self._run = DiagnoseNow(trigger="start")
        self._queue: list[DiagnoseNow] = []
        self._book = Book()
        self._reconciled = self.generation
        self._first: tuple[CheckResult, ...] | None = None  # before the remedies
        self._mending: list[Command] = []  # told to the store, answers to come
        self._done: dict[str, str] = {}  # what was done, by check

    def on_started(self) -> None:
        self._timer = self._each_interval()
        self._want(self._run)

    def receive(self, message: DiagnosticianMessage) -> None:
        match message:
            case Committed():
                self._follow(message)
            case DiagnoseNow():
                self._want(message)
            case Reconfigured():
                self._retune(message.tuning)
            case BookRead():
                self._read(message)
            case StoreInspected():
                self._judge(message)
            case ProjectionsRebuilt():
                self._mended(None)
            case Executed():
                self._executed(message.command)
            case _:
                assert_never(message)

    def _each_interval(self) -> Timer:
        return self.every(self._interval_s, DiagnoseNow(trigger="interval"))

    def _retune(self, tuning: Tuning) -> None:
        """Judge by the new patience from the next look on; a new interval begins now."""
        self._stuck_after_days = tuning.stuck_after_days
        if tuning.diagnose_interval_s != self._interval_s:
            self._interval_s = tuning.diagnose_interval_s
            self._timer.cancel()
            self._timer = self._each_interval()

    def _follow(self, message: Committed) -> None:
        for recorded in message.records:
            event = recorded.event
            is_start = isinstance(event, ReconciliationCompleted) and event.trigger == "start"
            if not is_start:
                continue
            if self._stage is Stage.REMEDY:
                self._look()  # the store restarted, and may never say what came of the remedy
            if self._stage is not Stage.BOOK or self._first is not None:
                self._want(DiagnoseNow(trigger="start"))  # a first book to come has it already

    def _want(self, message: DiagnoseNow) -> None:
        if self._stage is Stage.IDLE:
            self._begin(message)
        elif message.reply_to is not None or not self._queue:
            self._queue.append(message)

    def _begin(self, message: DiagnoseNow) -> None:
        self._run, self._first, self._done = message, None, {}
        self._look()

    def _look(self) -> None:
        self._stage = Stage.BOOK
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _read(self, message: BookRead) -> None:
        """Wait for the first reconciliation; then look into the store itself."""
        if self._stage is not Stage.BOOK:
            return
        is_too_early = message.reconciled == 0 and self._first is None
        if is_too_early and self._run.reply_to is None:
            self._next()  # the completion of the first one will ask again
            return
        self._book = message.book
        self._reconciled = message.reconciled or self._reconciled
        self._stage = Stage.INSPECTION
        hear = self.reply_to()
        self.runtime.call(
            "inspection",
            self._inspect,
            INSPECTION_DEADLINE_S,
            lambda outcome: hear(StoreInspected(checks=checks_of(outcome))),
        )

    def _judge(self, message: StoreInspected) -> None:
        if self._stage is not Stage.INSPECTION:
            return
        stuck, _ = stuck_positions(self._book, self.clock.now(), self._stuck_after_days)
        stops, remedies = missing_stops(self._book)
        checks = (*message.checks, stuck, stops)
        if self._first is not None:
            before = {check.check: check for check in self._first}
            checks = tuple(outcome_of(before.get(c.check), c, self._done) for c in checks)
        else:
            self._tell_findings(checks)
            if self._mend(checks, remedies):
                self._first = checks
                return
        self._conclude(checks)

    def _tell_findings(self, checks: tuple[CheckResult, ...]) -> None:
        for check in checks:
            if check.status != "ok":
                self.log(
                    "DiagnosisFinding",
                    level="warning",
                    check=check.check,
                    status=check.status,
                    details=check.details,
                )

    def _mend(self, checks: tuple[CheckResult, ...], remedies: tuple[Command, ...]) -> bool:
        """Do what can be done about the findings; say whether there is something to wait for."""
        if self._run.is_dry_run:
            return False
        self._stage, self._mending = Stage.REMEDY, list(remedies)
        for command in remedies:
            self.tell(
                names.POSITION_STORE,
                Execute(command=command, by=self.name, reply_to=self.name),
            )
        if remedies:
            self._done["stops"] = what_was_done(remedies)
        if is_rebuild_due(checks):
            self._done["projections"] = "made the rows anew from the events"
            self.tell(names.POSITION_STORE, RebuildProjections(reply_to=self.name))
        return bool(self._done)

    def _mended(self, command: Command | None) -> None:
        """Look once more when the last remedy was taken; a rebuild comes after all others."""
        if self._stage is not Stage.REMEDY:
            return
        if command is None:
            self._look()
        elif command in self._mending:
            self._mending.remove(command)
            if not self._mending and "projections" not in self._done:
                self._look()

    def _executed(self, command: Command) -> None:
        if isinstance(command, CompleteDiagnosis):
            if self._stage is Stage.RECORDING:
                self._report(command.checks)
        else:
            self._mended(command)

    def _conclude(self, checks: tuple[CheckResult, ...]) -> None:
        if self._run.is_dry_run:
            self._report(checks)
            return
        self._stage = Stage.RECORDING
        halt = halt_for(checks)
        if halt is not None:
            self.tell(names.POSITION_STORE, Execute(command=halt, by=self.name))
        command = CompleteDiagnosis(
            generation=self._reconciled, trigger=self._run.trigger, checks=checks
        )
        message = Execute(command=command, by=self.name, reply_to=self.name)
        self.tell(names.POSITION_STORE, message)

    def _report(self, checks: tuple[CheckResult, ...]) -> None:
        run = self._run
        if run.reply_to is not None:
            self.tell(run.reply_to, DiagnosisReported(checks=checks, token=run.token))
        self._next()

    def _next(self) -> None:
        self._stage = Stage.IDLE
        if self._queue:
            self._begin(self._queue.pop(0))


def checks_of(outcome: object) -> tuple[CheckResult, ...]:
    """Return what an inspection found; that it could not be done is a finding of each part."""
    if isinstance(outcome, tuple):
        return outcome
    return tuple(
        CheckResult(check=check, status="failed", details=str(outcome))
        for check in ("chain", "projections")
    )


def is_rebuild_due(checks: tuple[CheckResult, ...]) -> bool:
    """Say whether rows differ from events that are themselves sound."""
    status = {check.check: check.status for check in checks}
    return status.get("projections") == "finding" and status.get("chain") == "ok"


def outcome_of(
    before: CheckResult | None, after: CheckResult, done: Mapping[str, str]
) -> CheckResult:
    """Return what a check came to: fixed where it had a finding and a remedy, and has none now."""
    remedy = done.get(after.check)
    if before is None or before.status == "ok" or after.status != "ok" or remedy is None:
        return after
    return CheckResult(check=before.check, status="fixed", details=f"{before.details}; {remedy}")
