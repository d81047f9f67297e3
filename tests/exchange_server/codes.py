"""The exchange's reason codes, each with its name and HTTP status, as its API reference lists them.

40401 comes with HTTP 200, and most refusals of the risk engine (306, 316, 415) with HTTP 500: who
judges by the status alone takes a refusal for an outage, or an outage for a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[int, tuple[int, str]] = {
    0: (200, "NO_ERROR"),
    204: (400, "DUPLICATE_CLORDID"),
    208: (400, "INSTRUMENT_NOT_TRADABLE"),
    209: (400, "INVALID_INSTRUMENT"),
    212: (500, "INVALID_ORDERID"),
    213: (400, "INVALID_ORDERQTY"),
    218: (400, "INVALID_ORDTYPE"),
    219: (500, "INVALID_EXECINST"),
    220: (400, "INVALID_SIDE"),
    221: (400, "INVALID_TIF"),
    224: (400, "REJ_BY_MATCHING_ENGINE"),
    229: (400, "INVALID_REF_PRICE"),
    306: (500, "INSUFFICIENT_AVAILABLE_BALANCE"),
    308: (400, "INVALID_PRICE"),
    314: (400, "EXCEEDS_MAX_ORDER_SIZE"),
    315: (400, "FAR_AWAY_LIMIT_PRICE"),
    316: (500, "NO_ACTIVE_ORDER"),
    318: (400, "EXCEEDS_MAX_ALLOWED_ORDERS"),
    415: (500, "BELOW_MIN_ORDER_SIZE"),
    10003: (403, "IP_ILLEGAL"),
    40001: (400, "BAD_REQUEST"),
    40002: (400, "METHOD_NOT_FOUND"),
    40003: (400, "INVALID_REQUEST"),
    40004: (400, "MISSING_OR_INVALID_ARGUMENT"),
    40005: (400, "INVALID_DATE"),
    40101: (401, "UNAUTHORIZED"),
    40102: (400, "INVALID_NONCE"),
    40401: (200, "NOT_FOUND"),
    42901: (429, "TOO_MANY_REQUESTS"),
    43003: (500, "FILL_OR_KILL"),
    43004: (500, "IMMEDIATE_OR_CANCEL"),
    43005: (500, "POST_ONLY_REJ"),
    50001: (400, "ERR_INTERNAL"),
    140001: (500, "API_DISABLED"),
    9010001: (503, "SYSTEM_MAINTENANCE"),
}


class RefusedError(Exception):
    """The exchange says no. `result` goes with the answer where the real one sends ids along."""

    def __init__(self, code: int, result: Mapping[str, object] | None = None) -> None:
        status, name = NAMES[code]
        super().__init__(f"{code} {name}")
        self.code = code
        self.status = status
        self.name = name
        self.result = result
