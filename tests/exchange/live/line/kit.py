"""A line over an exchange that answers as a test says, on the seeded runtime."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from aegis.clock import ManualClock, seeded_random
from aegis.dialogue import (
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FindOrder,
    PlaceOrder,
)
from aegis.domain.ids import (
    NANOS_PER_SECOND,
    ClientOrderId,
    ExchangeOrderId,
    Instant,
    Symbol,
    TradeId,
)
from aegis.domain.money import ZERO
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Lost,
    Outcome,
    Page,
    Place,
    ReadBalances,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    ReadTrades,
    Verdict,
)
from aegis.exchange.live.line.line import Line
from aegis.exchange.live.line.offset import ServerClock
from aegis.exchange.live.profile import Profile, Rate
from aegis.vitals import NoteCalls
from supervisors.seeded import SMOOTH, Fate, FaultPlan, Latencies, SeededRuntime
from tests.domain.kit import BTC, BTC_USDT, START, USDT

DEADLINE_S = 10.0
DAY_S = 86_400

PROFILE = Profile(
    name="local",
    is_proven=True,
    client_id_param="client_oid",
    refusals={},
    late_after_s=60.0,
    lookup_lag_s=2.0,
    skew_margin_s=3.0,
    trades_window_s=DAY_S,
    trades_page=100,
    trades_kept_s=30 * DAY_S,
    candles_page=300,
    rates={"ReadTrades": Rate(calls=1, per_s=1.0)},
    has_exchange_stops=False,
    tells_rights=False,
)

OID = ExchangeOrderId("42")
KEY = ClientOrderId("ae123456" + "0" * 24)

Says = Callable[[Call], Verdict] | Verdict


class Venue:
    """Answers each kind of call with the next of what was laid ready; the last one stays."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.ahead_s = 0.0
        self.has_header = True
        self.clients = 0
        self.calls: list[tuple[float, Call]] = []
        self._says: dict[type[Call], list[Says]] = {
            Place: [Answered(value=OID)],
            Cancel: [Answered(value=None)],
            ReadOrder: [Answered(value=None)],
            ReadTrades: [Answered(value=Page(trades=(), is_full=False))],
            ReadOpenOrders: [Answered(value=())],
            ReadBalances: [Answered(value={USDT: Decimal(1000)})],
            ReadPositions: [Answered(value={})],
            ReadInstruments: [Answered(value=())],
            ReadQuote: [Answered(value=None)],
        }

    def say(self, kind: type[Call], *says: Says) -> None:
        self._says[kind] = list(says)

    def make(self) -> Callable[[Call], Outcome]:
        self.clients += 1
        return self.execute

    def execute(self, call: Call) -> Outcome:
        self.calls.append((self.clock.monotonic(), call))
        ready = self._says[type(call)]
        says = ready.pop(0) if len(ready) > 1 else ready[0]
        verdict = says(call) if callable(says) else says
        server_at = self.clock.now() + int(self.ahead_s * NANOS_PER_SECOND)
        whole = Instant(server_at - server_at % NANOS_PER_SECOND)
        at = whole if self.has_header else None
        status = None if isinstance(verdict, Lost) else 200
        return Outcome(call=call, verdict=verdict, server_at=at, http_status=status)

    def of(self, kind: type[Call]) -> list[Call]:
        return [call for _, call in self.calls if type(call) is kind]

    def times_of(self, kind: type[Call]) -> list[float]:
        return [at_s for at_s, call in self.calls if type(call) is kind]


