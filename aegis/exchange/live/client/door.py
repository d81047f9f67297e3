"""The door to ccxt: one exchange's class, one request at a time, and what came of it.

ccxt signs and sends; what an answer means is judged elsewhere, from the answer itself, because the
library calls everything that is no JSON an exchange's error, also when the order was placed.

Invariants:
1. Nothing imports ccxt before a request is made: it weighs 40 MB and a third of a second with one
   class, and twice to three times that as a whole.
2. A request goes out once: no retries, no redirects, no waiting for a rate limit.
3. A connection that idled is not used again: a router on the way may have forgotten it, and then
   nobody knows whether the request arrived. What is longer than any answer is not read to its end.
4. Secrets are revealed to the library's constructor alone. Its instance never leaves this module,
   its logger is mute, and no text of its exceptions is passed on.
"""

from __future__ import annotations

import importlib
import io
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from aegis.config.secret import Secret
from aegis.exchange.live.client.evidence import Heard, Silence, heard
from aegis.exchange.live.profile import Profile
from aegis.packages import open_shallow

IDLE_MS_MAX = 30_000
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The longest is a list of all instruments: 15 MB at binance."""

_READ_BYTES = 64 * 1024
_LOADING = threading.Lock()

_RAISED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)
"""What is known to come out of the library and what it stands on, besides errors of its own."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What opens an account."""

    api_key: Secret
    secret: Secret


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One method of an exchange's protocol: its path, the library's section, its parameters.

    Its time is `dated_ms_max` at the latest, on the exchange's clock.
    """

    path: str
    section: tuple[str, ...]
    verb: str
    params: Mapping[str, object]
    dated_ms_max: int | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the library made of an answer, beside the answer."""

    value: object
    heard: Heard


class _Answer(Exception):  # noqa: N818  no error: the way out of the library, with what came
    def __init__(self, came: Heard) -> None:
        super().__init__(f"HTTP {came.status}")
        self.came = came


class _Mute:
    """In place of the library's logger, whose DEBUG lines hold the key and the signature."""

    def debug(self, *_: object) -> None:
        """Say nothing."""


class Door:
    """One instance of one exchange's class; one thread at a time uses it."""

    def __init__(
        self,
        profile: Profile,
        *,
        keys: Keys | None,
        base_url: str,
        is_sandbox: bool,
        timeout_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        """Load the class, and make the instance; `base_url` is "" or a whole root."""
        self._errors = class_named(profile.name, "BaseError")
        self._exchange = class_named(profile.name, profile.name)(_settings(timeout_s, keys))
        self._now_ms = now_ms
        self._request_id: str | None = None
        self._last: Heard | None = None
        self._is_raw = False
        self._dated_ms_max: int | None = None
        self._used_at_ms = now_ms()
        self._exchange.session.stream = True
        self._exchange.session.hooks["response"] = [_bounded]
        self._exchange.session.max_redirects = 0  # a redirected POST would be sent again
        self._exchange.nonce = self._nonce
        self._exchange.on_rest_response = self._on_answer
        if is_sandbox:
            self._exchange.set_sandbox_mode(True)
        if base_url:  # after the sandbox, which puts its own in
            self._exchange.urls["api"] |= dict.fromkeys(profile.roots, base_url)

    def send(self, request: Request) -> Heard | Silence:
        """Make one request, and return what came, unread by the library."""
        self._begin(is_raw=True)
        self._dated_ms_max = request.dated_ms_max
        section = list(request.section)
        try:
            self._exchange.request(request.path, section, request.verb, dict(request.params))
        except _Answer as answer:
            return answer.came
        except (self._errors, *_RAISED) as error:
            return Silence(reason=_in_our_words(error))
        return Silence(reason="nothing came that could be read")

    def ask(self, method: str, *args: object) -> Told | Heard | Silence:
        """Call one of the library's own methods that makes one request; `Heard` where it failed."""
        self._begin(is_raw=False)
        try:
            value = getattr(self._exchange, method)(*args)
        except (self._errors, *_RAISED) as error:
            return self._heard() or Silence(reason=_in_our_words(error))
        came = self._heard()
        return Silence(reason="nothing came") if came is None else Told(value=value, heard=came)

    def take_market(self, market: Mapping[str, object]) -> None:
        """Give the library a market that it told before, so that it asks for none."""
        if market["symbol"] not in (self._exchange.markets or {}):
            known = list((self._exchange.markets or {}).values())
            self._exchange.set_markets([*known, market])

    def _begin(self, *, is_raw: bool) -> None:
        self._request_id, self._last, self._is_raw = None, None, is_raw
        now_ms = self._now_ms()
        if abs(now_ms - self._used_at_ms) > IDLE_MS_MAX:
            self._exchange.session.close()  # its connections alone: the next request opens one
        self._used_at_ms = now_ms

    def _heard(self) -> Heard | None:
        return self._last

    def _nonce(self) -> int:
        """Return the request's time in ms, and remember it: it is the request's id as well."""
        nonce = self._now_ms()
        if self._dated_ms_max is not None:
            nonce = min(nonce, self._dated_ms_max)
        self._request_id = str(nonce)
        return nonce

    def _on_answer(
        self,
        status: int,
        _reason: str,
        _url: str,
        _method: str,
        headers: Mapping[str, str],
        body: str,
        _request_headers: object,
        _request_body: object,
    ) -> str:
        came = heard(status, body, headers, self._request_id)
        if self._is_raw:
            raise _Answer(came)
        self._last = came
        return body.strip()


def _bounded(response: Any, *_: object, **__: object) -> None:
    """Read an answer's body up to a bound, before the library reads all of it."""
    body = io.BytesIO()
    for part in response.iter_content(_READ_BYTES):
        body.write(part)
        if body.tell() > ANSWER_BYTES_MAX:
            response.close()
            raise ValueError(f"Expected an answer of at most {ANSWER_BYTES_MAX} bytes, was longer")
    response._content = body.getvalue()  # noqa: SLF001  where the library looks for what was read


def class_named(exchange: str, name: str) -> Any:
    """Return a class of ccxt's, from the modules of one exchange alone."""
    open_shallow("ccxt")  # as a whole it loads a hundred exchanges
    module = "ccxt.base.errors" if name == "BaseError" else f"ccxt.{exchange}"
    with _LOADING:
        return getattr(importlib.import_module(module), name)


def _settings(timeout_s: float, keys: Keys | None) -> dict[str, object]:
    settings: dict[str, object] = {
        "timeout": int(timeout_s * 1000),  # of each silence; the call's own deadline is the line's
        "enableRateLimit": False,  # the line's budget; the library's waits inside the call
        "logger": _Mute(),
        "number": str,  # figures stay as they were written
        "options": {
            "maxRetriesOnFailure": 0,
            "fetchCurrencies": {"skipFetchCurrencies": True},
            "fetchMarkets": {"types": ["spot"]},
        },
    }
    if keys is not None:
        settings["apiKey"] = keys.api_key.reveal()
        settings["secret"] = keys.secret.reveal()
    return settings


def _in_our_words(error: Exception) -> str:
    names = {each.__name__ for each in type(error).__mro__}
    if "RequestTimeout" in names:
        return "no answer in time"
    if "NetworkError" in names:
        return "no connection, or it broke off"
    return f"no answer that can be read ({type(error).__name__})"
