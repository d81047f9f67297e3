"""Where a key stands in a TOML text: key paths and their line numbers.

The standard parser gives no places. This scanner reads only what it must to find keys, and
leaves every judgement to the parser.

Invariants:
1. It is handed text that the parser has accepted; what a value means never matters here.
2. What stands inside a string, a comment, an array or an inline table is never a key.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator

Path = tuple[str, ...]

_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_KEY_PART = re.compile(r'[ \t]*+("(?:\\.|[^"\\])*+"|\'[^\']*+\'|[A-Za-z0-9_-]++)[ \t]*+')
_VALUE_PART = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2}+)'
    r"|'''.*?'''(?:'{0,2}+)"
    r'|"(?:\\.|[^"\\])*+"'
    r"|'[^']*+'"
    r"|#[^\n]*+"
    r"|[\[{]|[\]}]|\n"
    r"""|[^"'#\[\]{}\n]++""",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line of each key and section of a valid TOML text, counted from 1.

    Keys inside an inline table have no entry: they stand on the line of their table's key.
    """
    breaks = [found.start() for found in re.finditer("\n", text)]
    lines: dict[Path, int] = {}
    for path, position in _statements(text):
        line = bisect_right(breaks, position) + 1
        for depth in range(1, len(path)):
            lines.setdefault(path[:depth], line)
        lines[path] = line
    return lines


def _statements(text: str) -> Iterator[tuple[Path, int]]:
    section: Path = ()
    position = _after_blank(text, 0)
    while position < len(text):
        if text[position] == "[":
            section, end = _key(text, position + text[position : position + 2].count("["))
            yield section, position
        else:
            path, end = _key(text, position)
            yield section + path, position
        position = _after_blank(text, _after_value(text, end))


def _key(text: str, position: int) -> tuple[Path, int]:
    parts: list[str] = []
    while True:
        found = _KEY_PART.match(text, position)
        assert found is not None, f"Expected a key at character {position} of the config"
        parts.append(_plain(found[1]))
        position = found.end()
        if text[position : position + 1] != ".":
            return tuple(parts), position
        position += 1


def _plain(part: str) -> str:
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return position if found is None else found.end()


def _after_value(text: str, position: int) -> int:
    """Return the end of the statement: the first line break outside of every bracket."""
    depth = 1 if text[position : position + 1] == "]" else 0
    while position < len(text):
        found = _VALUE_PART.match(text, position)
        assert found is not None, f"Expected a value at character {position} of the config"
        part, position = found[0], found.end()
        depth += (part in "[{") - (part in "]}")
        if part == "\n" and depth <= 0:
            break
    return position
