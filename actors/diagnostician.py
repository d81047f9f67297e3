"""Diagnostician: looks for what is wrong inside, mends what has a remedy, writes down both.

It diagnoses after each start's reconciliation, in intervals, and on demand. What is not in the
book it finds by a function handed in, on a worker of its own, so that nobody waits for a long
look; it changes nothing but by commands and mends told to the store. After a remedy it looks
once more: fixed is what the second look no longer finds.

Invariants:
1. A dry run tells nobody anything but who asked.
2. What people must know before a remedy takes effect is recorded before it.
3. One run at a time; what is asked meanwhile waits its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import assert_never

import msgspec

from actors import names
from actors.base import Actor, Context
from aegis.domain.book import Book
from aegis.domain.checks import CHECKS
from aegis.domain.commands import Command, CompleteDiagnosis
from aegis.domain.diagnose import Bounds, examine
from aegis.domain.events import CheckResult, ReconciliationCompleted
from aegis.domain.ids import Instant
from aegis.domain.judgement import (
    Ask,
    Depth,
    Judgement,
    Remedy,
    failed,
    halt_for,
    in_order,
    in_turn,
    outcome_of,
    what_was_done,
    with_news,
)
from aegis.domain.mends import Mend
from aegis.messages import (
    BookRead,
    Committed,
    DiagnoseNow,
    DiagnosisReported,
    DiagnosticianMessage,
    Execute,
    Executed,
    Inspected,
    MendStore,
    ReadBook,
    StoreMended,
)
from aegis.ports import Timer
from aegis.tuning import Reconfigured, Tuning

INSPECTION_DEADLINE_S = 60.0

RECONCILED_WITHIN_S = 30.0
"""So long an errand's question waits for what a reconciliation learns of the exchange: whether it
answers, and by which clock. Where it does not answer, that is what is told."""

replace = msgspec.structs.replace

Inspect = Callable[[Ask], tuple[Judgement, ...]]


AT_START = DiagnoseNow(trigger="start")


class Stage(Enum):
    """What the run under way waits for."""

    IDLE = auto()
    BOOK = auto()
    INSPECTION = auto()
    REMEDY = auto()
    RECORDING = auto()


class Diagnostician(Actor):
    """`inspect` looks at all that is not in the book; deep at most once a `deep_interval_s`.

    `first` is the run that it begins with.
    """

    def __init__(
        self,
        context: Context,
        *,
        inspect: Inspect,
        bounds: Bounds,
        interval_s: float,
        deep_interval_s: float | None,
        first: DiagnoseNow = AT_START,
    ) -> None:
        super().__init__(context)
        self._inspect = inspect
        self._bounds = bounds
        self._interval_s = interval_s
        self._deep_interval_s = deep_interval_s
        self._intervals = 0
        self._stage = Stage.IDLE
        self._run = first
        self._is_errand = first.reply_to is not None
        self._awaited: tuple[DiagnoseNow, Timer] | None = None
        self._depth = Depth.DEEP
        self._queue: list[DiagnoseNow] = []
        self._book = Book()
        self._reconciled = self.generation
        self._has_looked = False
        self._first: dict[str, CheckResult] | None = None  # before the remedies
        self._mending: list[Remedy] = []  # told to the store, answers to come
        self._done: dict[str, str] = {}  # what was done, by check
        self._told: dict[str, CheckResult] = {}  # what people know already, by check

    def on_started(self) -> None:
        self._began_at = self.clock.now()
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
            case Inspected():
                self._judge(message)
            case StoreMended():
                self._mended(message.mend)
            case Executed():
                self._executed(message.command)
            case _:
                assert_never(message)

    def _each_interval(self) -> Timer:
        return self.every(self._interval_s, DiagnoseNow(trigger="interval"))

    def _retune(self, tuning: Tuning) -> None:
        """Judge by the new patience from the next look on; a new interval begins now."""
        self._bounds = replace(
            self._bounds, limits=tuning.limits, stuck_after_days=tuning.stuck_after_days
        )
        if tuning.diagnose_interval_s != self._interval_s:
            self._interval_s = tuning.diagnose_interval_s
            self._timer.cancel()
            self._timer = self._each_interval()

    # What starts a run ------------------------------------------------------------------------

    def _follow(self, message: Committed) -> None:
        for recorded in message.records:
            event = recorded.event
            is_start = isinstance(event, ReconciliationCompleted) and event.trigger == "start"
            if not is_start:
                continue
            if self._stage is Stage.REMEDY:
                self._look()  # the store restarted, and may never say what came of the remedy
            if self._awaited is not None:
                (errand, timer), self._awaited = self._awaited, None
                timer.cancel()
                self._want(errand)
            elif self._stage is not Stage.BOOK or self._first is not None:
                self._want(DiagnoseNow(trigger="start"))  # a first book to come has it already

    def _want(self, message: DiagnoseNow) -> None:
        if self._stage is Stage.IDLE:
            self._begin(message)
        elif message.reply_to is not None or not self._queue:
            self._queue.append(message)

    def _begin(self, message: DiagnoseNow) -> None:
        self._run, self._first, self._done = message, None, {}
        self._depth = self._depth_of(message)
        self._look()

    def _depth_of(self, message: DiagnoseNow) -> Depth:
        if message.reply_to is not None:
            return Depth.WHOLE
        if message.is_light:
            return Depth.LIGHT
        if message.trigger != "interval":
            return Depth.DEEP
        if self._deep_interval_s is None:
            return Depth.LIGHT
        self._intervals += 1
        every = max(1, round(self._deep_interval_s / self._interval_s))
        return Depth.LIGHT if self._intervals % every else Depth.DEEP

    # Looking ----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._stage = Stage.BOOK
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _read(self, message: BookRead) -> None:
        """Wait for the first reconciliation; then look at all that is not in the book."""
        if self._stage is not Stage.BOOK:
            return
        is_errand, self._is_errand = self._is_errand, False
        is_too_early = message.reconciled == 0 and self._first is None
        if is_too_early and is_errand:
            self._awaited = self._run, self.after(RECONCILED_WITHIN_S, self._run)
        if is_too_early and (is_errand or self._run.reply_to is None):
            self._next()  # the completion of the first one will ask again
            return
        self._book = message.book
        self._has_looked = message.reconciled > 0
        self._reconciled = message.reconciled or self._reconciled
        self._stage = Stage.INSPECTION
        hear, inspect = self.reply_to(), self._inspect
        ask = Ask(depth=self._depth, last_event_id=message.book.last_event_id, now=self.clock.now())
        self.runtime.call(
            "inspection",
            lambda: inspect(ask),
            INSPECTION_DEADLINE_S,
            lambda outcome: hear(Inspected(judgements=judgements_of(outcome))),
        )

    def _judge(self, message: Inspected) -> None:
        if self._stage is not Stage.INSPECTION:
            return
        guarded_since = self._began_at if self._run.reply_to is None else Instant(0)
        now, bounds = self.clock.now(), self._bounds
        seen = examine(self._book, now, bounds, guarded_since, has_looked=self._has_looked)
        found = in_order((*message.judgements, *seen))
        results = tuple(each.result for each in found)
        if self._first is not None:
            before = self._first
            results = tuple(outcome_of(before.get(r.check), r, self._done) for r in results)
        else:
            self._tell_findings(with_news(results, self._told))
            if not self._run.is_dry_run and self._mend(found):
                self._first = {result.check: result for result in results}
                return
        self._conclude(with_news(results, self._told))

    def _tell_findings(self, results: tuple[CheckResult, ...]) -> None:
        for result in results:
            if result.is_news:
                self.log(
                    "DiagnosisFinding",
                    level="warning",
                    check=result.check,
                    status=result.status,
                    details=result.details,
                )

    # Mending ----------------------------------------------------------------------------------

    def _mend(self, found: tuple[Judgement, ...]) -> bool:
        """Do what can be done about the findings; say whether there is something to wait for."""
        self._done = {
            each.result.check: what_was_done(each.remedies) for each in found if each.remedies
        }
        self._mending = list(in_turn(found))
        if not self._mending:
            return False
        self._stage = Stage.REMEDY
        for remedy in self._mending:
            self._tell_store(remedy)
        return True

    def _tell_store(self, remedy: Remedy) -> None:
        if isinstance(remedy, Mend):
            self.tell(names.POSITION_STORE, MendStore(mend=remedy, reply_to=self.name))
        else:
            message = Execute(command=remedy, by=self.name, reply_to=self.name)
            self.tell(names.POSITION_STORE, message)

    def _mended(self, remedy: Remedy) -> None:
        """Look once more when the last remedy was taken."""
        if self._stage is not Stage.REMEDY or remedy not in self._mending:
            return
        self._mending.remove(remedy)
        if not self._mending:
            self._look()

    def _executed(self, command: Command) -> None:
        if isinstance(command, CompleteDiagnosis):
            if self._stage is Stage.RECORDING:
                self._report(command.checks)
        else:
            self._mended(command)

    # Telling ----------------------------------------------------------------------------------

    def _conclude(self, results: tuple[CheckResult, ...]) -> None:
        if self._run.is_dry_run:
            self._report(results)
            return
        self._stage = Stage.RECORDING
        self._told.update({result.check: result for result in results})
        halt = halt_for(results)
        if halt is not None:
            self.tell(names.POSITION_STORE, Execute(command=halt, by=self.name))
        command = CompleteDiagnosis(
            generation=self._reconciled, trigger=self._run.trigger, checks=results
        )
        message = Execute(command=command, by=self.name, reply_to=self.name)
        self.tell(names.POSITION_STORE, message)

    def _report(self, results: tuple[CheckResult, ...]) -> None:
        run = self._run
        if run.reply_to is not None:
            self.tell(run.reply_to, DiagnosisReported(checks=results, token=run.token))
        self._next()

    def _next(self) -> None:
        self._stage = Stage.IDLE
        if self._queue:
            self._begin(self._queue.pop(0))


def judgements_of(outcome: object) -> tuple[Judgement, ...]:
    """Return what an inspection found; one that could not be done has failed in every check."""
    if isinstance(outcome, tuple):
        return outcome
    return tuple(failed(check.name, str(outcome)) for check in CHECKS)
