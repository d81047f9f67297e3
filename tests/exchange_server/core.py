"""The exchange without sockets, threads or a clock: a request and an instant in, a reply out.

It owns the account's state and the order in which things happen; HTTP, and what a reply's
conduct means on a wire, are not its business.

Invariants:
1. Equal seed, origin and requests at equal instants give equal bytes.
2. A request is in the ledger before anything else is done about it, and what it did is committed
   before its answer is told, or withheld.
3. Instants never go back: a request at an earlier one is answered at the latest seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.exchange_server import public
from tests.exchange_server.books import Books
from tests.exchange_server.codes import RefusedError
from tests.exchange_server.engine import Engine
from tests.exchange_server.faults import Fault, Faults, Met, Rule
from tests.exchange_server.ledger import Ledger
from tests.exchange_server.market import Market, Pin
from tests.exchange_server.private import Private, View
from tests.exchange_server.replies import (
    Conduct,
    Reply,
    answered,
    is_about,
    number_of,
    page,
    read,
    refused,
    spoil,
)
from tests.exchange_server.shapes import LISTINGS, MS, SECOND, Due, Settings
from tests.exchange_server.signing import is_signed

DIGITS = 60
"""Enough for any sum of products of figures here: nothing is rounded that was not meant to be."""

RATES: Mapping[str, tuple[int, int]] = {
    "private/create-order": (15, SECOND // 10),
    "private/cancel-order": (15, SECOND // 10),
    "private/cancel-all-orders": (15, SECOND // 10),
    "private/get-order-detail": (30, SECOND // 10),
    "private/get-trades": (1, SECOND),
    "private/get-order-history": (1, SECOND),
    "private": (3, SECOND // 10),
    "public": (100, SECOND),
}
"""Calls within a time, by endpoint, as published; each other endpoint has its kind's."""

PUBLIC = {
    "public/get-instruments": public.instruments,
    "public/get-tickers": public.tickers,
    "public/get-candlestick": public.candlestick,
    "public/get-book": public.book,
    "public/get-trades": public.trades,
}


class _Asked(NamedTuple):
    """A request as it came, with the faults it meets; `told` is the exchange's own time."""

    endpoint: str
    http_method: str
    request: dict[str, Any]
    met: Met
    number: int
    now: int
    told: int


