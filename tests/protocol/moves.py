"""Every move that a small world can make from where it is.

What is trouble costs one of the `troubles` left, so that a walk through all moves ends. A request
that nobody waits for may still be carried out. What exchange, wire and process do at one instant
may happen in any order; time goes by a second at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aegis.dialogue import (
    CancelOrder,
    ExchangeAnswer,
    FetchAccount,
    FindOrder,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.commands import Command, IntendOrder, RequestCancel
from aegis.domain.guard import ExitReason, ExitWanted
from aegis.domain.ids import ExchangeOrderId
from aegis.domain.leaving import departure
from aegis.domain.order import OrderState, Role, Side
from aegis.domain.protection import called_off
from aegis.domain.venue import VenueAccount, VenueOrderStatus
from aegis.exchange.heard import AccountHeard, CancelHeard, FindHeard, LookDue, PlaceHeard
from aegis.exchange.outcomes import request_to_place
from tests.domain.kit import INCARNATION, LIMITS, TAG, entry, opening, quote
from tests.protocol.life import Flying, Life, reading_of
from tests.protocol.venue import There, instant
from tests.protocol.world import AMOUNT, Ground, World, crashed, may_come, plain, with_point

replace = msgspec.structs.replace

Move = tuple[str, World]

TIME, CANCEL = "a second goes by", "a cancel is wanted"
"""Moves that nobody has to make for things to come to an end."""

CUT = "trouble: the account is read, its trades cut off"
CUT_COST = 2
"""An empty list that looks whole: two in a row are more than anybody could tell from the truth."""

SILENCE = NoAnswer(reason="timed out")
FAR_S = 10**6
WANTED = ExitWanted(reason=ExitReason.STOP_LOSS, trigger_price=None)


def moves(world: World, ground: Ground) -> Iterator[Move]:
    """Yield each thing that may happen next, and what comes of it."""
    for what, after in _moves(world, ground):
        yield what, plain(after, ground)


def _moves(world: World, ground: Ground) -> Iterator[Move]:
    if world.flying or world.memory.timers or not world.is_up:
        yield TIME, replace(world, now=world.now + 1)
    for flying in world.flying:
        yield from _moves_of_request(world, ground, flying)
    for there in world.venue.orders:
        yield from _moves_at_venue(world, there)
    if world.is_up:
        yield from _moves_of_process(world, ground)
    else:
        yield from _lived("starts again", replace(world, is_up=True), _life(world, ground).begin())
    if world.troubles and _may_deposit(world, ground):
        richer = replace(world.venue, coins_first=world.venue.coins_first + AMOUNT)
        yield "trouble: the owner brings coins", replace(_trouble(world), venue=richer)
    if world.troubles and world.venue.coins() > 0:
        sold = world.venue.sold_by_owner(1, world.now)
        yield "trouble: the owner sells a coin", replace(_trouble(world), venue=sold)


def _may_deposit(world: World, ground: Ground) -> bool:
    """Say whether the owner may bring a coin now; beside two exits nothing could tell it apart."""
    if ground.may_oversell:
        return ground.has_deposits
    coming = sum(
        isinstance(each.request, PlaceOrder)
        and each.answer is None
        and each.request.side is Side.SELL
        and may_come(world, ground, each.request)
        for each in world.flying
    )
    there = sum(each.side is Side.SELL and each.ended_at is None for each in world.venue.orders)
    return ground.has_deposits and coming + there <= 1


# The process ----------------------------------------------------------------------------------


def _moves_of_process(world: World, ground: Ground) -> Iterator[Move]:
    if world.troubles:
        yield "trouble: crash", crashed(_trouble(world), world.point)
    for name, wanted in _wishes(world, ground):
        left = world.entries - (name == "an entry is intended")
        yield from _lived(name, replace(world, entries=left), _wanting(world, ground, wanted))
    yield from _reconciled(world, ground, 0, "reconciles")
    if world.troubles:
        yield from _reconciled(_trouble(world), ground, ground.lag_s, "trouble: reconciles, late")
    for order in world.log.book.active_orders() if ground.may_lose_patience else ():
        if order.role is Role.EXIT and order.state is OrderState.INTENT:
            life = _life(world, ground).impatient(order.client_order_id)
            yield from _lived(f"{_name(order.client_order_id)} has waited for long", world, life)
    for order_id in sorted(world.memory.timers):
        life = _life(world, ground).due(order_id).hear(order_id, LookDue())
        yield from _lived(f"the timer of {_name(order_id)}", world, life)


def _wishes(world: World, ground: Ground) -> Iterator[tuple[str, Command]]:
    """Yield what strategy and Guard may want now."""
    if world.entries:
        yield "an entry is intended", IntendOrder(order=entry(str(AMOUNT)), opening=opening())
    exit_ = _exit(world, ground)
    if exit_ is not None:
        yield "an exit is intended", exit_
    for position in world.log.book.alive_positions():
        off = called_off(world.log.book, position)
        if off is not None:
            yield "the stop is called off", off
    for order in world.log.book.active_orders():
        if order.role is Role.ENTRY and order.state in (OrderState.OPEN, OrderState.PARTIAL):
            yield CANCEL, RequestCancel(client_order_id=order.client_order_id, reason="wanted")


def _wanting(world: World, ground: Ground, wanted: Command) -> Life:
    life = _life(world, ground)
    if ground.is_sent_before_intent and isinstance(wanted, IntendOrder):
        life.send(request_to_place(wanted.order, instant(world.now)))
    return life.want(wanted)


def _exit(world: World, ground: Ground) -> IntendOrder | None:
    """Return Guard's next exit; it may lose its patience with one out of sight at any time."""
    book, reading = world.log.book, reading_of(ground.read(world), world.now)
    for position in book.alive_positions() if world.is_leaving else ():
        way_out = departure(
            book,
            position,
            WANTED,
            quote(),
            tag=TAG,
            incarnation=INCARNATION,
            lost_before=instant(FAR_S),
            collar_pct=LIMITS.price_collar_pct,
            has_leapt=False,
            reading=reading,
        )
        if way_out.exit is not None and way_out.ordinal < ground.exits_max:
            return IntendOrder(order=way_out.exit, reading=reading)
    return None


