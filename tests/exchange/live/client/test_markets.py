"""What is kept of an exchange's instruments, and when it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.exchange.live.calls import Answered, Lost, ReadInstruments
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.markets import FRESH_S, Markets, read_kept
from aegis.exchange.live.client.markets import Kept as File
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange.live.client.answers import BTC, INSTRUMENT, enveloped

ETH = Symbol("ETH/USDT")
NOW = Instant(1_800_000_000 * NANOS_PER_SECOND)
LATER = Instant(NOW + (FRESH_S + 1) * NANOS_PER_SECOND)
LISTED = Instrument(
    symbol=BTC,
    base=Coin("BTC"),
    quote=Coin("USDT"),
    amount_step=Decimal("0.00001"),
    price_step=Decimal("0.01"),
    amount_min=Decimal("0.00001"),
    notional_min=Decimal(1),
)
CALL = ReadInstruments(symbols=(BTC,))
Opened = Callable[[], Markets]


class Kept:
    """A file of instruments, and what was told of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []

    def open(self, exchange: str = "cryptocom") -> Markets:
        return Markets(self.path, exchange, self.told.append)

    def filled(self) -> Markets:
        markets = self.open()
        markets.keep((BTC,), (LISTED,), {"BTC/USDT": {"id": "BTC_USDT"}}, NOW)
        return markets


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "markets.json")


def test_what_was_told_is_known_to_the_next_process(kept: Kept) -> None:
    kept.filled()

    after = kept.open()

    assert after.fresh((BTC,), NOW) == (LISTED,)
    assert after.market(BTC) == {"id": "BTC_USDT"}
    assert kept.told == []


def test_what_else_was_listed_is_kept_by_its_name(kept: Kept) -> None:
    kept.open().keep((BTC,), (LISTED,), {}, NOW, (BTC, ETH))

    known = read_kept(kept.path, "cryptocom")

    assert isinstance(known, File)
    assert known.names == (BTC, ETH)


def test_a_file_of_an_older_aegis_names_nothing_else(kept: Kept) -> None:
    kept.filled()
    content = json.loads(kept.path.read_text())
    del content["names"]
    kept.path.write_text(json.dumps(content))

    assert kept.open().fresh((BTC,), NOW) == (LISTED,)


def test_it_is_fresh_for_an_hour_and_never_before_it_was_told(kept: Kept) -> None:
    markets = kept.filled()

    assert markets.fresh((BTC,), Instant(NOW + FRESH_S * NANOS_PER_SECOND)) == (LISTED,)
    assert markets.fresh((BTC,), LATER) is None
    assert markets.fresh((BTC,), Instant(NOW - 1)) is None


def test_a_list_that_lacks_a_symbol_answers_for_none(kept: Kept) -> None:
    markets, both = kept.filled(), (BTC, ETH)

    assert markets.fresh(both, NOW) is None
    assert markets.stale(both, NOW) is None
    assert kept.told == []


def test_symbols_that_were_told_within_an_hour_are_known_together(kept: Kept) -> None:
    ether = msgspec.structs.replace(LISTED, symbol=ETH)
    later = Instant(NOW + NANOS_PER_SECOND)
    kept.filled().keep((ETH,), (ether,), {"ETH/USDT": {"id": "ETH_USDT"}}, later)

    after = kept.open()
    assert after.fresh((BTC, ether.symbol), later) == (LISTED, ether)
    assert after.market(BTC) == {"id": "BTC_USDT"}
    assert after.fresh((ether.symbol,), Instant(LATER - 1)) is None


def test_what_was_asked_for_and_is_told_no_more_is_not_kept(kept: Kept) -> None:
    markets = kept.filled()
    markets.keep((BTC, ETH), (msgspec.structs.replace(LISTED, symbol=ETH),), {}, NOW)

    assert markets.fresh((ETH,), NOW)
    assert markets.fresh((BTC,), NOW) is None
    assert kept.open().stale((BTC,), NOW) is None


def test_what_was_told_long_ago_goes_when_others_are_told(kept: Kept) -> None:
    ether = msgspec.structs.replace(LISTED, symbol=ETH)
    markets = kept.filled()
    markets.keep((ETH,), (ether,), {}, LATER)

    assert markets.fresh((ether.symbol,), LATER) == (ether,)
    assert markets.fresh((BTC,), LATER) is None


def test_an_old_list_is_used_and_told(kept: Kept) -> None:
    assert kept.filled().stale((BTC,), LATER) == (LISTED,)
    assert kept.told == ["the exchange does not tell what it lists: a list of 1 h ago is used"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b"{}",
        msgspec.json.encode({"version": 1}),
    ],
)  # fmt: skip
def test_a_file_that_is_rubbish_is_told_and_not_used(kept: Kept, content: bytes) -> None:
    kept.path.write_bytes(content)
    markets = kept.open()

    assert markets.fresh((BTC,), NOW) is None
    assert markets.stale((BTC,), NOW) is None
    assert kept.told == ["the kept list of instruments is not used: it cannot be read"]


