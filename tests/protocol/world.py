"""A small world as a value: one account, the gateway's life, the wire, the exchange, the clock."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.dialogue import CancelOrder, PlaceOrder
from aegis.domain.commands import Command
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.order import Side
from aegis.exchange.heard import Watch
from aegis.exchange.lookout import Patience
from aegis.exchange.protocol import step
from tests.domain.kit import START, entry, stop_at_exchange
from tests.protocol.life import Balances, Flying, Memory, Point, TakeStep
from tests.protocol.log import Log, empty_log, heals, holding_log, protected_log
from tests.protocol.venue import Venue, instant

replace = msgspec.structs.replace

AMOUNT = 2
LONG_AGO = -1000


def balances_there(world: World) -> Balances:
    """Return what the exchange says that there is of either coin."""
    return world.venue.balances()


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What stays as it is during a walk; in seconds.

    A request is taken for `life_s` after the instant that it is signed with, which may be ahead of
    ours by `signing_s`; None: it is never refused as late. What the exchange shows may be `lag_s`
    old. `read` is what there is of the two coins, for who asks. With deposits the owner may bring
    coins while one exit at most may still be carried out; where our orders may oversell, at any
    time. An exit may lose its patience with a stop that was called off. What follows those figures
    is there for mutants.
    """

    patience: Patience
    life_s: int | None = 1
    signing_s: int = 1
    lag_s: int = 1
    exits_max: int = 2
    take_step: TakeStep = step
    heals: Callable[[Log, Venue, int, int], tuple[Command, ...]] = heals
    read: Callable[[World], Balances] = balances_there
    has_deposits: bool = False
    may_oversell: bool = False
    may_lose_patience: bool = False
    is_dedupe_of_open: bool = False
    is_sent_before_intent: bool = False

    @property
    def horizon_s(self) -> int:
        """After how long from the last submission only the last seconds matter."""
        barrier_s = self.patience.barrier_s
        return (0 if barrier_s is None else int(barrier_s)) + 2 * self.lag_s + 1


PATIENCE = Patience(poll_interval_s=1.0, stale_after_s=30.0, barrier_s=2.5, lag_s=1.0)
"""The barrier is life + signing + lag, less what whole seconds round up."""

GROUND = Ground(patience=PATIENCE)

PERSONAL = Ground(
    patience=Patience(poll_interval_s=1.0, stale_after_s=30.0, barrier_s=None, lag_s=1.0),
    life_s=None,
)
"""An exchange that refuses no request as late: nobody can prove absence."""


class World(msgspec.Struct, frozen=True, cache_hash=True):
    """`entries` is how many are still to be intended, `is_leaving` whether Guard wants out.

    `troubles` is how much may still go wrong.
    """

    log: Log
    venue: Venue
    flying: tuple[Flying, ...] = ()
    memory: Memory = Memory()
    told: frozenset[str] = frozenset()
    is_up: bool = True
    now: int = 0
    entries: int = 0
    is_leaving: bool = False
    troubles: int = 0

    @property
    def point(self) -> Point:
        return Point(self.log, self.flying, self.memory, self.told)


def entering(troubles: int) -> World:
    """Return a world that is about to enter."""
    return World(empty_log(), Venue(), entries=1, troubles=troubles)


def leaving(troubles: int, *, owned: int = 0, dust: int = 0) -> World:
    """Return a world that holds a position, beside others' coins, and is about to leave it."""
    first = Venue(owned + dust, dust_first=dust)
    venue = first.placed(entry().client_order_id, Side.BUY, AMOUNT, LONG_AGO)
    entered = venue.orders[0].traded(LONG_AGO, AMOUNT)
    log = holding_log(entered, owned, dust)
    return World(log, venue.with_order(entered), is_leaving=True, troubles=troubles)


def protected(troubles: int, *, owned: int = 0) -> World:
    """Return a world that starts again, about to leave what a stop at the exchange protects."""
    world = leaving(troubles, owned=owned)
    (position,) = world.log.book.alive_positions()
    key = stop_at_exchange(position).client_order_id
    venue = world.venue.placed(key, Side.SELL, AMOUNT, LONG_AGO)
    entered, stop = venue.orders
    log = protected_log(entered, stop, owned=owned)
    return replace(world, log=log, venue=venue, is_up=False)


def with_point(world: World, point: Point) -> World:
    return replace(world, log=point.log, flying=point.flying, memory=point.memory, told=point.told)


def crashed(world: World, point: Point) -> World:
    """Return a world whose process died at a point: what it waited for, nobody hears."""
    left = {
        replace(flying, is_awaited=False): None
        for flying in point.flying
        if isinstance(flying.request, PlaceOrder | CancelOrder) and flying.answer is None
    }
    return replace(
        world, log=point.log, flying=tuple(left), memory=Memory(), told=point.told, is_up=False
    )


def may_come(world: World, ground: Ground, request: PlaceOrder) -> bool:
    """Say whether the exchange would still take a request as meant."""
    signed_at = seconds_of(request.sent_at) + ground.signing_s
    return ground.life_s is None or world.now <= signed_at + ground.life_s


def seconds_of(at: int) -> int:
    return (at - START) // NANOS_PER_SECOND


# Worlds that go on alike ----------------------------------------------------------------------


def plain(world: World, ground: Ground) -> World:
    """Return the one world that stands for all that go on alike.

    Past the barrier and the lag the clock stands still, and what happened gets younger instead.
    What is older than the lag happened at one instant; where no trouble is left nobody is shown
    the past, and everything did.
    """
    shift = max(0, world.now - (seconds_of(world.log.submitted_at) + ground.horizon_s))
    now = world.now - shift
    eldest = now - ground.lag_s if world.troubles else now
    flying = tuple(each for each in world.flying if _matters(world, ground, each))
    memory = world.memory
    if any(watch.missed_at or watch.known_at for _, watch in memory.watches):
        shifted = ((key, _shifted(watch, shift, now, ground)) for key, watch in memory.watches)
        memory = replace(memory, watches=tuple(shifted))
    venue = world.venue.shifted(shift, eldest)
    return replace(world, now=now, flying=flying, memory=memory, venue=venue)


def _matters(world: World, ground: Ground, flying: Flying) -> bool:
    if flying.is_awaited or not isinstance(flying.request, PlaceOrder):
        return True
    return may_come(world, ground, flying.request)


def _shifted(watch: Watch, shift: int, now: int, ground: Ground) -> Watch:
    def moved(at: Instant | None, eldest: int) -> Instant | None:
        return None if at is None else instant(max(seconds_of(at) - shift, eldest))

    return replace(
        watch,
        missed_at=moved(watch.missed_at, now - ground.lag_s),
        known_at=moved(watch.known_at, now - ground.lag_s - 1),
    )
