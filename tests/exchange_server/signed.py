"""Requests to a core as the wire would carry them, without ccxt: for properties over many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.exchange_server.in_process import SECRET, InProcess
from tests.exchange_server.replies import Reply
from tests.exchange_server.shapes import MS
from tests.exchange_server.signing import signature


def body_of(
    place: InProcess,
    endpoint: str,
    params: dict[str, Any],
    other: Mapping[str, Any] | None = None,
) -> bytes:
    """Write a signed request; `other` replaces parts of it after it was signed."""
    request: dict[str, Any] = {
        "id": place.now // MS,
        "method": endpoint,
        "params": params,
        "api_key": place.core.key,
        "nonce": place.now // MS,
    }
    request["sig"] = signature(request, SECRET)
    return json.dumps({**request, **(other or {})}).encode()


def send(place: InProcess, endpoint: str, params: dict[str, Any] | None = None) -> Reply:
    body = body_of(place, endpoint, params or {})
    return place.core.answer(endpoint, "POST", body, place.now)


def code_of(reply: Reply) -> int:
    return int(json.loads(reply.body)["code"])