def _reconciled(world: World, ground: Ground, age_s: int, name: str) -> Iterator[Move]:
    commands = ground.heals(world.log, world.venue, world.now, age_s)
    life = _life(world, ground)
    for command in commands:
        life.want(command)
    if commands:
        yield from _lived(name, world, life)


def _life(world: World, ground: Ground) -> Life:
    return Life(world.point, world.now, ground.patience, ground.take_step, there=ground.read(world))


def _lived(name: str, world: World, life: Life) -> Iterator[Move]:
    """Yield what comes of something, and a crash at each point on the way."""
    yield name, with_point(world, life.run())
    for number, point in enumerate(life.crashes[:-1] if world.troubles else (), 1):
        yield f"{name}, trouble: crash at point {number} of it", crashed(_trouble(world), point)


# Requests -------------------------------------------------------------------------------------


def _moves_of_request(world: World, ground: Ground, flying: Flying) -> Iterator[Move]:
    match flying.request:
        case PlaceOrder():
            if flying.answer is None:
                yield from _moves_of_place(world, ground, flying, flying.request)
            else:
                yield from _moves_of_placed(world, ground, flying, flying.request, flying.answer)
        case CancelOrder():
            yield from _moves_of_cancel(world, ground, flying, flying.request)
        case FindOrder():
            yield from _moves_of_find(world, ground, flying, flying.request)
        case FetchAccount():
            yield from _moves_of_scan(world, ground, flying, flying.request)


def _moves_of_place(
    world: World, ground: Ground, flying: Flying, request: PlaceOrder
) -> Iterator[Move]:
    name = _name(request.client_order_id)
    yield f"the exchange carries {name} out", _carried_out(world, ground, flying, request)
    if not world.troubles or not flying.is_awaited:
        return
    less = _trouble(world)
    refused = replace(flying, answer=RequestRefused(code="invalid_order", reason=""))
    yield f"trouble: the exchange refuses {name}", _flown(less, flying, refused)
    loose = replace(flying, is_awaited=False)
    for what, gone in (
        (f"trouble: {name} overruns, and stays on its way", _flown(less, flying, loose)),
        (f"trouble: {name} is lost on its way", _flown(less, flying)),
    ):
        yield from _lived(what, gone, _placed_heard(gone, ground, request, SILENCE))


def _moves_of_placed(
    world: World, ground: Ground, flying: Flying, request: PlaceOrder, answer: ExchangeAnswer
) -> Iterator[Move]:
    name, gone = _name(request.client_order_id), _flown(world, flying)
    life = _placed_heard(gone, ground, request, answer)
    yield from _lived(f"the answer to {name} comes", gone, life)
    if world.troubles:
        life = _placed_heard(gone, ground, request, SILENCE)
        yield from _lived(f"trouble: the answer to {name} is lost", _trouble(gone), life)


def _placed_heard(
    world: World, ground: Ground, request: PlaceOrder, answer: ExchangeAnswer
) -> Life:
    key = request.client_order_id
    return _life(world, ground).hear(key, PlaceHeard(client_order_id=key, answer=answer))


def _carried_out(world: World, ground: Ground, flying: Flying, request: PlaceOrder) -> World:
    """Return the world after the exchange has taken a request to place: done, or refused."""
    answer: OrderPlaced | RequestRefused
    venue, amount = world.venue, int(request.amount)
    known = venue.of(request.client_order_id) if ground.is_dedupe_of_open else ()
    if not may_come(world, ground, request):
        answer = RequestRefused(code="too_late", reason="")
    elif any(each.ended_at is None for each in known):
        answer = RequestRefused(code="duplicate_id", reason="")
    elif not venue.is_payable(request.side, amount):
        answer = RequestRefused(code="insufficient_funds", reason="")
    else:
        venue = venue.placed(request.client_order_id, request.side, amount, world.now)
        number = ExchangeOrderId(f"x-{len(venue.orders) - 1}")
        answer = OrderPlaced(client_order_id=request.client_order_id, exchange_order_id=number)
    heard = (replace(flying, answer=answer),) if flying.is_awaited else ()
    return replace(_flown(world, flying, *heard), venue=venue)


