"""The tree as data: who is watched, in which order they start, and how much patience they get.

It starts nothing. A tree that can be built is one that `faults_of` finds nothing wrong with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Literal

import msgspec

from actors.base import Actor, Context

Strategy = Literal["one_for_one", "rest_for_one"]
OnExhausted = Literal["escalate", "abandon"]


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One actor, by the name under which its incarnations live.

    A handler that runs longer than `silent_after_s`, or a start longer than `start_deadline_s`,
    counts as a death. When its restarts are used up, an "abandon" child is left stopped and the
    rest works on; any other takes its branch down.
    """

    name: str
    build: Callable[[Context], Actor]
    keeps_inbox: bool = False
    silent_after_s: float = 30.0
    start_deadline_s: float = 30.0
    on_exhausted: OnExhausted = "escalate"


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """Children in the order in which they start; the reverse is the order in which they stop.

    one_for_one restarts the one that died, rest_for_one also those that started after it. More
    than `restarts_max` restarts within `window_s` end the branch; None leaves it to `Patience`.
    """

    name: str
    strategy: Strategy
    children: tuple[Child | Branch, ...]
    restarts_max: int | None = None
    window_s: float | None = None


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. Each start of `generation_owner` begins a new generation of control messages."""

    root: Branch
    generation_owner: str = ""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often, how soon, how long; the configuration's section `supervisor`."""

    restarts_max: int = 5
    window_s: float = 60.0
    backoff_ms_first: int = 10
    backoff_ms_max: int = 10_000
    stop_deadline_s: float = 1.0


def leaves_of(element: Child | Branch) -> Iterator[Child]:
    """Walk the children in the order of their start."""
    if isinstance(element, Child):
        yield element
        return
    for child in element.children:
        yield from leaves_of(child)


def branches_of(branch: Branch) -> Iterator[Branch]:
    """Walk a branch and all below it, from the top."""
    yield branch
    for child in branch.children:
        if isinstance(child, Branch):
            yield from branches_of(child)


def faults_of(tree: Tree, patience: Patience) -> tuple[str, ...]:
    """Return everything that is wrong with a tree, a sentence each; none if it may start."""
    leaves = tuple(leaves_of(tree.root))
    branches = tuple(branches_of(tree.root))
    names = [*(leaf.name for leaf in leaves), *(branch.name for branch in branches)]
    return (
        *(f"Expected names once each, {name!r} comes {count} times"
          for name, count in Counter(names).items() if count > 1),
        *("Expected a name, was ''" for name in names if not name),
        *(f"Expected children in {branch.name!r}, was none"
          for branch in branches if not branch.children),
        *(fault for branch in branches for fault in _branch_faults(branch)),
        *(fault for leaf in leaves for fault in _child_faults(leaf)),
        *_owner_faults(tree.generation_owner, leaves),
        *_patience_faults(patience),
    )  # fmt: skip


def _branch_faults(branch: Branch) -> Iterator[str]:
    if branch.strategy not in ("one_for_one", "rest_for_one"):
        yield f"Expected one_for_one or rest_for_one in {branch.name!r}, was {branch.strategy!r}"
    if branch.restarts_max is not None and branch.restarts_max < 0:
        yield f"Expected {branch.name}.restarts_max of 0 or more, was {branch.restarts_max}"
    if branch.window_s is not None:
        yield from _positive(branch.name, window_s=branch.window_s)


def _child_faults(child: Child) -> Iterator[str]:
    if child.on_exhausted not in ("escalate", "abandon"):
        yield f"Expected escalate or abandon in {child.name!r}, was {child.on_exhausted!r}"
    yield from _positive(
        child.name, silent_after_s=child.silent_after_s, start_deadline_s=child.start_deadline_s
    )


def _owner_faults(owner: str, leaves: tuple[Child, ...]) -> Iterator[str]:
    if owner and owner not in {leaf.name for leaf in leaves}:
        yield f"Expected the generation's owner among the children, was {owner!r}"


def _patience_faults(patience: Patience) -> Iterator[str]:
    if patience.restarts_max < 0:
        yield f"Expected patience.restarts_max of 0 or more, was {patience.restarts_max}"
    yield from _positive(
        "patience",
        window_s=patience.window_s,
        backoff_ms_first=patience.backoff_ms_first,
        stop_deadline_s=patience.stop_deadline_s,
    )
    if patience.backoff_ms_max < patience.backoff_ms_first:
        yield (
            f"Expected patience.backoff_ms_max of {patience.backoff_ms_first} or more, "
            f"was {patience.backoff_ms_max}"
        )


def _positive(owner: str, **figures: float) -> Iterator[str]:
    for name, figure in figures.items():
        if not (isfinite(figure) and figure > 0):
            yield f"Expected {owner}.{name} to be finite and above 0, was {figure}"
