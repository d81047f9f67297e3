"""The client: makes one call, blocking, and says by evidence what came of it.

Invariants:
1. `execute` never raises and makes at most one HTTP request; nothing is ever repeated here.
2. What an outcome claims stands in `calls`; what the evidence has to be, in `classify`.
3. Nothing private leaves without keys, or for an exchange that is not proven.
4. No outcome holds a secret: what an exchange says is cut, and cleaned of key and secret.
5. Instruments that were told within an hour are not asked for again, and elder ones stand in for an
   exchange that tells none.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.config.secret import HIDDEN
from aegis.domain.ids import Instant
from aegis.domain.instrument import Instrument
from aegis.exchange.live.calls import (
    Answer,
    Answered,
    Call,
    Denied,
    Lost,
    MakeClient,
    Outcome,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
    ReadRights,
    Rights,
    Verdict,
)
from aegis.exchange.live.client import cryptocom, market_data
from aegis.exchange.live.client.classify import OK, without_code
from aegis.exchange.live.client.door import Door, Keys, Told
from aegis.exchange.live.client.evidence import Heard, Silence
from aegis.exchange.live.client.markets import Markets
from aegis.exchange.live.client.shapes import NANOS_PER_MS, Misshapen
from aegis.exchange.live.profile import Profile


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

    def __init__(
        self, profile: Profile, access: Access, now_ms: Callable[[], int], markets: Markets
    ) -> None:
        """Load nothing yet: `now_ms` is the exchange's time, with which requests are signed."""
        self._profile = profile
        self._access = access
        self._now_ms = now_ms
        self._markets = markets
        self._door: Door | None = None

    def execute(self, call: Call) -> Outcome:
        """Make the call, and return what came of it."""
        unsent = self._unsent(call)
        if unsent is not None:
            return _outcome(call, unsent, None)
        ask = self._enveloped if self._profile.is_proven else self._public
        outcome = _outcome(call, *ask(call, self._opened()))
        is_answered = isinstance(outcome.verdict, Answered)
        if isinstance(call, ReadInstruments) and not (is_answered or call.is_anew):
            kept = self._markets.stale(call.symbols, self._now())
            if kept is not None:
                return msgspec.structs.replace(outcome, verdict=Answered(value=kept))
        return outcome

    def _unsent(self, call: Call) -> Verdict | None:
        """Return what is to be said of a call that makes no request, or None."""
        match call:
            case ReadInstruments(is_anew=True):
                return None
            case ReadInstruments():
                kept = self._markets.fresh(call.symbols, self._now())
                return None if kept is None else Answered(value=kept)
            case ReadCandles() if call.timeframe_s not in self._profile.timeframes_s:
                return Lost(reason=f"{self._profile.name} has no candles of {call.timeframe_s} s")
            case ReadQuote() | ReadCandles():
                return None if self._profile.is_proven else self._unknown(call)
            case ReadRights() if not self._profile.tells_rights:
                return Answered(value=Rights(can_trade=None, can_withdraw=None))
            case _ if not self._profile.is_proven:
                return Denied(reason=f"{self._profile.name} is here for market data alone")
            case _ if self._access.keys is None:
                return Denied(reason="no keys are set")
            case _:
                return None

    def _unknown(self, call: ReadQuote | ReadCandles) -> Lost | None:
        """Return why the library cannot be asked for prices yet, or None once it can."""
        market = self._markets.market(call.symbol)
        if market is None:
            return Lost(reason=f"{call.symbol} is not known before the instruments were read")
        self._opened().take_market(market)
        return None

    def _opened(self) -> Door:
        if self._door is None:
            self._door = Door(
                self._profile,
                # with keys the library asks some exchanges for private things on its own
                keys=self._access.keys if self._profile.is_proven else None,
                base_url=self._access.base_url,
                is_sandbox=self._access.is_sandbox,
                timeout_s=self._access.silence_s_max,
                now_ms=self._now_ms,
            )
        return self._door

    def _enveloped(self, call: Call, door: Door) -> tuple[Verdict, Heard | None]:
        request = cryptocom.request_of(call)
        assert request is not None, f"Expected a call of the protocol, was {type(call).__name__}"
        came = door.send(request)
        if isinstance(came, Silence):
            return Lost(reason=came.reason), None
        verdict = cryptocom.verdict_on(call, request.path, came, self._clean)
        if isinstance(call, ReadInstruments) and isinstance(verdict, Answered):
            names = cryptocom.names_listed(call, request.path, came, self._clean)
            self._markets.keep(call.symbols, _listed(verdict.value), {}, self._now(), names)
        return verdict, came

    def _public(self, call: Call, door: Door) -> tuple[Verdict, Heard | None]:
        came = market_data.ask(door, self._profile, call)
        if isinstance(came, Silence):
            return Lost(reason=came.reason), None
        if isinstance(came, Heard):
            said = "nothing that could be read" if came.status == OK else "no price"
            return without_code(call, came, said), came
        try:
            return Answered(value=self._read(call, came)), came.heard
        except Misshapen as fault:
            return Lost(reason=f"the answer cannot be believed: {fault}"), came.heard

    def _read(self, call: Call, told: Told) -> Answer:
        match call:
            case ReadInstruments():
                markets = market_data.listed(told, call.symbols)
                found = market_data.instruments(markets)
                names = market_data.names(told)
                self._markets.keep(call.symbols, found, markets, self._now(), names)
                return found
            case ReadQuote():
                return market_data.quote(told, call.symbol)
            case ReadCandles():
                return market_data.candles(told, call)
            case _:
                raise AssertionError(f"Expected a public call, was {type(call).__name__}")

    def _now(self) -> Instant:
        return Instant(self._now_ms() * NANOS_PER_MS)

    def _clean(self, said: str) -> str:
        keys = self._access.keys
        if keys is None:
            return said
        return said.replace(keys.secret.reveal(), HIDDEN).replace(keys.api_key.reveal(), HIDDEN)


def client_maker(
    profile: Profile,
    access: Access,
    now_ms: Callable[[], int],
    markets: Markets | None = None,
) -> MakeClient:
    """Return what makes fresh clients of one account; the first call of each loads the library.

    Clients share `markets`, on disk or else in memory.
    """
    shared = markets or Markets(None, profile.name, lambda _: None)
    return lambda: Client(profile, access, now_ms, shared).execute


def _listed(answer: Answer) -> tuple[Instrument, ...]:
    assert isinstance(answer, tuple), f"Expected instruments, was {type(answer).__name__}"
    return tuple(each for each in answer if isinstance(each, Instrument))


def _outcome(call: Call, verdict: Verdict, heard: Heard | None) -> Outcome:
    return Outcome(
        call=call,
        verdict=verdict,
        server_at=heard.server_at if heard else None,
        http_status=heard.status if heard else None,
    )
