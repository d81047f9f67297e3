"""The door to ccxt: what it loads and when, what it holds back, and who may look through it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from aegis.config.secret import Secret
from aegis.exchange.listed import EXCHANGES, PROVEN, SANDBOXES
from aegis.exchange.live.client.client import Access, Client
from aegis.exchange.live.client.door import IDLE_MS_MAX, Door, Keys, Request, class_named
from aegis.exchange.live.client.evidence import Heard, Silence, heard
from aegis.exchange.live.client.markets import Markets
from aegis.exchange.live.profile import Profile
from aegis.exchange.live.profiles import CRYPTOCOM, PROFILES
from tests.exchange.live.client.answers import PLACE

KEY, SECRET = "a-key-that-nobody-has", "a-secret-that-nobody-has"
NOWHERE = "http://127.0.0.1:1/exchange/v1"

ALONE = """
import json, sys
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange.live.client.answers import BTC
from aegis.exchange.live.calls import ReadQuote

execute = client_maker(CRYPTOCOM, Access(base_url="http://127.0.0.1:1"), lambda: 1)()
before = [name for name in sys.modules if name.partition(".")[0] == "ccxt"]
said = execute(ReadQuote(symbol=BTC)).verdict.reason
loaded = [name for name in sys.modules if name.partition(".")[0] == "ccxt"]
import ccxt
print(json.dumps([before, said, loaded, ccxt.gate.__name__, ccxt.__version__]))
"""


def door_of(profile: Profile, base_url: str = NOWHERE, *, is_sandbox: bool = False) -> Door:
    """Return a door with keys, that leads nowhere."""
    return Door(
        profile,
        keys=Keys(api_key=Secret(KEY), secret=Secret(SECRET)),
        base_url=base_url,
        is_sandbox=is_sandbox,
        timeout_s=1,
        now_ms=lambda: 1,
    )


def test_one_exchanges_class_is_loaded_with_the_first_call_and_the_whole_for_who_wants_it() -> None:
    told = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)

    before, said, loaded, other, version = json.loads(told.stdout)
    assert before == []
    assert said == "no connection, or it broke off"
    exchanges = {name for name in loaded if name.count(".") == 1} - {
        "ccxt.base", "ccxt.abstract", "ccxt.static_dependencies",
    }  # fmt: skip
    assert exchanges == {"ccxt.cryptocom"}
    assert len(loaded) < 40
    assert other == "gate"
    assert version


def test_profiles_and_the_names_of_the_configuration_are_the_same() -> None:
    assert set(PROFILES) == set(EXCHANGES)
    assert {name for name, profile in PROFILES.items() if profile.is_proven} == set(PROVEN)
    assert all(name == profile.name for name, profile in PROFILES.items())


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_sandbox_is_there_where_the_configuration_says_so(name: str) -> None:
    address = class_named(name, name)({}).urls.get("test")

    assert bool(address) == (name in SANDBOXES)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_our_base_url_stands_over_the_exchanges_and_over_the_sandboxes(name: str) -> None:
    for is_sandbox in {False, name in SANDBOXES}:
        urls = door_of(PROFILES[name], is_sandbox=is_sandbox)._exchange.urls["api"]
        assert {urls[root] for root in PROFILES[name].roots} == {NOWHERE}


def test_a_request_goes_out_once_without_waiting_and_without_redirects() -> None:
    exchange = door_of(CRYPTOCOM)._exchange

    assert exchange.enableRateLimit is False
    assert exchange.options["maxRetriesOnFailure"] == 0
    assert exchange.session.max_redirects == 0
    assert exchange.verbose is False


def test_no_log_at_debug_and_no_representation_shows_a_secret(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    httpserver.expect_request("/private/create-order").respond_with_response(
        Response("<html>no</html>", status=502)
    )
    keys = Keys(api_key=Secret(KEY), secret=Secret(SECRET))
    access = Access(keys=keys, base_url=httpserver.url_for("").rstrip("/"))
    client = Client(CRYPTOCOM, access, lambda: 1, Markets(None, "cryptocom", print))

    outcome = client.execute(PLACE)

    door = client._door
    assert door is not None
    shown = repr((outcome, access, keys, client, door, vars(client), vars(door)))
    told = shown + caplog.text + "".join(capsys.readouterr())
    assert "HTTP 502" in told
    assert KEY not in told
    assert SECRET not in told


class Counting:
    """Keeps connections alive, and counts them."""

    def __init__(self, body: bytes) -> None:
        self.connections = 0
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                peer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize(("pause_ms", "connections"), [(IDLE_MS_MAX, 1), (IDLE_MS_MAX + 1, 2)])
def test_a_connection_is_used_again_until_it_idled(pause_ms: int, connections: int) -> None:
    with closing(Counting(b"{}")) as peer:
        now = iter([0, 0, pause_ms])
        door = Door(
            CRYPTOCOM, keys=None, base_url=peer.url, is_sandbox=False, timeout_s=5,
            now_ms=lambda: next(now),
        )  # fmt: skip
        request = Request(path="x", section=("v1", "public"), verb="POST", params={})
        door._exchange.headers = {"Content-Length": "0"}

        assert [type(door.send(request)) for _ in range(2)] == [Heard, Heard]

        assert peer.connections == connections


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.exchange.live.client.door.ANSWER_BYTES_MAX", 100_000)
    request = Request(path="x", section=("v1", "private"), verb="POST", params={})
    bodies = {100_000: Heard, 100_001: Silence}

    for length, came in bodies.items():
        with closing(Counting(b" " * length)) as peer:
            assert isinstance(door_of(CRYPTOCOM, peer.url).send(request), came)


def test_what_the_library_raises_is_told_in_our_words() -> None:
    came = door_of(CRYPTOCOM, "http://[no address").send(
        Request(path="private/x", section=("v1", "private"), verb="POST", params={})
    )

    assert isinstance(came, Silence)
    assert "address" not in came.reason


@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_a_date_is_utc_wherever_this_machine_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        came = heard(200, "", {"Date": f"Wed, 21 Oct 2026 07:28:00 {zone}".strip()})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert came.server_at == 1_792_567_680 * 10**9


@pytest.mark.parametrize(
    ("headers", "server_at_s", "retry_after_s"),
    [
        ({}, None, None),
        ({"Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1_792_567_680, None),
        ({"Date": "yesterday"}, None, None),
        ({"Date": "Wed, 21 Oct 99999 07:28:00 GMT"}, None, None),
        ({"Retry-After": "1.5"}, None, 1.5),
        ({"Retry-After": "-3"}, None, 0),
        ({"Retry-After": "inf"}, None, None),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None, None),
        (
            {
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
            },
            1_792_567_680,
            30,
        ),
    ],
)
def test_headers_tell_the_exchanges_clock_and_how_long_to_wait(
    headers: dict[str, str], server_at_s: int | None, retry_after_s: float | None
) -> None:
    came = heard(429, "", headers)

    assert came.server_at == (None if server_at_s is None else server_at_s * 10**9)
    assert came.retry_after_s == retry_after_s