@pytest.mark.parametrize("cut", range(10, 300, 37))
def test_a_file_that_was_cut_is_told_and_not_used(kept: Kept, cut: int) -> None:
    kept.filled()
    kept.path.write_bytes(kept.path.read_bytes()[:-cut])

    assert kept.open().fresh((BTC,), NOW) is None
    assert len(kept.told) == 1


def test_another_exchanges_or_another_versions_file_is_not_used(kept: Kept) -> None:
    kept.filled()

    assert kept.open("binance").fresh((BTC,), NOW) is None
    content = json.loads(kept.path.read_bytes()) | {"version": 2}
    kept.path.write_text(json.dumps(content))
    assert kept.open().fresh((BTC,), NOW) is None
    assert len(kept.told) == 2


@pytest.mark.parametrize("figure", ["NaN", "0", "-1", "Infinity", "1e99"])
def test_a_figure_that_no_instrument_can_have_makes_the_file_unfit(kept: Kept, figure: str) -> None:
    kept.filled()
    content = json.loads(kept.path.read_bytes())
    content["instruments"][0]["amount_step"] = figure
    kept.path.write_text(json.dumps(content))

    assert kept.open().fresh((BTC,), NOW) is None
    assert kept.told == ["the kept list of instruments is not used: a figure in it is none"]


def test_the_file_is_the_owners_alone_and_nothing_else_is_left(kept: Kept) -> None:
    kept.filled()
    kept.filled()

    assert [each.name for each in kept.path.parent.iterdir()] == [kept.path.name]
    assert kept.path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_fails_is_told_and_the_list_is_known_until_the_end(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)

    assert kept.filled().fresh((BTC,), NOW) == (LISTED,)
    assert kept.told == ["what the exchange lists could not be kept: No space left on device"]
    assert list(kept.path.parent.iterdir()) == []


class At:
    """A client at an exchange that may go away, on a clock that is set by hand."""

    def __init__(self, server: HTTPServer, kept: Kept) -> None:
        self.now = NOW
        self.is_there = True
        self.asked = 0
        server.expect_request("/public/get-instruments").respond_with_handler(self._answer)
        self._make = client_maker(
            CRYPTOCOM,
            Access(base_url=server.url_for("").rstrip("/")),
            lambda: self.now // 10**6,
            kept.open(),
        )

    def verdict(self, call: ReadInstruments = CALL) -> object:
        return self._make()(call).verdict

    def _answer(self, _request: object) -> Response:
        self.asked += 1
        if not self.is_there:
            return Response(status=503)
        return Response(enveloped("public/get-instruments", {"data": [INSTRUMENT]}))


@pytest.fixture
def at(httpserver: HTTPServer, kept: Kept) -> At:
    return At(httpserver, kept)


def test_a_client_asks_once_an_hour_and_no_more(at: At) -> None:
    first = at.verdict()

    assert at.verdict() == first
    assert at.asked == 1
    at.now = LATER
    assert at.verdict() == first
    assert at.asked == 2


def test_a_list_of_this_hour_is_no_answer_to_who_asks_anew(at: At) -> None:
    first = at.verdict()

    assert at.verdict(msgspec.structs.replace(CALL, is_anew=True)) == first
    assert at.asked == 2
    assert at.verdict() == first
    assert at.asked == 2


def test_who_asks_anew_is_not_answered_where_the_exchange_does_not_answer(at: At) -> None:
    at.verdict()
    at.is_there = False

    assert isinstance(at.verdict(msgspec.structs.replace(CALL, is_anew=True)), Lost)
    at.now = LATER
    assert isinstance(at.verdict(), Answered)


def test_a_start_does_not_need_the_exchange(at: At, kept: Kept) -> None:
    at.is_there = False
    assert isinstance(at.verdict(), Lost)
    kept.filled()
    at._make = client_maker(
        CRYPTOCOM, Access(base_url="http://127.0.0.1:1"), lambda: LATER // 10**6, kept.open()
    )

    assert at.verdict() == Answered(value=(LISTED,))
    assert len(kept.told) == 1


def test_what_the_exchange_tells_is_exact_on_disk(at: At, kept: Kept) -> None:
    at.verdict()

    [found] = kept.open().fresh((BTC,), at.now) or ()
    assert (found.amount_step, found.price_step) == (Decimal("0.00001"), Decimal("0.01"))
