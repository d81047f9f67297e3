"""When positions lived, in market time: what a strategy is told of holding, then and now.

The log says it of any instant, so a candle that is shown again after a restart comes with the
`is_holding` that it came with at first.

Invariants:
1. A position lives from its entry's intent, or its import, to its end.
2. It is held at a close if it began before that instant and did not end before it. What is
   decided at a close, and what the next open brings at the same instant, comes after it.
3. Instants are asked in order, and what no later one can need is let go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from aegis.domain.events import (
    OrderIntended,
    PositionClosed,
    PositionImported,
    PositionOpened,
    PositionUnpriced,
    PositionVoided,
    Recorded,
    StrategyArmed,
)
from aegis.domain.fold import is_beginning
from aegis.domain.ids import Instant, PositionId, Symbol


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One position's; `ended_at` is None of one that is alive."""

    position_id: PositionId
    symbol: Symbol
    began_at: Instant
    ended_at: Instant | None = None


class Lives:
    """The lives of some positions, eldest first; whoever holds it owns it alone."""

    def __init__(self, lives: Iterable[Life] = ()) -> None:
        self._of: dict[Symbol, deque[Life]] = {}
        for life in lives:
            self._begin(life)

    def follow(self, recorded: Recorded) -> None:
        """Take the next event of the log."""
        event, position_id = recorded.event, recorded.position_id
        match event:
            case OrderIntended() | PositionImported() if is_beginning(event):
                began_at = recorded.at
            case PositionOpened() if not self._is_alive(event.symbol, position_id):
                began_at = recorded.at  # an order that was given up has appeared
            case PositionClosed() | PositionVoided() | PositionUnpriced():
                self._end(event.symbol, position_id, recorded.at)
                return
            case _:
                return
        life = Life(position_id=position_id, symbol=event.symbol, began_at=began_at)
        self._begin(life)

    def held_at(self, symbol: Symbol, at: Instant) -> bool:
        """Say whether a position lived at a close; no earlier instant may be asked after it."""
        lives = self._of.get(symbol)
        if lives is None:
            return False
        while lives and (ended_at := lives[0].ended_at) is not None and ended_at < at:
            lives.popleft()
        return bool(lives) and lives[0].began_at < at

    def _begin(self, life: Life) -> None:
        self._of.setdefault(life.symbol, deque()).append(life)

    def _end(self, symbol: Symbol, position_id: PositionId, at: Instant) -> None:
        lives = self._of.get(symbol, ())
        for place, life in enumerate(lives):
            if life.position_id == position_id and life.ended_at is None:
                self._of[symbol][place] = msgspec.structs.replace(life, ended_at=at)

    def _is_alive(self, symbol: Symbol, position_id: PositionId) -> bool:
        lives = self._of.get(symbol, ())
        return any(life.position_id == position_id and life.ended_at is None for life in lives)


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy's state stands on: each candle of a symbol that closed after `since`.

    Those that closed up to `armed_at`, when it was first armed, taught it and were never traded
    on, then or later.
    """

    since: Instant
    armed_at: Instant


def taught_by(records: Iterable[Recorded], strategy: str) -> dict[Symbol, Taught]:
    """Return what the log's armings, in order, say of a strategy's symbols."""
    taught: dict[Symbol, Taught] = {}
    for recorded in records:
        event = recorded.event
        if isinstance(event, StrategyArmed) and event.strategy == strategy:
            for symbol, since in event.taught_since.items():
                armed_at = taught[symbol].armed_at if symbol in taught else recorded.at
                taught[symbol] = Taught(since=since, armed_at=armed_at)
    return taught
