"""The account of paper and shadow: an exchange of our own, over a ledger beside the store."""

from __future__ import annotations

from collections.abc import Callable

from aegis.config.model import Config
from aegis.dialogue import ExchangeRequest
from aegis.domain.ids import Instant
from aegis.exchange.called import CalledExchange
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.paper import Fault, PaperExchange
from aegis.ports import Exchange, Runtime
from aegis.store.journal import Store
from supervisors.desk import Proof
from supervisors.ground import Ground
from supervisors.preflight import open_own_ledger
from supervisors.settings import barrier_s, ledger_path, paper_rules

Faults = Callable[[ExchangeRequest], Fault | None]


class PaperDesk:
    """Implements `desk.Desk`. It raises what the ledger raises, and then holds nothing."""

    def __init__(
        self, config: Config, store: Store, ground: Ground, *, faults: Faults, is_kept: bool
    ) -> None:
        self._config = config
        self._ground = ground
        self._faults = faults
        self._ledger = open_own_ledger(
            ledger_path(config), store, dict(config.paper.balances), ground.name, is_kept=is_kept
        )
        self.lived_until: Instant = self._ledger.last_instant
        self.proof = Proof(barrier_s=barrier_s(config))
        self.exchange: Exchange
        self.venue: PaperExchange

    def open(self, runtime: Runtime) -> None:
        config = self._config
        symbols = config.exchange.symbols
        self.venue = PaperExchange(
            ledger=self._ledger,
            rules=paper_rules(config),
            instruments=paper_instruments(symbols, self._ground.first_prices),
            clock=runtime.clock,
            faults=self._faults,
        )
        self.exchange = CalledExchange(self.venue.execute, runtime, config.exchange.call_deadline_s)

    def begin(self) -> None:
        """Say nothing: its money is not real."""

    def renew(self, config: Config) -> None:
        """Take nothing over: it has no keys."""

    def close(self) -> None:
        if hasattr(self, "venue"):
            self.venue.close()  # the market may still move on another thread
        else:
            self._ledger.close()
