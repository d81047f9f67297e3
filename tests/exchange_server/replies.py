"""Requests read and replies written: envelopes, pages, headers, and how a reply is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import formatdate
from enum import StrEnum
from typing import Any, NamedTuple

from tests.exchange_server.codes import NAMES
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.shapes import SECOND
from tests.exchange_server.spoiling import encoded, html, spoiled

_TITLES = {
    401: "Authorization Required",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
}


class Conduct(StrEnum):
    """What becomes of a reply on the wire."""

    ANSWER = "answer"
    RESET = "reset"  # the connection ends with a reset, nothing was said
    SILENCE = "silence"  # nothing is said and the connection stays
    TRUNCATE = "truncate"  # the headers promise more than comes
    DRIP = "drip"  # a byte each `drip_s`


class Reply(NamedTuple):
    """An answer, and how it is told. `kills` are processes that end before or after it.

    `story` says in a few words what it was about and what came of it, for a person.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    conduct: Conduct = Conduct.ANSWER
    drip_s: float = 0.0
    kills: tuple[Rule, ...] = ()
    story: str = ""


def read(sent: bytes | Mapping[str, str]) -> dict[str, Any]:
    """Read a request: a query, or a body that may be anything."""
    if not isinstance(sent, bytes):
        return {"id": -1, "params": dict(sent)}
    try:
        request = json.loads(sent)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        request = {}
    params = request.get("params")
    return {"id": -1, **request, "params": params if isinstance(params, dict) else {}}


def is_about(request: Mapping[str, Any], name: str) -> str | None:
    """Return an id that a request names, as text."""
    value = request["params"].get(name)
    return None if value is None else str(value)


def number_of(value: object) -> int:
    """Read a whole number, or -1."""
    text = str(value)
    return int(text) if text.isdigit() else -1


def answered(status: int, answer: Mapping[str, Any], told: int) -> Reply:
    return Reply(status, _headers(told, "application/json"), encoded(answer))


def refused(code: int, request: Mapping[str, Any], told: int) -> Reply:
    """Refuse in the exchange's own words, before anything was looked at."""
    status, name = NAMES[code]
    answer: dict[str, Any] = {"id": number_of(request["id"]), "code": code, "message": name}
    if request.get("method") is not None:
        answer["method"] = request["method"]
    return answered(status, answer, told)


def page(
    status: int,
    told: int,
    conduct: Conduct = Conduct.ANSWER,
    *,
    retry_after_s: int | None = None,
) -> Reply:
    """Answer with the page of a gateway in front of the exchange; none for status 0."""
    headers = _headers(told, "text/html")
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return Reply(status, headers, html(status, _TITLES[status]) if status else b"", conduct)


def spoil(reply: Reply, rule: Rule | None, answer: Mapping[str, Any], told: int) -> Reply:
    """Bend a reply as a rule says; what it tells of has happened."""
    match rule.fault if rule is not None else None:
        case None:
            return reply
        case Fault.DROP_AFTER:
            return reply._replace(conduct=Conduct.RESET)
        case Fault.SILENCE:
            return reply._replace(conduct=Conduct.SILENCE)
        case Fault.HTML_502_AFTER:
            return page(502, told)
        case Fault.TRUNCATED:
            return reply._replace(conduct=Conduct.TRUNCATE)
        case Fault.DRIP:
            assert rule is not None
            return reply._replace(conduct=Conduct.DRIP, drip_s=rule.seconds)
        case fault:
            return reply._replace(body=spoiled(fault, answer))


def _headers(told: int, kind: str) -> dict[str, str]:
    return {"Date": formatdate(told // SECOND, usegmt=True), "Content-Type": kind}
