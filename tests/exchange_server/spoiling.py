"""Answers that are not what they should be: bytes that no JSON holds, and JSON that lies.

Each takes the true answer and bends it; nothing else about the exchange changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.exchange_server.faults import Fault

_FIGURES = frozenset(
    {
        *("a", "b", "k", "h", "l", "o", "c", "v", "vv", "p", "q"),
        *("quantity", "reserved_qty", "limit_price", "avg_price", "order_value"),
        *("cumulative_quantity", "cumulative_value", "cumulative_fee"),
        *("traded_price", "traded_quantity", "fees", "price_tick_size", "qty_tick_size"),
    }
)

_INSTANTS = frozenset({"t", "tn", "create_time", "create_time_ns", "update_time"})

OTHER_CLIENT_OID = "someone-elses-order"
OTHER_INSTRUMENT = "DOGE_EUR"


def html(status: int, title: str) -> bytes:
    """Write the page that a gateway in front of the exchange answers with."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return page.encode()


def spoiled(fault: Fault, answer: Mapping[str, Any]) -> bytes:
    """Return the bytes of an answer that a fault of shape has bent."""
    if fault is Fault.MALFORMED:
        return encoded(answer)[:-1] + b",,"
    if fault is Fault.EMPTY:
        return b""
    result = answer.get("result")
    return encoded({**answer, "result": _BENT[fault](result)})


def encoded(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _each(names: frozenset[str], put: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Return what puts something else into each field of some names, however deep."""

    def bend(value: Any) -> Any:
        if isinstance(value, list):
            return [bend(each) for each in value]
        if isinstance(value, dict):
            return {
                name: put(each) if name in names and isinstance(each, str | int) else bend(each)
                for name, each in value.items()
            }
        return value

    return bend


def _missing(value: Any) -> Any:
    """Leave out every figure, and the status."""
    if isinstance(value, list):
        return [_missing(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _missing(each)
            for name, each in value.items()
            if name not in _FIGURES and name not in {"status", "order_id", "trade_id"}
        }
    return value


def _no_data(value: Any) -> Any:
    return {**value, "data": []} if isinstance(value, dict) else value


def _repeated(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return {**value, "data": [row for row in value["data"] for _ in range(2)]}
    return value


_BENT: dict[Fault, Callable[[Any], Any]] = {
    Fault.NULLS: _each(_FIGURES, lambda _text: None),
    Fault.NANS: _each(_FIGURES, lambda _text: "NaN"),
    Fault.NEGATIVES: _each(_FIGURES, lambda text: f"-{text}".replace("--", "")),
    Fault.WORDS: _each(_FIGURES, lambda _text: "soon"),
    Fault.HUGE: _each(_FIGURES, lambda _text: "1e400"),
    Fault.MISSING: _missing,
    Fault.NO_DATA: _no_data,
    Fault.REPEATED: _repeated,
    Fault.OTHER_ID: _each(frozenset({"client_oid"}), lambda _text: OTHER_CLIENT_OID),
    Fault.OTHER_INSTRUMENT: _each(
        frozenset({"instrument_name", "i"}), lambda _text: OTHER_INSTRUMENT
    ),
    Fault.TIMES: _each(_INSTANTS, lambda instant: type(instant)(int(instant) * 1_000)),
}
