"""A place where AEGIS trades at the local exchange, with a strategy that enters each second."""

from __future__ import annotations

from pathlib import Path

from tests.exchange_server.local import Local

CONFIG = """
mode = "{mode}"
[exchange]
base_url = "{base_url}"
call_deadline_s = 2
[market]
source = "exchange"
speed = 1
poll_interval_s = 0.5
[strategy]
name = "beats:Beats"
"""

BEATS = """
from aegis.domain.strategies import Signal


class Beats:
    warmup = 1
    period_s = 1

    def __init__(self, params):
        self.params = params

    def on_candle(self, candle, *, is_holding):
        return None

    def on_timer(self, *, is_holding):
        return None if is_holding else Signal.ENTER
"""


def settle(folder: Path, local: Local, *, mode: str = "live", more: str = "") -> None:
    """Write the settings of a folder that trades at a server."""
    text = CONFIG.format(mode=mode, base_url=local.base_url) + more
    (folder / "config.toml").write_text(text)
    (folder / "beats.py").write_text(BEATS)


def keys_of(local: Local) -> dict[str, str]:
    """Return the variables that open the account."""
    return {"AEGIS_EXCHANGE__API_KEY": local.key, "AEGIS_EXCHANGE__SECRET": local.secret}


def private_requests(local: Local) -> dict[str, int]:
    """Return how often each private endpoint was asked."""
    counts = local.control.requests()
    return {name: count for name, count in counts.items() if name.startswith("private/")}


def everything_in(folder: Path) -> bytes:
    """Return all bytes of all files below a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
