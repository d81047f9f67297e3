"""The client over real HTTP: what goes out, and what is made of what comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from aegis.config.secret import Secret
from aegis.domain.commands import Quote
from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Denied,
    Lost,
    Outcome,
    Page,
    Place,
    ReadBalances,
    ReadCandles,
    ReadInstruments,
    ReadOpenOrders,
    ReadPositions,
    ReadQuote,
    ReadRights,
    Refused,
    Rights,
    Verdict,
)
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.profiles import BINANCE, CRYPTOCOM
from tests.exchange.live.client.answers import (
    AT,
    BTC,
    CANCEL,
    CANDLE,
    GOOD,
    OPEN_AT,
    ORDER,
    ORDER_ID,
    PLACE,
    READ_ORDER,
    READ_TRADES,
    TRADE,
    WALLET,
    enveloped,
    refusal,
)

KEY, SECRET = "a-key-that-nobody-has", "a-secret-that-nobody-has"
NOW_MS = 1_800_000_000_123
ROOT = "/exchange/v1/"


class Exchange:
    """Answers each method with what was set for it, and keeps what came."""

    def __init__(self, server: HTTPServer) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.result: Any = None
        self.response: Response | None = None
        server.expect_request(re.compile(f"{ROOT}.*")).respond_with_handler(self._answer)
        access = Access(
            keys=Keys(api_key=Secret(KEY), secret=Secret(SECRET)),
            base_url=server.url_for(ROOT[:-1]),
            silence_s_max=5,
        )
        self._execute = client_maker(CRYPTOCOM, access, lambda: NOW_MS)()

    def execute(self, call: Call, result: Any = None) -> Outcome:
        self.result = result
        return self._execute(call)

    def _answer(self, request: Request) -> Response:
        body = json.loads(request.data) if request.data else dict(request.args)
        method = request.path.removeprefix(ROOT)
        self.requests.append((method, body))
        if self.response is not None:
            return self.response
        text = enveloped(method, self.result, id=body.get("id", -1))
        return Response(text, content_type="application/json")


@pytest.fixture
def exchange(httpserver: HTTPServer) -> Exchange:
    return Exchange(httpserver)


@pytest.mark.parametrize(("call", "method", "result"), GOOD)
def test_each_call_is_one_request_to_its_method_and_answered(
    exchange: Exchange, call: Call, method: str, result: Any
) -> None:
    outcome = exchange.execute(call, result)

    assert [name for name, _ in exchange.requests] == [method]
    assert isinstance(outcome.verdict, Answered)
    assert (outcome.call, outcome.http_status) == (call, 200)
    assert outcome.server_at is not None
    assert outcome.server_at % 10**9 == 0


def value_of(outcome: Outcome) -> object:
    assert isinstance(outcome.verdict, Answered), outcome.verdict
    return outcome.verdict.value


def test_an_order_goes_out_with_our_id_its_figures_as_written_and_never_borrows(
    exchange: Exchange,
) -> None:
    exchange.execute(PLACE, {"order_id": "1", "client_oid": ORDER_ID})

    assert exchange.requests[0][1]["params"] == {
        "instrument_name": "BTC_USDT", "client_oid": ORDER_ID, "side": "BUY", "type": "LIMIT",
        "quantity": "0.01", "price": "50000", "time_in_force": "GOOD_TILL_CANCEL",
        "spot_margin": "SPOT",
    }  # fmt: skip


def test_an_immediate_order_never_rests(exchange: Exchange) -> None:
    order = msgspec.structs.replace(PLACE.order, is_immediate=True)
    exchange.execute(Place(order=order), {"order_id": "1", "client_oid": ORDER_ID})

    assert exchange.requests[0][1]["params"]["time_in_force"] == "IMMEDIATE_OR_CANCEL"


def test_the_level_that_an_exit_at_market_was_triggered_by_stays_here(exchange: Exchange) -> None:
    order = msgspec.structs.replace(
        PLACE.order, type=OrderType.MARKET, price=None, trigger_price=Decimal(49_000)
    )
    exchange.execute(Place(order=order), {"order_id": "1", "client_oid": ORDER_ID})

    params = exchange.requests[0][1]["params"]
    assert params["type"] == "MARKET"
    assert not {"ref_price", "price"} & set(params)


def test_a_market_buy_names_its_amount_in_base_and_no_price(exchange: Exchange) -> None:
    order = msgspec.structs.replace(PLACE.order, type=OrderType.MARKET, price=None)
    exchange.execute(Place(order=order), {"order_id": "1", "client_oid": ORDER_ID})

    params = exchange.requests[0][1]["params"]
    assert (params["type"], params["quantity"]) == ("MARKET", "0.01")
    assert not {"price", "notional", "time_in_force"} & set(params)


def test_an_exit_of_a_derivative_is_told_to_reduce_only(exchange: Exchange) -> None:
    order = msgspec.structs.replace(
        PLACE.order, symbol=Symbol("BTC/USD:USD"), side=Side.SELL, reduce_only=True
    )
    exchange.execute(Place(order=order), {"order_id": "1", "client_oid": ORDER_ID})

    params = exchange.requests[0][1]["params"]
    assert (params["instrument_name"], params["exec_inst"]) == ("BTCUSD-PERP", ["REDUCE_ONLY"])
    assert "spot_margin" not in params


def test_requests_are_signed_with_the_time_that_was_handed_in(exchange: Exchange) -> None:
    exchange.execute(CANCEL, {})

    method, body = exchange.requests[0]
    assert (body["nonce"], body["id"]) == (str(NOW_MS), str(NOW_MS))
    signed = f"{method}{body['id']}{KEY}client_oid{ORDER_ID}{body['nonce']}"
    assert body["sig"] == hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("latest_ms", "dated_ms"),
    [(None, NOW_MS), (NOW_MS + 1, NOW_MS), (NOW_MS - 600_000, NOW_MS - 600_000)],
)
def test_a_placing_is_dated_no_later_than_it_may_be(
    exchange: Exchange, latest_ms: int | None, dated_ms: int
) -> None:
    exchange.execute(Place(order=PLACE.order, dated_ms_max=latest_ms), {})
    exchange.execute(CANCEL, {})

    assert [body["nonce"] for _, body in exchange.requests] == [str(dated_ms), str(NOW_MS)]


def test_trades_are_asked_for_in_nanoseconds_with_both_ends_included(exchange: Exchange) -> None:
    exchange.execute(READ_TRADES, {"data": [TRADE]})

    params = exchange.requests[0][1]["params"]
    assert params == {
        "instrument_name": "BTC_USDT", "start_time": str(AT - 1), "end_time": str(AT + 2),
        "limit": 100,
    }  # fmt: skip


def test_an_order_is_read_with_its_figures_as_the_exchange_wrote_them(exchange: Exchange) -> None:
    filled = ORDER | {"status": "CANCELED", "cumulative_quantity": "0.0050", "reason": 43012}

    assert value_of(exchange.execute(READ_ORDER, filled)) == VenueOrder(
        exchange_order_id=ExchangeOrderId("19848525"),
        client_order_id=ORDER_ID,
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.LIMIT,
        amount=Decimal("0.0100"),
        price=Decimal("50000.0"),
        filled=Decimal("0.0050"),
        status=VenueOrderStatus.CANCELED,
        reason="code 43012",
        created_at=AT,
    )


@pytest.mark.parametrize("status", ["NEW", "PENDING", "ACTIVE"])
def test_an_order_that_is_still_on_its_way_is_open(exchange: Exchange, status: str) -> None:
    found = value_of(exchange.execute(READ_ORDER, ORDER | {"status": status}))

    assert isinstance(found, VenueOrder)
    assert found.status is VenueOrderStatus.OPEN


def test_a_trades_fee_is_exact_positive_and_in_the_coin_that_paid_it(exchange: Exchange) -> None:
    page = value_of(exchange.execute(READ_TRADES, {"data": [TRADE]}))

    assert isinstance(page, Page)
    [trade] = page.trades
    assert (trade.fee, trade.fee_currency) == (Decimal("0.000002000000000000000000025"), "BTC")
    assert (trade.liquidity, trade.at, page.is_full) == ("maker", AT, False)


def test_a_page_is_in_order_without_repeats_and_without_other_windows(exchange: Exchange) -> None:
    rows = [
        TRADE | {"trade_id": str(number), "create_time_ns": str(AT + ns)}
        for number, ns in ((3, 1), (1, 0), (2, 0), (1, 0), (9, 2), (8, -2))
    ]
    page = value_of(exchange.execute(READ_TRADES, {"data": rows}))

    assert isinstance(page, Page)
    assert [trade.trade_id for trade in page.trades] == ["1", "2", "3"]


def test_a_page_of_a_hundred_rows_says_that_there_may_be_more(exchange: Exchange) -> None:
    rows = [TRADE | {"trade_id": str(number)} for number in range(100)]
    page = value_of(exchange.execute(READ_TRADES, {"data": rows}))

    assert isinstance(page, Page)
    assert page.is_full


def test_balances_are_whole_and_exact_and_name_no_coin_without_any(exchange: Exchange) -> None:
    assert value_of(exchange.execute(ReadBalances(), {"data": [WALLET]})) == {
        "BTC": Decimal("24.00000000000000000001"),
        "USDT": Decimal("0.19411607"),
    }


@pytest.mark.parametrize("may_owe", [False, True])
def test_a_balance_below_zero_is_believed_where_a_loss_may_be_owed(
    exchange: Exchange, *, may_owe: bool
) -> None:
    row = {"instrument_name": "USD", "quantity": "-3.5"}
    wallet = WALLET | {"position_balances": [row]}

    verdict = exchange.execute(ReadBalances(may_owe=may_owe), {"data": [wallet]}).verdict

    assert isinstance(verdict, Answered if may_owe else Lost)
    if isinstance(verdict, Answered):
        assert verdict.value == {"USD": Decimal("-3.5")}


def test_positions_are_signed_and_those_of_one_symbol_added_up(exchange: Exchange) -> None:
    row = {"instrument_name": "BTCUSD-PERP", "quantity": "-0.1984"}
    rows = [row, row, row | {"isolation_id": "1", "quantity": "0.1"}]

    held = value_of(exchange.execute(ReadPositions(), {"data": rows}))

    assert held == {"BTC/USD:USD": Decimal("-0.0984")}


def test_instruments_are_those_asked_for_that_are_listed(exchange: Exchange) -> None:
    [*_, listed] = [result for call, _, result in GOOD if isinstance(call, ReadInstruments)]
    odd = {"symbol": "ODD", "inst_type": "NEW_KIND", "base_ccy": None}
    call = ReadInstruments(symbols=(BTC, Symbol("ETH/USDT")))

    found = value_of(exchange.execute(call, {"data": [*listed["data"], odd]}))

    assert found == (
        Instrument(
            symbol=BTC,
            base=Coin("BTC"),
            quote=Coin("USDT"),
            amount_step=Decimal("0.00001"),
            price_step=Decimal("0.01"),
            amount_min=Decimal("0.00001"),
            notional_min=Decimal(1),
            is_active=True,
        ),
    )


def test_a_quote_has_both_prices_or_is_none(exchange: Exchange) -> None:
    [*_, told] = [result for call, _, result in GOOD if isinstance(call, ReadQuote)]
    at = Instant(1_613_580_710_768 * 10**6)

    both = value_of(exchange.execute(ReadQuote(symbol=BTC), told))
    one = value_of(
        exchange.execute(ReadQuote(symbol=BTC), {"data": [told["data"][0] | {"b": None}]})
    )

    assert both == Quote(bid=Decimal("51170.00"), ask=Decimal("51180.00"), at=at)
    assert one is None


def test_candles_begin_where_they_were_asked_for_eldest_first(exchange: Exchange) -> None:
    minute_ms = 60_000
    rows = [CANDLE | {"t": CANDLE["t"] + minute * minute_ms} for minute in (1, 0, -1, 0)]
    told = {"data": rows, "instrument_name": "BTC_USDT"}
    call = ReadCandles(symbol=BTC, timeframe_s=60, since=OPEN_AT)

    found = value_of(exchange.execute(call, told))

    assert isinstance(found, tuple)
    assert [each.open_at for each in found] == [OPEN_AT, OPEN_AT + 60 * 10**9]


@pytest.mark.parametrize("other", [{"client_oid": "x" * 32}, {"instrument_name": "ETH_USDT"}])
def test_an_answer_about_another_order_is_never_taken_for_ours(
    exchange: Exchange, other: dict[str, Any]
) -> None:
    assert isinstance(exchange.execute(READ_ORDER, ORDER | other).verdict, Lost)


@pytest.mark.parametrize(
    "other",
    [
        {"instrument_name": "ETH_USDT"},
        {"create_time_ns": str(AT + 2 * 10**9)},
        {"create_time_ns": str(AT - 2 * 10**9)},
    ],
)
def test_trades_of_another_symbol_or_window_are_not_no_trades(
    exchange: Exchange, other: dict[str, Any]
) -> None:
    rows = {"data": [TRADE, TRADE | {"trade_id": "2"} | other]}

    assert isinstance(exchange.execute(READ_TRADES, rows).verdict, Lost)


def test_a_placing_that_echoes_another_id_is_lost(exchange: Exchange) -> None:
    outcome = exchange.execute(PLACE, {"order_id": "1", "client_oid": "x" * 32})

    assert isinstance(outcome.verdict, Lost)


def test_a_refusal_in_the_exchanges_words_is_refused(exchange: Exchange) -> None:
    body = refusal("private/create-order", 306, "INSUFFICIENT_AVAILABLE_BALANCE", id=NOW_MS)
    exchange.response = Response(body, status=500, content_type="application/json")

    outcome = exchange.execute(PLACE)

    assert outcome == Outcome(
        call=PLACE,
        verdict=Refused(
            code="insufficient_funds",
            venue_code="306",
            reason="HTTP 500, code 306 INSUFFICIENT_AVAILABLE_BALANCE",
        ),
        server_at=outcome.server_at,
        http_status=500,
    )


def test_a_refusal_of_an_earlier_request_refuses_nothing(exchange: Exchange) -> None:
    body = refusal("private/create-order", 306, id=NOW_MS - 1)
    exchange.response = Response(body, status=500, content_type="application/json")

    assert isinstance(exchange.execute(PLACE).verdict, Lost)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_cannot_be_unpacked_is_lost(exchange: Exchange, encoding: str) -> None:
    exchange.response = Response(b"\x1f\x8b no", headers={"Content-Encoding": encoding})

    assert isinstance(exchange.execute(PLACE).verdict, Lost)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(exchange: Exchange, status: int) -> None:
    exchange.response = Response(status=status, headers={"Location": f"{ROOT}elsewhere"})

    assert isinstance(exchange.execute(PLACE).verdict, Lost)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize("status", [200, 403, 429, 500, 502, 503, 504])
def test_a_page_of_a_gateway_leaves_a_placing_lost_and_it_is_not_sent_again(
    exchange: Exchange, status: int
) -> None:
    exchange.response = Response("<html>no</html>", status=status)

    outcome = exchange.execute(PLACE)

    assert isinstance(outcome.verdict, Lost)
    assert outcome.http_status == status
    assert len(exchange.requests) == 1


def test_a_secret_that_the_exchange_repeats_stays_in_no_outcome(exchange: Exchange) -> None:
    said = f"{KEY} and {SECRET}"
    body = json.dumps({"code": 40101, "message": said, "original": said})
    exchange.response = Response(body, status=401)

    told = repr(exchange.execute(ReadBalances()))

    assert "Denied" in told
    assert KEY not in told
    assert SECRET not in told


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Listen, take a request, and close the line without a word."""
    listener = socket.create_server(("127.0.0.1", 0))

    def reset() -> None:
        for _ in range(2):
            try:
                line, _ = listener.accept()
            except OSError:
                return
            line.recv(65_536)
            line.close()

    thread = threading.Thread(target=reset)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize("call", [PLACE, READ_ORDER, ReadOpenOrders()])
