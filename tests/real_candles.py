"""A month of real minutes, where there are some: `TEST_CANDLES` names the file."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import Symbol
from aegis.exchange.replay import FileFormat, read_candles

NAME = "btc-perp-1m-2021-12-31_2022-02-01.csv"
CANDLES = Path(os.environ.get("TEST_CANDLES") or Path(__file__).parents[2] / "shared/data" / NAME)

FORMAT = FileFormat(timeframe_s=60, stamp="close", volume="quote")

needs_real_candles = pytest.mark.skipif(
    not CANDLES.is_file(), reason=f"no real candles: TEST_CANDLES or {CANDLES}"
)


@lru_cache(maxsize=1)
def real_candles() -> tuple[Candle, ...]:
    """Return them all, read once a process."""
    return read_candles(CANDLES, Symbol("BTC/USDT"), FORMAT).candles
