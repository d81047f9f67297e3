"""A file of another system's positions as records: JSON or CSV, each with its place in it.

What the words in it mean is `domain.old_books`' to say. A file that cannot be read raises
`PositionFileFaults`, with everything that is wrong with its form.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from aegis.cli.output import plain
from aegis.domain.money import written_figure
from aegis.domain.old_books import Record
from aegis.domain.spellings import SPELLINGS, is_same_symbol

BYTES_MAX = 10_000_000
"""A hundred thousand positions; what is larger is another file."""

RECORDS_MAX = 10_000

SYMBOL_WORDS = frozenset(SPELLINGS["symbol"])


class PositionFileFaults(Exception):  # noqa: N818  it is what a person hears
    """What is wrong with a file, one line each, beginning with the file and the place."""

    def __init__(self, path: Path, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"{path.name}: {fault}" for fault in faults))


def read_position_file(path: Path) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return a file's records, and remarks on what else is in it; `OSError` where it is none."""
    if path.stat().st_size > BYTES_MAX:
        raise PositionFileFaults(path, (f"expected at most {BYTES_MAX >> 20} MiB",))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start}: expected UTF-8 text"
        raise PositionFileFaults(path, (what,)) from error
    is_json = text.lstrip()[:1] in ("{", "[") or _is_one_value(text)
    try:
        records, remarks = _json_records(text) if is_json else (tuple(_csv_records(text)), ())
    except _Fault as fault:
        raise PositionFileFaults(path, fault.lines) from fault
    if len(records) > RECORDS_MAX:
        raise PositionFileFaults(path, (f"expected at most {RECORDS_MAX:,} positions",))
    return records, remarks


class _Fault(Exception):  # noqa: N818  it never leaves this module
    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__(*lines)


# JSON ---------------------------------------------------------------------------------------


def _is_one_value(text: str) -> bool:
    """Say whether a text is a single value of JSON, as null: a system's way to hold nothing."""
    try:
        json.loads(text, parse_int=str)
    except (RecursionError, ValueError):
        return False
    return True


def _json_records(text: str) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return the positions of `{"positions": {...}}`, of a list of them, or of a bare list."""
    doubled: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        doubled.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(found)

    try:
        held = json.loads(text, parse_float=_figure, parse_constant=str, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise _Fault(f"line {error.lineno}: expected JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested or numbered beyond all measure
        raise _Fault("expected the positions of a trading system, was something else") from error
    if doubled:
        raise _Fault(*(f"{name!r} stands twice in one object" for name in doubled))
    remarks: tuple[str, ...] = ()
    if isinstance(held, dict):
        if "positions" not in held:
            raise _Fault(f"expected a key positions, found {_named(held)}")
        others = [name for name in held if name != "positions"]
        remarks = (f"beside positions, left out: {', '.join(others)}",) if others else ()
        held = held["positions"]
    elif not isinstance(held, list):
        raise _Fault(
            f"expected positions by symbol, or a list of them, was {plain(text.strip()):.40}"
        )
    return tuple(_records_of(held)), remarks


def _figure(written: str) -> Decimal | str:
    """Return a figure as it is written; one whose exponent is beyond all measure stays text."""
    figure = written_figure(written)
    return written if figure is None else figure


def _records_of(held: object) -> Iterator[Record]:
    if isinstance(held, dict):
        rows = [(f"positions.{plain(key)}", key, fields) for key, fields in held.items()]
    elif isinstance(held, list):
        rows = [(f"positions[{number}]", "", fields) for number, fields in enumerate(held)]
    else:
        raise _Fault("positions: expected an object by symbol, or a list")
    wrong = [
        f"{place}: expected an object with amount and entry_price, was {fields!r:.40}"
        for place, _, fields in rows
        if not isinstance(fields, dict)
    ]
    if wrong:
        raise _Fault(*wrong)
    for place, key, fields in rows:
        yield Record(place=place, fields=_with_symbol(key, fields) if key else fields)


def _with_symbol(key: str, given: Mapping[str, object]) -> Mapping[str, object]:
    """Return fields with the key as their symbol, beside any other that they name."""
    fields = {
        name: value
        for name, value in given.items()
        if not (name in SYMBOL_WORDS and is_same_symbol(key, str(value)))
    }
    return {"pair": key, **fields} if "symbol" in fields else {"symbol": key, **fields}


def _named(held: Mapping[str, object]) -> str:
    return ", ".join(list(held)[:5]) or "nothing"


# CSV ----------------------------------------------------------------------------------------


def _csv_records(text: str) -> Iterator[Record]:
    """Yield a record a line; the first line names the columns."""
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    wrong: list[str] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not names:
                names = _columns(cells)
            elif len(cells) != len(names):
                expected = f"expected {len(names)} columns, were {len(cells)}"
                wrong.append(f"line {rows.line_num}: {expected}")
            else:
                fields = dict(zip(names, cells, strict=True))
                yield Record(place=f"line {rows.line_num}", fields=fields)
    except csv.Error as error:
        wrong.append(f"line {rows.line_num}: expected CSV: {error}")
    if wrong:
        raise _Fault(*wrong)


def _columns(cells: list[str]) -> list[str]:
    doubled = sorted({cell for cell in cells if cells.count(cell) > 1})
    if doubled:
        raise _Fault(*(f"line 1: column {name!r} stands there twice" for name in doubled))
    if not any(cell.lower() in SYMBOL_WORDS for cell in cells):
        raise _Fault("line 1: expected columns as symbol,amount,entry_price,stop_price")
    return cells
