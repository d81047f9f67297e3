"""A small world around the whole of AEGIS: candles, faults, deaths, and all that was said.

The system is the product's own, composed by `supervisors.system.System` over a folder; its
candles come from a replay file, its strategy from `tests.simulation.scripts`. On the seeded
runtime time passes only inside the `run_...` methods.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from aegis.clock import ManualClock, ScaledClock
from aegis.config.model import Config, build
from aegis.dialogue import ExchangeAnswer, ExchangeRequest, PlaceOrder
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.instants import instant_of
from aegis.domain.order import OrderType, Side
from aegis.exchange.paper import Fault, no_faults
from aegis.exchange.paper_ledger import LedgerView, read_ledger
from aegis.messages import ControlReply, ControlRequest
from aegis.notify.log_channel import LogMessenger
from aegis.ports import Late, Messenger
from aegis.store.connection import open_writer
from aegis.store.reading import StoreStatus, View, read_positions, read_status
from aegis.store.verify import Verification, verify
from supervisors.paper_desk import PaperDesk
from supervisors.runtime import SeededRuntime, ThreadRuntime
from supervisors.settings import ledger_path, market_of, paper_rules
from supervisors.supervisor import Verdict
from supervisors.system import System
from tests.crash.evidence import Evidence, differing, look, unlawful
from tests.paper_hand import Hand
from tests.simulation.candles import SYMBOL, opens_at, write_replay
from tests.store.looking import read_history

SCRIPT = "tests.simulation.scripts:Script"
BEATING = "tests.simulation.scripts:Beating"
INCARNATION = "0123456789abcdef"
SETTLE_S = 120.0
QUIET_S = 600
PATIENCE_S = 30.0
POLL_S = 0.002

Settings = Mapping[str, Mapping[str, Any]]
Faults = Callable[[ExchangeRequest], Fault | None]

FREE: Settings = {"paper": {"fee_rate": 0, "spread_bps": 0, "slippage_bps": 0}}
"""No costs, so that prices can be named."""

NO_STOPS: Settings = {"risk": {"stop_loss_pct": 0, "take_profit_pct": 0}}


class Line(msgspec.Struct, frozen=True):
    """One line of the log."""

    event: str
    fields: dict[str, Any]


class Poison(msgspec.Struct, frozen=True):
    """A message that no actor takes: whoever gets it dies of it."""


class People:
    """The control port: commands go in by `say`, replies are kept."""

    def __init__(self) -> None:
        self.hear: Callable[[ControlRequest], None] | None = None
        self.replies: dict[int, ControlReply] = {}
        self._tokens = 0

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        self.hear = hear

    def answer(self, reply: ControlReply) -> None:
        self.replies[reply.token] = reply

    def close(self) -> None:
        self.hear = None

    def say(self, command: str, *, is_dry_run: bool = False) -> int:
        assert self.hear is not None, "Expected somebody to listen"
        self._tokens += 1
        self.hear(ControlRequest(token=self._tokens, command=command, is_dry_run=is_dry_run))
        return self._tokens


class World:
    """One store and one ledger in a folder, and the systems that live on them, one at a time."""

    def __init__(
        self,
        folder: Path,
        candles: Iterable[Candle],
        *,
        script: Mapping[str, object] | None = None,
        strategy: str = SCRIPT,
        settings: Settings | None = None,
        faults: Faults = no_faults,
        seed: int = 1,
        speed: int = 0,
        can_hang: bool = False,
        messengers: Iterable[Messenger] = (),
    ) -> None:
        self.folder = folder
        self.faults = faults
        self.seed = seed
        self.speed = speed
        self.lines: list[Line] = []
        self.people = People()
        listed = tuple(candles)
        self._ends_at = listed[-1].close_at
        replay = write_replay(folder / "candles.csv", listed)
        own: Settings = {
            "market": {"source": "replay", "path": replay, "speed": speed},
            "strategy": {"name": strategy, "params": dict(script or {})},
        }
        self.config = config_of(folder, own, settings or {})
        self.messengers = (LogMessenger(self.log), *messengers)
        self._can_hang = can_hang
        self._is_open = False
        self.system: System
        self.runtime: SeededRuntime | ThreadRuntime

    # Life -----------------------------------------------------------------------------------

    def start(self) -> World:
        """Open and start a system over what the folder holds."""
        runtimes: list[SeededRuntime | ThreadRuntime] = []

        def runtime_of(start: Instant) -> SeededRuntime | ThreadRuntime:
            runtimes.append(self._runtime(start))
            return runtimes[0]

        self.system = System(
            self.config,
            folder=self.folder,
            runtime_of=runtime_of,
            log=self.log,
            control=self.people,
            messengers=self.messengers,
            draw_incarnation=lambda: INCARNATION,
            faults=self._fault_of,
        )
        self.runtime = runtimes[0]
        self._is_open = True
        self.system.start(self.seed)
        return self

    def _fault_of(self, request: ExchangeRequest) -> Fault | None:
        return self.faults(request)  # looked up anew each time: a test may change the plan

    def _runtime(self, start: Instant) -> SeededRuntime | ThreadRuntime:
        if self.speed:
            return ThreadRuntime(ScaledClock(start, self.speed), self.log)
        return SeededRuntime(ManualClock(start), self.seed, can_hang=self._can_hang)

    def end(self) -> Verdict:
        """Stop in peace and close everything."""
        self.system.stop()
        if isinstance(self.runtime, SeededRuntime):
            self.runtime.run_while(self.system.verdicts.empty)
        else:
            self.run_until(lambda: not self.system.verdicts.empty())
        verdict = self.system.verdicts.get_nowait()
        self._close()
        return verdict

    def drop(self) -> None:
        """Leave everything as it is, as a kill does: nothing is finished, nothing is told."""
        for slot in self.system.directory:
            self.system.directory.fence(slot.name)
        self.system._store.abandon()
        self._close()

    def leave(self) -> None:
        """Make sure that nothing of it lives on; a world that has ended is left already."""
        if not self._is_open:
            return
        if isinstance(self.runtime, ThreadRuntime):
            self.end()
        else:
            self.drop()

    def _close(self) -> None:
        self._is_open = False
        self.system.close()
        if isinstance(self.runtime, ThreadRuntime):
            self.runtime.close()

    def restart(self) -> World:
        """Be killed, and start again over what is left."""
        self.drop()
        return self.start()

    # Time -----------------------------------------------------------------------------------

    def run_until(self, is_so: Callable[[], bool]) -> None:
        """Let everybody work until something holds; fail when the world comes to rest before."""
        if isinstance(self.runtime, SeededRuntime):
            self.runtime.run_while(lambda: not (is_so() or self._is_over()))
        else:
            tick = threading.Event()
            for _ in range(int(PATIENCE_S / POLL_S)):
                if is_so() or self._is_over():
                    break
                tick.wait(POLL_S)
        assert is_so(), f"It never came to be; the last lines: {self.lines[-8:]}"

    def _is_over(self) -> bool:
        """Say whether the tree has ended, or on the seed the market long has."""
        if not self.system.verdicts.empty():
            return True
        is_past = self.system.is_market_ended and isinstance(self.runtime, SeededRuntime)
        return is_past and self.now() > self._ends_at + QUIET_S * NANOS_PER_SECOND

    def run_until_candle(self, number: int) -> None:
        """Go on to the open of a candle."""
        self.run_until(lambda: self.now() >= opens_at(number))

    def run_until_just_before(self, instant: int) -> None:
        """Go on to the last nanosecond before an instant; on the seeded runtime alone."""
        assert isinstance(self.runtime, SeededRuntime), "Expected a runtime that can stop there"
        self.runtime.run_until(Instant(instant - 1))

    def run_for(self, seconds: float) -> None:
        """Let market time pass."""
        end = self.now() + int(seconds * NANOS_PER_SECOND)
        if isinstance(self.runtime, SeededRuntime):
            self.runtime.run_until(Instant(end))
        else:
            self.run_until(lambda: self.now() >= end)

    def run_steps(self, count: int) -> None:
        """Let so many messages be handled, or timers fire; on the seeded runtime alone."""
        assert isinstance(self.runtime, SeededRuntime), "Expected a runtime that goes by steps"
        left = iter(range(count))
        self.runtime.run_while(lambda: next(left, None) is not None)

    def run_to_the_end(self) -> World:
        """Go through all candles, and let orders finish."""
        self.run_until(lambda: self.system.is_market_ended)
        self.run_for(SETTLE_S)
        return self

    def live(self) -> World:
        """Live a whole life: start, all candles, a peaceful end."""
        self.start().run_to_the_end()
        verdict = self.end()
        assert verdict.exit_code == 0, verdict
        return self

    def now(self) -> Instant:
        return self.runtime.clock.now()

    # What happens to it ---------------------------------------------------------------------

    def tell(self, name: str, message: object) -> None:
        self.system.directory.tell(None, name, message)

    def kill(self, name: str) -> None:
        """Let an actor die of a message that it does not take."""
        self.tell(name, Poison())

    def hang(self, name: str) -> None:
        """Let an actor take its next message and never come back."""
        assert isinstance(self.runtime, SeededRuntime), "Expected the runtime that can do so"
        self.runtime.hang(name)

    def hand(self) -> Hand:
        """Return the account's owner, who acts at the exchange past AEGIS."""
        now = self.now() if self._is_open else _last_instant(self.status())
        config = self.config
        return Hand(ledger_path(config), paper_rules(config), market_of(config), now)

    def move_balance(self, coin: str, amount: Decimal) -> None:
        """Move money at the exchange, as its owner does in the exchange's own app."""
        self.hand().transfer(coin, amount)

    def place_at_exchange(self, client_order_id: str, side: Side, amount: str) -> ExchangeAnswer:
        """Place a market order past AEGIS, under any client order id."""
        desk = self.system.desk
        assert isinstance(desk, PaperDesk)
        answer = desk.venue.execute(
            PlaceOrder(
                client_order_id=ClientOrderId(client_order_id),
                symbol=SYMBOL,
                side=side,
                type=OrderType.MARKET,
                amount=Decimal(amount),
                price=None,
                trigger_price=None,
                reduce_only=False,
                sent_at=self.now(),
            )
        )
        assert not isinstance(answer, Late)
        return answer

    def change_row(self, statement: str, *values: str) -> None:
        """Change the store's rows past AEGIS, with checksums that fit."""
        db, _ = open_writer(self.store_path)
        with closing(db):
            db.execute(statement, values).fetchall()

    def say(self, command: str, *, is_dry_run: bool = False) -> ControlReply:
        """Give a person's command, and wait for its answer."""
        token = self.people.say(command, is_dry_run=is_dry_run)
        self.run_until(lambda: token in self.people.replies)
        return self.people.replies[token]

    # What can be seen -----------------------------------------------------------------------

    def log(self, event: str, /, **fields: object) -> None:
        self.lines.append(Line(event, fields))

    def said(self, *events: str) -> list[Line]:
        """Return the lines of some events, in order."""
        return [line for line in tuple(self.lines) if line.event in events]

    def has_said(self, event: str, **fields: object) -> bool:
        return any(
            all(line.fields.get(key) == value for key, value in fields.items())
            for line in self.said(event)
        )

    def place_of(self, event: str, *, after: int = -1, **fields: object) -> int:
        """Return where in the log an event stands for the first time past a line."""
        for place, line in enumerate(tuple(self.lines)):
            is_it = line.event == event and fields.items() <= line.fields.items()
            if place > after and is_it:
                return place
        raise AssertionError(f"Expected {event} {fields} past line {after}")

    @property
    def store_path(self) -> Path:
        return self.config.store.path

    def verified(self) -> Verification:
        return verify(self.store_path)

    def status(self) -> StoreStatus:
        return read_status(self.store_path)

    def positions(self, status: str | None = None) -> tuple[View, ...]:
        return read_positions(self.store_path, status)

    def history(self, *types: str) -> list[View]:
        """Return the events of some types, eldest first; of all without any."""
        events = read_history(self.store_path, limit=1_000_000)
        return [event for event in events if not types or event["event_type"] in types]

    def entries(self) -> list[int]:
        """Return the event ids of the intents to enter."""
        intents = self.history("OrderIntended")
        return [int(str(e["event_id"])) for e in intents if data_of(e)["role"] == "entry"]

    def bought(self) -> int:
        """Return how many entries reached the exchange."""
        return sum(order.side is Side.BUY for order in self.ledger().orders)

    def evidence(self) -> Evidence:
        return look(self.store_path)

    def ledger(self) -> LedgerView:
        return read_ledger(ledger_path(self.config))

    def expect_truth(self) -> None:
        """Expect store and exchange to be one, to the last digit, and nothing to be in flight."""
        verification = self.verified()
        assert verification.ok, verification.problems
        evidence, ledger = self.evidence(), self.ledger()
        assert not unlawful(evidence, ledger)
        assert not differing(evidence, ledger)


def config_of(folder: Path, *settings: Settings) -> Config:
    """Return a configuration with its files in a folder; later settings win."""
    paths = {
        "store": {"path": folder / "aegis.db"},
        "log": {"path": folder / "aegis.log"},
        "backup": {"path": folder / "backups"},
    }
    config = build(merged(paths, *settings))
    assert isinstance(config, Config), config
    return config


def _last_instant(status: StoreStatus) -> Instant:
    assert status.last_event_at is not None, f"Expected a store with events, was {status}"
    return instant_of(status.last_event_at)


def data_of(event: View) -> dict[str, Any]:
    data = event["data"]
    assert isinstance(data, dict), f"Expected an event's fields, was {data!r}"
    return data


def merged(*settings: Settings) -> Settings:
    """Return settings put together; later ones win."""
    result: dict[str, dict[str, Any]] = {}
    for each in settings:
        for section, keys in each.items():
            result[section] = {**result.get(section, {}), **keys}
    return result
