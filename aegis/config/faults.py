"""What is wrong with a configuration, noted until all of it is known.

Invariants:
1. Each fault names its place: `config.toml:12`, or the variable or option that brought the value.
2. A text that was given to `hide` stands in no fault, whenever it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from aegis.config.secret import HIDDEN
from aegis.config.text import BARE_KEY, KeyPath, dotted, written

BEHIND_THE_FILE = 10**9
"""The line of what has none, so that variables are told of after the file."""

_HIDDEN_LENGTH_MIN = 4  # a shorter one would hide half of the words in a sentence


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where it was written, under which key, and what was expected."""

    place: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.text) if part)


class ConfigFaults(Exception):  # noqa: N818  one exception carries many faults
    """The configuration cannot be used; every fault of it, one a line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class Note(msgspec.Struct, frozen=True):
    """A fault as it was found; `was` is shown only when everything secret is known."""

    line: int
    place: str
    key: str
    text: str
    was: tuple[object, ...] = ()


class Notebook:
    """The places of what was read, and what is wrong with it so far."""

    def __init__(self, file_name: str) -> None:
        self.file_name = file_name
        self.broken: set[KeyPath] = set()
        self._variables: dict[KeyPath, str] = {}
        self._options: set[str] = set()
        self._lines: dict[KeyPath, int] = {}
        self._notes: list[Note] = []
        self._hidden: set[str] = set()

    def stands_at(self, lines: Mapping[KeyPath, int]) -> None:
        """Learn where the keys of the file stand."""
        self._lines.update(lines)

    def comes_from(self, path: KeyPath, variable: str) -> None:
        """Learn that a variable has the say over a key, and over all below it."""
        for places in (self._lines, self._variables):
            for older in [known for known in places if known[: len(path)] == path]:
                del places[older]
        self._variables[path] = variable

    def comes_from_option(self, path: KeyPath, option: str) -> None:
        """Learn that an option has the say over a key; a fault names it in the key's place."""
        self.comes_from(path, option)
        self._options.add(option)

    def hide(self, value: str) -> None:
        """Keep a text out of every fault."""
        if len(value) >= _HIDDEN_LENGTH_MIN:
            self._hidden.add(value)

    def expected(self, path: KeyPath, expected: str, was: object) -> None:
        """Note that a setting is not what was expected."""
        self.wrong(path, f"expected {expected}", was)

    def wrong(self, path: KeyPath, text: str, *was: object) -> None:
        """Note what is wrong with a setting, at the place nearest to it."""
        self.broken.add(path)
        place, line = self._place_of(path)
        key = "" if place in self._options else dotted(path)
        self._notes.append(Note(line, place, key, text, was))

    def wrong_line(self, line: int, text: str) -> None:
        """Note what is wrong with a line of the file, or with all of it where the line is 0."""
        place = f"{self.file_name}:{line}" if line else self.file_name
        self._notes.append(Note(line, place, "", text))

    def wrong_variable(self, variable: str, text: str) -> None:
        """Note what is wrong with a variable that is no setting."""
        shown = variable if BARE_KEY.fullmatch(variable) else written(variable)
        self._notes.append(Note(BEHIND_THE_FILE, shown, "", text))

    def faults(self) -> tuple[Fault, ...]:
        """Return every fault: the file's by line, then the environment's by name."""
        ordered = sorted(self._notes, key=lambda note: (note.line, note.place))
        return tuple(self._fault(note) for note in ordered)

    def _place_of(self, path: KeyPath) -> tuple[str, int]:
        for depth in range(len(path), 0, -1):
            if variable := self._variables.get(path[:depth]):
                return variable, BEHIND_THE_FILE
            if line := self._lines.get(path[:depth]):
                return f"{self.file_name}:{line}", line
        return self.file_name, 0

    def _fault(self, note: Note) -> Fault:
        text = "".join([note.text, *(f", was {self._shown(was)}" for was in note.was)])
        return Fault(note.place, self._clean(note.key), self._clean(text))

    def _shown(self, value: object) -> str:
        is_hidden = any(part in str(value) for part in self._hidden)
        return HIDDEN if is_hidden else written(value)

    def _clean(self, text: str) -> str:
        for form in _forms(self._hidden):
            text = text.replace(form, HIDDEN)
        return text


def _forms(hidden: Iterable[str]) -> list[str]:
    forms = {form for value in hidden for form in (value, repr(value)[1:-1], written(value)[1:-1])}
    return sorted(forms, key=len, reverse=True)
