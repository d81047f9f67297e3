"""A folder in which AEGIS trades live against the local exchange."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.exchange_server.local import Local

CONFIG = """
mode = "live"
[exchange]
symbols = {symbols}
base_url = "{base_url}"
[market]
source = "exchange"
speed = 1
"""


def configure_live(folder: Path, local: Local, symbols: str = '["BTC/USDT"]') -> Path:
    """Write the settings of a live run, and return their file."""
    path = folder / "config.toml"
    path.write_text(CONFIG.format(symbols=symbols, base_url=local.base_url))
    return path


def keys_of(local: Local) -> Mapping[str, str]:
    """Return the variables that bring the keys of the local account."""
    return {"AEGIS_EXCHANGE__API_KEY": local.key, "AEGIS_EXCHANGE__SECRET": local.secret}
