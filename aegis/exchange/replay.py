"""Candles from a file: read and checked whole before anything trades on them.

CSV with a header, column order free, further columns ignored. `timestamp` is text in UTC
(`YYYY-MM-DD HH:MM:SS[.ffffff]`) or epoch seconds or milliseconds. A volume in the quote coin is
divided by the close and rounded down to 8 digits.

Invariants:
1. A file with a fault gives no candle at all: every fault is found, and named by its line.
2. Candles come out in order of time, on the grid of the timeframe, each open instant once.
3. A gap is no fault. It is told, so that whoever trades can refuse to look across it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from aegis.domain.candles import Candle, fault_of
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.money import ONE, ZERO, floor_to, ratio

PRICE_COLUMNS = ("open", "high", "low", "close")
COLUMNS = ("timestamp", *PRICE_COLUMNS, "volume")
FAULTS_NAMED_MAX = 20
FILE_BYTES_MAX = 512 * 1024 * 1024
"""About seven years of minutes; a larger file is more likely a mistake than a market."""

VOLUME_STEP = Decimal("0.00000001")
FIGURE_MIN, FIGURE_MAX = Decimal("1e-15"), Decimal("1e15")
DIGITS_MAX = 30
"""Figures beyond these are mistakes; within them, all that is computed from them is exact."""
SHOWN_MAX = 40

LENGTH_ROWS_MIN = 10
"""From fewer rows nothing can be said of how long the candles of a file are."""

_TEXT_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_EPOCH_TIME = re.compile(r"\d{1,14}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH_MS_MIN = 10**11
"""Epoch figures from here on are milliseconds: as seconds they would be in the year 5138."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


SECONDS_PER_DAY = 86_400
GAP_S_MAX = 31 * SECONDS_PER_DAY
"""A longer hole is a wrong digit or two files in one; each empty day of it would be lived."""

TIME_MIN = Instant(946_684_800 * NANOS_PER_SECOND)  # 2000-01-01
TIME_MAX = Instant(4_102_444_800 * NANOS_PER_SECOND)  # 2100-01-01


class Rows(Protocol):
    """What csv.reader returns: rows, and the number of the line last read."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class FileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's rows mean: their length, the end their time names, their volume's coin."""

    timeframe_s: int
    stamp: Literal["open", "close"] = "open"
    volume: Literal["base", "quote"] = "base"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch without candles, from the close before it to the open after it."""

    begins_at: Instant
    ends_at: Instant
    candles_missing: int


class ReplayFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a faultless file holds; `repeated` counts equal candles that stood there twice.

    `sha256` is of the bytes that were read, in hex.
    """

    path: Path
    sha256: str
    symbol: Symbol
    candles: tuple[Candle, ...]
    gaps: tuple[Gap, ...]
    repeated: int


class ReplayFaults(Exception):  # noqa: N818  it holds all faults of a file, not one error
    """All that is wrong with a file: up to 20 faults named, and how many there are."""

    def __init__(self, faults: tuple[str, ...], count: int) -> None:
        more = (f"and {count - len(faults)} more faults",) if count > len(faults) else ()
        super().__init__("\n".join((*faults, *more)))
        self.faults = faults
        self.count = count


def read_candles(path: Path, symbol: Symbol, form: FileFormat) -> ReplayFile:
    """Return the candles of a file, or raise `ReplayFaults` with everything wrong in it."""
    content = _content_of(path)
    reading = _Reading(path, symbol, form)
    candles = reading.candles(_text_of(path, content))
    if reading.count:
        raise ReplayFaults(tuple(reading.faults), reading.count)
    return ReplayFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        symbol=symbol,
        candles=candles,
        gaps=_gaps(candles),
        repeated=reading.repeated,
    )


def _content_of(path: Path) -> bytes:
    """Return what is in a file, or raise `ReplayFaults` when it cannot be had."""
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise _one_fault(f"{path}: expected at most {FILE_BYTES_MAX} bytes, was {size}")
        return path.read_bytes()
    except OSError as error:
        raise _one_fault(f"{path}: expected a readable file, was: {error.strerror}") from error