class Core:
    """One account on one exchange. One thread at a time."""

    def __init__(
        self,
        *,
        key: str,
        secret: str,
        seed: int,
        now: int,
        path: Path | None = None,
        balances: Mapping[str, Decimal] | None = None,
        settings: Settings | None = None,
        speed: int = 1,
    ) -> None:
        """Open the ledger at `path`, or one in memory; `balances` count for a new one alone."""
        self.key = key
        self.seed = seed
        self._secret = secret
        self.ledger = Ledger(path)
        self.faults = Faults(seed)
        origin = self.ledger.kept("origin")
        self._now = now
        self.market = Market(seed=seed, origin=int(origin or now), listings=LISTINGS, speed=speed)
        self.books = Books(self.ledger)
        self.engine = Engine(self.books, self.market, self._carry_out, now)
        self.private = Private(self.books, self.engine)
        self._banned_until = 0
        self._calls: dict[str, deque[int]] = {}
        if origin is None:
            self._begin(now, balances or {}, settings or Settings())
        else:
            self._take_up(settings)

    def _begin(self, now: int, balances: Mapping[str, Decimal], settings: Settings) -> None:
        with self.ledger.together():
            self.ledger.keep("origin", str(now))
            for coin, amount in balances.items():
                self.books.change(coin, amount, "deposit", now)
            self.engine.settings = settings
            self._keep()

    def _take_up(self, settings: Settings | None) -> None:
        kept = msgspec.json.decode(self.ledger.kept("state") or "{}", type=_Kept)
        self.market.take_up(kept.pins)
        self.engine.dues = list(kept.dues)
        self.engine.settings = settings or kept.settings
        self.books.positions = list(kept.positions)

    def keep(self) -> None:
        """Write what no event tells of: settings, pinned prices, what is due."""
        with self.ledger.together():
            self._keep()

    def _keep(self) -> None:
        kept = _Kept(
            pins=self.market.pins,
            dues=tuple(self.engine.dues),
            settings=self.engine.settings,
            positions=tuple(self.books.positions),
        )
        self.ledger.keep("state", msgspec.json.encode(kept).decode())

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let the desk change books and orders: exact figures, all of it or nothing on disk."""
        with localcontext(prec=DIGITS), self.ledger.together():
            yield

    # Time -----------------------------------------------------------------------------------

    def advance(self, now: int) -> int:
        """Carry on to an instant, and return it; orders trade that would have until then."""
        self._now = max(self._now, now)
        had_dues = len(self.engine.dues)
        with self.changing():
            self.engine.advance(self._now)
            if len(self.engine.dues) != had_dues:
                self._keep()
        return self._now

    # Requests -------------------------------------------------------------------------------

    def answer(
        self, endpoint: str, http_method: str, sent: bytes | Mapping[str, str], now: int
    ) -> Reply:
        """Answer a request: a query for a public endpoint, a body for a private one."""
        now = self.advance(now)
        with self.changing():
            request = read(sent)
            number = self.ledger.add_request(
                endpoint, is_about(request, "client_oid"), is_about(request, "order_id"), now
            )
            met = self.faults.meet(endpoint)
            skew_s = sum(rule.seconds for rule in met.views if rule.fault is Fault.SKEW)
            told = self.engine.told(now) + int(skew_s * SECOND)
            asked = _Asked(endpoint, http_method, request, met, number, now, told)
            dues = list(self.engine.dues)
            reply, outcome = self._reply(asked)
            self.ledger.end_request(
                number,
                fault=met.names(),
                outcome=outcome,
                http_status=reply.status if reply.conduct is not Conduct.RESET else None,
            )
            if dues != self.engine.dues:
                self._keep()
            story = " ".join(filter(None, [is_about(request, "client_oid"), outcome, met.names()]))
        return reply._replace(kills=met.kills, story=story)

    def _reply(self, asked: _Asked) -> tuple[Reply, str]:
        """Return the reply, and the outcome for the ledger."""
        stopped = self._stopped(asked)
        if stopped is not None:
            return stopped, "not carried out"
        delay = asked.met.delay
        if delay is not None and delay.fault is Fault.LATE_EFFECT and self._is_let_in(asked):
            self.engine.later(
                Due(
                    at=asked.now + int(delay.seconds * SECOND),
                    step="request",
                    endpoint=asked.endpoint,
                    params=asked.request["params"],
                    request_no=asked.number,
                )
            )
            return page(0, asked.told, Conduct.RESET), "late"
        status, answer = self._result(asked)
        if not answer:
            return page(status, asked.told), str(status)
        reply = answered(status, answer, asked.told)
        return spoil(reply, asked.met.spoil, answer, asked.told), str(answer["code"])

    def _result(self, asked: _Asked) -> tuple[int, dict[str, Any]]:
        """Do what is asked, and return status and answer; an endpoint not known has none."""
        endpoint, params = asked.endpoint, asked.request["params"]
        is_private = endpoint.startswith("private/")
        if not (self.private.knows(endpoint) if is_private else endpoint in PUBLIC):
            return 404, {}
        named = {"id": number_of(asked.request["id"]), "method": endpoint}
        try:
            self._check_rate(endpoint, asked.now)
            if is_private:
                self._admit(asked)
                result: object = self.private.answer(endpoint, params, _view(asked))
            else:
                _check_get(asked.http_method)
                at = _view(asked).at or asked.now
                result = PUBLIC[endpoint](params, self.engine, self.market, at)
        except RefusedError as refusal:
            answer = {**named, "code": refusal.code, "message": refusal.name}
            if refusal.result is not None:
                answer["result"] = refusal.result
            return refusal.status, answer
        return 200, {**named, "code": 0, "result": result}

    def _admit(self, asked: _Asked) -> None:
        """Let a private request in: the method, the key, the signature, then its time."""
        request, settings = asked.request, self.engine.settings
        if asked.http_method != "POST":
            raise RefusedError(40003)
        if settings.key != "ok" or request.get("api_key") != self.key:
            raise RefusedError(40101)
        if request.get("method") != asked.endpoint or not is_signed(request, self._secret):
            raise RefusedError(40101)
        window_ms = int(settings.nonce_window_s * 1_000)
        if abs(number_of(request.get("nonce")) - asked.told // MS) > window_ms:
            raise RefusedError(40102)
        if not isinstance(request["params"].get("instrument_name", ""), str):
            raise RefusedError(40004)

    def _is_let_in(self, asked: _Asked) -> bool:
        """Say whether a request would be carried out, but for what its order is refused for."""
        try:
            self._admit(asked)
        except RefusedError:
            return False
        return self.private.knows(asked.endpoint)

    def _check_rate(self, endpoint: str, now: int) -> None:
        if not self.engine.settings.rate_limits:
            return
        calls, within = RATES.get(endpoint) or RATES[endpoint.partition("/")[0]]
        seen = self._calls.setdefault(endpoint, deque())
        while seen and seen[0] <= now - within:
            seen.popleft()
        if len(seen) >= calls:
            raise RefusedError(42901)
        seen.append(now)

    def _carry_out(self, due: Due) -> None:
        """Do now what a request asked for earlier; its answer was lost long ago."""
        view = View(now=due.at, request_id=str(due.request_no), request_no=due.request_no)
        try:
            self.private.answer(due.endpoint, due.params, view)
            outcome = "late, 0"
        except RefusedError as refusal:
            outcome = f"late, {refusal.code}"
        self.ledger.end_request(
            due.request_no, fault=Fault.LATE_EFFECT, outcome=outcome, http_status=None
        )

    # Gates ----------------------------------------------------------------------------------

    def _stopped(self, asked: _Asked) -> Reply | None:
        """Return the reply to a request that is not let in, or None."""
        gate, request, now, told = asked.met.gate, asked.request, asked.now, asked.told
        if gate is not None and gate.fault is Fault.BAN:
            self._banned_until = now + int(gate.seconds * SECOND)
        if now < self._banned_until:
            left_s = -((now - self._banned_until) // SECOND)
            return page(429, told, retry_after_s=left_s)
        settings = self.engine.settings
        fault = gate.fault if gate is not None else None
        if fault is Fault.MAINTENANCE or settings.maintenance:
            return refused(9010001, request, told)
        if settings.key in {"html_401", "html_403"} and request.get("api_key") is not None:
            return page(int(settings.key[-3:]), told)
        match fault:
            case None:
                return None
            case Fault.DROP_BEFORE:
                return page(0, told, Conduct.RESET)
            case Fault.SILENCE_BEFORE:
                return page(0, told, Conduct.SILENCE)
            case Fault.CODE_42901:
                return refused(42901, request, told)
            case Fault.REVOKED:
                return refused(40101, request, told)
            case _:
                return page(int(fault.partition("_")[2][:3]), told)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    pins: tuple[Pin, ...] = ()
    dues: tuple[Due, ...] = ()
    settings: Settings = Settings()
    positions: tuple[dict[str, object], ...] = ()


def _view(asked: _Asked) -> View:
    met = asked.met
    lag = max((rule for rule in met.views if rule.fault is Fault.LAG), key=_seconds, default=None)
    delay = met.delay
    return View(
        now=asked.now,
        request_id=str(asked.request["id"]),
        request_no=asked.number,
        at=None if lag is None else asked.now - int(lag.seconds * SECOND),
        forgets=any(rule.fault is Fault.FORGET for rule in met.views),
        rejected_in_s=None if delay is None else delay.seconds,
    )


def _seconds(rule: Rule) -> float:
    return rule.seconds


def _check_get(http_method: str) -> None:
    if http_method != "GET":
        raise RefusedError(50001)
