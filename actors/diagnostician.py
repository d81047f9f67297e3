"""Diagnostician: looks for what is wrong inside, mends what has a remedy, writes down both.

It diagnoses after each start's reconciliation, in intervals, and on demand. It reads the store
through a function handed in, on a worker of its own; it changes nothing but by commands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.book import Book
from aegis.domain.commands import Command, CompleteDiagnosis
from aegis.domain.diagnose import fixed, missing_stops, stuck_positions
from aegis.domain.events import CheckResult, ReconciliationCompleted
from aegis.messages import (
    BookRead,
    Committed,
    DiagnoseNow,
    DiagnosisReported,
    DiagnosticianMessage,
    Execute,
    ReadBook,
    StoreInspected,
)

INSPECTION_DEADLINE_S = 60.0

Inspection = Callable[[], tuple[CheckResult, ...]]


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
        self._queue: list[DiagnoseNow] = []
        self._run: DiagnoseNow | None = None
        self._book: Book | None = None
        self._reconciled = self.generation

    def on_started(self) -> None:
        self.every(self._interval_s, DiagnoseNow(trigger="interval"))
        self._want(DiagnoseNow(trigger="start"))

    def receive(self, message: DiagnosticianMessage) -> None:
        match message:
            case Committed():
                self._follow(message)
            case DiagnoseNow():
                self._want(message)
            case BookRead():
                self._read(message)
            case StoreInspected():
                self._judge(message)
            case _:
                assert_never(message)

    def _follow(self, message: Committed) -> None:
        for recorded in message.records:
            event = recorded.event
            is_start = isinstance(event, ReconciliationCompleted) and event.trigger == "start"
            if is_start and (self._run is None or self._run.trigger != "start"):
                self._want(DiagnoseNow(trigger="start"))

    def _want(self, message: DiagnoseNow) -> None:
        if self._run is None:
            self._begin(message)
        elif message.reply_to is not None or not self._queue:
            self._queue.append(message)

    def _begin(self, message: DiagnoseNow) -> None:
        self._run = message
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _read(self, message: BookRead) -> None:
        """Wait for the first reconciliation; then look into the store itself."""
        self._book, self._reconciled = message.book, message.reconciled
        run = self._run
        if message.reconciled == 0 and run is not None and run.reply_to is None:
            self._run = None  # the completion of the first one will ask again
            return
        hear = self.reply_to()
        self.runtime.call(
            "inspection",
            self._inspect,
            INSPECTION_DEADLINE_S,
            lambda outcome: hear(StoreInspected(checks=checks_of(outcome))),
        )

    def _judge(self, message: StoreInspected) -> None:
        book, run = self._book, self._run
        assert book is not None
        assert run is not None
        stuck, _ = stuck_positions(book, self.clock.now(), self._stuck_after_days)
        stops, remedies = missing_stops(book)
        if remedies and not run.is_dry_run:
            for command in remedies:
                self._execute(command)
            stops = fixed(stops, remedies)
        checks = (*message.checks, stuck, stops)
        for check in checks:
            if check.status != "ok":
                self.log(
                    "DiagnosisFinding",
                    level="warning",
                    check=check.check,
                    status=check.status,
                    details=check.details,
                )
        if not run.is_dry_run:
            self._execute(
                CompleteDiagnosis(generation=self._reconciled, trigger=run.trigger, checks=checks)
            )
        if run.reply_to is not None:
            self.tell(run.reply_to, DiagnosisReported(checks=checks))
        self._run = None
        if self._queue:
            self._begin(self._queue.pop(0))

    def _execute(self, command: Command) -> None:
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name))


def checks_of(outcome: object) -> tuple[CheckResult, ...]:
    """Return what an inspection found; that it could not be done is a finding as well."""
    if isinstance(outcome, tuple):
        return outcome
    return (CheckResult(check="store", status="failed", details=str(outcome)),)
