"""One POST of JSON, and what came back; the only module that knows requests.

Invariants:
1. Whatever happens is a value, and no value holds the URL, the library's words or an address:
   the URL is a secret, and the library's exceptions quote it.
2. One call is one request: no redirect is followed, nothing is repeated.
3. Each request has a connection of its own. One that has idled for hours is the likeliest to be
   reset halfway, and then nobody knows whether the message went out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec
import requests

from aegis.domain.delivery import NoAnswer

CONNECT_S_MAX = 5
SILENCE_S_MAX = 8
"""The longest pause while an answer is awaited or read."""

DEADLINE_S = 15
"""For the whole call. Whoever answers drop by drop may keep a worker longer than that; the
runtime gives it up, and has a bound on how many."""

ANSWER_BYTES_MAX = 64 * 1024
_READ_BYTES = 8 * 1024
_JSON = {"Content-Type": "application/json"}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side said; `retry_after_s` is None where it named no time."""

    status: int
    retry_after_s: int | None
    body: bytes


def post(url: str, payload: Mapping[str, object]) -> Answer | NoAnswer:
    """Send one request and read its answer; what is beyond `ANSWER_BYTES_MAX` is not read."""
    try:
        with (
            requests.Session() as session,
            session.post(
                url,
                data=msgspec.json.encode(payload),
                headers=_JSON,
                timeout=(CONNECT_S_MAX, SILENCE_S_MAX),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return Answer(
                status=response.status_code,
                retry_after_s=_retry_after_s(response.headers),
                body=_body_of(response),
            )
    except (requests.RequestException, OSError, ValueError) as error:
        return NoAnswer(_told(error))


def _body_of(response: requests.Response) -> bytes:
    body = b""
    for part in response.iter_content(_READ_BYTES):
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            break
    return body[:ANSWER_BYTES_MAX]


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Return the header's seconds; a date is measured against the answer's own."""
    written = headers.get("Retry-After", "")
    try:
        seconds = float(written)
    except ValueError:
        try:
            until = parsedate_to_datetime(written)
            seconds = (until - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
        except (ValueError, TypeError):  # no date, or one with a zone and one without
            return None
    return max(math.ceil(seconds), 0) if math.isfinite(seconds) else None


def _told(error: Exception) -> str:
    """Return in words of our own what went wrong on the way."""
    match error:
        case requests.ConnectTimeout():
            return f"no connection within {CONNECT_S_MAX} s"
        case requests.Timeout():
            return f"nothing came for {SILENCE_S_MAX} s"
        case requests.exceptions.SSLError():
            return "TLS failed"
        case requests.exceptions.ProxyError():
            return "the proxy failed"
        case requests.ConnectionError():
            return "no connection, or it broke off"
        case requests.exceptions.ChunkedEncodingError():
            return "the answer broke off"
        case _:
            return type(error).__name__
