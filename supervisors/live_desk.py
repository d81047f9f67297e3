"""The account at a real exchange: a line to it, and what a person should know before it trades.

Invariants:
1. No entry goes out before it is known that the key may not withdraw, where the exchange tells,
   unless the configuration takes such a key by name.
2. An exchange that cannot be reached fails no start: it is asked again, and entries wait.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis.clock import draw_hex, seeded_random
from aegis.config.model import Config
from aegis.domain.ids import Instant
from aegis.domain.risk import ENTRIES_UNVERIFIED
from aegis.exchange.live.canary import Canary
from aegis.exchange.live.line.line import Line, leaves_within_s
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.rights import KeyWatch
from aegis.ports import Exchange, Log, Runtime
from aegis.vitals import NoteCalls
from supervisors.clients import Clients
from supervisors.desk import Proof

OWN = "its own"


class LiveDesk:
    """Implements `desk.Desk`."""

    lived_until = Instant(0)
    venue = None

    def __init__(
        self,
        config: Config,
        clients: Clients,
        log: Log,
        *,
        entries_sent: int,
        on_calls: Callable[[NoteCalls], None],
        on_canary_over: Callable[[str], None],
    ) -> None:
        self._config = config
        self._clients = clients
        self._log = log
        self._on_calls = on_calls
        self._entries_sent = entries_sent
        self._on_canary_over = on_canary_over
        profile = clients.profile
        lag_s = profile.lookup_lag_s + profile.skew_margin_s
        late_after_s = profile.late_after_s
        leaves_s = leaves_within_s(config.exchange.call_deadline_s)
        self.proof = Proof(
            barrier_s=None if late_after_s is None else late_after_s + lag_s + leaves_s,
            lag_s=lag_s,
        )
        self.exchange: Exchange
        self._line: Line
        self._keys: KeyWatch
        self._server_clock: ServerClock

    def open(self, runtime: Runtime) -> None:
        config, profile = self._config, self._clients.profile
        self._server_clock = ServerClock(runtime.clock, margin_s=profile.skew_margin_s)
        make_client = self._clients.private(config, self._server_clock.now_ms)
        self._line = Line(
            profile=profile,
            make_client=make_client,
            runtime=runtime,
            server_clock=self._server_clock,
            call_deadline_s=config.exchange.call_deadline_s,
            draw=seeded_random(int(draw_hex(16), 16)).random,
            has_positions=config.exchange.kind == "derivatives",
            log=self._log,
            on_calls=self._on_calls,
        )
        self._keys = KeyWatch(
            self._line,
            profile=profile,
            make_client=make_client,
            runtime=runtime,
            deadline_s=config.exchange.call_deadline_s,
            may_withdraw=config.live.allow_withdrawal_right,
            log=self._log,
        )
        self.exchange = self._held_back(self._keys)

    def _held_back(self, exchange: Exchange) -> Exchange:
        """Return the way to the exchange with what the configuration lets through."""
        orders_max = self._config.live.canary_orders
        if orders_max == 0:
            return exchange
        return Canary(
            exchange,
            sent=self._entries_sent,
            orders_max=orders_max,
            on_over=self._on_canary_over,
        )

    def begin(self) -> None:
        """Say whose money is traded, what guards it, and how far a canary goes."""
        exchange, live = self._config.exchange, self._config.live
        where = "its sandbox" if exchange.sandbox else exchange.base_url or OWN
        self._log(
            "LiveTrading",
            level="warning",
            exchange=exchange.name,
            where=where,
            account=exchange.account,
            symbols=exchange.symbols,
        )
        if self._config.risk.exchange_stop == "off":
            text = "risk.exchange_stop = off: nothing guards your positions while AEGIS is down"
            self._log("NothingRestsThere", level="warning", text=text)
        if exchange.kind == "derivatives":
            self._log("EntriesRefused", level="warning", text=ENTRIES_UNVERIFIED)
        if live.canary_notional > 0 or live.canary_orders > 0:
            self._log(
                "CanaryTrading",
                level="warning",
                notional_max=live.canary_notional,
                orders_max=live.canary_orders,
                orders_sent=self._entries_sent,
            )
        self._keys.begin()

    def renew(self, config: Config) -> None:
        """Use new clients from the next call on, where the keys are others."""
        before, self._config = self._config, config
        if config.secrets == before.secrets:
            return
        make_client = self._clients.private(config, self._server_clock.now_ms)
        self._line.renew(make_client)
        self._keys.renew(make_client)
        self._log("KeysRenewed", level="warning")

    def close(self) -> None:
        """Close nothing: what is on the wire is found again by the next start."""
