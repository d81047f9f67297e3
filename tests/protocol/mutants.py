"""Rules broken on purpose, each as a small patch of the pure functions or of what wires them.

A checker that finds no way in which a mutant goes wrong would not find our own mistake either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from aegis.dialogue import FetchAccount, NoAnswer, OrderFound, OrderNotFound
from aegis.domain.commands import Command, EndOrder, RecordFills
from aegis.domain.events import OrderIntended
from aegis.domain.findings import fill_of
from aegis.domain.order import Order, OrderState, OrderStep
from aegis.domain.venue import VenueTrade
from aegis.exchange.heard import (
    AccountHeard,
    AskLeave,
    CancelHeard,
    FindHeard,
    Heard,
    Leave,
    LookLater,
    Make,
    PlaceHeard,
    Send,
    Step,
    TakenUp,
    Told,
    Watch,
)
from aegis.exchange.lookout import Patience
from aegis.exchange.outcomes import request_to_place
from aegis.exchange.protocol import step
from aegis.ports import Clock
from tests.domain.kit import BTC, USDT
from tests.protocol.explore import played
from tests.protocol.life import Balances, TakeStep
from tests.protocol.log import Log, heals
from tests.protocol.moves import TIME
from tests.protocol.venue import Venue
from tests.protocol.world import GROUND, Ground, World, entering, leaving

replace = msgspec.structs.replace


class Mutant(NamedTuple):
    """`begin` is where its way to ruin is short."""

    ground: Ground
    begin: World


def _end(order: Order, step: OrderStep) -> Make:
    end = EndOrder(
        client_order_id=order.client_order_id, step=step, filled=order.filled, reason="mutant"
    )
    return Make(command=end, is_answer_wanted=True)


def _with_effects(done: Step, change: Callable[[object], Iterable[object]]) -> Step:
    watch, effects = done
    changed = tuple(each for effect in effects for each in change(effect))
    return watch, changed  # type: ignore[return-value]  # a mutant's word is enough


def sends_nothing(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Send nothing on leave: it went out before the intent was written down."""
    if isinstance(heard, Leave):
        return watch, ()
    return step(order, watch, heard, patience, clock)