def _text_of(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        was = f"byte 0x{content[error.start]:02x}"
        raise _one_fault(f"{path}:{line}: text: expected UTF-8, was {was}") from error


def _one_fault(fault: str) -> ReplayFaults:
    return ReplayFaults((fault,), 1)


def _gaps(candles: tuple[Candle, ...]) -> tuple[Gap, ...]:
    return tuple(
        Gap(
            begins_at=before.close_at,
            ends_at=after.open_at,
            candles_missing=(after.open_at - before.close_at)
            // (before.length_s * NANOS_PER_SECOND),
        )
        for before, after in pairwise(candles)
        if before.close_at != after.open_at
    )


class _Reading:
    """One pass through a file's lines; it gathers candles and faults."""

    def __init__(self, path: Path, symbol: Symbol, form: FileFormat) -> None:
        self.faults: list[str] = []
        self.count = 0
        self.repeated = 0
        self._path = path
        self._symbol = symbol
        self._length_s = form.timeframe_s
        self._length_ns = form.timeframe_s * NANOS_PER_SECOND
        self._shift_ns = self._length_ns if form.stamp == "close" else 0
        self._is_volume_in_quote = form.volume == "quote"
        self._line = 1
        self._rows = self._off_grid = 0
        self._places: tuple[int, ...] = ()
        self._is_text_time: bool | None = None

    def candles(self, content: str) -> tuple[Candle, ...]:
        found: list[Candle] = []
        rows = csv.reader(io.StringIO(content, newline=""), strict=True)
        try:
            self._read_rows(rows, found)
        except csv.Error as error:
            self._line = rows.line_num
            self._tell("line", "columns divided by commas", str(error))
        if content and not content.endswith("\n"):
            self._line = content.count("\n") + 1
            self._tell("line", "a newline at its end", "none: the last line may be torn")
        if not found and not self.count:
            self._tell("line", "at least one candle after the header", "the header alone")
        self._judge_length(found)
        return tuple(found)

    def _judge_length(self, found: list[Candle]) -> None:
        """Say once what is wrong with a file whose candles are of another length."""
        expected = f"{self._path}: timestamp: expected candles of {self._length_s} s"
        if self._rows < LENGTH_ROWS_MIN:
            return
        steps_ns = [after.open_at - before.open_at for before, after in pairwise(found)]
        if self._off_grid * 2 >= self._rows:
            was = f"was shorter ones: {self._off_grid:,} of {self._rows:,} begin in between"
        elif not self.count and min(steps_ns, default=0) > self._length_ns:
            was = f"was longer ones: they are {min(steps_ns) // NANOS_PER_SECOND} s apart or more"
        else:
            return
        self.faults, self.count = [f"{expected} (market.timeframe), {was}"], 1

    def _read_rows(self, rows: Rows, found: list[Candle]) -> None:
        header = next(rows, [])
        if not self._find_columns(header):
            return
        for row in rows:
            self._line = rows.line_num
            self._rows += 1
            if len(row) != len(header):
                self._tell("line", f"{len(header)} fields", str(len(row)))
                continue
            candle = self._candle([row[place] for place in self._places])
            if candle is not None:
                self._keep(candle, found)

    def _find_columns(self, header: list[str]) -> bool:
        """Find each column's place; tell all that are missing or stand there twice."""
        names = [name.strip().lower() for name in header]
        if not set(names) & set(COLUMNS):
            was = _shown(",".join(header)) if header else "nothing"
            self._tell("line", f"a header with {','.join(COLUMNS)}", was)
            return False
        for column in COLUMNS:
            if names.count(column) != 1:
                was = f"{names.count(column)} of them in {_shown(','.join(header))}"
                self._tell(column, "this column once in the header", was)
        if self.count:
            return False
        self._places = tuple(names.index(column) for column in COLUMNS)
        return True

    def _candle(self, fields: list[str]) -> Candle | None:
        """Return the candle of one row, or None when a fault of it was told."""
        faults_before = self.count
        open_at = self._open_at(fields[0])
        opened, high, low, close = map(self._price, PRICE_COLUMNS, fields[1:5])
        volume = self._volume(fields[5])
        if self.count > faults_before:
            return None
        if self._is_volume_in_quote:
            volume = floor_to(ratio(volume, close), VOLUME_STEP)
        candle = Candle(
            symbol=self._symbol,
            open_at=open_at,
            length_s=self._length_s,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        fault = fault_of(candle)
        if fault is not None:
            self._name(f"high, low: {fault}")
            return None
        return candle

    def _keep(self, candle: Candle, found: list[Candle]) -> None:
        """Add a candle in its order of time, or tell why it has none; equal ones count once."""
        if not found or candle.open_at > found[-1].open_at:
            gap_s = (candle.open_at - found[-1].close_at) // NANOS_PER_SECOND if found else 0
            if gap_s > GAP_S_MAX:
                days = gap_s // SECONDS_PER_DAY
                self._tell("timestamp", "the next candle within 31 days", f"a gap of {days} days")
            found.append(candle)
        elif candle == found[-1]:
            self.repeated += 1
        elif candle.open_at == found[-1].open_at:
            self._tell("timestamp", "each candle once", "the time before with other figures")
        else:
            late_s = (found[-1].open_at - candle.open_at) // NANOS_PER_SECOND
            self._tell("timestamp", "a time after the one before", f"{late_s} s before it")

    def _open_at(self, field: str) -> Instant:
        """Return the open instant that a timestamp means; 0 with a fault told."""
        is_text = _TEXT_TIME.fullmatch(field) is not None
        stamped_at = _text_instant(field) if is_text else _epoch_instant(field)
        if stamped_at is None:
            self._tell("timestamp", "YYYY-MM-DD HH:MM:SS or epoch s or ms", _shown(field))
            return Instant(0)
        if self._is_text_time is None:
            self._is_text_time = is_text
        if is_text is not self._is_text_time:
            kind = "text" if self._is_text_time else "an epoch figure"
            self._tell("timestamp", f"{kind}, as in the first candle", _shown(field))
        open_at = Instant(stamped_at - self._shift_ns)
        if not TIME_MIN <= open_at < TIME_MAX:
            self._tell("timestamp", "a time from 2000 to 2099", _shown(field))
        elif open_at % self._length_ns:
            self._off_grid += 1
            self._tell("timestamp", f"a multiple of {self._length_s} s", _shown(field))
        return open_at

    def _price(self, column: str, field: str) -> Decimal:
        price = _figure(field)
        if price is None or not FIGURE_MIN <= price <= FIGURE_MAX:
            self._tell(column, "a positive price", _shown(field))
            return ONE
        return price

    def _volume(self, field: str) -> Decimal:
        volume = _figure(field)
        if volume is None or (volume != 0 and not FIGURE_MIN <= volume <= FIGURE_MAX):
            self._tell("volume", "zero or more", _shown(field))
            return ZERO
        return volume

    def _tell(self, column: str, expected: str, was: str) -> None:
        self._name(f"{column}: expected {expected}, was {was}")

    def _name(self, fault: str) -> None:
        self.count += 1
        if self.count <= FAULTS_NAMED_MAX:
            self.faults.append(f"{self._path}:{self._line}: {fault}")


def _text_instant(field: str) -> Instant | None:
    try:
        moment = datetime.fromisoformat(field).replace(tzinfo=UTC)
    except ValueError:  # the 31st of February
        return None
    return Instant((moment - _EPOCH) // _MICROSECOND * 1000)


def _epoch_instant(field: str) -> Instant | None:
    if _EPOCH_TIME.fullmatch(field) is None:
        return None
    figure = int(field)
    nanos = 1_000_000 if figure >= _EPOCH_MS_MIN else NANOS_PER_SECOND
    return Instant(figure * nanos)


def _figure(field: str) -> Decimal | None:
    """Return the decimal that a field holds, or None for text, NaN, infinity or too many digits."""
    if _NUMBER.fullmatch(field) is None:
        return None
    figure = Decimal(field)
    return figure if len(field) <= DIGITS_MAX else None


def _shown(field: str) -> str:
    """Return a field as a person may see it in a fault: quoted, and cut when it is long."""
    return repr(field if len(field) <= SHOWN_MAX else field[:SHOWN_MAX] + "...")
