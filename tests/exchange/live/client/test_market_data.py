"""Prices of exchanges that are not proven, through the library's own reading of their protocols."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from aegis.config.secret import Secret
from aegis.domain.candles import Candle
from aegis.domain.commands import Quote
from aegis.domain.ids import Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Limited,
    Lost,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
    Verdict,
)
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.profiles import PROFILES
from tests.exchange.live.client.answers import BTC, OPEN_AT

OPEN_MS = OPEN_AT // 10**6
ROW = ["50508.5", "50548.50000000000000001", "50172.5", "50202.0"]

BINANCE: dict[str, Any] = {
    "/exchangeInfo": {
        "symbols": [
            {
                "symbol": "BTCUSDT",
                "status": "TRADING",
                "baseAsset": "BTC",
                "quoteAsset": "USDT",
                "isSpotTradingAllowed": True,
                "permissions": ["SPOT"],
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000",
                     "tickSize": "0.01000000"},
                    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000",
                     "stepSize": "0.00001000"},
                    {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
                ],
            }
        ]
    },
    "/ticker/24hr": {
        "symbol": "BTCUSDT", "bidPrice": "51170.00000000", "askPrice": "51180.01000000",
        "lastPrice": "51175", "closeTime": OPEN_MS, "openTime": OPEN_MS - 86_400_000,
    },
    "/klines": [[OPEN_MS, *ROW, "17.2", OPEN_MS + 59_999, "1", 1, "1", "1", "0"]],
}  # fmt: skip
KRAKEN: dict[str, Any] = {
    "/0/public/AssetPairs": {
        "error": [],
        "result": {
            "XBTUSDT": {
                "altname": "XBTUSDT", "wsname": "XBT/USDT", "base": "XXBT", "quote": "USDT",
                "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "0.0001",
                "costmin": "0.5", "tick_size": "0.1", "status": "online", "leverage_buy": [],
                "leverage_sell": [], "fees": [], "fees_maker": [],
            }
        },
    },
    "/0/public/Ticker": {
        "error": [],
        "result": {
            "XBTUSDT": {
                "a": ["51180.01", "1", "1.0"], "b": ["51170.00", "1", "1.0"], "c": ["51175", "1"],
                "v": ["1", "2"], "p": ["1", "2"], "t": [1, 2], "l": ["1", "1"], "h": ["2", "2"],
                "o": "51000",
            }
        },
    },
    "/0/public/OHLC": {
        "error": [],
        "result": {"XBTUSDT": [[OPEN_MS // 1000, *ROW, "50300", "17.2", 9]], "last": 1},
    },
}  # fmt: skip
OKX: dict[str, Any] = {
    "/api/v5/public/instruments": {
        "code": "0",
        "data": [
            {"instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT",
             "lotSz": "0.00000001", "minSz": "0.00001", "tickSz": "0.1", "state": "live",
             "ctVal": "", "settleCcy": "", "uly": "", "expTime": "", "lever": "10"},
        ],
    },
    "/api/v5/market/ticker": {
        "code": "0",
        "data": [{"instType": "SPOT", "instId": "BTC-USDT", "last": "51175", "askPx": "51180.01",
                  "askSz": "1", "bidPx": "51170.00", "bidSz": "1", "ts": str(OPEN_MS)}],
    },
    "/api/v5/market/candles": {
        "code": "0", "data": [[str(OPEN_MS), *ROW, "17.2", "1", "1", "0"]],
    },
}  # fmt: skip
OKX["/api/v5/market/history-candles"] = OKX["/api/v5/market/candles"]
ANSWERS = {"binance": BINANCE, "kraken": KRAKEN, "okx": OKX}
STEPS = {"binance": ("0.00001", "0.01"), "kraken": ("0.00000001", "0.1"), "okx": ("1e-8", "0.1")}

INSTRUMENTS, QUOTE = ReadInstruments(symbols=(BTC, Symbol("NO/ONE"))), ReadQuote(symbol=BTC)
CANDLES = ReadCandles(symbol=BTC, timeframe_s=60, since=OPEN_AT)


class Market:
    """An exchange's public side, as far as it was asked for."""

    def __init__(self, server: HTTPServer, name: str) -> None:
        self.asked: list[str] = []
        self.answers = dict(ANSWERS[name])
        self.response: Response | None = None
        for path in self.answers:
            server.expect_request(path).respond_with_handler(self._answer)
        keys = Keys(api_key=Secret("a-key-that-nobody-has"), secret=Secret("bm9ib2R5"))
        access = Access(keys=keys, base_url=server.url_for("").rstrip("/"))
        self._make = client_maker(PROFILES[name], access, lambda: OPEN_MS + 60_000)

    def verdict(self, call: Call) -> Verdict:
        """Return what a fresh client makes of a call: they share what the exchange lists."""
        return self._make()(call).verdict

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.path)
        assert not request.headers.get("X-MBX-APIKEY")
        return self.response or Response(json.dumps(self.answers[request.path]))


