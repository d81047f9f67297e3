"""An exchange in this process: a core, a clock that moves by hand, and ccxt's class upon both."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from tests.exchange_server.ccxt_peer import cryptocom_on
from tests.exchange_server.core import Core
from tests.exchange_server.desk import Desk
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.shapes import SECOND, Settings

START = 1_700_000_000 * SECOND
SECRET = "in-process"  # noqa: S105  of an exchange that does not exist
BALANCES = {"USDT": Decimal(10_000), "BTC": Decimal(1)}


class InProcess:
    """Time stands still until `wait`."""

    def __init__(
        self,
        *,
        seed: int = 1,
        balances: Mapping[str, Decimal] | None = None,
        path: Path | None = None,
        now: int = START,
        **settings: Any,
    ) -> None:
        self.now = now
        self.core = Core(
            key="key",
            secret=SECRET,
            seed=seed,
            now=now,
            path=path,
            balances=BALANCES if balances is None else balances,
            settings=msgspec.convert(settings, Settings) if settings else None,
        )
        self.ledger = self.core.ledger
        self._desk = Desk(self.core)

    @cached_property
    def ccxt(self) -> Any:
        return cryptocom_on(self.core, lambda: self.now, SECRET)

    def wait(self, seconds: float) -> None:
        """Let time go by; what was due has happened then."""
        self.now += int(seconds * SECOND)
        self.core.advance(self.now)

    def fault(self, fault: Fault, endpoint: str = "any", **rule: Any) -> None:
        self.core.faults.set([Rule(fault=fault, endpoint=endpoint, **rule)])

    def owner(self, act: str, **details: object) -> Any:
        body = msgspec.json.encode({"act": act, **details})
        return self._desk.handle("/control/owner", "POST", body, self.now)

    def price(self, price: str, *, instrument: str = "BTC_USDT", is_held: bool = True) -> None:
        wanted = {"instrument": instrument, "price": price, "is_held": is_held}
        self._desk.handle("/control/price", "POST", msgspec.json.encode(wanted), self.now)

    def settings(self, **changes: object) -> None:
        body = msgspec.json.encode(changes)
        self._desk.handle("/control/settings", "POST", body, self.now)

    def state(self) -> Any:
        return self._desk.handle("/control/state", "GET", b"", self.now)
