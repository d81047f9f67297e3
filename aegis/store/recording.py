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
from aegis.domain.ids import NANOS_PER_SECOND, EventId, Instant, Symbol
from aegis.domain.instants import instant_of, text_of
from aegis.domain.recorded import Entry, Fact, Recording
from aegis.store.blocks import Block, checksum_of, unpacked
from aegis.store.errors import StoreCorrupt
from aegis.store.reading import trusted
from aegis.store.recorder import Due, Ends, Recorder

BLOCKS_MAX = 20_000
"""2.5 million candles in 40 MB: nearly five years of one symbol's minutes, half a year of ten's."""

CANDLES_BEFORE = 10_000
"""Twice what a strategy may ask for to warm up on."""

AT_END = "~"
"""Stands after every instant's text."""

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

_SPANS = """
SELECT symbol, length_s, min(first_open_at), max(last_open_at) FROM recorded_candles
GROUP BY symbol, length_s
"""

_NUMBERED = "SELECT min(block_id), max(block_id) FROM recorded_candles"

_CUT = "DELETE FROM recorded_candles WHERE block_id < ?"

_NUMBERS = "SELECT block_id FROM recorded_candles ORDER BY block_id"

_ENTRY_NUMBERS = "SELECT entry_id FROM recorded_runs ORDER BY entry_id"

# SQLite's own count for AUTOINCREMENT; it stays when rows are deleted.
_COUNTED = "SELECT seq FROM sqlite_sequence WHERE name = ?"

_BLOCKS = """
SELECT symbol, length_s, first_open_at, last_open_at, candles, data, checksum
FROM recorded_candles
WHERE symbol = ? AND length_s = ? AND last_open_at >= ? AND first_open_at < ?
ORDER BY last_open_at
"""

_ALL_BLOCKS = """
SELECT symbol, length_s, first_open_at, last_open_at, candles, data, checksum FROM recorded_candles
ORDER BY block_id
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
    return {series: last for series, (_, last) in _spans(db).items()}


def read_recording(
    path: Path, begin: Instant | None = None, end: Instant | None = None
) -> Recording:
    """Return what a store has recorded; raises what a look at a store raises.

    Of the candles those of an interval, and as many before it as a strategy may warm up on; a
    candle takes 0.6 kB in memory, forty times what it takes in the store.
    """
    with trusted(path) as db:
        spans = _spans(db)
        return Recording(
            entries=_entries(db),
            candles={series: _candles(db, series, begin, end) for series in spans},
            spans=spans,
            is_cut=_is_cut(db),
        )


def faults_of(db: apsw.Connection) -> Iterator[str]:
    """Yield what is wrong with a recording, a line a fault."""
    yield from _holes("blocks of candles", _numbers(db, _NUMBERS), _counted(db, "recorded_candles"))
    entries = _numbers(db, _ENTRY_NUMBERS)
    yield from _holes("entries of runs", (0, *entries), _counted(db, "recorded_runs"))
    for read, question in ((_block, _ALL_BLOCKS), (_entry, _ENTRIES)):
        for row in db.execute(question):
            try:
                read(row)
            except StoreCorrupt as corrupt:
                yield corrupt.text


def _holes(what: str, numbers: tuple[int, ...], last: int) -> Iterator[str]:
    """Yield what is missing between numbers, and up to the last one that was ever given."""
    if not numbers and last:
        yield f"all {what} are missing, the last one was {last}"
    for before, after in pairwise((*numbers, last + 1) if numbers else ()):
        if after > before + 1:
            yield f"{what} {before + 1} to {after - 1} are missing"


def _numbers(db: apsw.Connection, question: str) -> tuple[int, ...]:
    return msgspec.convert([row[0] for row in db.execute(question)], tuple[int, ...])


def _counted(db: apsw.Connection, table: str) -> int:
    return msgspec.convert(db.execute(_COUNTED, (table,)).get or 0, int)


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
    return msgspec.convert(db.execute(_NUMBERED).fetchone(), tuple[int, int])


def _is_cut(db: apsw.Connection) -> bool:
    first = (db.execute(_NUMBERED).fetchone() or (None,))[0]
    return first is not None and first != 1


def _spans(db: apsw.Connection) -> dict[tuple[Symbol, int], tuple[Instant, Instant]]:
    rows = msgspec.convert(db.execute(_SPANS).fetchall(), list[tuple[str, int, str, str]])
    return {
        (Symbol(symbol), length_s): (instant_of(first), instant_of(last))
        for symbol, length_s, first, last in rows
    }


def _candles(
    db: apsw.Connection, series: tuple[Symbol, int], begin: Instant | None, end: Instant | None
) -> tuple[Candle, ...]:
    symbol, length_s = series
    before_ns = CANDLES_BEFORE * length_s * NANOS_PER_SECOND
    since = text_of(Instant(max(0, (begin or 0) - before_ns)))
    until = AT_END if end is None else text_of(end)
    blocks = map(_block, db.execute(_BLOCKS, (symbol, length_s, since, until)))
    return tuple(candle for block in blocks for candle in block)


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
