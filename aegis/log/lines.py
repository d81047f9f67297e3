"""What a log line says: from any value to plain JSON, without secrets, and to words for people.

Invariants:
1. Whatever is given, the result is one line, of bounded length; nothing here raises.
2. A figure is plain digits in a text, never a float and never with an exponent.
3. Secrets are taken out before anything is cut short, so that no part of one remains.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import Path
from threading import Lock
from traceback import TracebackException
from urllib.parse import quote

import msgspec

from aegis.config.secret import HIDDEN, Secret
from aegis.domain.money import text as plain_text

TEXT_LENGTH_MAX = 16 * 1024
ITEMS_MAX = 100
_DEPTH_MAX = 6
_DIGITS_MAX = 100  # a figure of more is an accident, and would only flood the line
_LINE_LENGTH_MIN = 8  # a secret of several lines is hidden line by line, but for short ones
_SHOWN_LENGTH_MAX = 300
_UNPRINTED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What JSON leaves as it is, though some readers break lines there and some terminals obey."""

_TIME_OF_DAY = slice(11, 19)
_FILE_ONLY = frozenset({"ts", "level", "event", "trace"})
_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m", "debug": "\x1b[2m"}

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class Redactor:
    """Takes registered texts out of everything that it is shown; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Hide a text from now on, also where it is quoted as JSON, Python or a URL has it."""
        with self._lock:
            self._forms |= _forms_of(secret)
            longest_first = sorted(self._forms, key=len, reverse=True)
            if longest_first:
                self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, value: str) -> str:
        """Return a text with what is registered hidden."""
        return value if self._pattern is None else self._pattern.sub(HIDDEN, value)

    def value(self, value: Plain) -> Plain:
        """Return a plain value with every text in it clean, and then cut to its bound."""
        match value:
            case str():
                return _cut(self.text(value), TEXT_LENGTH_MAX)
            case None | bool():
                return value
            case int() | float():
                return value if self.text(str(value)) == str(value) else HIDDEN
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {self.text(key): self.value(item) for key, item in value.items()}


def plain(value: object, depth: int = 0) -> Plain:
    """Return any value as JSON has it.

    Of an object that is none of the known kinds only the type is told: its own words may hold
    anything, also what nobody should see.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, depth)
        case str():
            return str(value)
        case int():
            return value if value.bit_length() < 4 * _DIGITS_MAX else "a number of too many digits"
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return _figure(value)
        case BaseException():
            return _summary(value)
        case Path() | date() | Secret():
            return str(value)
    return _structure(value, depth)


def traced(error: BaseException) -> str:
    """Return an exception with the way that led to it, as Python prints it."""
    return "".join(TracebackException.from_exception(error, max_group_width=10).format())


def as_json(record: Mapping[str, Plain]) -> str:
    """Return a record as one line, for whoever splits lines, by whatever rule."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_UNPRINTED)


def readable(record: Mapping[str, Plain], *, is_coloured: bool) -> str:
    """Return a record as words: the time of the day, the event, then its fields."""
    level, event = str(record["level"]), _word(record["event"])
    words = [str(record["ts"])[_TIME_OF_DAY]]
    words += [] if level == "info" else [level.upper()]
    words += [event]
    fields = [
        f"{_word(key)}={_word(value)}" for key, value in record.items() if key not in _FILE_ONLY
    ]
    colour = _COLOURS.get(level) if is_coloured else None
    head = " ".join(words)
    return " ".join([f"{colour}{head}\x1b[0m" if colour else head, *fields])


def _structure(value: object, depth: int) -> Plain:
    if depth >= _DEPTH_MAX:
        return "..."
    if isinstance(value, msgspec.Struct):
        return plain({name: getattr(value, name) for name in value.__struct_fields__}, depth)
    if isinstance(value, Mapping):
        items = islice(value.items(), ITEMS_MAX)
        found = {str(plain(key, depth + 1)): plain(item, depth + 1) for key, item in items}
        return found if len(value) <= ITEMS_MAX else {**found, "...": len(value) - ITEMS_MAX}
    if isinstance(value, list | tuple | AbstractSet):
        listed = [plain(item, depth + 1) for item in islice(value, ITEMS_MAX)]
        return listed if len(value) <= ITEMS_MAX else [*listed, f"... {len(value) - ITEMS_MAX}"]
    return f"<{type(value).__name__}>"


def _figure(value: Decimal) -> str:
    is_readable = value.is_finite() and abs(value.adjusted()) < _DIGITS_MAX
    return plain_text(value) if is_readable else str(value)


def _summary(error: BaseException) -> str:
    # the standard formatter survives an exception that fails to say what it is
    return "".join(TracebackException.from_exception(error).format_exception_only()).strip()


def _word(value: Plain) -> str:
    is_text = isinstance(value, str) and value.isprintable() and not set(' "=') & set(value)
    if is_text and value:
        return _cut(str(value), _SHOWN_LENGTH_MAX)
    quoted = json.dumps(value, separators=(",", ":")).translate(_UNPRINTED)
    return _cut(quoted, _SHOWN_LENGTH_MAX)


def _cut(value: str, length_max: int) -> str:
    rest = len(value) - length_max
    return value if rest <= 0 else f"{value[:length_max]}... ({rest} more)"


def _forms_of(secret: str) -> frozenset[str]:
    lines = [line for line in secret.splitlines() if len(line) >= _LINE_LENGTH_MIN]
    forms = {
        form
        for text in (secret, *lines)
        for form in (text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1])
    }
    return frozenset(form for form in forms if form.strip())
