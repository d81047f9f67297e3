"""The candles that all engines get: one file, in the plainest format.

Prices are rounded to cents, AEGIS' price step for BTC, so that no engine rounds a fill another
way; volumes are in the base coin. A month of the real file changes in four prices by it.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from aegis.domain.ids import NANOS_PER_SECOND, Symbol
from aegis.exchange.replay import read_candles
from tests.real_candles import FORMAT

SYMBOL = Symbol("BTC/USDT")
CENT, VOLUME_STEP = Decimal("0.01"), Decimal("0.00001")


def write_series(source: Path, target: Path, *, count: int | None) -> int:
    """Write the first `count` candles of a file like the real one; return how many."""
    candles = read_candles(source, SYMBOL, FORMAT).candles[:count]
    rows = ["timestamp,open,high,low,close,volume"]
    for candle in candles:
        prices = (candle.open, candle.high, candle.low, candle.close)
        figures = (*(price.quantize(CENT) for price in prices), candle.volume.quantize(VOLUME_STEP))
        rows.append(",".join((str(candle.open_at // NANOS_PER_SECOND), *map(str, figures))))
    target.write_text("\n".join(rows) + "\n")
    return len(candles)
