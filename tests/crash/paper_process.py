"""AEGIS as `run.py` starts it, before a paper exchange that can be told to go wrong.

`python -m tests.crash.paper_process run --config PATH`, and everything else that run.py takes.
A file `hold` beside the configuration names what goes wrong with the requests that come while it
is there. Every order is looked up in the store before the exchange takes it: one that is not yet
written down as submitted is noted in `breaches`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from actors.base import outcome_of
from aegis.cli.main import leave, main
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.dialogue import CancelOrder, ExchangeRequest, PlaceOrder
from aegis.domain.order import UNSETTLED
from aegis.exchange.paper import Fault
from aegis.log.logger import Log
from aegis.service import NOBODY, Service
from aegis.store.loading import find_order
from aegis.store.snapshot import snapshot_of
from supervisors.errands import act
from supervisors.outside import Run, keep_config
from supervisors.runs import run
from supervisors.signals import leave_all

HELD_S = 60.0
"""Longer than any test waits before it kills."""


class Hold(StrEnum):
    """What the file says."""

    ANSWER = "answer"  # orders are placed, and nobody hears of it
    REQUEST = "request"  # orders never arrive, and nobody hears of that either
    CANCEL = "cancel"  # cancels are done, and nobody hears of it


class Frontier:
    """What stands between AEGIS and its paper exchange: a witness first, then the fault."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._hold, self._breaches, self._store = folder / "hold", folder / "breaches", store

    def __call__(self, request: ExchangeRequest) -> Fault | None:
        if isinstance(request, PlaceOrder):
            self._witness(request)
        try:
            return fault_of(Hold(self._hold.read_text("utf-8")), request)
        except FileNotFoundError:
            return None

    def _witness(self, request: PlaceOrder) -> None:
        with snapshot_of(self._store, "witness") as snapshot:
            order = find_order(snapshot.db, request.client_order_id)
        if order is None or order.state not in UNSETTLED:
            with self._breaches.open("a", encoding="utf-8") as breaches:
                breaches.write(f"{request} came while the store had {order}\n")


def fault_of(hold: Hold, request: ExchangeRequest) -> Fault | None:
    """Return what a hold does to a request."""
    late = Fault(answer_delay_s=HELD_S)
    match hold, request:
        case Hold.ANSWER, PlaceOrder():
            return late
        case Hold.REQUEST, PlaceOrder():
            return Fault(is_request_lost=True)
        case Hold.CANCEL, CancelOrder():
            return late
        case _:
            return None


def start(
    config: Config,
    *,
    folder: Path,
    log: Log,
    progress: Callable[[int, int], None],
    reread: Callable[[], Config | None] = keep_config,
    before_abort: Callable[[], None] = leave_all,
    service: Service = NOBODY,
    is_kept: bool = True,
    rerun: Rerun | None = None,
) -> Run:
    """Run as run.py does, with the frontier in between."""
    return run(
        config,
        folder=folder,
        log=log,
        progress=progress,
        reread=reread,
        before_abort=before_abort,
        service=service,
        is_kept=is_kept,
        rerun=rerun,
        faults=Frontier(folder, config.store.path),
    )


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    ended = main(
        sys.argv[1:],
        beside=root,
        engine=lambda: start,
        office=lambda: act,
        shield=outcome_of,
    )
    leave(ended)
