"""What one request came to, as evidence: the answer's own words, none of the library's.

Invariants:
1. Nothing here was judged: a status and a body are what the wire said.
2. A reason is written here or in this package; the texts of exceptions are never carried on,
   because some quote the signed request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant

SAID_LENGTH_MAX = 120


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `request_id` is the id that the request carried, None where it had none.

    `server_at` is the header's date, in whole seconds. `retry_after_s` is None where not said.
    """

    status: int
    body: str
    server_at: Instant | None = None
    retry_after_s: float | None = None
    request_id: str | None = None


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """No answer, or one that broke off; `reason` is in our words."""

    reason: str


def heard(
    status: int, body: str, headers: Mapping[str, str], request_id: str | None = None
) -> Heard:
    """Return an answer as evidence; a header that makes no sense counts as absent."""
    server_at = _date(headers.get("Date"))
    return Heard(
        status=status,
        body=body,
        server_at=server_at,
        retry_after_s=_retry_after_s(headers.get("Retry-After"), server_at),
        request_id=request_id,
    )


def plain(said: str) -> str:
    """Return what the other side said as one short line of printable characters."""
    line = "".join(each if each.isprintable() else " " for each in said[:SAID_LENGTH_MAX])
    return line.strip()


def _date(written: str | None) -> Instant | None:
    try:
        told = parsedate_to_datetime(written or "")
        in_utc = told if told.tzinfo else told.replace(tzinfo=UTC)  # else it is this machine's zone
        seconds = in_utc.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):  # as the library fails on rubbish
        return None
    return Instant(int(seconds) * NANOS_PER_SECOND)


def _retry_after_s(written: str | None, server_at: Instant | None) -> float | None:
    """Return the header's seconds; a date is measured against the answer's own."""
    try:
        seconds = float(written or "")
    except ValueError:
        until = _date(written)
        if until is None or server_at is None:
            return None
        seconds = (until - server_at) / NANOS_PER_SECOND
    return max(seconds, 0.0) if math.isfinite(seconds) else None
