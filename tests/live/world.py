"""The whole of AEGIS in live mode on one seeded thread: ccxt and all, and no socket.

The system is composed as for a real account; what `requests` sends reaches an exchange's core in
this process, on the same clock. An answer that never comes is waited for as long as the client
would. Time passes only inside the `run_...` methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import msgspec

from aegis.clock import ManualClock
from aegis.config.model import Config, Secrets, build
from aegis.config.secret import Secret
from aegis.control import Answer, Ask
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instants import instant_of
from aegis.exchange.paper_ledger import LedgerView
from aegis.messages import ControlReply
from aegis.notify.log_channel import LogMessenger
from aegis.ports import Late
from supervisors.backing import Backing
from supervisors.clients import SILENCE_SHARE
from supervisors.ground import Ground
from supervisors.outing import Bag, Outing, errand_of
from supervisors.paces import REAL_S_MAX
from supervisors.runtime import SeededRuntime
from supervisors.settings import market_of
from supervisors.system import System
from supervisors.tree import Errand
from tests.exchange_server.ccxt_peer import wired
from tests.exchange_server.core import Core
from tests.exchange_server.desk import Desk
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.ledger import Request
from tests.exchange_server.replies import Conduct, Reply
from tests.exchange_server.shapes import Settings as Ways
from tests.live.agreement import agrees, view_of
from tests.simulation.world import INCARNATION, People, Settings, World, merged

START = instant_of("2026-01-05T12:00:20.000000000Z")
SYMBOL, INSTRUMENT = Symbol("BTC/USDT"), "BTC_USDT"
HOLDS, BEATS = "tests.live.beats:In", "tests.live.beats:InAndOut"
DEADLINE_S = 10
SILENCE_S = DEADLINE_S * SILENCE_SHARE
PATIENCE_S = 600
PAST_EACH_LOOK_S = 30
SECRET = "in-process"  # noqa: S105  of an exchange that does not exist
ORDERS, LOOKS = "private/create-order", "private/get-order-detail"


class _System(System):
    """The product's, but for backups: those are another process's work, in real time."""

    def _backing_of(self, now: Instant) -> Backing | None:
        return None


class _Runtime(SeededRuntime):
    """A call whose answer does not come is under way until its client gives it up."""

    def __init__(self, clock: ManualClock, seed: int, waited_s: Callable[[], float]) -> None:
        super().__init__(clock, seed)
        self._waited_s = waited_s

    def call(
        self,
        port: str,
        function: Callable[[], object],
        deadline_s: float,
        reply: Callable[[object], None],
    ) -> None:
        def waited() -> object:
            value, waited_s = function(), self._waited_s()
            return Late(value, waited_s) if waited_s else value

        super().call(port, waited, deadline_s, reply)


class KilledError(Exception):
    """The process of an errand is gone."""


class _OutingPace:
    """An errand's real time, on the world's seeded thread."""

    limit_s = REAL_S_MAX

    def __init__(self, world: LiveWorld, begins_at: Instant, killed_after_s: float | None) -> None:
        self._world, self._begins_at = world, begins_at
        self._killed_at = (
            None if killed_after_s is None else begins_at + int(killed_after_s * NANOS_PER_SECOND)
        )

    def runtime_at(self, start: Instant) -> SeededRuntime:
        del start  # the exchange's time is the world's
        return self._world._new_runtime(self._begins_at)

    def run_while(self, is_wanted: Callable[[], bool]) -> None:
        world, runtime = self._world, self._world.runtime
        assert isinstance(runtime, SeededRuntime)
        killed_at = self._killed_at
        ends_at = killed_at or world.now() + int(self.limit_s * NANOS_PER_SECOND)
        runtime.run_while(lambda: is_wanted() and world.now() < ends_at)
        if killed_at is not None and world.now() >= killed_at:
            raise KilledError


class LiveWorld(World):
    """One store and one account at an exchange, and the systems that live on them in turn."""

    incarnation = INCARNATION

    def __init__(
        self,
        folder: Path,
        *,
        strategy: str = HOLDS,
        period_s: int = 10,
        settings: Settings | None = None,
        seed: int = 1,
        **ways: object,
    ) -> None:
        """Open an account of 10,000 USDT where the price stands at 40,000; nothing lives yet."""
        self.folder, self.seed, self.speed = folder, seed, 0
        self.lines, self.people = [], People()
        self.messengers = (LogMessenger(self.log),)
        self._is_open, self._at = False, START
        self._waits_s: list[float] = []
        self.core = Core(
            key="key",
            secret=SECRET,
            seed=seed,
            now=START,
            balances={"USDT": Decimal(10_000)},
            settings=msgspec.convert({"dedupe": "off", **ways}, Ways),
        )
        self._answer = self.core.answer
        self.core.answer = self._noting  # type: ignore[method-assign]  # it notes what was silent
        self.desk = Desk(self.core)
        self.core.market.pin(INSTRUMENT, 0, Decimal(40_000), is_held=True)
        self._wires = ExitStack()
        base_url = self._wires.enter_context(wired(self.core, self.now))
        own: Settings = {
            "exchange": {"base_url": base_url, "call_deadline_s": DEADLINE_S},
            "market": {"source": "exchange", "speed": 1},
            "strategy": {"name": strategy, "params": {"period_s": period_s}},
            "risk": {"price_collar_pct": 10, "daily_loss_max": 100_000, "drawdown_max_pct": 99},
        }
        self._own = merged(own, settings or {})
        self.config = live_config(folder, self._own)

    def configure(self, settings: Settings) -> None:
        """Live with other settings from the next start on; all else stays as it is."""
        exchange = self.config.exchange
        self.config = live_config(self.folder, self._own, settings)
        self.config = self.config.model_copy(update={"exchange": exchange})

    def start(self, errand: Errand | None = None) -> Self:
        """Open and start a system over what the folder holds, at the instant that is."""
        begins_at = self.now()
        with patch("supervisors.live_desk.draw_hex", self._drawn):
            self._compose(begins_at, errand)
        self._is_open = True
        self.system.start(self.seed)
        return self

    def _drawn(self, digits: int) -> str:
        """Draw what jitter begins with: from the seed, so that a storm comes as it came."""
        return f"{self.seed:0{digits}x}"

    def errand(self, ask: Ask) -> ControlReply:
        """Ask something of a store whose AEGIS is gone, as a person does; return the answer."""
        errand = errand_of(ask)
        self.people = People()
        self.start(errand)
        token = next(
            each.token for each in (errand.reconcile, errand.diagnose) if each.reply_to is not None
        )
        self.run_until(lambda: token in self.people.replies)
        self.run_for(PAST_EACH_LOOK_S)  # another exchange, or another order, takes as long
        self._at = self.now()
        self.end()
        return self.people.replies[token]

    def flatten(self, *, killed_after_s: float | None = None) -> Answer | None:
        """Say flatten, as the command does, of a store whose AEGIS is gone; return the answer.

        None where it is killed before its end.
        """
        begins_at = self.now()
        pace = _OutingPace(self, begins_at, killed_after_s)
        bag = Bag(
            config=self.config,
            folder=self.folder,
            log=self.log,
            messengers=tuple(self.messengers),
            ask=Ask(command="flatten"),
        )

        def make_system(*given: Any, **named: Any) -> System:
            named |= {"draw_incarnation": lambda: self.incarnation, "ground": self._ground()}
            self.system = _System(*given, **named)
            self._is_open = True
            return self.system

        with patch("supervisors.live_desk.draw_hex", self._drawn):
            outing = Outing(bag, pace=pace, make_system=make_system)
        try:
            answer = outing.done()
        except KilledError:
            self.drop()
            return None
        self._at, self._is_open = self.now(), False
        return answer

    def _compose(self, begins_at: Instant, errand: Errand | None) -> None:
        self.system = _System(
            self.config,
            folder=self.folder,
            runtime_of=lambda _: self._new_runtime(begins_at),
            log=self.log,
            control=self.people,
            messengers=self.messengers,
            draw_incarnation=lambda: self.incarnation,
            errand=errand,
            ground=self._ground(),
        )

    def _ground(self) -> Ground:
        return Ground(
            name=market_of(self.config),
            sources=(),
            symbols=self.config.exchange.symbols,
            opens_at=self._at,
        )

    def _new_runtime(self, begins_at: Instant) -> SeededRuntime:
        self.runtime = _Runtime(ManualClock(begins_at), self.seed, self._waited_s)
        return self.runtime

    def _noting(
        self, endpoint: str, http_method: str, sent: bytes | Mapping[str, str], now: int
    ) -> Reply:
        reply = self._answer(endpoint, http_method, sent, now)
        if reply.conduct in {Conduct.SILENCE, Conduct.DRIP}:
            self._waits_s.append(SILENCE_S)
        return reply

    def _waited_s(self) -> float:
        waits_s, self._waits_s = self._waits_s, []
        return sum(waits_s)

    def drop(self) -> None:
        self._at = self.now()
        super().drop()

    def close(self) -> None:
        """Leave no system and no wire behind."""
        self.leave()
        self._wires.close()
        self.core.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Time -----------------------------------------------------------------------------------

    def now(self) -> Instant:
        return self.runtime.clock.now() if self._is_open else self._at

    def run_until(self, is_so: Callable[[], bool]) -> None:
        """Let everybody work until something holds; an exchange has no end, so patience has one."""
        end = self.now() + PATIENCE_S * NANOS_PER_SECOND
        assert isinstance(self.runtime, SeededRuntime)
        self.runtime.run_while(lambda: not (is_so() or self.now() > end))
        assert is_so(), f"It never came to be; the last lines: {self.lines[-8:]}"

    def run_until_settled(self) -> None:
        """Go on until store and exchange agree to the last digit."""
        self.run_until(lambda: agrees(self.evidence(), self.ledger()) == ())

    # What happens to it ---------------------------------------------------------------------

    def price(self, price: str) -> None:
        wish = {"instrument": INSTRUMENT, "price": price}
        self.desk.handle("/control/price", "POST", msgspec.json.encode(wish), self.now())

    def owner(self, act: str, **details: object) -> Any:
        body = msgspec.json.encode({"act": act, **details})
        return self.desk.handle("/control/owner", "POST", body, self.now())

    def faults(self, *rules: Rule) -> None:  # type: ignore[override]  # an exchange's, not paper's
        """Let these go wrong from now on, and nothing else."""
        self.core.faults.set(list(rules))

    def fault(self, fault: Fault, endpoint: str = "any", **rule: Any) -> None:
        self.faults(Rule(fault=fault, endpoint=endpoint, **rule))

    def trouble(self, fault: Fault, *rules: Rule, seconds: float) -> None:
        """Let a fault begin; a clock that is apart is so in all that the exchange says."""
        if fault is Fault.SKEW:
            self.ways(clock_offset_s=seconds)
        else:
            self.faults(*rules)

    def trouble_ends(self) -> None:
        """Let nothing go wrong any more."""
        self.faults()
        self.ways(clock_offset_s=0)

    def ways(self, **changes: object) -> None:
        """Change how the exchange is."""
        body = msgspec.json.encode(changes)
        self.desk.handle("/control/settings", "POST", body, self.now())

    def log(self, event: str, /, **fields: object) -> None:
        """Keep a line, and when it was said."""
        super().log(event, seen_at=self.now(), **fields)

    # What can be seen -----------------------------------------------------------------------

    def ledger(self) -> LedgerView:
        return view_of(self.core.ledger)

    def requests(self, endpoint: str | None = None) -> list[Request]:
        return self.core.ledger.requests(endpoint)

    def expect_truth(self) -> None:
        assert self.verified().problems == ()
        assert agrees(self.evidence(), self.ledger()) == ()
        assert self.core.ledger.doubles() == {}


def live_config(
    folder: Path, *settings: Settings, keys: tuple[str, str] = ("key", SECRET)
) -> Config:
    """Return a configuration of live mode with its files in a folder; later settings win."""
    paths = {
        "store": {"path": folder / "aegis.db"},
        "log": {"path": folder / "aegis.log"},
        "backup": {"path": folder / "backups"},
    }
    secrets = Secrets(exchange_api_key=Secret(keys[0]), exchange_secret=Secret(keys[1]))
    config = build({"mode": "live", **merged(paths, *settings)})
    assert isinstance(config, Config), config
    return config.model_copy(update={"secrets": secrets})