class Rig:
    """A line, its venue, and what was heard and logged."""

    def __init__(
        self,
        profile: Profile = PROFILE,
        *,
        faults: dict[tuple[str, int], Fate] | None = None,
        has_positions: bool = False,
        seed: int = 1,
    ) -> None:
        self.clock = ManualClock(START)
        fates = faults or {}
        plan: FaultPlan = lambda port, ordinal: fates.get((port, ordinal), SMOOTH)  # noqa: E731  one line a plan
        self.runtime = SeededRuntime(
            self.clock, seed, latencies=Latencies(least_s=0.01, most_s=0.02), faults=plan
        )
        self.venue = Venue(self.clock)
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.notes: list[NoteCalls] = []
        self.server_clock = ServerClock(self.clock, margin_s=profile.skew_margin_s)
        self.line = Line(
            profile=profile,
            make_client=self.venue.make,
            runtime=self.runtime,
            server_clock=self.server_clock,
            call_deadline_s=DEADLINE_S,
            draw=seeded_random(seed).random,
            has_positions=has_positions,
            log=lambda event, /, **fields: self.lines.append((event, fields)),
            on_calls=self.notes.append,
        )
        self.heard: list[ExchangeReplied] = []

    def submit(self, *requests: ExchangeRequest) -> None:
        for request in requests:
            self.line.submit(request, self.heard.append)

    def ask(self, request: ExchangeRequest) -> ExchangeAnswer:
        """Send a request, wait until all is quiet, and return the one answer to it."""
        self.submit(request)
        self.runtime.run_until_quiet()
        return self.answer_to(request)

    def answer_to(self, request: ExchangeRequest) -> ExchangeAnswer:
        (answer,) = [each.answer for each in self.heard if each.request is request]
        return answer

    def measure(self) -> Rig:
        """Let the exchange's clock be known."""
        self.ask(CancelOrder(client_order_id=KEY, symbol=BTC_USDT))
        self.venue.calls.clear()
        self.heard.clear()
        return self

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]

    def entry(self, number: int = 0) -> PlaceOrder:
        return self.order(is_exit=False, number=number)

    def exit(self, number: int = 0) -> PlaceOrder:
        return self.order(is_exit=True, number=number)

    def order(self, *, is_exit: bool, number: int) -> PlaceOrder:
        return PlaceOrder(
            client_order_id=ClientOrderId(f"ae123456{number:024d}"),
            symbol=BTC_USDT,
            side=Side.SELL if is_exit else Side.BUY,
            type=OrderType.MARKET,
            amount=Decimal(1),
            price=None,
            trigger_price=None,
            reduce_only=is_exit,
            sent_at=self.clock.now(),
        )


def find(since: Instant = START, symbol: Symbol = BTC_USDT) -> FindOrder:
    return FindOrder(client_order_id=KEY, symbol=symbol, since=since)


def cancel() -> CancelOrder:
    return CancelOrder(client_order_id=KEY, symbol=BTC_USDT)


def account(since: Instant = START) -> FetchAccount:
    return FetchAccount(trades_since=since)


def venue_order(filled: str = "0", *, created_at: Instant = START) -> VenueOrder:
    return VenueOrder(
        exchange_order_id=OID,
        client_order_id=KEY,
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.MARKET,
        amount=Decimal(1),
        price=None,
        filled=Decimal(filled),
        status=VenueOrderStatus.FILLED if filled == "1" else VenueOrderStatus.OPEN,
        reason="",
        created_at=created_at,
    )


def trade(number: int, amount: str = "1", *, at: int = START, oid: str = OID) -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId(f"t{number}"),
        exchange_order_id=ExchangeOrderId(oid),
        client_order_id=KEY,
        symbol=BTC_USDT,
        side=Side.BUY,
        amount=Decimal(amount),
        price=Decimal(100),
        fee=ZERO,
        fee_currency=BTC,
        liquidity="taker",
        at=Instant(at),
    )


def page(*trades: VenueTrade, is_full: bool = False) -> Answered:
    return Answered(value=Page(trades=trades, is_full=is_full))


def telling(
    trades: list[VenueTrade], page_rows: int = 100, *, end: str = "newest"
) -> Callable[[Call], Verdict]:
    """Tell trades by windows, a page at most: the newest, as Crypto.com does, or the eldest."""

    def tell(call: Call) -> Verdict:
        assert isinstance(call, ReadTrades)
        inside = sorted((t for t in trades if call.since <= t.at <= call.until), key=lambda t: t.at)
        told = tuple(inside[-page_rows:] if end == "newest" else inside[:page_rows])
        return Answered(value=Page(trades=told, is_full=len(told) == page_rows))

    return tell


def seconds(count: float) -> int:
    return round(count * NANOS_PER_SECOND)


replace = msgspec.structs.replace
