"""Over HTTP: the real class on a real socket, the control API, and what faults are on a wire."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.exchange_server.ccxt_peer import cryptocom
from tests.exchange_server.faults import Fault
from tests.exchange_server.local import REPOSITORY, Local, RefusedByDeskError, in_thread, process

OID = "c" * 32
PAIR = "BTC/USDT"
CREATE = "private/create-order"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with in_thread(tmp_path_factory.mktemp("exchange")) as local:
        local.control.settings(dedupe="off")
        local.control.price("BTC_USDT", "40000")
        yield local


@pytest.fixture
def local(served: Local) -> Iterator[Local]:
    yield served
    served.control.faults()
    served.control.clock(0)


@pytest.fixture
def ccxt(local: Local) -> Any:
    made = cryptocom(local.base_url, local.key, local.secret, timeout=2_000)
    made.load_markets()
    return made


def buy(ccxt: Any) -> Any:
    return ccxt.create_order(PAIR, "market", "buy", 0.001, None, {"client_oid": OID})


def orders(local: Local) -> int:
    with local.ledger() as ledger:
        return len(ledger.orders())


def raised(call: Any) -> str:
    """Return the name of what ccxt raises."""
    with pytest.raises(Exception, match=r"cryptocom|http") as error:
        call()
    return type(error.value).__name__


def test_an_order_goes_over_the_wire_and_into_the_ledger(ccxt: Any, local: Local) -> None:
    before = orders(local)
    placed = buy(ccxt)
    assert placed["clientOrderId"] == OID
    assert ccxt.fetch_order(placed["id"], PAIR)["status"] == "closed"
    assert orders(local) == before + 1


def test_one_connection_serves_many_requests(local: Local) -> None:
    connection = http.client.HTTPConnection(local.address.removeprefix("http://"), timeout=2)
    connection.connect()
    own_port = connection.sock.getsockname()[1]
    for _ in range(3):
        connection.request("GET", "/exchange/v1/public/get-tickers?instrument_name=BTC_USDT")
        assert json.load(connection.getresponse())["code"] == 0
    assert connection.sock.getsockname()[1] == own_port
    connection.close()


def test_a_price_that_is_set_trades_what_rests(local: Local, ccxt: Any) -> None:
    order = ccxt.create_order(PAIR, "limit", "buy", 0.001, 39_000, {"client_oid": "d" * 32})
    local.control.price("BTC_USDT", "38000")
    local.control.price("BTC_USDT", "40000")
    assert ccxt.fetch_order(order["id"], PAIR)["status"] == "closed"


@pytest.mark.parametrize(
    ("fault", "error", "happens"),
    [
        (Fault.DROP_BEFORE, "NetworkError", 0),
        (Fault.DROP_AFTER, "NetworkError", 1),
        (Fault.TRUNCATED, "NetworkError", 1),
        (Fault.EMPTY, "ExchangeError", 1),
        (Fault.HTML_502_BEFORE, "ExchangeError", 0),
        (Fault.HTML_502_AFTER, "ExchangeError", 1),
    ],
)
def test_a_fault_of_the_wire_is_what_ccxt_sees(
    ccxt: Any, local: Local, fault: Fault, error: str, happens: int
) -> None:
    local.control.fault(fault, CREATE, next=1)
    before = orders(local)
    raised(lambda: buy(ccxt))
    assert orders(local) == before + happens
    buy(ccxt)
    assert orders(local) == before + happens + 1


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.SILENCE_BEFORE])
def test_silence_lasts_until_the_client_gives_up(ccxt: Any, local: Local, fault: Fault) -> None:
    ccxt.timeout = 100
    local.control.fault(fault, CREATE, next=1)
    assert raised(lambda: buy(ccxt)) == "RequestTimeout"


def test_a_drip_outlasts_a_time_out_of_the_socket(ccxt: Any, local: Local) -> None:
    ccxt.timeout = 100
    local.control.fault(Fault.DRIP, "public/get-tickers", next=1, seconds=0.001)
    started = time.monotonic()
    ccxt.fetch_ticker(PAIR)
    assert time.monotonic() - started > 0.12


def test_an_unknown_endpoint_is_404(local: Local) -> None:
    connection = http.client.HTTPConnection(local.address.removeprefix("http://"), timeout=2)
    connection.request("GET", "/exchange/v1/public/get-rich")
    assert connection.getresponse().status == 404
    connection.close()


def test_the_desk_says_what_it_expected(local: Local) -> None:
    with pytest.raises(RefusedByDeskError, match="Expected at most"):
        local.control.withdraw("USDT", "1000000")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("price", {"instrument": "BTC_USDT", "price": "x"}),
        ("price", {"instrument": "BTC_USDT", "price": "-1"}),
        ("price", {"instrument": "NO_SUCH", "price": "1"}),
        ("clock", {}),
        ("faults", [{"fault": "no_such"}]),
        ("settings", {"dedupe": "maybe"}),
        ("owner", {"act": "pray"}),
        ("owner", {"act": "trade"}),
        ("owner", {"act": "deposit", "quantity": "-1"}),
        ("owner", {"act": "deposit", "quantity": "NaN"}),
        ("owner", {"act": "cancel", "client_oid": "nobody"}),
        ("no-such", {}),
    ],
)
def test_what_the_desk_cannot_do_is_400_and_one_line(local: Local, path: str, body: Any) -> None:
    connection = http.client.HTTPConnection(local.address.removeprefix("http://"), timeout=2)
    connection.request("POST", f"/control/{path}", json.dumps(body))
    answer = connection.getresponse()
    assert (answer.status, list(json.load(answer))) == (400, ["error"])
    connection.close()


def test_the_date_header_is_the_exchanges_clock(local: Local, ccxt: Any) -> None:
    local.control.clock(3_600)
    with pytest.raises(Exception, match="40102"):
        ccxt.fetch_balance()
    told = parsedate_to_datetime(ccxt.last_response_headers["Date"]).timestamp()
    assert told - time.time() == pytest.approx(3_600, abs=60)


def test_a_process_is_killed_right_after_its_request_was_processed(local: Local) -> None:
    script = (
        "import sys; from tests.exchange_server.ccxt_peer import cryptocom\n"
        "made = cryptocom(sys.argv[1], sys.argv[2], sys.argv[3])\n"
        "sys.stdin.readline()\n"
        "made.create_order('BTC/USDT', 'market', 'buy', 0.001, None, {'client_oid': 'e' * 32})\n"
        "print('survived')\n"
    )
    victim = subprocess.Popen(
        [sys.executable, "-c", script, local.base_url, local.key, local.secret],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    local.control.fault(Fault.KILL_BEFORE_ANSWER, CREATE, next=1, pid=victim.pid)
    out, _ = victim.communicate("go\n", timeout=20)
    assert (victim.returncode, out) == (-signal.SIGKILL, "")
    with local.ledger() as ledger:
        assert len(ledger.orders("e" * 32)) == 1


def test_a_tied_server_ends_with_who_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.exchange_server", "--tied", "--port", "0"]
    server = subprocess.Popen(
        [*command, "--folder", tmp_path],
        stdin=subprocess.PIPE,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    server.communicate(timeout=20)
    assert server.returncode == 0


def test_started_by_hand_it_serves_says_how_to_be_used_and_keeps_its_state(
    tmp_path: Path,
) -> None:
    with process(tmp_path, "--balances", "USDT=500") as first:
        first.control.trade("BUY", "0.001", price="40000")
    assert "export AEGIS_EXCHANGE__API_KEY=local-key" in (tmp_path / "server.txt").read_text()
    with process(tmp_path) as second:
        state = second.control.state()
    assert state["balances"]["USDT"]["total"] == "460.000"
    assert len(state["fills"]) == 1
