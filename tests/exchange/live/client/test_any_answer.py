"""Whatever bytes come back, with whatever status and headers: it returns, and claims little."""

from __future__ import annotations

import io
import json
from typing import Any

import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from aegis.config.secret import Secret
from aegis.domain.ids import Instant
from aegis.domain.instrument import Instrument
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Lost,
    ReadCandles,
    ReadInstruments,
    ReadQuote,
    Refused,
)
from aegis.exchange.live.client.client import Access, Client
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.client.markets import Markets
from aegis.exchange.live.profiles import CRYPTOCOM, PROFILES
from tests.exchange.live.client.answers import BTC, GOOD, OPEN_AT
from tests.exchange.live.client.test_market_data import ANSWERS

NOWHERE = "http://exchange.invalid"
NOW_MS = OPEN_AT // 10**6
PRICES: tuple[Call, ...] = (
    ReadInstruments(symbols=(BTC,)),
    ReadQuote(symbol=BTC),
    ReadCandles(symbol=BTC, timeframe_s=60, since=OPEN_AT),
)


class Whatever(BaseAdapter):
    """What `requests` sends through; it answers each request alike."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.requests = 0

    def send(
        self, request: requests.PreparedRequest, *_: Any, **_options: Any
    ) -> requests.Response:
        self.requests += 1
        response = requests.Response()
        response.status_code = self.status
        response.headers = CaseInsensitiveDict(self.headers)
        response.raw = HTTPResponse(
            body=io.BytesIO(self.body), headers=self.headers, preload_content=False
        )
        response.url = request.url or ""
        response.request = request
        response.reason = "whatever"
        return response

    def close(self) -> None:
        """Nothing is open."""


def peer_of(name: str) -> tuple[Client, Whatever]:
    """Return a client of an exchange that answers whatever it is told to."""
    access = Access(keys=Keys(api_key=Secret("a"), secret=Secret("b")), base_url=NOWHERE)
    markets = Markets(None, name, lambda _: None)
    client, peer = Client(PROFILES[name], access, lambda: NOW_MS, markets), Whatever()
    client._opened()._exchange.session.mount("http://", peer)
    if name != CRYPTOCOM.name:
        [listing, *_] = ANSWERS[name].values()
        peer.body = json.dumps(listing).encode()
        assert isinstance(client.execute(PRICES[0]).verdict, Answered)
    return client, peer


PEERS = {name: peer_of(name) for name in PROFILES}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Date", "Retry-After", "Content-Type", "Content-Encoding", "Location"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
    | st.sampled_from(["gzip", "Wed, 21 Oct 2026 07:28:00 GMT", "7", "application/json"]),
)


@st.composite
def bodies(draw: st.DrawFn, name: str, call: Call) -> bytes:
    """Draw bytes, JSON, an envelope of rubbish, or a good answer with something cut off."""
    if name == CRYPTOCOM.name:
        [(method, result)] = [(method, result) for each, method, result in GOOD if each == call]
        good: Any = {"id": NOW_MS, "method": method, "code": 0, "result": result}
    else:
        good = draw(st.sampled_from(list(ANSWERS[name].values())))
    rubbish = draw(JSON)
    enveloped = {"code": 0, "id": NOW_MS, "result": rubbish, "data": rubbish, "error": []}
    whole = json.dumps(good).encode()
    return draw(
        st.one_of(
            st.binary(max_size=60),
            st.just(json.dumps(rubbish).encode()),
            st.just(json.dumps(enveloped).encode()),
            st.integers(0, len(whole)).map(lambda cut: whole[:cut]),
        )
    )


@given(st.data())
def test_the_client_returns_whatever_comes_and_asks_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(PROFILES)))
    calls = [call for call, _, _ in GOOD] if name == CRYPTOCOM.name else PRICES
    call = data.draw(st.sampled_from(calls))
    client, peer = PEERS[name]
    client._markets = (
        Markets(None, name, lambda _: None) if name == CRYPTOCOM.name else client._markets
    )
    peer.status = data.draw(
        st.sampled_from([200, 204, 301, 302, 400, 401, 403, 404, 429, 500, 502])
    )
    peer.headers = data.draw(HEADERS)
    peer.body = data.draw(bodies(name, call))
    peer.requests = 0

    outcome = client.execute(call)

    assert peer.requests <= 1
    assert not isinstance(outcome.verdict, Refused)
    if isinstance(outcome.verdict, Lost):
        assert outcome.verdict.reason.isprintable()
    if outcome.server_at is not None:
        assert outcome.server_at % 10**9 == 0


def test_a_good_answer_is_read_through_the_same_peer() -> None:
    client, peer = PEERS["binance"]
    peer.status, peer.headers = 200, {}
    peer.body = json.dumps(ANSWERS["binance"]["/klines"]).encode()

    verdict = client.execute(PRICES[2]).verdict

    assert isinstance(verdict, Answered)
    assert isinstance(verdict.value, tuple)
    assert Instant(OPEN_AT) in {getattr(each, "open_at", None) for each in verdict.value}
    assert not any(isinstance(each, Instrument) for each in verdict.value)