def _moves_of_cancel(
    world: World, ground: Ground, flying: Flying, request: CancelOrder
) -> Iterator[Move]:
    key, gone = request.client_order_id, _flown(world, flying)
    name, done = f"the cancel of {_name(key)}", _canceled(gone, request)
    if not flying.is_awaited:
        yield f"{name} is carried out", done
        return
    yield from _lived(f"{name} is done", done, _life(done, ground).hear(key, CancelHeard()))
    if world.troubles:
        less = _trouble(gone)
        yield from _lived(
            f"trouble: {name} is lost", less, _life(less, ground).hear(key, CancelHeard())
        )


def _canceled(world: World, request: CancelOrder) -> World:
    venue = world.venue
    for each in venue.of(request.client_order_id):
        if each.ended_at is None:
            venue = venue.with_order(each.ended(world.now, VenueOrderStatus.CANCELED))
    return replace(world, venue=venue)


def _moves_of_find(
    world: World, ground: Ground, flying: Flying, request: FindOrder
) -> Iterator[Move]:
    key, gone = request.client_order_id, _flown(world, flying)
    fresh = _found(world, request, 0)
    told: dict[str, ExchangeAnswer] = {f"{_name(key)} is looked up": fresh}
    if world.troubles:
        late = _found(world, request, ground.lag_s)
        told |= {f"trouble: {_name(key)} is looked up, late": late} if late != fresh else {}
        told[f"trouble: {_name(key)} is looked up in vain"] = SILENCE
    for what, answer in told.items():
        after = _trouble(gone) if what.startswith("trouble") else gone
        yield from _lived(what, after, _life(after, ground).hear(key, FindHeard(answer=answer)))


def _found(world: World, request: FindOrder, age_s: int) -> ExchangeAnswer:
    there = world.venue.found(request.client_order_id, world.now - age_s)
    if there is None:
        now = instant(world.now)
        return OrderNotFound(client_order_id=request.client_order_id, as_of=now)
    return OrderFound(order=there.told(), trades=there.told_trades())


def _moves_of_scan(
    world: World, ground: Ground, flying: Flying, request: FetchAccount
) -> Iterator[Move]:
    gone, since, now = _flown(world, flying), request.trades_since, world.now
    then = now - ground.lag_s
    fresh = world.venue.account(since, now=now, orders_at=now, trades_at=now)
    told: dict[str, VenueAccount | None] = {"the account is read": fresh}
    if world.troubles:
        late = world.venue.account(since, now=now, orders_at=now, trades_at=then)
        if late != fresh:
            told["trouble: the account is read, its trades late"] = late
            past = world.venue.account(since, now=now, orders_at=then, trades_at=then)
            told["trouble: the account is read, late"] = past
        told["trouble: the account is read in vain"] = None
    if world.troubles >= CUT_COST and fresh.trades:
        told[CUT] = replace(fresh, trades=())
    for what, account in told.items():
        after = _trouble(gone) if what.startswith("trouble") else gone
        after = _trouble(after) if what == CUT else after
        heard = AccountHeard(asked_since=since, account=account)
        yield from _lived(what, after, _life(after, ground).hear_all(heard))


def _flown(world: World, flying: Flying, *instead: Flying) -> World:
    """Return the world without a request on its way, or with it as it is now."""
    place = world.flying.index(flying)
    before, after = world.flying[:place], world.flying[place + 1 :]
    kept = tuple(each for each in instead if each not in (*before, *after))
    return replace(world, flying=(*before, *kept, *after))


# The exchange ---------------------------------------------------------------------------------


def _moves_at_venue(world: World, there: There) -> Iterator[Move]:
    name, venue, now = _name(there.client_order_id), world.venue, world.now
    if there.ended_at is None:
        if there.side is Side.BUY or venue.coins() > 0:
            filled = venue.with_order(there.traded(now, 1))
            yield f"{name} fills by one", replace(world, venue=filled)
        else:
            ended = venue.with_order(there.ended(now, VenueOrderStatus.CANCELED))
            yield f"{name} ends for want of coins", replace(world, venue=ended)
        if world.troubles:
            status = VenueOrderStatus.CANCELED if there.trades else VenueOrderStatus.REJECTED
            ended = venue.with_order(there.ended(now, status))
            yield f"trouble: {name} ends {status}", replace(_trouble(world), venue=ended)
    elif world.troubles and there.client_order_id and there.since >= 0 and not there.is_forgotten:
        forgotten = venue.with_order(replace(there, is_forgotten=True))
        yield f"trouble: {name} is forgotten", replace(_trouble(world), venue=forgotten)


def _trouble(world: World) -> World:
    return replace(world, troubles=world.troubles - 1)


def _name(client_order_id: str) -> str:
    return f"order {client_order_id[-4:]}" if client_order_id else "the owner's order"
