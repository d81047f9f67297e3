"""What a quiet run has warned of in its log: each kind once, with how often.

A strategy whose entries are refused would else say so at each of thousands of candles, and one
that sees nothing of it would be read as one that never entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

Line = Mapping[str, object]

_NOT_SAID = frozenset({"ts", "level", "event"})
_KINDS = ("code", "check", "symbol")
"""The fields that make two lines of one event two kinds."""


def warnings_of(log: Path) -> tuple[str, ...]:
    """Return the warnings of a log in the order of their first, each kind once."""
    firsts: dict[tuple[object, ...], Line] = {}
    counts: dict[tuple[object, ...], int] = {}
    for line in _lines_of(log):
        if line.get("level") == "warning":
            kind = (line["event"], *(line.get(field) for field in _KINDS))
            firsts.setdefault(kind, line)
            counts[kind] = counts.get(kind, 0) + 1
    return tuple(_told(line, counts[kind]) for kind, line in firsts.items())


def _lines_of(log: Path) -> Iterator[Line]:
    """Yield the lines of a log and of those that were set aside, eldest first."""
    for path in sorted(_set_aside(log), key=_age, reverse=True):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                yield msgspec.json.decode(line, type=dict[str, object])


def _set_aside(log: Path) -> Iterable[Path]:
    return log.parent.glob(f"{log.name}*")


def _age(path: Path) -> int:
    number = path.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0


def _told(line: Line, count: int) -> str:
    fields = " ".join(f"{key}={value}" for key, value in line.items() if key not in _NOT_SAID)
    times = f" (and {count - 1:,} more)" if count > 1 else ""
    return f"{line['event']} {fields}{times}"
