"""Every line that AEGIS can log, read from its own syntax trees: name, levels, fields.

A line is a call of `log("Name", field=...)`, or of a helper in CARRIERS that hands the name on.
Fields given as `**fields` are the keys of the dictionary that the same function calls `fields`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
HOUSE = ("aegis", "actors", "supervisors")
LOGS = {"log", "_log"}
DEATH = frozenset({"name", "epoch", "error", "traceback"})

CARRIERS: dict[str, tuple[int, frozenset[str], frozenset[str]]] = {
    "_report": (0, frozenset(), frozenset()),
    "_say": (0, DEATH, frozenset({"error"})),
    "_die": (1, DEATH, frozenset({"error"})),
}
"""Helper -> where the name stands among its arguments, and the fields and levels it adds."""

HANDED_ON = {"event", "name_of"}
"""What stands for a name where a helper, or the store, passes one on."""

Found = ast.FunctionDef | ast.AsyncFunctionDef


class LogLine(msgspec.Struct, frozen=True):
    """One call; no levels where the level is not written there."""

    name: str
    levels: frozenset[str]
    fields: frozenset[str]
    place: str


class Nameless(msgspec.Struct, frozen=True):
    """A call whose line's name cannot be read from it."""

    place: str


def product() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of the product, with its path."""
    for room in HOUSE:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def calls_in(path: str, tree: ast.Module) -> Iterator[LogLine | Nameless]:
    """Yield each call that writes a line."""
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(tree):
        if isinstance(function, Found):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield from _line_of(node, function, constants, path)


def _line_of(
    call: ast.Call, function: Found, constants: Mapping[str, object], path: str
) -> Iterator[LogLine | Nameless]:
    callee, arguments = _last_name(call.func), list(call.args)
    if callee == "partial" and arguments and _last_name(arguments[0]) in LOGS | set(CARRIERS):
        callee = _last_name(arguments.pop(0))
    if callee in LOGS:
        at, more, levels = 0, frozenset[str](), frozenset[str]()
    elif callee in CARRIERS:
        at, more, levels = CARRIERS[callee]
    else:
        return
    place = f"{path}:{call.lineno}"
    if len(arguments) <= at:
        return  # a logarithm, or something else of that name
    name = _text(arguments[at], constants)
    if name is None:
        if callee == "log" and _last_name(arguments[at]) not in HANDED_ON:
            yield Nameless(place)
        return
    given = _given(call, function)
    level = given.pop("level", None)
    if level is not None:
        text = _text(level, constants)
        levels = frozenset() if text is None else frozenset({text})
    elif not levels:
        levels = frozenset({"info"})
    yield LogLine(name, levels, frozenset(given) | more, place)


def _given(call: ast.Call, function: Found) -> dict[str, ast.expr]:
    """Return the fields of a call by name."""
    given: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        if keyword.arg is not None:
            given[keyword.arg] = keyword.value
        elif isinstance(keyword.value, ast.Name):
            given |= _keys_of(keyword.value.id, function)
    return given


def _keys_of(name: str, function: Found) -> dict[str, ast.expr]:
    """Return what the dictionaries of a name in a function hold, as far as it is written."""
    assigned = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == name
    ]
    return {
        str(key.value): value
        for expression in assigned
        for table in ast.walk(expression)
        if isinstance(table, ast.Dict)
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant)
    }


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _last_name(function)
    return ""


def _text(node: ast.expr, constants: Mapping[str, object]) -> str | None:
    value = constants.get(node.id) if isinstance(node, ast.Name) else None
    if isinstance(node, ast.Constant):
        value = node.value
    return value if isinstance(value, str) else None
