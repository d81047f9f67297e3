"""The words of supervision: what comes in, what is to be done, and what is known.

Values only. What one leads to is `decide`'s.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from actors.base import Died, Started, StartFailed, Stopped
from aegis.domain.ids import Generation
from supervisors.spec import Branch, Child, Patience, Tree, branches_of, faults_of, leaves_of

# What comes in ----------------------------------------------------------------------------


class Boot(msgspec.Struct, frozen=True):
    """Start the tree."""


class StopWanted(msgspec.Struct, frozen=True):
    """Stop the tree, in order and in time."""


class Silent(msgspec.Struct, frozen=True):
    """A handler has been running for longer than its child may be silent."""

    name: str
    epoch: int
    busy_s: float


class RestartDue(msgspec.Struct, frozen=True):
    """A timer: the back-off before a child's next start is over."""

    name: str
    epoch: int


class StartDeadlinePassed(msgspec.Struct, frozen=True):
    """A timer: by now the start should have been told."""

    name: str
    epoch: int


class StopDeadlinePassed(msgspec.Struct, frozen=True):
    """A timer: by now the stop should have been told."""

    name: str
    epoch: int


Token = RestartDue | StartDeadlinePassed | StopDeadlinePassed
Input = Boot | StopWanted | Started | StartFailed | Died | Stopped | Silent | Token


# What is to be done -----------------------------------------------------------------------


class StartChild(msgspec.Struct, frozen=True):
    name: str
    epoch: int
    generation: Generation


class StopChild(msgspec.Struct, frozen=True):
    """Ask it to end when it has done what waits for it."""

    name: str
    epoch: int


class Fence(msgspec.Struct, frozen=True):
    """Silence the incarnation at once, whatever it does."""

    name: str


class EmptyInbox(msgspec.Struct, frozen=True):
    name: str


class SetTimer(msgspec.Struct, frozen=True):
    """Let the token come in as input, after real seconds."""

    token: Token
    delay_s: float


class CancelTimer(msgspec.Struct, frozen=True):
    token: Token


class Report(msgspec.Struct, frozen=True):
    event: str
    fields: dict[str, object]


class Abandon(msgspec.Struct, frozen=True):
    """A child stays stopped: entries halted, positions guarded."""

    name: str
    reason: str


class GiveUp(msgspec.Struct, frozen=True):
    reason: str


class StoppedAll(msgspec.Struct, frozen=True):
    """The wanted stop is complete; `overdue` are those that had to be fenced."""

    overdue: tuple[str, ...]


Action = (
    StartChild | StopChild | Fence | EmptyInbox | SetTimer | CancelTimer
    | Report | Abandon | GiveUp | StoppedAll
)  # fmt: skip


# What is known ----------------------------------------------------------------------------


class Phase(enum.Enum):
    DOWN = "down"
    DUE = "due"  # starts as soon as what comes before it is up
    WAITING = "waiting"  # for the end of its back-off
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ABANDONED = "abandoned"


class Life(enum.Enum):
    NEW = "new"
    UP = "up"
    STOPPING = "stopping"
    ENDED = "ended"


HAS_INCARNATION: Final = (Phase.STARTING, Phase.RUNNING, Phase.STOPPING)


class LeafState(msgspec.Struct, frozen=True):
    phase: Phase = Phase.DOWN
    epoch: int = 0


class Plan(msgspec.Struct, frozen=True):
    """What never changes: the tree, and each element's branch and index in it."""

    tree: Tree
    patience: Patience
    seed: int
    leaves: dict[str, Child]  # in the order of their start
    places: dict[str, tuple[Branch, int]]


class State(msgspec.Struct, frozen=True):
    """What is known. `reached` counts the elements that were up once since a branch began."""

    plan: Plan
    leaves: dict[str, LeafState]
    reached: dict[str, int]
    accounts: dict[str, tuple[float, ...]]  # recent failures, of a branch or an "abandon" child
    generation: Generation = Generation(0)
    life: Life = Life.NEW
    stop_by: float = 0.0
    overdue: tuple[str, ...] = ()


def first_state(tree: Tree, patience: Patience, seed: int) -> State:
    """Return the state of a tree that has not begun; `ValueError` if it never should.

    `seed` spreads the back-offs.
    """
    if faults := faults_of(tree, patience):
        raise ValueError("; ".join(faults))
    branches = tuple(branches_of(tree.root))
    places = {
        element.name: (branch, index)
        for branch in branches
        for index, element in enumerate(branch.children)
    }
    leaves = {leaf.name: leaf for leaf in leaves_of(tree.root)}
    return State(
        plan=Plan(tree, patience, seed, leaves, places),
        leaves={name: LeafState() for name in leaves},
        reached={branch.name: 0 for branch in branches},
        accounts={},
    )
