"""Signatures: HMAC-SHA256 over method, id, key, sorted parameters and nonce, as the API says."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

DEPTH_MAX = 3


def signature(request: dict[str, Any], secret: str) -> str:
    payload = "".join(
        str(part)
        for part in (
            request.get("method"),
            request.get("id"),
            request.get("api_key"),
            params_text(request.get("params") or {}),
            request.get("nonce"),
        )
    )
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def is_signed(request: dict[str, Any], secret: str) -> bool:
    return hmac.compare_digest(str(request.get("sig")), signature(request, secret))


def params_text(value: Any, depth: int = 0) -> str:
    """Join names and values, names sorted, lists in order; below the third level, as it is."""
    if depth >= DEPTH_MAX or not isinstance(value, dict | list):
        return str(value)
    if isinstance(value, list):
        return "".join(params_text(each, depth + 1) for each in value)
    return "".join(f"{name}{_value_text(value[name], depth)}" for name in sorted(value))


def _value_text(value: Any, depth: int) -> str:
    if value is None:
        return "null"
    return params_text(value, depth) if isinstance(value, list) else str(value)
