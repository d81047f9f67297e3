"""One actor on a stage, its neighbours played by their inboxes, and short ways to say things."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from actors import names
from actors.base import Actor, Context
from aegis.domain.candles import Candle, Tick
from aegis.domain.commands import Command, Refusal
from aegis.domain.events import Recorded
from aegis.domain.ids import NANOS_PER_SECOND, Generation, Instant, Symbol
from aegis.messages import (
    BookRead,
    Committed,
    Execute,
    Executed,
)
from aegis.news import CandleClosed, MarketMoved
from tests.domain.kit import BTC_USDT, INCARNATION, START, Desk, decimals
from tests.stage import Stage

EVERYBODY = (
    names.POSITION_STORE,
    names.EXCHANGE_GATEWAY,
    names.RECONCILER,
    names.GUARD,
    names.STRATEGY,
    names.MARKET_FEED,
    names.DIAGNOSTICIAN,
    names.NOTIFIER,
    names.COMMAND_LISTENER,
    names.ARCHIVIST,
)

M = TypeVar("M")
C = TypeVar("C")


class Marker(msgspec.Struct, frozen=True):
    """Taken by nobody: what it kills had handled everything before."""


class Ensemble:
    """Everybody's inbox is there; only those that are launched take anything out of theirs."""

    def __init__(self, stage: Stage, desk: Desk | None = None) -> None:
        self.stage = stage
        self.desk = desk or Desk().funded()
        known = {slot.name for slot in stage.directory}
        for name in EVERYBODY:
            if name not in known:
                stage.directory.add(name, keeps_inbox=name == names.POSITION_STORE)

    def tell(self, name: str, message: object) -> None:
        self.stage.tell(name, message)

    def heard(self, name: str, kind: type[M]) -> list[M]:
        """Return the messages of a type that wait for a name."""
        slot = self.stage.directory.slot(name)
        return [message for message in tuple(slot.messages) if isinstance(message, kind)]

    def wait_heard(self, name: str, kind: type[M], count: int = 1) -> list[M]:
        """Wait until so many messages of a type are there, and return them."""
        self.stage.wait_for(lambda: len(self.heard(name, kind)) >= count)
        return self.heard(name, kind)

    def commands(self, kind: type[C]) -> list[C]:
        """Return the commands of a type that the store was told."""
        told = self.heard(names.POSITION_STORE, Execute)
        return [each.command for each in told if isinstance(each.command, kind)]

    def wait_command(self, kind: type[C], count: int = 1) -> list[C]:
        self.stage.wait_for(lambda: len(self.commands(kind)) >= count)
        return self.commands(kind)

    def settle(self, name: str) -> None:
        """Wait until a name has handled all that it was told so far; it is over after that."""
        self.tell(name, Marker())
        self.stage.wait_for(lambda: "ActorDied" in self.stage.events())
        deaths = [f["error"] for event, f in self.stage.logged if event == "ActorDied"]
        assert all("Marker()" in str(death) for death in deaths), deaths

    # The store's part -------------------------------------------------------------------------

    def show_book(self, name: str, *, reconciled: int = 0, diagnosed: int = 0) -> None:
        self.tell(
            name,
            BookRead(
                book=self.desk.book.copy(),
                incarnation=INCARNATION,
                reconciled=Generation(reconciled),
                diagnosed=Generation(diagnosed),
            ),
        )

    def publish(self, name: str, *commands: Command) -> tuple[Recorded, ...]:
        """Execute commands at the desk, and let a name hear of what was committed."""
        records: list[Recorded] = []
        for command in commands:
            done = self.desk.execute(command)
            assert not isinstance(done, Refusal), done
            records.extend(done)
        self.tell(name, Committed(records=tuple(records)))
        return tuple(records)

    def publish_new(self, name: str, after: int) -> None:
        """Let a name hear of all that the desk recorded past an event."""
        records = tuple(r for r in self.desk.log if r.event_id > after)
        self.tell(name, Committed(records=records))

    def answer(
        self,
        name: str,
        command: Command,
        records: tuple[Recorded, ...] = (),
        refusal: Refusal | None = None,
    ) -> None:
        self.tell(name, Executed(command=command, records=records, refusal=refusal))

    def take(self, name: str, command: Command) -> None:
        """Execute a command at the desk, and answer with what came of it."""
        done = self.desk.execute(command)
        assert not isinstance(done, Refusal), done
        self.answer(name, command, records=done)


def tick(price: str, at: Instant = START, symbol: Symbol = BTC_USDT) -> MarketMoved:
    mid, volume, spread = decimals(price, "100", "0")
    moved = Tick(symbol=symbol, at=at, start=mid, price=mid, volume=volume)
    return MarketMoved(tick=moved, spread_bps=spread)


def closed(number: int, price: str = "100", *, has_gap: bool = False) -> CandleClosed:
    (figure,) = decimals(price)
    made = Candle(
        symbol=BTC_USDT,
        open_at=Instant(START + number * 60 * NANOS_PER_SECOND),
        length_s=60,
        open=figure,
        high=figure,
        low=figure,
        close=figure,
        volume=figure,
    )
    return CandleClosed(candle=made, is_warmup=False, has_gap_before=has_gap)


__all__ = ["Actor", "Context", "Ensemble", "closed", "tick"]
