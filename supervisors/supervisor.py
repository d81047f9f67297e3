"""The one supervisor: an actor that does what `decide` says, over the whole tree.

It never waits and never pings: a child that has been in one handler for too long shows it by
itself, in `busy_since`.

Invariants:
1. It ends in one verdict, put where the main thread waits: the tree stopped (0), patience is at
   its end (70), or it died itself (70).
2. Every start, death, restart and silence is one log line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

import msgspec

from actors.base import Actor, ActorRuntime, Context, launch
from actors.directory import Address, Directory
from aegis.domain.ids import Generation
from aegis.ports import Log, Timer, no_log
from aegis.vitals import Part, ReadVitals, TreeRead
from supervisors.decide import decide
from supervisors.spec import Child, Patience, Tree
from supervisors.words import (
    Abandon,
    Action,
    Boot,
    CancelTimer,
    EmptyInbox,
    Fence,
    GiveUp,
    Input,
    Phase,
    Report,
    SetTimer,
    Silent,
    StartChild,
    State,
    StopChild,
    StoppedAll,
    StopWanted,
    Token,
    first_state,
)

SUPERVISOR: Final = "Supervisor"
"""The supervisor's own name in the directory."""

WATCH_INTERVAL_S: Final = 0.25
"""How often the children are looked at; nine reads of a field."""

EXIT_GRACEFUL: Final = 0
EXIT_GAVE_UP: Final = 70


class Verdict(msgspec.Struct, frozen=True):
    """How the tree ended; the process exits with it."""

    exit_code: int
    reason: str


class Look(msgspec.Struct, frozen=True):
    """A timer: see who is silent."""


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of ends. They are called in the supervisor's context: short, and never waiting."""

    on_verdict: Callable[[Verdict], None]
    on_abandon: Callable[[str, str], None]  # name, reason
    log: Log = no_log


class Supervisor(Actor):
    def __init__(
        self, context: Context, first: State, hooks: Hooks, watch_interval_s: float
    ) -> None:
        super().__init__(context)
        self._state = first
        self._hooks = hooks
        self._watch_interval_s = watch_interval_s
        self._clocks: dict[Token, Timer] = {}

    def on_started(self) -> None:
        if self.runtime.can_hang:
            self.every(self._watch_interval_s, Look())
        self._take(Boot())

    def receive(self, message: Any) -> None:
        if isinstance(message, Look):
            self._look()
            return
        if isinstance(message, ReadVitals):
            self.tell(message.reply_to, self._tree_read(message.token))
            return
        self._clocks.pop(message, None)
        self._take(message)

    def on_died(self, error: str) -> None:
        self._hooks.on_verdict(Verdict(EXIT_GAVE_UP, f"the supervisor died: {error}"))

    def _take(self, received: Input) -> None:
        self._state, actions = decide(self._state, received, self.clock.monotonic())
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case StartChild(name=name, epoch=epoch, generation=generation):
                self._start(self._state.plan.leaves[name], epoch, generation)
            case StopChild(name=name, epoch=epoch):
                self._directory.stop(name, epoch)
            case Fence(name=name):
                self._directory.fence(name)
            case EmptyInbox(name=name):
                self._directory.empty(name)
            case SetTimer(token=token, delay_s=delay_s):
                self._clocks[token] = self.after(delay_s, token)
            case CancelTimer(token=token):
                self._cancel(token)
            case Report(event=event, fields=fields):
                self.log(event, **fields)
            case Abandon(name=name, reason=reason):
                self._directory.close(name)
                self._hooks.on_abandon(name, reason)
            case GiveUp(reason=reason):
                self._hooks.on_verdict(Verdict(EXIT_GAVE_UP, reason))
                self.stop()
            case StoppedAll(overdue=overdue):
                self._hooks.on_verdict(Verdict(EXIT_GRACEFUL, _stop_text(overdue)))
                self.stop()
            case _:
                assert_never(action)

    def _start(self, child: Child, epoch: int, generation: Generation) -> None:
        self._directory.open(child.name, epoch)
        context = Context(
            address=Address(child.name, epoch),
            directory=self._directory,
            runtime=self.runtime,
            generation=generation,
            supervisor=self.name,
            log=self.log,
        )
        launch(child.build, context)

    def _cancel(self, token: Token) -> None:
        timer = self._clocks.pop(token, None)
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        """Report whoever has been in one handler for longer than is good for it."""
        now = self.clock.monotonic()
        for name, leaf in self._state.leaves.items():
            since = self._directory.slot(name).busy_since
            if leaf.phase is not Phase.RUNNING or since is None:
                continue
            if now - since > self._state.plan.leaves[name].silent_after_s:
                self._take(Silent(name, leaf.epoch, now - since))

    def _tree_read(self, token: int) -> TreeRead:
        """Return everybody's phase; the first epoch is a start, each later one a restart."""
        places = self._state.plan.places
        parts = tuple(
            Part(
                name=name,
                branch=places[name][0].name,
                state=leaf.phase.value,
                restarts=max(0, leaf.epoch - 1),
                waiting=self._directory.slot(name).depth,
            )
            for name, leaf in self._state.leaves.items()
        )
        return TreeRead(token=token, generation=self._state.generation, parts=parts)


def supervise(
    tree: Tree,
    patience: Patience,
    *,
    runtime: ActorRuntime,
    directory: Directory,
    hooks: Hooks,
    seed: int,
    watch_interval_s: float = WATCH_INTERVAL_S,
) -> Callable[[], None]:
    """Start a tree under a supervisor and return what stops it; `ValueError` if it is faulty.

    All names are known to the directory when this returns, the actors come up one by one. Both
    end in a call of `hooks.on_verdict`. A runtime whose actors cannot hang is not watched.
    """
    first = first_state(tree, patience, seed)
    for child in first.plan.leaves.values():
        directory.add(child.name, keeps_inbox=child.keeps_inbox)
    directory.add(SUPERVISOR)
    directory.open(SUPERVISOR, 1)
    context = Context(
        address=Address(SUPERVISOR, 1),
        directory=directory,
        runtime=runtime,
        generation=first.generation,
        supervisor="",
        log=hooks.log,
    )
    Supervisor(context, first, hooks, watch_interval_s).begin()
    return lambda: directory.tell(None, SUPERVISOR, StopWanted())


def _stop_text(overdue: tuple[str, ...]) -> str:
    return f"stopped; fenced as overdue: {', '.join(overdue)}" if overdue else "stopped"
