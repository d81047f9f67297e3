"""The recording's rows: what the market showed and under which settings, there and back.

Outside of the chain, and never a reason for a store not to open: a recording that is damaged
takes the chance to live through it again, and nothing else.

Invariants:
1. Blocks are numbered without a hole; retention takes the lowest numbers alone.
2. What is read is what was written, or `StoreCorrupt` of the check "recording".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apsw
import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import EventId, Symbol
from aegis.domain.instants import instant_of, text_of
from aegis.domain.recorded import Entry, Fact, Recording
from aegis.store.blocks import Block, checksum_of, unpacked
from aegis.store.connection import failing
from aegis.store.errors import StoreCorrupt
from aegis.store.reading import trusted
from aegis.store.recorder import Due, Ends, Recorder

BLOCKS_MAX = 20_000
"""2.5 million candles in 40 MB: nearly five years of one symbol's minutes, half a year of ten's."""

BLOCKS_CUT = 500
"""Let go at once when there are too many: 5 ms, for which a commit waits."""

_INSERT_BLOCK = """
INSERT INTO recorded_candles (
    symbol, length_s, first_open_at, last_open_at, candles, data, checksum
) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_INSERT_ENTRY = """
INSERT INTO recorded_runs (kind, at, after_event, detail, checksum) VALUES (?, ?, ?, ?, ?)
"""

_ENDS = """
SELECT symbol, length_s, max(last_open_at) FROM recorded_candles GROUP BY symbol, length_s
"""

_SPAN = "SELECT min(block_id), max(block_id) FROM recorded_candles"

_CUT = "DELETE FROM recorded_candles WHERE block_id < ?"

_NUMBERS = "SELECT block_id FROM recorded_candles ORDER BY block_id"

_BLOCKS = """
SELECT symbol, length_s, first_open_at, last_open_at, candles, data, checksum
FROM recorded_candles ORDER BY symbol, length_s, first_open_at
"""

_ENTRIES = """
SELECT kind, at, after_event, detail, checksum FROM recorded_runs ORDER BY entry_id
"""

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_FACTS: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)


class Tape:
    """Where a recorder's wares go: an open store's tables; nowhere without a recorder."""

    def __init__(self, db: apsw.Connection, recorder: Recorder | None) -> None:
        self._db, self._recorder = db, recorder
        self._written: Due | None = None
        self._blocks_cut = 0
        if recorder is not None:
            with failing("open"):
                recorder.take_up(ends_of(db))

    def write_due(self) -> None:
        """Write what is due, inside the caller's transaction."""
        if self._recorder is not None:
            self._write(self._recorder.due())

    @property
    def has_rest(self) -> bool:
        """Whether anything waits to be written, due or not."""
        return self._recorder is not None and not self._recorder.is_empty

    def write_rest(self) -> None:
        """Write all that waits, inside the caller's transaction."""
        if self._recorder is not None:
            self._write(self._recorder.rest())

    def settle(self) -> None:
        """Let the recorder forget what was written: it is on the disk."""
        written, self._written = self._written, None
        if self._recorder is None or written is None:
            return
        self._recorder.settle(written)
        if self._blocks_cut:
            self._recorder.on_cut(self._blocks_cut)

    def _write(self, due: Due | None) -> None:
        self._written = due
        self._blocks_cut = 0 if due is None else _write(self._db, due)


def ends_of(db: apsw.Connection) -> Ends:
    """Return where each series of candles ends."""
    rows = msgspec.convert(db.execute(_ENDS).fetchall(), list[tuple[str, int, str]])
    return {(Symbol(symbol), length_s): instant_of(last) for symbol, length_s, last in rows}


def read_recording(path: Path) -> Recording:
    """Return all that a store has recorded; raises what a look at a store raises."""
    with trusted(path) as db:
        return Recording(entries=_entries(db), candles=_candles(db), is_cut=_is_cut(db))


def faults_of(db: apsw.Connection) -> Iterator[str]:
    """Yield what is wrong with a recording, a line a fault."""
    numbers = [int(number) for (number,) in db.execute(_NUMBERS)]
    for before, after in pairwise(numbers):
        if after != before + 1:
            yield f"blocks {before + 1} to {after - 1} of the candles are missing"
    for read, question in ((_block, _BLOCKS), (_entry, _ENTRIES)):
        for row in db.execute(question).fetchall():
            try:
                read(row)
            except StoreCorrupt as corrupt:
                yield corrupt.text


def _write(db: apsw.Connection, due: Due) -> int:
    """Return how many blocks were let go."""
    for entry in due.entries:
        db.execute(_INSERT_ENTRY, _entry_row(entry)).fetchall()
    if not due.blocks:
        return 0
    db.executemany(_INSERT_BLOCK, map(msgspec.structs.astuple, due.blocks)).fetchall()
    first, last = _span(db)
    if last - first < BLOCKS_MAX:
        return 0
    db.execute(_CUT, (first + BLOCKS_CUT,)).fetchall()
    return BLOCKS_CUT


def _span(db: apsw.Connection) -> tuple[int, int]:
    return msgspec.convert(db.execute(_SPAN).fetchone(), tuple[int, int])


def _is_cut(db: apsw.Connection) -> bool:
    first = (db.execute(_SPAN).fetchone() or (None,))[0]
    return first is not None and first != 1


def _candles(db: apsw.Connection) -> dict[tuple[Symbol, int], tuple[Candle, ...]]:
    found: dict[tuple[Symbol, int], list[Candle]] = {}
    for row in db.execute(_BLOCKS):
        block = _block(row)
        found.setdefault((block[0].symbol, block[0].length_s), []).extend(block)
    return {series: tuple(candles) for series, candles in found.items()}


def _block(row: tuple[object, ...]) -> tuple[Candle, ...]:
    return unpacked(msgspec.convert(row, Block))


def _entries(db: apsw.Connection) -> tuple[Entry, ...]:
    return tuple(_entry(row) for row in db.execute(_ENTRIES).fetchall())


def _entry_row(entry: Entry) -> tuple[str, str, int, str, str]:
    detail = _ENCODER.encode(entry.fact).decode()
    kind = str(type(entry.fact).__struct_config__.tag)
    cells = (kind, text_of(entry.at), int(entry.after_event), detail)
    return (*cells, checksum_of(*cells))


def _entry(row: tuple[object, ...]) -> Entry:
    *cells, checksum = row
    if checksum_of(*cells) != checksum:
        raise StoreCorrupt("recording", f"the run of {cells[1]}: its checksum does not cover it")
    _, at, after_event, detail = cells
    return Entry(
        at=instant_of(str(at)),
        after_event=EventId(int(str(after_event))),
        fact=_FACTS.decode(str(detail)),
    )
