"""AEGIS on paper as `run.py` runs it, before an exchange whose answers can be held back.

`python -m tests.crash.paper_process --config PATH`. A file `hold` beside the configuration names
what goes wrong with the requests that come while it is there; see `Hold`.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path

from aegis.clock import wall_text
from aegis.config_file import Names, load
from aegis.exchange.paper import Fault
from aegis.log import configure
from aegis.messages import CancelOrder, ExchangeRequest, FetchAccount, PlaceOrder
from aegis.store.errors import StoreBusy
from aegis.strategy_loader import fault_of_strategy
from supervisors.runs import run

EXIT_STORE_BUSY = 75

HELD_S = 60.0
"""Longer than any test waits before it kills."""


class Hold(StrEnum):
    """What the file says."""

    ANSWER = "answer"  # orders are placed, and nobody hears of it
    REQUEST = "request"  # orders never arrive, and nobody hears of that either
    CANCEL = "cancel"  # cancels are done, and nobody hears of it
    ACCOUNT = "account"  # the account is asked for in vain: nothing reconciles


class HeldBack:
    """The faults of a paper exchange, as the file has them at the moment of a request."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, request: ExchangeRequest) -> Fault | None:
        try:
            hold = Hold(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        return fault_of(hold, request)


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
        case Hold.ACCOUNT, FetchAccount():
            return Fault(error="502 Bad Gateway")
        case _:
            return None


def main(config_path: Path) -> int:
    """Run until a signal, and return the exit code."""
    folder = config_path.parent
    config = load(
        config_path,
        os.environ,
        names=Names(
            exchanges={"cryptocom"},
            strategies=lambda name, params: fault_of_strategy(name, params, folder),
        ),
    )
    log = configure(config.log.path, "debug", 20, 5, console=None, now_text=wall_text)
    try:
        ended = run(
            config,
            folder=folder,
            log=log,
            progress=lambda _done, _total: None,
            faults=HeldBack(folder / "hold"),
        )
    except StoreBusy as busy:
        sys.stderr.write(f"{busy}\n")
        return EXIT_STORE_BUSY
    log("Exiting", code=ended.exit_code, reason=ended.reason)
    log.close()
    return ended.exit_code


if __name__ == "__main__":
    code = main(Path(sys.argv[sys.argv.index("--config") + 1]).resolve())
    sys.stdout.flush()
    os._exit(code)  # as the real one: no thread is waited for