def submitting_late(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Write SUBMITTING down only when the answer is there."""
    if order is not None and isinstance(heard, Told) and isinstance(heard.event, OrderIntended):
        return watch, (Send(request=request_to_place(order, clock.now())),)
    watch, effects = step(order, watch, heard, patience, clock)
    if isinstance(heard, Leave):
        return watch, ()
    return watch, (AskLeave(), *effects) if isinstance(heard, PlaceHeard) else effects


def timeout_is_failure(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    if order is not None and isinstance(heard, PlaceHeard) and isinstance(heard.answer, NoAnswer):
        return watch, (_end(order, OrderStep.REJECT),)
    return step(order, watch, heard, patience, clock)


def not_found_is_refusal(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    if order is not None and order.state is OrderState.UNKNOWN and _is_missed(heard):
        return replace(watch, is_looking=False), (_end(order, OrderStep.PROVE_ABSENT),)
    return step(order, watch, heard, patience, clock)


def no_trade_scan(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Take a look-up past the barrier for proof."""

    def ended(effect: object) -> Iterable[object]:
        is_scan = isinstance(effect, Send) and isinstance(effect.request, FetchAccount)
        if order is None or not is_scan:
            return (effect,)
        is_unseen = order.state is OrderState.UNKNOWN
        return (_end(order, OrderStep.PROVE_ABSENT if is_unseen else OrderStep.CANCEL),)

    return _with_effects(step(order, watch, heard, patience, clock), ended)


def fills_without_ids(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Book what every look shows, under a name of its own."""

    def renamed(trades: tuple[VenueTrade, ...], order: Order) -> RecordFills:
        first = len(order.trade_ids)
        fills = tuple(
            replace(fill_of(trade), trade_id=f"{order.client_order_id}-{first + place}")
            for place, trade in enumerate(trades)
        )
        return RecordFills(client_order_id=order.client_order_id, fills=fills)

    if (
        order is None
        or not isinstance(heard, FindHeard)
        or not isinstance(heard.answer, OrderFound)
    ):
        return step(order, watch, heard, patience, clock)
    watch, effects = step(order, watch, heard, patience, clock)
    kept = [e for e in effects if not (isinstance(e, Make) and isinstance(e.command, RecordFills))]
    if heard.answer.trades:
        kept.insert(0, Make(command=renamed(heard.answer.trades, order)))
    return watch, tuple(kept)


def cancel_ack_closes(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    is_canceling = order is not None and order.state is OrderState.CANCELING
    if order is not None and is_canceling and isinstance(heard, CancelHeard):
        return watch, (_end(order, OrderStep.CANCEL),)
    return step(order, watch, heard, patience, clock)


def sends_again(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Send once more what was not found."""
    watch, effects = step(order, watch, heard, patience, clock)
    if order is not None and order.state is OrderState.UNKNOWN and _is_missed(heard):
        return watch, (*effects, Send(request=request_to_place(order, clock.now())))
    return watch, effects


def silence_is_forgotten(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Set no timer where a look-up went unanswered."""
    watch, effects = step(order, watch, heard, patience, clock)
    is_silence = isinstance(heard, FindHeard) and isinstance(heard.answer, NoAnswer)
    return watch, tuple(e for e in effects if not (is_silence and isinstance(e, LookLater)))


def crash_means_never_sent(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Take what was being submitted at a crash for refused."""
    if order is not None and isinstance(heard, TakenUp) and order.state is OrderState.SUBMITTING:
        return watch, (_end(order, OrderStep.REJECT),)
    return step(order, watch, heard, patience, clock)


def missed_from_the_first_look(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Count the lag from a look before the barrier, which says nothing of what came later."""
    if isinstance(heard, FindHeard) and isinstance(heard.answer, OrderNotFound):
        watch = replace(watch, missed_at=watch.missed_at or heard.answer.as_of)
    return step(order, watch, heard, patience, clock)


def one_sighting_is_enough(
    order: Order | None, watch: Watch, heard: Heard, patience: Patience, clock: Clock
) -> Step:
    """Take the first account without a trade for the truth."""
    if isinstance(heard, AccountHeard):
        watch = replace(watch, is_missed_twice=True)
    return step(order, watch, heard, patience, clock)


def _is_missed(heard: Heard) -> bool:
    return isinstance(heard, FindHeard) and isinstance(heard.answer, OrderNotFound)


def heals_from_the_account(log: Log, venue: Venue, now: int, age_s: int) -> tuple[Command, ...]:
    """Book what the balance lacks as sold, whatever the trades say."""
    healed = heals(log, venue, now, age_s)
    for order in log.book.active_orders():
        position = log.book.positions[order.position_id]
        missing = position.amount - venue.coins()
        if order.state is OrderState.OPEN and not order.adds and 0 < missing <= order.amount:
            trade = venue.orders[0].told_trades()[0]
            fill = replace(fill_of(trade), amount=missing, trade_id=f"balance-{now}")
            return (RecordFills(client_order_id=order.client_order_id, fills=(fill,)),)
    return healed


def _stepping(take_step: TakeStep, begin: World, **changes: object) -> Mutant:
    return Mutant(replace(GROUND, take_step=take_step, **changes), begin)


def _patient(ground: Ground, **changes: float) -> Ground:
    return replace(ground, patience=replace(ground.patience, **changes))


def remembered(world: World) -> Balances:
    """Return what the books remember of the coins, whatever the owner has brought since."""
    balances = world.log.book.account.balances
    return int(balances[BTC]), int(balances[USDT])


def base_alone(world: World) -> Balances:
    """Return what there is to sell, and nothing of what a sale has brought perhaps."""
    return world.venue.coins(), remembered(world)[1]


DEPOSITED = replace(GROUND, has_deposits=True)
LOST_EXIT = ("is intended", "overruns, and stays on its way")

SKEWED = _patient(replace(GROUND, signing_s=2), barrier_s=3.5)
"""Clocks that are further apart, and a barrier with a margin for it."""

ACCEPTED = ("an entry is intended", "carries", "the answer")
FORGOTTEN = (TIME, TIME, TIME, "fills by one", "fills by one", "is forgotten")
MISSED = (*ACCEPTED, "is looked up, late", *FORGOTTEN)
"""A look that came too early has missed an order that was accepted; then it filled, unseen."""


def _scripted(take_step: TakeStep, begin: World, *script: str) -> Mutant:
    mutant = _stepping(take_step, begin)
    return mutant._replace(begin=played(begin, mutant.ground, *script))


MUTANTS: dict[str, Mutant] = {
    "submit before persist": Mutant(
        replace(GROUND, is_sent_before_intent=True, take_step=sends_nothing), entering(1)
    ),
    "time-out is a failure": _stepping(timeout_is_failure, entering(1)),
    "not found is a refusal": _stepping(not_found_is_refusal, entering(1)),
    "no margin": Mutant(_patient(SKEWED, barrier_s=1.5), entering(1)),
    "no trade scan": _stepping(no_trade_scan, entering(2)),
    "fills without ids": _stepping(fills_without_ids, entering(0)),
    "cancel ack closes": _stepping(cancel_ack_closes, entering(0)),
    "heal from the account figure": Mutant(
        replace(GROUND, heals=heals_from_the_account), leaving(1)
    ),
    "re-send without dedupe": _stepping(sends_again, entering(1)),
    "ids unique only among open orders": _stepping(
        sends_again, entering(2), is_dedupe_of_open=True
    ),
    "SUBMITTING written late": _stepping(submitting_late, entering(1)),
    "a crash means never sent": _stepping(crash_means_never_sent, entering(1)),
    "silence is forgotten": _stepping(silence_is_forgotten, entering(1)),
    "missed from the first look": _scripted(missed_from_the_first_look, entering(4), *MISSED),
    "one sighting is enough": _scripted(one_sighting_is_enough, entering(3), *ACCEPTED, *FORGOTTEN),
    "a remembered balance": Mutant(
        replace(DEPOSITED, read=remembered),
        played(leaving(2), DEPOSITED, *LOST_EXIT, "the owner brings coins"),
    ),
    "the balance of one coin": Mutant(
        replace(DEPOSITED, read=base_alone),
        played(leaving(2), DEPOSITED, *LOST_EXIT, "the owner brings coins"),
    ),
    "no lag after a miss": Mutant(
        _patient(GROUND, lag_s=0.0), played(entering(3), GROUND, *ACCEPTED, *FORGOTTEN)
    ),
}
