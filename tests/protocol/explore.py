"""Breadth-first through all worlds that can be reached, and the shortest way to one that is wrong.

`walk` looks at each world once and asks the rules of it. `calm` lets one go on without further
trouble, as a fair wire, exchange and clock do, and says what is left undone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from aegis.domain.order import OrderState
from tests.protocol.moves import CANCEL, TIME, Move, moves
from tests.protocol.rules import fault_of
from tests.protocol.world import Ground, World, plain

replace = msgspec.structs.replace


class Found(NamedTuple):
    """A world that breaks a rule, and the moves that lead there, eldest first."""

    fault: str
    trace: tuple[str, ...]
    worlds: int

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {what}" for number, what in enumerate(self.trace, 1))
        return f"{self.fault}\n{steps}"


class Walked(NamedTuple):
    """All worlds were seen, and none breaks a rule."""

    worlds: int


def walk(begin: World, ground: Ground, *, worlds_max: int = 10_000_000) -> Found | Walked:
    """Look at each world that can be reached, nearest first."""
    came: dict[World, tuple[World, str] | None] = {begin: None}
    calm: dict[World, str | None] = {}
    coming = deque([begin])
    while coming:
        world = coming.popleft()
        fault = fault_of(world, ground) or unrest_of(world, ground, calm)
        if fault is not None:
            return Found(fault, _trace(came, world, ground), len(came))
        for what, after in moves(world, ground):
            if after not in came:
                came[after] = (world, what)
                coming.append(after)
        assert len(came) <= worlds_max, f"Expected at most {worlds_max} worlds"
    return Walked(len(came))


def _trace(
    came: dict[World, tuple[World, str] | None], world: World, ground: Ground
) -> tuple[str, ...]:
    """Return the moves to a world, and what follows from it where its fault is of the calm."""
    steps: list[str] = []
    here = world
    while (before := came[here]) is not None:
        was, what = before
        steps.append(_told(was, what, here))
        here = was
    steps.reverse()
    if fault_of(world, ground) is None:
        steps.extend(_calm_of(world, ground))
    return tuple(steps)


def _calm_of(world: World, ground: Ground) -> Iterator[str]:
    here = plain(replace(world, troubles=0), ground)
    seen: set[World] = set()
    while here not in seen:
        seen.add(here)
        came = _calmed(here, ground)
        if came is None:
            return
        what, after = came
        yield f"{_told(here, what, after)}  [no more trouble]"
        here = after
    yield "and so on, for ever"


def _told(was: World, what: str, after: World) -> str:
    orders = after.log.book.orders.values()
    states = ", ".join(f"{each.client_order_id[-4:]} {each.state}" for each in orders)
    return f"{was.now} s: {what} -> {states or 'nothing'}{'' if after.is_up else ' (down)'}"


def played(world: World, ground: Ground, *script: str) -> World:
    """Return where a script leads: of each next move, the first whose name has its words."""
    for words in script:
        world = next(after for what, after in moves(world, ground) if words in what)
    return world


# Liveness -------------------------------------------------------------------------------------


def unrest_of(world: World, ground: Ground, known: dict[World, str | None]) -> str | None:
    """Return what is left undone although all trouble ends here, or None.

    It goes on until nothing is left to do, or until it comes back to where it was.
    """
    way: list[World] = []
    here = plain(replace(world, troubles=0), ground)
    while here not in known:
        known[here] = fault_of(here, ground) or _undone(here)  # where it comes back to
        way.append(here)
        came = _calmed(here, ground)
        if came is None:
            break
        _, here = came
    for each in way:
        known[each] = known[here]
    return known[here]


def calm_end(world: World, ground: Ground) -> World:
    """Return where a world comes to rest without further trouble."""
    here = plain(replace(world, troubles=0), ground)
    seen: set[World] = set()
    while here not in seen:
        seen.add(here)
        came = _calmed(here, ground)
        if came is None:
            break
        _, here = came
    return here


def _calmed(world: World, ground: Ground) -> Move | None:
    """Return what comes next where nothing goes wrong, or None where nothing is left to do."""
    for what, after in moves(world, ground):
        if after == world or what in (TIME, CANCEL):
            continue
        if what.startswith("the timer"):  # none fires twice in one second
            return what, plain(replace(after, now=after.now + 1), ground)
        return what, after
    return None


def _undone(world: World) -> str | None:
    for order in world.log.book.active_orders():
        if order.state is not OrderState.NEEDS_HUMAN:
            return f"{order.client_order_id} is {order.state}, and nothing will ever end it"
    return None
