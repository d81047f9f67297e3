"""What the operator wrote: config.toml and the environment, as one tree that knows its places.

It owns reading, and "did you mean". It never judges whether a value is right: that is
`aegis/config.py`, which hands in the keys that exist.

Invariants:
1. Every fault of a reading is found before anything is reported.
2. A secret in config.toml is a fault that says where it belongs, and does not repeat it.
3. A variable that begins with AEGIS_ and means nothing is a fault.
4. What was given on the command line has the last word.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path

import msgspec

from aegis.config import secret
from aegis.config.faults import Notebook
from aegis.config.lines import lines_of
from aegis.config.secret import Secret
from aegis.config.text import BARE_KEY, KeyPath, dotted

PREFIX = "AEGIS_"
LIVE_VARIABLE = "AEGIS_LIVE"
"""A consent, read by the program and not a setting."""

FILE_BYTES_MAX = 256 * 1024
TABLE_DEPTH = 3
"""paper.balances.EUR: a key of the user's own, below its section and table."""

_NAME_LENGTH_MAX = 80  # names longer than any setting's are not searched for a likeness
_NOT_SETTINGS = frozenset(
    {LIVE_VARIABLE, *secret.VARIABLES, *(f"{variable}_FILE" for variable in secret.VARIABLES)}
)
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Keys(msgspec.Struct, frozen=True):
    """The settings that exist.

    `tables` hold keys of the user's own; each has the way its keys are spelt, since names of
    variables are all capitals.
    """

    plain: frozenset[KeyPath]
    tables: Mapping[KeyPath, Callable[[str], str]]

    @property
    def all(self) -> frozenset[KeyPath]:
        return self.plain | self.tables.keys()

    @property
    def sections(self) -> frozenset[str]:
        """The dotted names of all that settings stand in, sections of sections too."""
        return frozenset(dotted(path[:end]) for path in self.all for end in range(1, len(path)))


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A setting from the command line: its dotted key, and the option that faults are told at."""

    option: str
    key: str
    value: object


class Reading(msgspec.Struct, frozen=True):
    """A tree of values under known keys, the secrets, and what is wrong so far.

    `is_whole` is False where the file could not be read, so that its values are unknown.
    """

    values: dict[str, object]
    secrets: dict[str, Secret]
    notebook: Notebook
    is_whole: bool


def read(
    path: Path, environ: Mapping[str, str], keys: Keys, overrides: Sequence[Override] = ()
) -> Reading:
    """Return what file, environment and command line say, with every fault of their shape."""
    notebook = Notebook(path.name or str(path))
    secrets = _secrets_of(environ, path.parent, notebook)
    text = _text_of(path, notebook)
    parsed = None if text is None else _parsed(text, notebook)
    values = {} if parsed is None else _known_values(parsed, keys, notebook)
    _overlay(values, environ, keys, notebook)
    for override in overrides:
        _take(values, override, keys, notebook)
    return Reading(values, secrets, notebook, is_whole=parsed is not None)


def _secrets_of(environ: Mapping[str, str], folder: Path, notebook: Notebook) -> dict[str, Secret]:
    for variable in environ.keys() & secret.VARIABLES:
        notebook.hide(environ[variable])
    found: dict[str, Secret] = {}
    for variable, result in secret.read(environ, folder).items():
        if isinstance(result, Secret):
            notebook.hide(result.reveal())
            found[secret.VARIABLES[variable.removesuffix("_FILE")]] = result
        else:
            notebook.wrong_variable(variable, str(result))
            notebook.broken.add(("secrets", secret.VARIABLES[variable.removesuffix("_FILE")]))
    return found


# The file ---------------------------------------------------------------------------------


def _text_of(path: Path, notebook: Notebook) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        notebook.wrong_line(0, f"expected a file that can be read, was: {error.strerror}")
        return None
    if len(content) > FILE_BYTES_MAX:
        notebook.wrong_line(0, f"expected at most {FILE_BYTES_MAX} bytes, was more")
        return None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        notebook.wrong_line(line, f"expected UTF-8, was byte 0x{content[error.start]:02x}")
        return None


def _parsed(text: str, notebook: Notebook) -> dict[str, object] | None:
    try:
        values = tomllib.loads(text, parse_float=_figure)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
        notebook.wrong_line(line, f"expected TOML, was not: {_TOML_PLACE.sub('', str(error))}")
    except ValueError:
        notebook.wrong_line(0, "expected TOML, was a number of too many digits")
    except RecursionError:
        notebook.wrong_line(0, "expected TOML, was nested too deeply")
    else:
        notebook.stands_at(lines_of(text))
        return values
    return None


def _figure(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")  # an exponent beyond all reason; refused like any other NaN


def _known_values(
    parsed: Mapping[str, object], keys: Keys, notebook: Notebook, section: KeyPath = ()
) -> dict[str, object]:
    """Return what stands under known keys of a section, and of the sections in it."""
    known: dict[str, object] = {}
    for name, value in parsed.items():
        path = (*section, name)
        if path in keys.tables and not isinstance(value, dict):
            notebook.expected(path, "a table", value)
        elif path in keys.all:
            known[name] = dict(value) if isinstance(value, dict) else value
        elif dotted(path) not in keys.sections:
            _refuse(path, value, keys, notebook)
        elif isinstance(value, dict):
            known[name] = _known_values(value, keys, notebook, path)
        else:
            notebook.expected(path, f"a section, [{dotted(path)}]", value)
    return known


def _refuse(path: KeyPath, value: object, keys: Keys, notebook: Notebook) -> None:
    if not _refuse_secrets(path, value, notebook):
        notebook.wrong(path, _unknown(dotted(path), keys))


def _refuse_secrets(path: KeyPath, value: object, notebook: Notebook) -> bool:
    """Note each secret at or below a key; say whether the key is one itself."""
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_secrets((*path, key), item, notebook)
        return False
    name = ".".join(path[-2:]) if path[-1] == "url" else path[-1]
    if not secret.is_secret_name(name):
        return False
    notebook.hide(str(value))
    variable = secret.variable_for(name)
    notebook.wrong(path, f"expected in the variable {variable} or {variable}_FILE, was in the file")
    return True


# The environment --------------------------------------------------------------------------


def _overlay(
    values: dict[str, object], environ: Mapping[str, str], keys: Keys, notebook: Notebook
) -> None:
    variables = {_variable(path): path for path in keys.all}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in _NOT_SETTINGS:
            continue
        path = variables.get(variable) or _path_in_table(variable, keys)
        if path is None:
            _refuse_variable(variable, environ[variable], keys, notebook)
        else:
            notebook.comes_from(path, variable)
            _put(values, path, literal(environ[variable]))


def _take(values: dict[str, object], override: Override, keys: Keys, notebook: Notebook) -> None:
    """Put a setting of the command line in its place, or note that there is none."""
    path = tuple(override.key.split("."))
    is_in_table = path[:2] in keys.tables and len(path) == TABLE_DEPTH
    if path in keys.all or (is_in_table and BARE_KEY.fullmatch(path[-1])):
        notebook.comes_from_option(path, override.option)
        _put(values, path, override.value)
        return
    fault = _unknown(override.key, keys)
    if secret.is_secret_name(override.key):
        notebook.hide(str(override.value))
        fault = f"unknown; secrets come from the variable {secret.variable_for(override.key)}"
    notebook.comes_from_option(path, override.option)
    notebook.wrong(path, fault)


def _put(values: dict[str, object], path: KeyPath, value: object) -> None:
    table = values
    for part in path[:-1]:
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            return  # a variable has made no table of it, which is found when that is judged
        table = below
    table[path[-1]] = value


def _refuse_variable(variable: str, value: str, keys: Keys, notebook: Notebook) -> None:
    name = variable.removeprefix(PREFIX).casefold().replace("__", ".")
    fault = _unknown(name, keys)
    if secret.is_secret_name(name):
        notebook.hide(value)
        fault = f"unknown; did you mean {secret.variable_for(name)}?"
    notebook.wrong_variable(variable, fault)


def _variable(path: KeyPath) -> str:
    return PREFIX + "__".join(path).upper()


def _path_in_table(variable: str, keys: Keys) -> KeyPath | None:
    for table, spell in keys.tables.items():
        name = variable.removeprefix(f"{_variable(table)}__")
        if name != variable and "__" not in name and BARE_KEY.fullmatch(name):
            return (*table, spell(name))
    return None


def literal(text: str) -> object:
    """Return the one TOML literal that a text is, or else the text itself.

    It must be a literal on its own and inside a list: so `1 # one`, `1]` and a value that goes
    on with a second setting stay text.
    """
    try:
        alone = tomllib.loads(f"value = {text}", parse_float=_figure)
        listed = tomllib.loads(f"value = [{text}]", parse_float=_figure)
    except (ValueError, RecursionError):
        return text
    return alone["value"] if alone == {"value": listed["value"][0]} else text


# Did you mean -----------------------------------------------------------------------------


def _unknown(name: str, keys: Keys) -> str:
    """Return what is wrong with a name that is no setting, and which one may be meant."""
    if name in keys.sections:
        within = min(dotted(path) for path in keys.all if dotted(path).startswith(f"{name}."))
        return f"expected a setting, was a section of them; one is {within}"
    return f"unknown{_did_you_mean(name, keys)}"


def _did_you_mean(name: str, keys: Keys) -> str:
    """Return the setting nearest to a name as the end of a sentence, or nothing.

    The same word in another section is nearer than a like word in this one.
    """
    settings = sorted(dotted(path) for path in keys.all)
    by_word = {setting.rpartition(".")[2]: setting for setting in settings}
    word = name.rpartition(".")[2]
    homes = [setting for setting in settings if setting.rpartition(".")[2] == word]
    near = homes if len(homes) == 1 else []
    for wanted, known, likeness in (
        (name, [*settings, *sorted(keys.sections)], 0.7),
        (word, [*by_word], 0.8),
    ):
        near = near or get_close_matches(wanted[:_NAME_LENGTH_MAX], known, 1, likeness)
    return f"; did you mean {by_word.get(near[0], near[0])}?" if near else ""