def test_a_line_that_is_cut_is_lost_without_a_word_of_the_libraries(
    silent_port: int, call: Call
) -> None:
    access = Access(
        keys=Keys(api_key=Secret(KEY), secret=Secret(SECRET)),
        base_url=f"http://127.0.0.1:{silent_port}/exchange/v1",
    )

    outcome = client_maker(CRYPTOCOM, access, lambda: NOW_MS)()(call)

    assert outcome.verdict == Lost(reason="no connection, or it broke off")
    assert (outcome.http_status, outcome.server_at) == (None, None)


@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        (ReadRights(), Answered(value=Rights(can_trade=None, can_withdraw=None))),
        (
            ReadCandles(symbol=BTC, timeframe_s=180, since=AT),
            Lost(reason="cryptocom has no candles of 180 s"),
        ),
    ],
)
def test_what_is_not_asked_for_makes_no_request(
    exchange: Exchange, call: Call, verdict: Verdict
) -> None:
    outcome = exchange.execute(call)

    assert (outcome.verdict, outcome.http_status) == (verdict, None)
    assert exchange.requests == []


def test_nothing_private_leaves_without_keys_or_for_an_exchange_that_is_not_proven() -> None:
    nowhere = "http://127.0.0.1:1"
    without = client_maker(CRYPTOCOM, Access(base_url=nowhere), lambda: 0)()
    keys = Keys(api_key=Secret(KEY), secret=Secret(SECRET))
    unproven = client_maker(BINANCE, Access(base_url=nowhere, keys=keys), lambda: 0)()

    for call in (PLACE, CANCEL, READ_ORDER, READ_TRADES, ReadBalances()):
        assert isinstance(without(call).verdict, Denied)
        assert isinstance(unproven(call).verdict, Denied)
