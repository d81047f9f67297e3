"""AEGIS as `run.py` starts it, with a death in wait for it, at an exchange that is less patient.

`python -m tests.live.doomed run --live --config PATH`, and everything else that run.py takes. A
file `doom` beside the configuration names the moment at which the process ends by SIGKILL: there
is nothing in the product that could. Times that the real exchange's protocol makes long are short
here, as they are at the local exchange: what waits for them waits for seconds.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

import aegis.exchange.live.line.line as line_module
from aegis.domain.book import Book
from aegis.domain.events import Recorded
from aegis.exchange.live.calls import Call, Cancel, Outcome, Place
from aegis.exchange.live.client.client import Client
from aegis.exchange.live.profiles import CRYPTOCOM, PROFILES
from aegis.store.journal import Store
from tests.crash.process import ROOT

LATE_AFTER_S = 1.5
"""What the local exchange refuses as late; its answers tell whole seconds of its clock."""

QUICK = msgspec.structs.replace(
    CRYPTOCOM, late_after_s=LATE_AFTER_S, lookup_lag_s=0.2, skew_margin_s=0.5, rates={}
)
DOOM = "doom"
ENDPOINTS = {Place: "private/create-order", Cancel: "private/cancel-order"}


class Moment(StrEnum):
    """Of a commit: before and after it; of a call: before it leaves, and as the exchange has it."""

    BEFORE = "before"
    AFTER = "after"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"


class Doom(msgspec.Struct, frozen=True, kw_only=True):
    """When the process dies: at a moment of the first `what` of an order of a role.

    `what` is an event that is committed, or a call that is made (Place, Cancel). Where the exchange
    does it, `control` is where that is told to.
    """

    moment: Moment
    what: str
    role: str = "entry"
    control: str = ""

    def __str__(self) -> str:
        return f"{self.role}-{self.moment}-{self.what}"


_DOOM = msgspec.json.Decoder(Doom)


class Fate:
    """Looks at each commit and each call, and ends the process when its moment has come."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / DOOM
        self._roles: dict[str, str] = {}

    def doom(self, what: object, order_id: str) -> Doom | None:
        """Return what awaits an order at an event or a call, None where nothing does."""
        try:
            doom = _DOOM.decode(self._file.read_bytes())
        except FileNotFoundError:
            return None
        is_meant = (doom.what, doom.role) == (type(what).__name__, self._roles.get(order_id))
        return doom if is_meant else None

    def learn(self, *books: Book) -> None:
        for book in books:
            self._roles |= {key: order.role for key, order in book.orders.items()}

    def meet(self, moment: Moment, records: Sequence[Recorded]) -> None:
        for recorded in records:
            order_id = getattr(recorded.event, "client_order_id", None)
            doom = self.doom(recorded.event, order_id) if order_id else None
            if doom is not None and doom.moment is moment:
                os.kill(os.getpid(), signal.SIGKILL)

    def meet_call(self, call: Place | Cancel) -> None:
        placed = call.order if isinstance(call, Place) else call
        doom = self.doom(call, placed.client_order_id)
        if doom is None:
            return
        if doom.moment is Moment.BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        _ask_to_be_killed(doom, ENDPOINTS[type(call)])


def _ask_to_be_killed(doom: Doom, endpoint: str) -> None:
    from tests.exchange_server.faults import Fault
    from tests.exchange_server.local import Control

    is_late = doom.moment is Moment.ANSWERED
    fault = Fault.KILL_AFTER_ANSWER if is_late else Fault.KILL_BEFORE_ANSWER
    Control(doom.control).fault(fault, endpoint, next=1, pid=os.getpid())


def install(folder: Path) -> None:
    """Put the fate around the store's commit and the client's call."""
    commit, execute, fate = Store.commit, Client.execute, Fate(folder)

    def commit_or_die(self: Store, records: Sequence[Recorded], book: Book) -> int:
        fate.learn(self.book, book)
        fate.meet(Moment.BEFORE, records)
        notices = commit(self, records, book)
        fate.meet(Moment.AFTER, records)
        return notices

    def execute_or_die(self: Client, call: Call) -> Outcome:
        if isinstance(call, Place | Cancel):
            fate.meet_call(call)
        return execute(self, call)

    Store.commit = commit_or_die  # type: ignore[method-assign]  # what this program is for
    Client.execute = execute_or_die  # type: ignore[method-assign]  # the same


if __name__ == "__main__":
    install(Path(sys.argv[sys.argv.index("--config") + 1]).parent)
    assert isinstance(PROFILES, dict)
    PROFILES[CRYPTOCOM.name] = QUICK
    line_module.LEAVES_AFTER_DEADLINE_S = 0.5
    runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
