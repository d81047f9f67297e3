"""How settings are written for people: short in a fault, as TOML in a listing.

Invariants:
1. Each text stands on one line, in characters that no terminal obeys.
2. What `toml` writes, the TOML parser reads back to the same value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from aegis.domain.money import text as plain_text

KeyPath = tuple[str, ...]

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""

_LENGTH_MAX = 60
_DIGITS_MAX = 40


def dotted(path: KeyPath) -> str:
    """Return a key path as TOML writes it."""
    return ".".join(part if BARE_KEY.fullmatch(part) else written(part) for part in path)


def written(value: object) -> str:
    """Return a value much as its author wrote it, but on one line and short."""
    match value:
        case bool():
            result = "true" if value else "false"
        case str() | Path():
            result = _quoted(str(value)[: _LENGTH_MAX + 1])
        case int() if value.bit_length() > 4 * _DIGITS_MAX:
            result = "a number of too many digits"
        case Mapping():
            result = "a table"
        case list() | tuple():
            result = f"a list of {len(value)}"
        case _:
            result = str(value)
    return f"{result[:_LENGTH_MAX]}..." if len(result) > _LENGTH_MAX else result


def toml(value: object) -> str:
    """Return a setting as TOML."""
    match value:
        case None:
            return _quoted("")
        case bool() | int():
            return str(value).lower()
        case Decimal():
            return plain_text(value)
        case float():
            return plain_text(Decimal(str(value)))
        case tuple():
            return f"[{', '.join(toml(item) for item in value)}]"
        case Mapping():
            pairs = [f"{dotted((str(key),))} = {toml(item)}" for key, item in value.items()]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case _:
            return _quoted(str(value))


def _quoted(value: str) -> str:
    """Return a text in quotes, with everything escaped that is not plain ASCII.

    JSON's escapes are TOML's, but for characters beyond 16 bits and the delete character.
    """
    if value.isascii():
        return json.dumps(value).replace("\x7f", "\\u007f")
    return "".join(
        ('"', *(_escaped(character) for character in value), '"'),
    )


def _escaped(character: str) -> str:
    if character.isascii():
        return _quoted(character)[1:-1]
    return f"\\U{ord(character):08x}"
