"""Candles as a store keeps them: a block of one symbol's, small, exact, and with a checksum.

A block is six lines of text, packed: the step from each open to the next in nanoseconds, then all
opens, highs, lows, closes and volumes. Figures are written as they came, to the last zero, so
that what is computed from them is written the same again.

Measured in blocks of 128, in bytes a candle with everything that SQLite adds: 14 for a month of
real minutes, 17 for simulated ones.

Invariants:
1. `unpacked(packed(candles))` are those candles, digit by digit.
2. The checksum covers every other column of the row: a block that is changed, or stands in
   another's place, is never read as good.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import accumulate, pairwise

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant, Symbol
from aegis.domain.instants import instant_of, text_of
from aegis.store.errors import StoreCorrupt

LEVEL = 6
FIGURES = ("open", "high", "low", "close", "volume")
UNPACKED_BYTES_MAX = 16 * 1024 * 1024
"""A block of ours has 10 kB; more than this was not written by a recorder."""


class Block(msgspec.Struct, frozen=True, array_like=True):
    """A row of `recorded_candles`, but for its number."""

    symbol: str
    length_s: int
    first_open_at: str
    last_open_at: str
    candles: int
    data: bytes
    checksum: str


def packed(candles: Sequence[Candle]) -> Block:
    """Return a block of one symbol's candles, which are in order and of one length."""
    first, last = candles[0], candles[-1]
    opens = [first.open_at, *(candle.open_at for candle in candles)]
    steps = " ".join(str(after - before) for before, after in pairwise(opens))
    columns = (" ".join([str(getattr(each, name)) for each in candles]) for name in FIGURES)
    data = zlib.compress("\n".join((steps, *columns)).encode(), LEVEL)
    shown = (first.symbol, first.length_s, text_of(first.open_at), text_of(last.open_at))
    return Block(*shown, len(candles), data, checksum_of(*shown, len(candles), data))


def unpacked(block: Block) -> tuple[Candle, ...]:
    """Return the candles of a block; `StoreCorrupt` where it is not what was written."""
    cells = msgspec.structs.astuple(block)
    if checksum_of(*cells[:-1]) != block.checksum:
        raise _corrupt(block, "its checksum does not cover it")
    try:
        candles = _unpacked(block)
    except (zlib.error, ValueError, InvalidOperation) as error:
        raise _corrupt(block, f"it cannot be read: {error}") from error
    return candles


def checksum_of(*cells: object) -> str:
    """Return the SHA-256 of a row's cells, each framed by its length, in hex."""
    digest = hashlib.sha256()
    for cell in cells:
        written = cell if isinstance(cell, bytes) else str(cell).encode()
        digest.update(b"%d:%b" % (len(written), written))
    return digest.hexdigest()


def _unpacked(block: Block) -> tuple[Candle, ...]:
    text = zlib.decompressobj().decompress(block.data, UNPACKED_BYTES_MAX).decode()
    steps, *columns = (line.split(" ") for line in text.split("\n"))
    opens = accumulate(map(int, steps), initial=instant_of(block.first_open_at))
    next(opens)  # the first step is none, from the first open to itself
    symbol, length_s = Symbol(block.symbol), block.length_s
    figures = ([Decimal(cell) for cell in column] for column in columns)
    candles = tuple(
        Candle(
            symbol=symbol,
            open_at=Instant(open_at),
            length_s=length_s,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        for open_at, opened, high, low, close, volume in zip(opens, *figures, strict=True)
    )
    if len(candles) != block.candles:
        raise ValueError(f"expected {block.candles} candles, was {len(candles)}")
    return candles


def _corrupt(block: Block, what: str) -> StoreCorrupt:
    place = f"the candles of {block.symbol} from {block.first_open_at} on"
    return StoreCorrupt("recording", f"{place}: {what}")
