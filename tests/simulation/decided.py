"""What was decided in a world: each intent, without what a restart may lawfully change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from aegis.domain.instants import instant_of
from aegis.domain.order import Role
from aegis.store.reading import View
from tests.simulation.candles import number_of, opens_at
from tests.simulation.world import World
from tests.store.looking import read_history


class Decision(msgspec.Struct, frozen=True):
    """An intent: its id is a hash of strategy, position, role and decision instant or ordinal.

    `decided_at` is the close that it was decided on: a minute's turn.
    """

    client_order_id: str
    role: str
    symbol: str
    amount: str
    reason: str
    decision_price: str
    decided_at: int


def decisions(world: World) -> list[Decision]:
    """Return all intents, eldest first."""
    return decisions_in(world.store_path)


def decisions_in(store: Path) -> list[Decision]:
    """Return all intents of a store, eldest first."""
    events = read_history(store, limit=1_000_000)
    return [_decision(event) for event in events if event["event_type"] == "OrderIntended"]


def run_until_quiet_past(world: World, number: int, after_s: int = 20) -> None:
    """Go on past a candle's open to where no order is on its way.

    An order on its way may die with the process, which is a loss and no decision.
    """
    world.run_until_candle(number)
    world.run_for(after_s)
    world.run_until(lambda: not world.system._store.book.active_orders())


def entries(made: list[Decision]) -> int:
    return sum(each.role == Role.ENTRY for each in made)


def _decision(event: View) -> Decision:
    """Return an intent; who was dead at the close intends within the minute, on its quote."""
    data: Any = event["data"]
    intended_at = instant_of(str(event["timestamp"]))
    fields = {name: data[name] for name in Decision.__struct_fields__ if name in data}
    return msgspec.convert({**fields, "decided_at": opens_at(number_of(intended_at))}, Decision)
