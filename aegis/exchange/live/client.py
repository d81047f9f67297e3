"""The client: makes one call, blocking, and says by evidence what came of it.

Invariants:
1. `execute` never raises and makes at most one HTTP request; nothing is ever repeated here.
2. What an outcome claims stands in `calls`; what the evidence has to be, in `classify`.
3. Nothing private leaves without keys, or for an exchange that is not proven.
4. No outcome holds a secret: what an exchange says is cut, and cleaned of key and secret.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.config.secret import HIDDEN
from aegis.exchange.live import cryptocom
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Denied,
    Lost,
    MakeClient,
    Outcome,
    Place,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
    ReadRights,
    Refused,
    Rights,
    Verdict,
)
from aegis.exchange.live.door import Door, Keys
from aegis.exchange.live.evidence import Heard, Silence
from aegis.exchange.live.profile import Profile

PUBLIC = (ReadInstruments, ReadQuote, ReadCandles)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where an exchange is and with what it is opened; `base_url` is "" or a whole root.

    Without `keys` market data alone is to be had. `silence_s_max` is the longest wait for the next
    bytes of an answer.
    """

    keys: Keys | None = None
    base_url: str = ""
    is_sandbox: bool = False
    silence_s_max: float = 8


class Client:
    """One connection to one exchange; one thread at a time uses it."""

    def __init__(self, profile: Profile, access: Access, now_ms: Callable[[], int]) -> None:
        """Load nothing yet: `now_ms` is the exchange's time, with which requests are signed."""
        self._profile = profile
        self._access = access
        self._now_ms = now_ms
        self._door: Door | None = None

    def execute(self, call: Call) -> Outcome:
        """Make the call, and return what came of it."""
        unsent = self._unsent(call)
        if unsent is not None:
            return _outcome(call, unsent, None)
        door = self._opened()
        return self._enveloped(call, door)

    def _unsent(self, call: Call) -> Verdict | None:
        """Return what is to be said of a call that makes no request, or None."""
        if isinstance(call, ReadRights) and not self._profile.tells_rights:
            return Answered(value=Rights(can_trade=None, can_withdraw=None))
        if isinstance(call, ReadCandles) and call.timeframe_s not in self._profile.timeframes_s:
            return Lost(reason=f"{self._profile.name} has no candles of {call.timeframe_s} s")
        if not isinstance(call, PUBLIC):
            if not self._profile.is_proven:
                return Denied(reason=f"{self._profile.name} is here for market data alone")
            if self._access.keys is None:
                return Denied(reason="no keys are set")
        if isinstance(call, Place) and call.order.trigger_price is not None:
            return Refused(code="invalid_order", venue_code="", reason="triggers are not sent")
        return None

    def _opened(self) -> Door:
        if self._door is None:
            self._door = Door(
                self._profile,
                keys=self._access.keys,
                base_url=self._access.base_url,
                is_sandbox=self._access.is_sandbox,
                timeout_s=self._access.silence_s_max,
                now_ms=self._now_ms,
            )
        return self._door

    def _enveloped(self, call: Call, door: Door) -> Outcome:
        request = cryptocom.request_of(call)
        assert request is not None, f"Expected a call of the protocol, was {type(call).__name__}"
        came = door.send(request)
        if isinstance(came, Silence):
            return _outcome(call, Lost(reason=came.reason), None)
        return _outcome(call, cryptocom.verdict_on(call, request.path, came, self._clean), came)

    def _clean(self, said: str) -> str:
        keys = self._access.keys
        if keys is None:
            return said
        return said.replace(keys.secret.reveal(), HIDDEN).replace(keys.api_key.reveal(), HIDDEN)


def client_maker(profile: Profile, access: Access, now_ms: Callable[[], int]) -> MakeClient:
    """Return what makes fresh clients of one account; the first call of each loads the library."""
    return lambda: Client(profile, access, now_ms).execute


def _outcome(call: Call, verdict: Verdict, heard: Heard | None) -> Outcome:
    return Outcome(
        call=call,
        verdict=verdict,
        server_at=heard.server_at if heard else None,
        http_status=heard.status if heard else None,
    )
