"""Archivist: has a backup made at the start, in intervals, and again soon after one failed.

It owns no file: a function handed in has the backup made elsewhere, on a worker of its own, so that
nobody waits for it. It must never stand in the way of trading: a backup that fails is told, and
halts nothing.

Invariants:
1. One backup at a time; what is due meanwhile is that one.
2. Of failures in a row people are told once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.archive.making import Made
from aegis.archive.words import ArchivistMessage, BackedUp, BackUpNow
from aegis.domain.commands import RaiseAlarm
from aegis.messages import Execute
from aegis.ports import Overran, Raised

START_AFTER_S = 5.0
"""Real seconds: a start is busy with coming up, and a life that ends before has seen nothing."""

DEADLINE_S = 3700.0
"""The maker gives up before, and says why."""

RETRIES_PER_INTERVAL = 24
"""Each hour of a day: a disk that was full, or a share that was away, may be back."""


class Archivist(Actor):
    """`make` has a backup made and returns what came of it; `interval_s` is real seconds."""

    def __init__(self, context: Context, *, make: Callable[[str], Made], interval_s: float) -> None:
        super().__init__(context)
        self._make = make
        self._interval_s = interval_s
        self._retry_after_s = round(interval_s / RETRIES_PER_INTERVAL, 1)
        self._is_making = False
        self._is_failing = False

    def on_started(self) -> None:
        self.after(START_AFTER_S, BackUpNow(trigger="start"))
        self.every(self._interval_s, BackUpNow(trigger="interval"))

    def receive(self, message: ArchivistMessage) -> None:
        match message:
            case BackUpNow():
                if not self._is_making:
                    self._begin(message.trigger)
            case BackedUp():
                self._is_making = False
                self._tell(message.outcome)
            case _:
                assert_never(message)

    def _begin(self, trigger: str) -> None:
        self._is_making = True
        self.log("BackupStarted", level="debug", trigger=trigger)
        hear, make = self.reply_to(), self._make
        self.runtime.call(
            "backup",
            lambda: make(trigger),
            DEADLINE_S,
            lambda outcome: hear(BackedUp(outcome=_known(outcome))),
        )

    def _tell(self, outcome: Made | Raised | Overran) -> None:
        if not isinstance(outcome, Made):
            why = _why(outcome)
            self.log("BackupFailed", level="error", reason=why, retry_after_s=self._retry_after_s)
            self._fail(f"no backup could be made: {why}")
            return
        if outcome.is_new:
            self._tell_made(outcome)
        why = outcome.copy_fault
        if not why:
            self._is_failing = False
            return
        self.log("BackupCopyFailed", level="error", reason=why, retry_after_s=self._retry_after_s)
        self._fail(f"the backup has no copy in backup.copy_to: {why}")

    def _tell_made(self, made: Made) -> None:
        self.log(
            "BackupMade",
            name=made.name,
            events=made.events,
            head_hash=made.head_hash,
            bytes=made.size,
            removed=len(made.removed),
        )

    def _fail(self, what: str) -> None:
        """Try again later, and tell people of the first failure of several."""
        self.after(self._retry_after_s, BackUpNow(trigger="retry"))
        if not self._is_failing:
            self._is_failing = True
            alarm = RaiseAlarm(check="backup", text=what)
            self.tell(names.POSITION_STORE, Execute(command=alarm, by=self.name))


def _known(outcome: object) -> Made | Raised | Overran:
    assert isinstance(outcome, Made | Raised | Overran), f"Expected a backup, was {outcome!r}"
    return outcome


def _why(outcome: Raised | Overran) -> str:
    if isinstance(outcome, Overran):
        return f"it took longer than {outcome.deadline_s:.0f} s"
    return outcome.error
