"""The client against the local exchange over HTTP: whatever goes wrong, it claims no more than is.

The exchange's ledger is the truth that every claim is held against.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import msgspec
import pytest

from aegis.config.secret import Secret
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Instant
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus
from aegis.exchange.live.calls import (
    PUBLIC,
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Outcome,
    Page,
    Place,
    ReadBalances,
    ReadCandles,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    ReadTrades,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.client.client import Access, Client
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.client.markets import Markets
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange.live.client.answers import BTC, PLACE
from tests.exchange_server import local
from tests.exchange_server.faults import KILLS, Fault

SILENCE_S_MAX = 0.25
IDS = (ClientOrderId(f"ae{number:030x}") for number in count())


def wall_ms() -> int:
    return time.time_ns() // 10**6


def client_at(here: local.Local, secret: str | None = None) -> Client:
    """Return a fresh client of the account at a local exchange."""
    keys = Keys(api_key=Secret(here.key), secret=Secret(secret or here.secret))
    access = Access(keys=keys, base_url=here.base_url, silence_s_max=SILENCE_S_MAX)
    return Client(CRYPTOCOM, access, wall_ms, Markets(None, CRYPTOCOM.name, print))


def limit(price: str = "39000", *, side: Side = Side.BUY, amount: str = "0.01") -> Place:
    """Return a placing under an id of its own; it rests, unless the price is a market's."""
    order = msgspec.structs.replace(
        PLACE.order,
        client_order_id=next(IDS),
        side=side,
        amount=Decimal(amount),
        price=Decimal(price),
    )
    return Place(order=order)


def market(side: Side, amount: str) -> Place:
    order = msgspec.structs.replace(
        limit(side=side, amount=amount).order, type=OrderType.MARKET, price=None
    )
    return Place(order=order)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Local]:
    folder = tmp_path_factory.mktemp("exchange")
    with local.in_thread(folder, balances={"USDT": "1000000", "BTC": "5"}) as here:
        here.control.price("BTC_USDT", "40000")
        yield here


@pytest.fixture
def here(server: local.Local) -> Iterator[local.Local]:
    yield server
    server.control.faults()
    server.control.settings(key="ok", dedupe="open", maintenance=False)


def value_of(outcome: Outcome) -> object:
    assert isinstance(outcome.verdict, Answered), outcome.verdict
    return outcome.verdict.value


def orders_of(here: local.Local, placing: Place) -> int:
    ledger = here.ledger()
    try:
        return len(ledger.orders(placing.order.client_order_id))
    finally:
        ledger.close()


def look(placing: Place) -> ReadOrder:
    return ReadOrder(client_order_id=placing.order.client_order_id, symbol=BTC)


def test_an_order_is_placed_found_filled_and_told_in_trades_to_the_last_digit(
    here: local.Local,
) -> None:
    client, placing = client_at(here), market(Side.BUY, "0.0123")
    before = value_of(client.execute(ReadBalances()))
    at = Instant(time.time_ns())

    exchange_id = value_of(client.execute(placing))
    found = value_of(client.execute(look(placing)))
    window = ReadTrades(symbol=BTC, since=at, until=Instant(at + 3600 * NANOS_PER_SECOND))
    page = value_of(client.execute(window))
    after = value_of(client.execute(ReadBalances()))

    assert isinstance(found, VenueOrder)
    assert (found.exchange_order_id, found.status) == (exchange_id, VenueOrderStatus.FILLED)
    assert isinstance(page, Page)
    ours = [each for each in page.trades if each.exchange_order_id == exchange_id]
    assert sum(each.amount for each in ours) == found.filled == Decimal("0.0123")
    assert {each.fee_currency for each in ours} == {"BTC"}
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert after["BTC"] - before["BTC"] == sum(each.amount - each.fee for each in ours)
    assert before["USDT"] - after["USDT"] == sum(each.amount * each.price for each in ours)


def test_a_resting_order_is_listed_and_cancelled_once(here: local.Local) -> None:
    client, placing = client_at(here), limit()
    order_id = placing.order.client_order_id
    cancel = Cancel(client_order_id=order_id, symbol=BTC)
    client.execute(placing)

    listed = value_of(client.execute(ReadOpenOrders()))
    first, second = client.execute(cancel), client.execute(cancel)
    found = value_of(client.execute(look(placing)))

    assert isinstance(listed, tuple)
    assert order_id in {getattr(each, "client_order_id", None) for each in listed}
    assert first.verdict == Answered(value=None)
    assert isinstance(second.verdict, Refused)
    assert second.verdict.code == "not_open"
    assert isinstance(found, VenueOrder)
    assert found.status is VenueOrderStatus.CANCELED


def test_what_the_exchange_never_saw_is_not_found(here: local.Local) -> None:
    assert client_at(here).execute(look(limit())).verdict == Answered(value=None)


@pytest.mark.parametrize(
    ("placing", "code"),
    [
        (market(Side.SELL, "20"), "insufficient_funds"),
        (limit(amount="0.00001"), "invalid_order"),
        (limit("1"), "invalid_order"),
    ],
)
def test_a_refusal_of_the_exchanges_is_one_of_ours(
    here: local.Local, placing: Place, code: str
) -> None:
    verdict = client_at(here).execute(placing).verdict

    assert isinstance(verdict, Refused), verdict
    assert verdict.code == code
    assert orders_of(here, placing) == 0


def test_the_same_id_again_is_named_a_duplicate(here: local.Local) -> None:
    client, placing = client_at(here), limit()
    client.execute(placing)

    verdict = client.execute(placing).verdict

    assert isinstance(verdict, Refused)
    assert (verdict.code, orders_of(here, placing)) == ("duplicate_id", 1)


