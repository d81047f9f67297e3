"""What the key may do, as far as its exchange tells: entries wait for a key that may withdraw.

Invariants:
1. No code of AEGIS can withdraw; but who steals a key can what the key can.
2. What is not known holds entries back, where the exchange would tell; exits pass always.
3. It asks again until it is told, and says each finding once.
4. It asks beside the line, and so outside of its budgets: nothing of that leaves as long as no
   exchange that is traded live tells rights. The first that does has to be asked through the line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from aegis.dialogue import ExchangeReplied, ExchangeRequest
from aegis.exchange.live.calls import Answered, MakeClient, Outcome, ReadRights, Rights
from aegis.exchange.live.profile import Profile
from aegis.ports import Exchange, Log, Runtime
from aegis.vitals import ExchangeVitals

PORT = "exchange-rights"
AGAIN_S = 30.0

UNKNOWN = "it is not known yet whether the key may withdraw"
MAY_WITHDRAW = (
    "the key may withdraw: make one that may not, or set live.allow_withdrawal_right = true"
)
UNTOLD = "the exchange does not tell what a key may do: see to it yourself that it cannot withdraw"


class KeyWatch:
    """An `Exchange` whose entries wait for what the key may do; `may_withdraw` takes any key."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        profile: Profile,
        make_client: MakeClient,
        runtime: Runtime,
        deadline_s: float,
        may_withdraw: bool,
        log: Log,
    ) -> None:
        self._exchange = exchange
        self._is_told = profile.tells_rights
        self._make_client = make_client
        self._runtime = runtime
        self._deadline_s = deadline_s
        self._may_withdraw = may_withdraw
        self._log = log
        self._lock = threading.Lock()
        self._hold = self._first_hold()
        self._round = 0

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        """Send a request; see `ports.Exchange`."""
        self._exchange.submit(request, reply_to)

    def hold(self) -> str | None:
        """Return why entries must wait: for what the key may do, or for the exchange."""
        return self._hold or self._exchange.hold()

    def vitals(self) -> ExchangeVitals | None:
        """Return what is known of the way to it, and what holds entries here."""
        vitals = self._exchange.vitals()
        if vitals is None or vitals.hold is not None or self._hold is None:
            return vitals
        return replace(vitals, hold=self._hold, is_of_entries=True)

    def begin(self) -> None:
        """Ask what the key may do, or say that nobody tells."""
        if self._may_withdraw:
            return
        if self._is_told:
            self._ask(self._round)
        else:
            self._log("KeyRightsUntold", level="warning", text=UNTOLD)

    def renew(self, make_client: MakeClient) -> None:
        """Ask the same of another key."""
        with self._lock:
            self._make_client = make_client
            self._hold = self._first_hold()
            self._round += 1
        self.begin()

    def _first_hold(self) -> str | None:
        return UNKNOWN if self._is_told and not self._may_withdraw else None

    def _ask(self, number: int) -> None:
        make_client = self._make_client

        def read() -> Outcome:
            return make_client()(ReadRights())

        self._runtime.call(PORT, read, self._deadline_s, lambda value: self._hear(number, value))

    def _hear(self, number: int, value: object) -> None:
        verdict = value.verdict if isinstance(value, Outcome) else None
        told = verdict.value if isinstance(verdict, Answered) else None
        with self._lock:
            if number != self._round:
                return  # of the key before
            if not isinstance(told, Rights) or told.can_withdraw is None:
                self._runtime.after(AGAIN_S, lambda: self._ask(number))
                return
            self._hold = MAY_WITHDRAW if told.can_withdraw else None
        if told.can_withdraw:
            self._log("KeyMayWithdraw", level="error", text=MAY_WITHDRAW)
