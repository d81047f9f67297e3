"""The exchange as a library: what a script gets, and what it is told when there is nothing."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aegis.exchange import BadArgument, ExchangeAdapter, KeyDenied, Unavailable
from tests.exchange_server import local
from tests.exchange_server.faults import Fault

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "exchange_by_hand.py"
BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Local]:
    folder = tmp_path_factory.mktemp("exchange")
    with local.in_thread(folder, balances={"USDT": "10000", "BTC": "1"}) as here:
        here.control.price("BTC_USDT", "40000")
        yield here


@pytest.fixture
def here(server: local.Local) -> Iterator[local.Local]:
    yield server
    server.control.faults()


@pytest.fixture
def exchange(here: local.Local) -> ExchangeAdapter:
    return ExchangeAdapter("cryptocom", here.key, here.secret, base_url=here.base_url)


def test_an_order_is_placed_found_and_cancelled(exchange: ExchangeAdapter) -> None:
    done = exchange.place_order(BTC, "buy", "0.001", price="39000")
    found = exchange.find_order(done["client_order_id"], BTC)
    first, again = (exchange.cancel_order(done["client_order_id"]) for _ in range(2))
    after = exchange.find_order(done["client_order_id"], BTC)

    assert (done["state"], done["amount"], done["price"]) == ("placed", Decimal("0.001"), 39000)
    assert found is not None
    assert (found["order_id"], found["status"]) == (done["order_id"], "open")
    assert (first, again) == (True, False)
    assert after is not None
    assert after["status"] == "canceled"


def test_what_is_held_is_told_as_decimals(exchange: ExchangeAdapter) -> None:
    before = exchange.get_balance("BTC")
    exchange.place_order(BTC, "sell", Decimal("0.01"))

    assert exchange.get_balance("BTC") == before - Decimal("0.01")
    assert exchange.get_balance("DOGE") == 0
    assert exchange.get_open_positions() == [
        {"symbol": BTC, "side": "long", "amount": before - Decimal("0.01")}
    ]
    assert exchange.get_derivative_positions() == []


def test_a_ticker_has_both_prices(exchange: ExchangeAdapter) -> None:
    ticker = exchange.get_ticker(BTC)

    assert isinstance(ticker["bid"], Decimal)
    assert 0 < ticker["bid"] < ticker["ask"]


def test_a_refusal_has_its_code_and_reason(exchange: ExchangeAdapter) -> None:
    done = exchange.place_order(BTC, "sell", "20")

    assert (done["state"], done["code"]) == ("refused", "insufficient_funds")
    assert done["reason"]


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        (Fault.DROP_AFTER, "unknown", ""),
        (Fault.HTML_502_AFTER, "unknown", ""),
        (Fault.EMPTY, "unknown", ""),
        (Fault.CODE_42901, "refused", "limited"),
        (Fault.REVOKED, "refused", "key_denied"),
    ],
)
def test_a_placing_never_raises_for_what_became_of_it(
    here: local.Local, exchange: ExchangeAdapter, fault: Fault, state: str, code: str
) -> None:
    here.control.fault(fault, "private/create-order")

    done = exchange.place_order(BTC, "buy", "0.001", price="39000")

    assert (done["state"], done["code"]) == (state, code)
    here.control.faults()
    is_there = exchange.find_order(done["client_order_id"], BTC) is not None
    assert is_there == (state == "unknown")


def test_the_same_id_again_is_unknown_because_the_first_may_be_there(
    exchange: ExchangeAdapter,
) -> None:
    first = exchange.place_order(BTC, "buy", "0.001", price="39000")

    again = exchange.place_order(
        BTC, "buy", "0.001", price="39000", client_order_id=first["client_order_id"]
    )

    assert (again["state"], again["code"]) == ("unknown", "duplicate_id")


ASKED: dict[str, Callable[[ExchangeAdapter], object]] = {
    "balance": lambda exchange: exchange.get_balance(),
    "positions": lambda exchange: exchange.get_open_positions(),
    "derivatives": lambda exchange: exchange.get_derivative_positions(),
    "find": lambda exchange: exchange.find_order("x", BTC),
    "cancel": lambda exchange: exchange.cancel_order("x"),
    "ticker": lambda exchange: exchange.get_ticker(BTC),
}


@pytest.mark.parametrize("asked", ASKED)
def test_no_data_is_an_exception_and_never_zero(
    here: local.Local, exchange: ExchangeAdapter, asked: str
) -> None:
    here.control.fault(Fault.HTML_502_AFTER)

    with pytest.raises(Unavailable, match="HTTP 502"):
        ASKED[asked](exchange)


def test_a_ban_says_how_long_and_a_wrong_key_that_it_is_one(
    here: local.Local, exchange: ExchangeAdapter
) -> None:
    here.control.fault(Fault.BAN, seconds=0.001)
    with pytest.raises(Unavailable) as banned:
        exchange.get_balance()
    here.control.faults()
    wrong = ExchangeAdapter("cryptocom", here.key, "another", base_url=here.base_url)

    assert banned.value.retry_after_s is not None
    with pytest.raises(KeyDenied):
        wrong.get_balance()


def test_without_keys_there_are_prices_alone(here: local.Local) -> None:
    exchange = ExchangeAdapter("cryptocom", base_url=here.base_url)

    assert exchange.get_ticker(BTC)["bid"] > 0
    with pytest.raises(KeyDenied, match="no keys are set"):
        exchange.get_balance()
    assert exchange.place_order(BTC, "buy", 1)["state"] == "refused"


@pytest.mark.parametrize(
    "order",
    [
        {"amount": 0.001}, {"amount": "0"}, {"amount": "-1"}, {"amount": "NaN"}, {"amount": True},
        {"amount": "1_0"}, {"amount": None}, {"price": 39000.5}, {"price": "0"}, {"side": "BUY"},
        {"side": "long"}, {"symbol": "BTC"}, {"symbol": "BTC/"}, {"symbol": ""}, {"symbol": None},
        {"client_order_id": ""}, {"client_order_id": "x" * 33}, {"client_order_id": "a b"},
        {"client_order_id": "ä"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_and_not_sent(
    here: local.Local, exchange: ExchangeAdapter, order: dict[str, Any]
) -> None:
    before = here.control.requests()

    with pytest.raises(BadArgument, match="expected"):
        exchange.place_order(**({"symbol": BTC, "side": "buy", "amount": "1"} | order))

    assert here.control.requests() == before


def test_an_adapter_is_made_without_a_call_and_shows_no_secret() -> None:
    exchange = ExchangeAdapter("cryptocom", "a-key", "a-secret", base_url="http://127.0.0.1:1")

    assert repr(exchange) == "ExchangeAdapter('cryptocom')"
    assert "a-secret" not in repr(vars(exchange))
    with pytest.raises(BadArgument, match="expected one of cryptocom, binance, kraken, okx"):
        ExchangeAdapter("nobody")
    with pytest.raises(BadArgument, match="was one of them"):
        ExchangeAdapter("cryptocom", "a-key")


@pytest.mark.parametrize("url", ["rubbish", "http://example.com/v1", "ftp://127.0.0.1", "https://"])
def test_a_key_goes_out_over_tls_or_to_this_machine_alone(url: str) -> None:
    with pytest.raises(BadArgument, match="base_url: expected an https:// URL"):
        ExchangeAdapter("cryptocom", "a-key", "a-secret", base_url=url)


def test_an_exchange_without_a_sandbox_has_none() -> None:
    with pytest.raises(BadArgument, match="kraken has none"):
        ExchangeAdapter("kraken", is_sandbox=True)


def test_every_operation_is_in_the_document_and_says_what_it_is() -> None:
    document = (ROOT / "docs" / "library.md").read_text()
    operations = [
        (name, member)
        for name, member in inspect.getmembers(ExchangeAdapter, inspect.isfunction)
        if not name.startswith("_")
    ]

    assert len(operations) == 7
    for name, member in operations:
        assert f"`{name}(" in document
        assert member.__doc__


def test_the_example_goes_from_price_to_cancel(here: local.Local, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AEGIS_EXCHANGE__API_KEY": here.key,
        "AEGIS_EXCHANGE__SECRET": here.secret,
    }
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), here.base_url],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert "state: placed " in said
    assert said[-3:-1] == ["cancel taken: True", "found: canceled"]
