"""A whole AEGIS, trading live against the local exchange, and when each order came how far.

It is composed as `run.py run --live` composes it, and runs in this process, where what stamps its
log can be handed in. The local exchange is a process of its own, which stamps each request when
it has read it. All instants are of this machine's one real clock, which must not be set meanwhile.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from actors import names
from actors.base import outcome_of
from aegis.cli.settings import load_config
from aegis.clock import ScaledClock, draw_hex, wall_text
from aegis.config.model import Config
from aegis.control import ControlServer
from aegis.domain.ids import Symbol
from aegis.log.logger import configure
from aegis.messages import Beat
from aegis.ports import Log
from supervisors.channels import messengers_of
from supervisors.clients import Clients
from supervisors.quick import INCARNATION_DIGITS
from supervisors.runtime import ThreadRuntime
from supervisors.system import System
from tests.bench.gateway.trader import Trader
from tests.bench.live import configure_live, keys_of
from tests.bench.measuring import Failed
from tests.exchange_server.local import Local

SYMBOL = Symbol("BTC/USDT")

SETTINGS = f"""
[strategy]
name = "{Trader.__module__}:{Trader.__name__}"
[risk]
stop_loss_pct = 50
take_profit_pct = 50
orders_per_minute_max = 1000000
daily_loss_max = 1000000
drawdown_max_pct = 100
"""
"""Beats come from the bench, and no limit is in the way: each is still asked."""

PATIENCE_S = 30.0
BEAT_S = 1.0
"""A beat that the strategy heard before its last trade says nothing; then it gets another."""

REST_S = 0.02
"""Between an order and the next beat, so that the last one's commits are done."""

STEP_NS_MAX = 2_000_000

INTENDED, SUBMITTED = "OrderIntended", "OrderSubmitted"
SETTLED = ("PositionOpened", "PositionClosed")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """When an order came how far, in ns: the strategy's beat, and where it was on disk.

    `wired` is when the exchange had read the request.
    """

    beat: int
    intended: int
    submitted: int
    wired: int


class Stamps:
    """Takes the log's lines, keeps when they came, and passes them on.

    The store writes a line of an event as soon as its commit has returned, before anybody acts.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._heard: queue.SimpleQueue[tuple[str, str, int]] = queue.SimpleQueue()

    def __call__(self, event: str, /, **fields: object) -> None:
        if event in (INTENDED, SUBMITTED, *SETTLED, "StrategyArmed"):
            key = str(fields.get("client_order_id", ""))
            self._heard.put((event, key, time.time_ns()))
        self._log(event, **fields)

    def wait_for(self, event: str, wait_s: float = PATIENCE_S) -> tuple[str, int] | None:
        """Return the order and the instant of the next such line; None where none came."""
        end = time.monotonic() + wait_s
        while (left_s := end - time.monotonic()) > 0:
            try:
                heard, key, at = self._heard.get(timeout=left_s)
            except queue.Empty:
                break
            if heard == event:
                return key, at
        return None


class Trading:
    """An AEGIS that is armed; it trades when it is told to."""

    def __init__(self, system: System, stamps: Stamps, local: Local) -> None:
        self._system = system
        self._stamps = stamps
        self._local = local
        self._is_holding = False

    def trade(self, orders: int) -> list[Way]:
        """Let the strategy enter and leave in turn; return the way of each order."""
        offset_ns = _offset_ns()
        begun = [self._order() for _ in range(orders)]
        if abs(_offset_ns() - offset_ns) > STEP_NS_MAX:
            raise Failed("Expected the machine's clock to go on evenly, it was set")
        wired = self._wired()
        return [
            Way(beat=beat, intended=intended, submitted=submitted, wired=wired[key])
            for key, beat, intended, submitted in begun
        ]

    def _order(self) -> tuple[str, int, int, int]:
        key, beat, intended = self._intend()
        submitted = self._heard(SUBMITTED)
        self._heard(SETTLED[self._is_holding])
        self._is_holding = not self._is_holding
        time.sleep(REST_S)
        return key, beat, intended, submitted

    def _intend(self) -> tuple[str, int, int]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            beat = time.time_ns()
            self._system.directory.tell(None, names.STRATEGY, Beat(symbol=SYMBOL))
            if (heard := self._stamps.wait_for(INTENDED, BEAT_S)) is not None:
                key, intended = heard
                return key, beat, intended
        raise Failed(f"Expected an intent within {PATIENCE_S:g} s")

    def _heard(self, event: str) -> int:
        heard = self._stamps.wait_for(event)
        if heard is None:
            raise Failed(f"Expected {event} within {PATIENCE_S:g} s")
        return heard[1]

    def _wired(self) -> Mapping[str, int]:
        """Return when each order's one request was read."""
        with self._local.ledger() as ledger:
            requests = ledger.requests("private/create-order")
        wired = {str(each.client_oid): each.at for each in requests}
        if len(wired) != len(requests):
            raise Failed("Expected each order to be sent once")
        return wired


@contextmanager
def trading(folder: Path, local: Local) -> Iterator[Trading]:
    """Yield an armed AEGIS; it is ended as a signal ends it."""
    config = _configured(folder, local)
    with (folder / "console.txt").open("w") as console:
        log = configure(
            config.log.path, config.log.level, config.log.rotate_mb, config.log.keep,
            console=console, now_text=wall_text,
        )  # fmt: skip
        stamps = Stamps(log)
        system = System(
            config,
            folder=folder,
            runtime_of=lambda start: ThreadRuntime(ScaledClock(start, 1), log),
            log=stamps,
            control=ControlServer(config.store.path),
            messengers=messengers_of(config, log),
            draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
            make_clients=_unpaced,
        )
        with closing(log), closing(system):
            system.start(seed=1)
            try:
                if stamps.wait_for("StrategyArmed") is None:
                    raise Failed(f"Expected AEGIS to be armed within {PATIENCE_S:g} s")
                time.sleep(BEAT_S)  # the log tells of it before the strategy hears
                yield Trading(system, stamps, local)
            finally:
                system.stop()
                system.verdicts.get(timeout=PATIENCE_S)


def _configured(folder: Path, local: Local) -> Config:
    path = configure_live(folder, local)
    path.write_text(path.read_text() + SETTINGS)
    return load_config(path, keys_of(local), is_trading=True, shield=outcome_of)


def _unpaced(config: Config, log: Log) -> Clients:
    """Return clients that look at trades as often as they like: else 500 orders take 10 minutes.

    A placing waits for no rate at this pace in any case.
    """
    clients = Clients(config, log)
    clients.profile = msgspec.structs.replace(clients.profile, rates={})
    return clients


def _offset_ns() -> int:
    return time.time_ns() - time.monotonic_ns()
