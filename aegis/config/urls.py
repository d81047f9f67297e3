"""Where messages to people may go: over TLS, or to this machine itself.

What is wrong is told without the URL: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

URL_LENGTH_MAX = 2_000
_PLAIN = re.compile(r"[!-~]+")

EXPECTED = "an https:// URL (http:// only to this machine)"


def fault_of_url(url: str, *, may_have_query: bool) -> str | None:
    """Return what is expected of a URL and was not so, or None; the URL is not repeated."""
    if not _PLAIN.fullmatch(url) or len(url) > URL_LENGTH_MAX:
        return EXPECTED
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return EXPECTED
    if port == 0 or not parts.hostname or not _is_safe(parts):
        return EXPECTED
    if parts.username is not None or parts.password is not None:
        return f"{EXPECTED} without a user name"
    if parts.fragment or (parts.query and not may_have_query):
        return f"{EXPECTED} that ends with its path"
    return None


def _is_safe(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
