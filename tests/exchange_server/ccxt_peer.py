"""The real ccxt class, loaded alone, and connected to a core without a socket.

`import ccxt` takes seconds; one exchange's class behind a bare package takes a tenth of that.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from tests.exchange_server.core import Core
from tests.exchange_server.replies import Conduct, Reply

IN_PROCESS = "http://exchange.invalid/exchange/v1"


def cryptocom(base_url: str, key: str, secret: str, **config: object) -> Any:
    """Make ccxt's own `cryptocom` for a server; no throttle, no currencies, no retries."""
    if "ccxt" not in sys.modules:
        spec = importlib.util.find_spec("ccxt")
        assert spec is not None, "Expected ccxt to be installed"
        package = types.ModuleType("ccxt")
        package.__spec__ = spec
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["ccxt"] = package
    made = importlib.import_module("ccxt.cryptocom").cryptocom(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "timeout": 10_000,
            "options": {"fetchCurrencies": {"skipFetchCurrencies": True}},
            **config,
        }
    )
    made.urls["api"]["v1"] = base_url
    made.session.trust_env = False
    return made


def cryptocom_on(core: Core, clock: Callable[[], int], secret: str) -> Any:
    """Make ccxt's class on a core in this process: same code up to the socket, none after it."""
    made = cryptocom(IN_PROCESS, core.key, secret)
    made.session.mount("http://", CoreAdapter(core, clock))
    made.milliseconds = lambda: clock() // 1_000_000
    made.microseconds = lambda: clock() // 1_000
    return made


class CoreAdapter(BaseAdapter):
    """What `requests` sends through, to a core instead of a socket."""

    def __init__(self, core: Core, clock: Callable[[], int]) -> None:
        super().__init__()
        self._core = core
        self._clock = clock

    def send(
        self, request: requests.PreparedRequest, *_: Any, **_options: Any
    ) -> requests.Response:
        """Answer at once; what the library says about time-outs and proxies has no meaning here."""
        url = urlsplit(request.url or "")
        sent = request.body
        assert sent is None or isinstance(sent, bytes), f"Expected bytes, was {sent!r}"
        reply = self._core.answer(
            url.path.partition("/v1/")[2],
            request.method or "GET",
            dict(parse_qsl(str(url.query))) if sent is None else sent,
            self._clock(),
        )
        return _response(request, reply)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def wired(core: Core, clock: Callable[[], int]) -> Iterator[str]:
    """Lead all that `requests` sends to the base URL that is given here to a core, as long as open.

    For clients that make their sessions themselves. The port is one that nobody serves, each
    core has its own.
    """
    port = next(number for number in range(1, 1_000) if number not in _WIRED)
    netloc = f"127.0.0.1:{port}"
    _WIRED[port] = CoreAdapter(core, clock)
    real = HTTPAdapter.send

    def send(
        adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        if urlsplit(request.url or "").netloc == netloc:
            return _WIRED[port].send(request)
        return real(adapter, request, *args, **options)

    try:
        with patch.object(HTTPAdapter, "send", send):
            yield f"http://{netloc}/exchange/v1"
    finally:
        del _WIRED[port]


_WIRED: dict[int, CoreAdapter] = {}


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    """Turn a reply into what `requests` makes of it, failures of the wire included."""
    if reply.conduct is Conduct.RESET:
        raise requests.ConnectionError(
            "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
            request=request,
        )
    if reply.conduct in {Conduct.SILENCE, Conduct.DRIP}:
        raise requests.ReadTimeout("Read timed out", request=request)
    if reply.conduct is Conduct.TRUNCATE:
        raise requests.exceptions.ChunkedEncodingError(
            "Connection broken: IncompleteRead(1 bytes read, 1 more expected)", request=request
        )
    response = requests.Response()
    response.status_code = reply.status
    response.headers = CaseInsensitiveDict(reply.headers)
    response.raw = HTTPResponse(body=io.BytesIO(reply.body), preload_content=False)
    response.url = request.url or ""
    response.request = request
    response.reason = str(reply.status)
    return response
