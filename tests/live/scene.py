"""The place of the deed in live mode: a local exchange, and AEGIS on the account it has there."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from aegis.control import NotRunning
from aegis.domain.order import Order, Role
from aegis.exchange.paper_ledger import LedgerView
from tests.crash.evidence import Evidence, look
from tests.crash.process import ROOT, WAIT_S_MAX, Process, clean_environment, command_line
from tests.crash.scene import Scene
from tests.exchange_server.local import Local
from tests.live.agreement import view_of
from tests.live.doomed import DOOM, Doom

DOOMED = ("-m", "tests.live.doomed")
COMMAND = ("run", "--live")

SETTINGS = """
mode = "live"

[exchange]
base_url = "{base_url}"
symbols = ["BTC/USDT"]
call_deadline_s = 2

[market]
source = "exchange"
speed = 1
poll_interval_s = 0.1

[strategy]
name = "tests.live.beats:InAndOut"
params = {{ period_s = 1 }}

[risk]
daily_loss_max = 100000
drawdown_max_pct = 99
price_collar_pct = 10

[reconcile]
interval_s = 31536000
"""
"""A beat a second, which is the fastest; no reconciliation but those at a start."""

HOLDING = SETTINGS.replace("InAndOut", "In")
"""The same, and only a stop leaves."""


class LiveScene(Scene):
    """One folder with its configuration and keys, on an account of a local exchange."""

    def __init__(
        self,
        folder: Path,
        local: Local,
        settings: str = SETTINGS,
        program: tuple[str, ...] = DOOMED,
    ) -> None:
        super().__init__(folder, settings.format(base_url=local.base_url), program)
        self.local = local
        self._environment = {}
        for name, secret in (("API_KEY", local.key), ("SECRET", local.secret)):
            path = folder / name.lower()
            path.touch(mode=0o600)
            path.write_text(secret, "utf-8")
            self._environment[f"AEGIS_EXCHANGE__{name}_FILE"] = str(path)

    def launch(self, errors: Path) -> Process:
        return Process(
            self.folder, self.program, errors, command=COMMAND, environment=self._environment
        )

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give a command as a person does, and wait for its end."""
        return subprocess.run(
            command_line(self.folder, self.program, *words),
            cwd=ROOT,
            env={**clean_environment(), **self._environment},
            capture_output=True,
            text=True,
            timeout=WAIT_S_MAX,
            check=False,
        )

    def view(self) -> LedgerView:
        with self.local.ledger() as ledger:
            return view_of(ledger)

    def check_store(self, found: Evidence) -> None:
        """Check the store, and that no id was ever sent twice, whatever the exchange made of it."""
        super().check_store(found)
        with self.local.ledger() as ledger:
            asked = Counter(each.client_oid for each in ledger.requests("private/create-order"))
        assert [order_id for order_id, times in asked.items() if times > 1] == []

    @property
    def living(self) -> Process:
        """The life that is; a new one, recovered, where none is."""
        if self._processes and self._processes[-1].is_alive:
            return self._processes[-1]
        return self.restart()

    def die_at(self, doom: Doom, act: Callable[[], object] = lambda: None) -> Evidence:
        """Live until a moment has come, brought about by an act, and check what is left then."""
        process = self.living
        control = self.local.address
        aside, path = self.folder / "doom.new", self.folder / DOOM
        aside.write_bytes(msgspec.json.encode(msgspec.structs.replace(doom, control=control)))
        aside.rename(path)  # it is there whole, or not at all
        try:
            with suppress(NotRunning):  # it may die before it answers
                act()
            self.wait_for_death(process, lambda: str(doom))
        finally:
            path.unlink()
            self.local.control.faults()
        return self.look_at_the_dead()

    def order(self, order: Order) -> Order:
        """Return an order as it is now."""
        return look(self.store).orders[order.client_order_id]

    def wait_until_flat(self) -> None:
        """Wait until nothing is held, nor under way."""

        def is_flat() -> bool | None:
            book = look(self.store).book
            return True if not book.alive_positions() and not book.active_orders() else None

        self.living.wait_until(is_flat, lambda: "nothing held")

    def youngest(self, found: Evidence, role: Role) -> Order:
        """Return the last order of a role that was intended."""
        orders = [order for order in found.orders.values() if order.role is role]
        return max(orders, key=lambda order: order.intended_at)

    def wait_for_death(self, process: Process, what: Callable[[], str]) -> None:
        process.wait_until(lambda: None if process.is_alive else True, what)
        assert process.exit_code() == -signal.SIGKILL, process.errors()[-2000:]