@pytest.fixture(params=sorted(ANSWERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def exchange(httpserver: HTTPServer, name: str) -> Market:
    return Market(httpserver, name)


def test_each_public_call_is_one_request_and_exact(exchange: Market, name: str) -> None:
    listed = exchange.verdict(INSTRUMENTS)
    quoted = exchange.verdict(QUOTE)
    told = exchange.verdict(CANDLES)

    assert isinstance(listed, Answered)
    assert isinstance(listed.value, tuple)
    [instrument] = listed.value
    assert isinstance(instrument, Instrument)
    assert (instrument.symbol, instrument.is_active) == (BTC, True)
    assert (instrument.amount_step, instrument.price_step) == tuple(map(Decimal, STEPS[name]))
    assert isinstance(quoted, Answered)
    assert isinstance(quoted.value, Quote)
    assert (quoted.value.bid, quoted.value.ask) == (Decimal("51170.00"), Decimal("51180.01"))
    assert told == Answered(
        value=(
            Candle(
                symbol=BTC,
                open_at=OPEN_AT,
                length_s=60,
                open=Decimal(ROW[0]),
                high=Decimal(ROW[1]),
                low=Decimal(ROW[2]),
                close=Decimal(ROW[3]),
                volume=Decimal("17.2"),
            ),
        )
    )
    assert len(exchange.asked) == 3


def test_prices_wait_for_what_the_exchange_lists(exchange: Market) -> None:
    assert isinstance(exchange.verdict(QUOTE), Lost)
    assert exchange.asked == []


@pytest.mark.parametrize(
    "response",
    [
        (200, ""), (200, "<html></html>"), (200, "{}"), (200, "[]"), (200, "null"), (200, "{"),
        (502, "<html></html>"), (200, '{"code": "50001", "data": [], "msg": "no"}'),
        (200, '{"error": ["EService:Unavailable"]}'), (400, '{"code": -1000, "msg": "no"}'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_lost(exchange: Market, response: tuple[int, str]) -> None:
    exchange.verdict(INSTRUMENTS)
    exchange.response = Response(response[1], status=response[0])

    assert isinstance(exchange.verdict(CANDLES), Lost | Answered)
    verdict = exchange.verdict(QUOTE)
    assert isinstance(verdict, Lost) or verdict == Answered(value=None)


@pytest.mark.parametrize("status", [418, 429])
def test_a_ban_is_told_as_one(exchange: Market, status: int) -> None:
    exchange.verdict(INSTRUMENTS)
    exchange.response = Response("<html></html>", status=status, headers={"Retry-After": "9"})

    verdict = exchange.verdict(QUOTE)

    assert isinstance(verdict, Limited)
    assert verdict.retry_after_s == 9


@pytest.mark.parametrize(
    "row",
    [
        [OPEN_MS, "NaN", *ROW[1:], "1"], [OPEN_MS, None, *ROW[1:], "1"], [OPEN_MS, *ROW, "-1"],
        [OPEN_MS + 1, *ROW, "1"], [OPEN_MS, "60000", *ROW[1:], "1"], [OPEN_MS],
    ],
)  # fmt: skip
def test_candles_without_sense_are_lost(httpserver: HTTPServer, row: list[Any]) -> None:
    exchange = Market(httpserver, "binance")
    exchange.verdict(INSTRUMENTS)
    exchange.answers["/klines"] = [row, [OPEN_MS + 60_000, *ROW, "1"]]

    assert isinstance(exchange.verdict(CANDLES), Lost)


@pytest.mark.parametrize("at", [OPEN_MS // 1000, None, "soon", -1])
def test_a_candle_of_no_time_that_the_library_leaves_out_is_a_gap(
    httpserver: HTTPServer, at: object
) -> None:
    exchange = Market(httpserver, "binance")
    exchange.verdict(INSTRUMENTS)
    exchange.answers["/klines"] = [[at, *ROW, "1"], [OPEN_MS + 60_000, *ROW, "1"]]

    verdict = exchange.verdict(CANDLES)

    assert isinstance(verdict, Answered)
    assert isinstance(verdict.value, tuple)
    assert len(verdict.value) == 1


def test_candles_before_the_one_asked_for_are_left_out(httpserver: HTTPServer) -> None:
    exchange = Market(httpserver, "binance")
    exchange.verdict(INSTRUMENTS)
    rows = [[OPEN_MS + minute * 60_000, *ROW, "1"] for minute in (1, -1, 0, 1)]
    exchange.answers["/klines"] = rows

    verdict = exchange.verdict(CANDLES)

    assert isinstance(verdict, Answered)
    assert isinstance(verdict.value, tuple)
    opens = [each.open_at for each in verdict.value if isinstance(each, Candle)]
    assert opens == [OPEN_AT, Instant(OPEN_AT + 60 * 10**9)]