def test_the_market_is_told_by_instruments_quotes_and_candles(here: local.Local) -> None:
    client = client_at(here)
    since = Instant((time.time_ns() // 60_000_000_000 - 30) * 60_000_000_000)

    instruments = value_of(client.execute(ReadInstruments(symbols=(BTC,))))
    quote = value_of(client.execute(ReadQuote(symbol=BTC)))
    candles = value_of(client.execute(ReadCandles(symbol=BTC, timeframe_s=60, since=since)))

    assert isinstance(instruments, tuple)
    assert [getattr(each, "symbol", None) for each in instruments] == [BTC]
    assert quote is not None
    assert isinstance(candles, tuple)
    opens = [each.open_at for each in candles if isinstance(each, Candle)]
    assert opens[0] == since
    assert opens == sorted(set(opens))
    assert value_of(client.execute(ReadPositions())) == {}


def test_the_answer_tells_the_exchanges_clock_in_whole_seconds(here: local.Local) -> None:
    outcome = client_at(here).execute(ReadQuote(symbol=BTC))

    assert outcome.server_at is not None
    assert abs(outcome.server_at - time.time_ns()) < 5 * NANOS_PER_SECOND


SAYS_NOTHING_WAS_DONE = Refused | Limited | Denied | Skewed
DEFINITE: dict[Fault, type[Verdict]] = {
    Fault.CODE_42901: Limited,
    Fault.REVOKED: Denied,
}
"""What proves something of a placing; every other fault leaves it lost, or does not harm it."""


@pytest.mark.parametrize("fault", [each for each in Fault if each not in KILLS])
def test_of_a_placing_no_fault_makes_the_client_claim_what_is_not_so(
    here: local.Local, fault: Fault
) -> None:
    placing = limit()
    here.control.fault(fault, "private/create-order", seconds=0.001)

    verdict = client_at(here).execute(placing).verdict

    is_there = orders_of(here, placing) > 0
    if fault in DEFINITE:
        assert isinstance(verdict, DEFINITE[fault])
    if isinstance(verdict, SAYS_NOTHING_WAS_DONE):
        assert not is_there
    elif isinstance(verdict, Answered):
        assert is_there
    ledger = here.ledger()
    sent = [each for each in ledger.requests("private/create-order")
            if each.client_oid == placing.order.client_order_id]  # fmt: skip
    ledger.close()
    assert len(sent) <= 1


READS: tuple[Call, ...] = (
    ReadBalances(), ReadOpenOrders(), ReadQuote(symbol=BTC), ReadInstruments(symbols=(BTC,)),
    ReadTrades(symbol=None, since=Instant(time.time_ns() - 3600 * NANOS_PER_SECOND),
               until=Instant(time.time_ns() + 3600 * NANOS_PER_SECOND)),
)  # fmt: skip
TELLING = {
    Fault.HTML_429: Limited, Fault.CODE_42901: Limited, Fault.BAN: Limited,
    Fault.REVOKED: Denied, Fault.HTML_401: Denied, Fault.HTML_403: Denied,
}  # fmt: skip
NEVER_ANSWERS = {
    Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HTML_502_BEFORE, Fault.HTML_503_BEFORE,
    Fault.HTML_502_AFTER, Fault.MALFORMED, Fault.TRUNCATED, Fault.EMPTY, Fault.MAINTENANCE,
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted({*TELLING, *NEVER_ANSWERS}))
def test_a_read_says_why_it_has_nothing(here: local.Local, fault: Fault) -> None:
    client = client_at(here)
    for call in READS:
        here.control.fault(fault, seconds=0.001)
        told = TELLING.get(fault, Lost)
        has_no_key = isinstance(call, PUBLIC)
        expected = Lost if told is Denied and has_no_key else told
        assert isinstance(client.execute(call).verdict, expected), call


@pytest.mark.parametrize(
    "fault",
    [Fault.NULLS, Fault.NANS, Fault.NEGATIVES, Fault.WORDS, Fault.MISSING, Fault.HUGE,
     Fault.NO_DATA],
)  # fmt: skip
def test_a_spoilt_wallet_is_lost(here: local.Local, fault: Fault) -> None:
    here.control.fault(fault, "private/user-balance")

    assert isinstance(client_at(here).execute(ReadBalances()).verdict, Lost)


def test_rows_told_twice_count_once(here: local.Local) -> None:
    client = client_at(here)
    placing = limit()
    client.execute(placing)
    once = [client.execute(call).verdict for call in READS[:2]]
    here.control.fault(Fault.REPEATED)

    assert [client.execute(call).verdict for call in READS[:2]] == once


def test_an_order_under_anothers_id_is_not_taken_for_ours(here: local.Local) -> None:
    client, placing = client_at(here), limit()
    client.execute(placing)
    here.control.fault(Fault.OTHER_ID)

    assert isinstance(client.execute(look(placing)).verdict, Lost)


def test_a_wrong_secret_is_denied_and_places_nothing(here: local.Local) -> None:
    placing = limit()

    verdict = client_at(here, secret="another").execute(placing).verdict  # noqa: S106  none at all

    assert isinstance(verdict, Denied)
    assert orders_of(here, placing) == 0


def test_a_placing_that_slept_through_its_time_is_refused_over_there(here: local.Local) -> None:
    placing = msgspec.structs.replace(limit(), dated_ms_max=wall_ms() - 61_000)

    assert isinstance(client_at(here).execute(placing).verdict, Skewed)
    assert orders_of(here, placing) == 0


def test_a_clock_that_is_too_far_off_is_told_as_such_and_places_nothing(here: local.Local) -> None:
    placing = limit()
    here.control.clock(120)
    try:
        verdict = client_at(here).execute(placing).verdict
    finally:
        here.control.clock(0)

    assert isinstance(verdict, Skewed)
    assert orders_of(here, placing) == 0
