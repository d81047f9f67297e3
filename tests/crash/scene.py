"""The place of the deed: one folder, the processes that live and die in it, and what is checked.

Invariant: only processes that were started here are ended here.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from aegis.control import Answer, Ask, ask
from aegis.domain.ids import EventId
from aegis.domain.order import Order, OrderState, Role
from aegis.domain.position import Position
from aegis.exchange.paper_ledger import LedgerView, read_ledger
from aegis.store.verify import verify
from tests.crash.evidence import (
    Evidence,
    book_differences,
    differing,
    hashes_at,
    look,
    records_since,
    unlawful,
)
from tests.crash.paper_process import Hold
from tests.crash.process import (
    FRONTIER,
    ROOT,
    RUN,
    WAIT_S_MAX,
    Line,
    Process,
    clean_environment,
    command_line,
)

METRONOME = """
[exchange]
symbols = ["BTC/USDT", "ETH/USDT"]
call_deadline_s = 0.5

[market]
speed = 3600
poll_interval_s = 0.05

[strategy]
name = "metronome"
params = { period_s = 360 }

[risk]
daily_loss_max = 100000
drawdown_max_pct = 99

[reconcile]
interval_s = 31536000
"""
"""A beat for each of two symbols every 100 ms: a fifth of the time some order is on its way.

No reconciliation but those at a start: whatever one misses, no later one makes good.
"""

UNHURRIED = (
    METRONOME.replace("period_s = 360", "period_s = 900")
    .replace(', "ETH/USDT"', "")
    .replace("call_deadline_s = 0.5", "call_deadline_s = 5")
)
"""One symbol and a beat every 250 ms: time to see one thing before the next happens.

An answer held back is given up after 5 s, so that there is time to kill before that.
"""


class Scene:
    """One folder with its configuration; `last` is what the disk said at the last kill."""

    def __init__(self, folder: Path, settings: str, program: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.program = program
        self.store = folder / "data" / "aegis.db"
        self.ledger = folder / "data" / "aegis.db.paper"
        self.last: Evidence | None = None
        self._acknowledged: dict[EventId, str] = {}
        self._processes: list[Process] = []
        (folder / "config.toml").write_text(settings, "utf-8")

    # Living and dying -----------------------------------------------------------------------

    def start(self) -> Process:
        """Start AEGIS in this folder, whatever else runs there."""
        errors = self.folder / f"stderr-{len(self._processes)}.txt"
        process = self.launch(errors)
        self._processes.append(process)
        return process

    def launch(self, errors: Path) -> Process:
        """Begin a life of AEGIS in this folder."""
        return Process(self.folder, self.program, errors)

    def view(self) -> LedgerView:
        """Return what the exchange has on record, all of it at one instant."""
        return read_ledger(self.ledger)

    def hold(self, hold: Hold | None) -> None:
        """Hold something back at the exchange from now on; None lets everything through."""
        assert self.program == FRONTIER, "Expected a program that can hold back"
        path = self.folder / "hold"
        if hold is None:
            path.unlink(missing_ok=True)
            return
        aside = path.with_suffix(".new")
        aside.write_text(hold, "utf-8")
        aside.rename(path)  # it is there whole, or not at all

    def ask(self, command: str) -> Answer:
        """Say a person's command on the control socket."""
        return ask(self.store, Ask(command=command))

    def kill(self, process: Process) -> Evidence:
        """Kill, and check what no moment may show; what is on disk now has to be found again."""
        process.kill()
        return self.look_at_the_dead()

    def restart(self) -> Process:
        """Start over what a kill left, and check that all of it is there and becomes true."""
        process = self.start()
        self.check_recovery(process)
        return process

    def clean_up(self) -> None:
        for process in self._processes:
            if process.is_alive:
                process.kill()

    # Checking -------------------------------------------------------------------------------

    def look_at_the_dead(self) -> Evidence:
        """Check what a dead process left, as it lies there."""
        found, ledger = look(self.store), self.view()
        assert unlawful(found, ledger) == ()
        assert not (self.folder / "breaches").exists()
        self.check_store(found)
        self.check_continues(found)
        self.last = found
        return found

    def check_recovery(self, process: Process) -> Evidence:
        """Check that a life took up what the one before left, armed, and agrees."""
        if self.last is not None:
            opened = process.wait_for("StoreOpened")
            was = (self.last.event_id, self.last.head_hash)
            assert (opened["events"], opened["head_hash"]) == was
        process.wait_for("StrategyArmed")
        return self.check_settled(process)

    def check_settled(self, process: Process) -> Evidence:
        """Wait until store and ledger agree to the last digit, and check the way there."""
        found = self.wait_until_settled(process)
        self.check_continues(found)
        self.check_store(found)
        return found

    def check_continues(self, found: Evidence) -> None:
        """Check that positions, stops and account are those of the last kill and what came since.

        So a stop that no event has moved stands where it stood.
        """
        if self.last is None:
            return
        expected = self.last.book.copy()
        for recorded in records_since(self.store, self.last.event_id):
            if recorded.event_id <= found.event_id:
                expected.apply(recorded)
        assert book_differences(expected, found.book) == ()

    def verify(self) -> Line:
        """Ask the program itself whether the store is what it says."""
        told = subprocess.run(
            command_line(self.folder, RUN, "verify", "--json"),
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_S_MAX,
            check=True,
        )
        return msgspec.json.decode(told.stdout, type=Line)

    def check_store(self, found: Evidence) -> None:
        """Check that the store proves itself, and that what it ever showed is still so."""
        verification = verify(self.store)
        assert verification.problems == ()
        assert verification.events >= found.event_id
        assert hashes_at(self.store, self._acknowledged) == self._acknowledged
        self._acknowledged[found.event_id] = found.head_hash

    def wait_until_settled(self, process: Process) -> Evidence:
        """Wait for an instant at which store and ledger agree in everything."""
        differences: tuple[str, ...] = ()

        def settled() -> Evidence | None:
            nonlocal differences
            before = self.view()
            found = look(self.store)
            if self.view() != before:
                return None
            assert unlawful(found, before) == ()
            differences = differing(found, before)
            return None if differences else found

        return process.wait_until(settled, lambda: f"agreement, but {differences}")

    def wait_for_position(self, process: Process) -> Position:
        """Wait until a position is held and nothing is on its way."""

        def found() -> Position | None:
            book = look(self.store).book
            held = [position for position in book.alive_positions() if position.amount > 0]
            return held[0] if held and not book.active_orders() else None

        return process.wait_until(found, lambda: "a position")

    def wait_for_unheard(self, process: Process, role: Role) -> Order:
        """Hold answers back, and wait for an order in SUBMITTING that the exchange has."""
        self.hold(Hold.ANSWER)
        order = self.wait_for_order(process, OrderState.SUBMITTING, role)

        def placed() -> bool | None:
            orders = self.view().orders
            return any(each.client_order_id == order.client_order_id for each in orders) or None

        process.wait_until(placed, lambda: "the order at the exchange")
        return order

    def wait_for_order(self, process: Process, state: OrderState, role: Role) -> Order:
        """Wait until the store has an order of a role in a state."""

        def found() -> Order | None:
            orders = look(self.store).in_state(state)
            return next((order for order in orders if order.role is role), None)

        return process.wait_until(found, lambda: f"an {role} in {state}")
