"""What a supervisor does about starts, deaths, silence and stops: OTP's algorithm, as a function.

`decide` is pure: it has no clock, no chance of its own and no children, only their names.

Invariants:
1. A child starts when everything that must be up before it is up: under rest_for_one the
   earlier siblings now, under one_for_one once since their branch began.
2. What an old epoch says changes nothing.
3. No restart without a back-off, and none beyond the intensity: more than `restarts_max` within
   `window_s` end the branch, or leave an "abandon" child stopped for good, on its own account.
4. A stop gets in at any time, and all of it ends within `stop_deadline_s`, whoever hangs: each
   child gets half of what is left of it, the last one the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, assert_never

from msgspec.structs import replace

from actors.base import Died, Started, StartFailed, Stopped
from aegis.domain.ids import Generation
from supervisors.spec import Branch, Child, branches_of, leaves_of
from supervisors.words import (
    HAS_INCARNATION,
    Abandon,
    Action,
    Boot,
    CancelTimer,
    EmptyInbox,
    Fence,
    GiveUp,
    Input,
    Life,
    Phase,
    Report,
    RestartDue,
    SetTimer,
    Silent,
    StartChild,
    StartDeadlinePassed,
    State,
    StopChild,
    StopDeadlinePassed,
    StoppedAll,
    StopWanted,
)

JITTER_LEAST: Final = 0.75
JITTER_RANGE: Final = 0.5
"""A delay is its back-off times 0.75 to 1.25: apart from each other, and 10 ms stay about 10."""

DOUBLINGS_MAX: Final = 30  # beyond it any back-off has met its maximum


def decide(state: State, received: Input, now: float) -> tuple[State, tuple[Action, ...]]:
    """Return what is known after an input, and what is to be done, in order.

    `now` is real monotonic seconds.
    """
    if state.life is Life.ENDED:
        return state, ()
    turn = _Turn(state, now)
    match received:
        case Boot():
            turn.boot()
        case StopWanted():
            turn.stop()
        case Started(name=name, epoch=epoch):
            turn.started(name, epoch)
        case StartFailed(name=name, epoch=epoch, error=error):
            turn.ended(name, epoch, f"start failed: {error}")
        case Died(name=name, epoch=epoch, error=error):
            turn.ended(name, epoch, error)
        case Stopped(name=name, epoch=epoch):
            turn.ended(name, epoch, "stopped without being asked")
        case Silent(name=name, epoch=epoch, busy_s=busy_s):
            turn.silent(name, epoch, busy_s)
        case RestartDue(name=name, epoch=epoch):
            turn.restart_due(name, epoch)
        case StartDeadlinePassed(name=name, epoch=epoch):
            turn.start_deadline_passed(name, epoch)
        case StopDeadlinePassed(name=name, epoch=epoch):
            turn.stop_deadline_passed(name, epoch)
        case _:
            assert_never(received)
    return turn.end()


class _Turn:
    """One decision while it is being made: a working copy of the state, and the actions so far."""

    def __init__(self, state: State, now: float) -> None:
        self.now = now
        self.state = state
        self.plan = state.plan
        self.leaves = dict(state.leaves)
        self.reached = dict(state.reached)
        self.accounts = dict(state.accounts)
        self.generation = state.generation
        self.life = state.life
        self.stop_by = state.stop_by
        self.overdue = state.overdue
        self.actions: list[Action] = []

    def end(self) -> tuple[State, tuple[Action, ...]]:
        state = State(
            plan=self.plan,
            leaves=self.leaves,
            reached=self.reached,
            accounts=self.accounts,
            generation=self.generation,
            life=self.life,
            stop_by=self.stop_by,
            overdue=self.overdue,
        )
        return state, tuple(self.actions)

    # The inputs ---------------------------------------------------------------------------

    def boot(self) -> None:
        if self.life is not Life.NEW:
            return
        self.life = Life.UP
        for child in self.plan.leaves.values():
            self._become(child.name, Phase.DUE)
        self._advance()

    def started(self, name: str, epoch: int) -> None:
        if not self._is(name, epoch, Phase.STARTING):
            return
        self._become(name, Phase.RUNNING)
        self._do(CancelTimer(StartDeadlinePassed(name, epoch)))
        level = "debug" if epoch == 1 else "info"  # a start tells its story, not its cast
        self._report(
            "ActorStarted", level=level, name=name, epoch=epoch, generation=self.generation
        )
        self._advance()

    def ended(self, name: str, epoch: int, reason: str) -> None:
        if not self._is(name, epoch, *HAS_INCARNATION):
            return
        if self._is(name, epoch, Phase.STARTING):
            self._do(CancelTimer(StartDeadlinePassed(name, epoch)))
        if self.life is Life.STOPPING:
            self._ended_while_stopping(name, epoch)
        else:
            self._fail(self.plan.leaves[name], reason)

    def silent(self, name: str, epoch: int, busy_s: float) -> None:
        if self._is(name, epoch, Phase.RUNNING):
            self._report_silence(name, during="handler", busy_s=busy_s)
            self.ended(name, epoch, f"silent for {busy_s:.3f} s")

    def start_deadline_passed(self, name: str, epoch: int) -> None:
        if self._is(name, epoch, Phase.STARTING):
            deadline_s = self.plan.leaves[name].start_deadline_s
            self._report_silence(name, during="start", busy_s=deadline_s)
            self.ended(name, epoch, f"not started within {deadline_s} s")

    def restart_due(self, name: str, epoch: int) -> None:
        if self._is(name, epoch, Phase.WAITING):
            self._become(name, Phase.DUE)
            self._advance()

    def stop(self) -> None:
        if self.life is Life.STOPPING:
            return
        self.life = Life.STOPPING
        self.stop_by = self.now + self.plan.patience.stop_deadline_s
        for child in self.plan.leaves.values():
            if self.leaves[child.name].phase in (Phase.DUE, Phase.WAITING):
                self._become(child.name, Phase.DOWN)
        self._stop_next()

    def stop_deadline_passed(self, name: str, epoch: int) -> None:
        if self._is(name, epoch, Phase.STOPPING):
            self.overdue = (*self.overdue, name)
            self._report_silence(name, during="stop", busy_s=None)
            self._ended_while_stopping(name, epoch)

    # Starting -----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Start every child that is due and whose turn it is."""
        self._note_reached(self.plan.tree.root)
        for child in self.plan.leaves.values():
            if self.leaves[child.name].phase is Phase.DUE and self._has_turn(child):
                self._start(child)

    def _start(self, child: Child) -> None:
        before = self.leaves[child.name]
        epoch = before.epoch + 1
        if child.name == self.plan.tree.generation_owner:
            self.generation = Generation(self.generation + 1)
        if before.epoch and not child.keeps_inbox:
            self._do(EmptyInbox(child.name))
        self.leaves[child.name] = replace(before, phase=Phase.STARTING, epoch=epoch)
        self._do(StartChild(child.name, epoch, self.generation))
        self._do(SetTimer(StartDeadlinePassed(child.name, epoch), child.start_deadline_s))

    def _has_turn(self, element: Child | Branch) -> bool:
        while place := self.plan.places.get(element.name):
            branch, index = place
            if branch.strategy == "rest_for_one":
                is_open = all(self._is_up(earlier) for earlier in branch.children[:index])
            else:
                is_open = index <= self.reached[branch.name]
            if not is_open:
                return False
            element = branch
        return True

    def _is_up(self, element: Child | Branch) -> bool:
        up = (Phase.RUNNING, Phase.ABANDONED)
        return all(self.leaves[leaf.name].phase in up for leaf in leaves_of(element))

    def _note_reached(self, branch: Branch) -> bool:
        """Count how far each branch has come since it began; say whether this one is complete."""
        reached = self.reached[branch.name]
        for index, element in enumerate(branch.children):
            is_complete = (
                self._note_reached(element) if isinstance(element, Branch) else self._is_up(element)
            )
            if is_complete and index == reached:
                reached += 1
        self.reached[branch.name] = reached
        return reached == len(branch.children)

    # Failing ------------------------------------------------------------------------------

    def _fail(self, element: Child | Branch, reason: str) -> None:
        """Restart an element that failed, or pass its failure on when patience is at its end."""
        place = self.plan.places.get(element.name)
        if place is None:
            self._give_up(reason)
            return
        branch, _ = place
        may_abandon = isinstance(element, Child) and element.on_exhausted == "abandon"
        restarts_max, window_s = self._limits(branch)
        count = self._count_restart(element.name if may_abandon else branch.name, window_s)
        if count <= restarts_max:
            self._restart(element, count, reason)
            return
        spent = f"{count} failures within {window_s} s, the last: {reason}"
        if may_abandon:
            self._abandon(element, spent)
        else:
            self._fail(branch, f"{branch.name}: {spent}")

    def _restart(self, element: Child | Branch, count: int, reason: str) -> None:
        first, *others = [leaf.name for leaf in self._taken_along(element)]
        delay_s = self._backoff_s(element.name, first, count)
        self._report(
            "ActorRestarting", level="warning", name=element.name, reason=reason, restarts=count,
            delay_ms=round(delay_s * 1000, 3), along=tuple(others),
        )  # fmt: skip
        self._take_down(element)
        self._become(first, Phase.WAITING)
        self._do(SetTimer(RestartDue(first, self.leaves[first].epoch), delay_s))

    def _abandon(self, element: Child | Branch, reason: str) -> None:
        self._take_down(element)
        self._become(element.name, Phase.ABANDONED)
        self._report("ActorAbandoned", level="error", name=element.name, reason=reason)
        self._do(Abandon(element.name, reason))
        self._advance()

    def _give_up(self, reason: str) -> None:
        for name in reversed(self.plan.leaves):
            self._silence(name)
            self._become(name, Phase.DOWN)
        self.life = Life.ENDED
        self._report("SupervisorGaveUp", level="error", reason=reason)
        self._do(GiveUp(reason))

    def _take_down(self, element: Child | Branch) -> None:
        """Fence an element and whoever goes down with it, last first; all of them are due."""
        for leaf in reversed(self._taken_along(element)):
            self._silence(leaf.name)
            self._become(leaf.name, Phase.DUE)
        for failed in self._elements_taken(element):
            if isinstance(failed, Branch):
                for branch in branches_of(failed):
                    self.reached[branch.name] = 0
                    self.accounts.pop(branch.name, None)

    def _taken_along(self, element: Child | Branch) -> list[Child]:
        """Return an element's children and those that restart with them, in start order."""
        return [
            leaf
            for taken in self._elements_taken(element)
            for leaf in leaves_of(taken)
            if self.leaves[leaf.name].phase is not Phase.ABANDONED
        ]

    def _elements_taken(self, element: Child | Branch) -> Iterator[Child | Branch]:
        branch, index = self.plan.places[element.name]
        if branch.strategy == "rest_for_one":
            yield from branch.children[index:]
        else:
            yield element

    def _count_restart(self, owner: str, window_s: float) -> int:
        """Put a restart on an account and return how many stand on it within the window."""
        recent = (at for at in self.accounts.get(owner, ()) if at > self.now - window_s)
        self.accounts[owner] = (*recent, self.now)
        return len(self.accounts[owner])

    def _limits(self, branch: Branch) -> tuple[int, float]:
        patience = self.plan.patience
        restarts_max, window_s = branch.restarts_max, branch.window_s
        return (
            patience.restarts_max if restarts_max is None else restarts_max,
            patience.window_s if window_s is None else window_s,
        )

    def _backoff_s(self, element: str, leaf: str, count: int) -> float:
        patience = self.plan.patience
        backoff_ms = patience.backoff_ms_first * 2.0 ** min(count - 1, DOUBLINGS_MAX)
        reason = f"{self.plan.seed}:{element}:{self.leaves[leaf].epoch}:{count}".encode()
        chance = int.from_bytes(hashlib.blake2b(reason, digest_size=7).digest()) / 2.0**56
        jitter = JITTER_LEAST + JITTER_RANGE * chance
        return min(patience.backoff_ms_max, backoff_ms * jitter) / 1000

    # Stopping -----------------------------------------------------------------------------

    def _ended_while_stopping(self, name: str, epoch: int) -> None:
        was_asked = self._is(name, epoch, Phase.STOPPING)
        self._silence(name)
        self._become(name, Phase.DOWN)
        if was_asked:
            self._do(CancelTimer(StopDeadlinePassed(name, epoch)))
            self._stop_next()

    def _stop_next(self) -> None:
        up = [name for name, leaf in self.leaves.items() if leaf.phase in HAS_INCARNATION]
        if not up:
            self.life = Life.ENDED
            self._do(StoppedAll(self.overdue))
            return
        name = up[-1]
        epoch = self.leaves[name].epoch
        left_s = max(0.0, self.stop_by - self.now)
        self._become(name, Phase.STOPPING)
        self._do(StopChild(name, epoch))
        self._do(SetTimer(StopDeadlinePassed(name, epoch), left_s / 2 if len(up) > 1 else left_s))

    # Helpers ------------------------------------------------------------------------------

    def _silence(self, name: str) -> None:
        if self.leaves[name].phase in HAS_INCARNATION:
            self._do(Fence(name))

    def _is(self, name: str, epoch: int, *phases: Phase) -> bool:
        leaf = self.leaves[name]
        return leaf.epoch == epoch and leaf.phase in phases

    def _become(self, name: str, phase: Phase) -> None:
        self.leaves[name] = replace(self.leaves[name], phase=phase)

    def _report_silence(self, name: str, *, during: str, busy_s: float | None) -> None:
        epoch = self.leaves[name].epoch
        self._report(
            "ActorSilent", level="error", name=name, epoch=epoch, during=during, busy_s=busy_s
        )

    def _report(self, event: str, **fields: object) -> None:
        self._do(Report(event, fields))

    def _do(self, action: Action) -> None:
        self.actions.append(action)
