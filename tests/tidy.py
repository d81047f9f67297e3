"""The house's rules, read from syntax trees: each a function from a source to its faults.

They find what a type checker and a linter cannot know: which door a library has, where time and
chance may come in, what a floor may import. `tests/test_tidy.py` runs them, and tries each on
text that breaks it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeGuard

HOUSE = ("aegis", "actors", "supervisors", "run")

DOORS: dict[str, tuple[str, ...]] = {
    "apsw": ("aegis/store/",),
    "ccxt": ("aegis/exchange/",),
    "requests": ("aegis/notify/",),
    "structlog": ("aegis/log/logger.py",),
    "logging": ("aegis/log/logger.py",),
    "pykka": ("actors/base.py", "actors/directory.py", "supervisors/"),
    "pydantic": ("aegis/config/model.py",),
    "pydantic_core": ("aegis/config/model.py",),
    "tomllib": ("aegis/config/",),
    "typer": ("aegis/cli/", "run.py"),
    "click": ("aegis/cli/", "run.py"),
    "rich": ("aegis/cli/", "run.py"),
    "prometheus_client": ("aegis/web/",),
    "sqlite3": ("aegis/exchange/paper_ledger.py",),
    "socket": ("aegis/control.py", "aegis/service.py"),
    "fcntl": ("aegis/store/lock.py",),
    "time": ("aegis/clock.py",),
    "random": ("aegis/clock.py",),
    "secrets": ("aegis/clock.py",),
    "uuid": (),
    "pickle": (),
    "marshal": (),
    "shelve": (),
    "dill": (),
    "msgspec": ("",),
}
"""Library -> where it may be imported: a file, a folder, or everywhere (an empty text)."""

PURE = {
    *("__future__", "collections", "datetime", "decimal", "enum", "functools", "hashlib"),
    *("msgspec", "typing"),
}
"""All that the domain is made of, besides itself."""

AMBIENT = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.date.today", "os.urandom", "os.getrandom"),
}
CLOCK = "aegis/clock.py"

HOSTILE = {
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
}

BROAD = {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"}
MAY_CATCH_ALL = "actors/base.py"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("aegis.domain",),
    ("aegis.dialogue",),
    ("aegis.vitals", "aegis.tuning", "aegis.letters", "aegis.news"),
    ("aegis.messages",),
    ("aegis.ports",),
    ("aegis.config",),
    ("aegis.clock", "aegis.packages"),
    ("aegis.store", "aegis.exchange", "aegis.notify", "aegis.control", "aegis.log",
     "aegis.service", "aegis.strategy_loader"),
    ("aegis.archive",),
    ("aegis.cli", "aegis.web"),
    ("actors",),
    ("supervisors",),
    ("run",),
)  # fmt: skip
"""From the ground up; a room imports itself and floors below, never its neighbours."""

SHARED_BY_ACTORS = {
    "actors.base",
    "actors.catalogue",
    "actors.beating",
    "actors.exit_lines",
    "actors.looks",
    "actors.trailing",
    "actors.directory",
    "actors.names",
    "actors.quotes",
    "actors.sightings",
    "actors.timers",
    "actors.turns",
}

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400

SQL = re.compile(
    r"\s*(SELECT\b|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX|TRIGGER)|"
    r"PRAGMA|DROP\s|ALTER\s+TABLE|ATTACH\s)",
    re.IGNORECASE,
)
SQL_CALLS = {"execute", "executemany", "executescript"}

ONE_THREAD = ("aegis/cli/", "aegis/archive/__main__.py")
"""Where a process has no second thread that decodes."""

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
NOQA = re.compile(r"#\s*no" r"qa(?P<codes>:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?(?P<reason>.*)")
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|work|root|Users)/\w|\b[A-Z]:\\+Users\b")


class Source:
    """One file: its path in the house, its text, its tree."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def module(self) -> str:
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> tuple[tuple[int, str], ...]:
        """Each imported module, or name of a module, with its line."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                found += [(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
        return tuple(found)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module.split(".")[: -node.level]
        return ".".join([*package, *filter(None, [node.module])])

    @cached_property
    def _full_names(self) -> dict[str, str]:
        """Give what a name in this file stands for, through its imports."""
        names = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    names[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{self._origin(node)}.{alias.name}"
        return names

    def full_name(self, node: ast.AST) -> str:
        """Return the dotted name that an expression stands for, or nothing."""
        if isinstance(node, ast.Name):
            return self._full_names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            left = self.full_name(node.value)
            return f"{left}.{node.attr}" if left else ""
        return ""

    def fault(self, line: int, text: str) -> str:
        return f"{self.path}:{line}: {text}"


Rule = Callable[[Source], Iterator[str]]


def is_at(path: str, places: tuple[str, ...]) -> bool:
    """Say whether a path is one of some files, or in one of some folders."""
    return any(
        path == place or ((not place or place.endswith("/")) and path.startswith(place))
        for place in places
    )


def library_outside_its_door(source: Source) -> Iterator[str]:
    for line, name in source.imports:
        library = name.partition(".")[0]
        if library in HOUSE or library == "tests":
            continue
        if library in DOORS:
            if not is_at(source.path, DOORS[library]):
                where = " or ".join(DOORS[library]) or "nowhere"
                yield source.fault(line, f"{library} is imported {where} alone")
        elif library not in sys.stdlib_module_names:
            yield source.fault(line, f"{library} has no door")


def ambient_time_or_chance(source: Source) -> Iterator[str]:
    if source.path == CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and source.full_name(node) in AMBIENT:
            yield source.fault(node.lineno, f"{source.full_name(node)}: ask the clock")


def impure_domain(source: Source) -> Iterator[str]:
    if not source.path.startswith("aegis/domain/"):
        return
    for line, name in source.imports:
        library = name.partition(".")[0]
        if library not in PURE and not name.startswith("aegis.domain"):
            yield source.fault(line, f"the domain imports {name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "float":
            yield source.fault(node.lineno, "a float in the domain")
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield source.fault(node.lineno, f"a float in the domain: {node.value}")


def money_in_the_threads_context(source: Source) -> Iterator[str]:
    contexts = {"decimal.getcontext", "decimal.setcontext", "decimal.localcontext"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and source.full_name(node) in contexts:
            yield source.fault(node.lineno, "the thread's decimal context")
        if isinstance(node, ast.Call) and source.full_name(node.func) == "decimal.Decimal":
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, float):
                    yield source.fault(node.lineno, f"a figure from a float: {argument.value}")


def broad_except(source: Source) -> Iterator[str]:
    if source.path == MAY_CATCH_ALL:
        return
    for node in ast.walk(source.tree):
        caught: list[ast.expr] = []
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield source.fault(node.lineno, "a bare except")
                continue
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and source.full_name(node.func) == "contextlib.suppress":
            caught = node.args
        for each in caught:
            if source.full_name(each) in BROAD:
                yield source.fault(each.lineno, f"catches {source.full_name(each)}")


def formatted_sql(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if is_sql_call(node) and is_built(node.args[0]):
            yield source.fault(node.lineno, "runs a text that is built")
        if is_built(node) and SQL.match(first_text(node)):
            yield source.fault(node.lineno, "SQL that is built")  # type: ignore[attr-defined]


def is_sql_call(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    return isinstance(node.func, ast.Attribute) and node.func.attr in SQL_CALLS


def is_built(node: ast.AST) -> bool:
    """Say whether an expression formats a text; constants that are joined are one constant."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(value, ast.FormattedValue) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        is_fixed = isinstance(node.op, ast.Add) and is_constant(node)
        return not is_fixed
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"format", "format_map"}
    return False


def is_constant(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return is_constant(node.left) and is_constant(node.right)
    if isinstance(node, ast.Name):
        return node.id.strip("_").isupper()
    return isinstance(node, ast.Constant)


def first_text(node: ast.AST) -> str:
    """Return the text with which an expression begins, as far as it is written there."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr) and node.values:
        return first_text(node.values[0])
    if isinstance(node, ast.BinOp):
        return first_text(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return first_text(node.func.value)
    return ""


def hostile_call(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        if source.full_name(node.func) in HOSTILE:
            yield source.fault(node.lineno, f"calls {source.full_name(node.func)}")
        for keyword in node.keywords:
            is_false = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if keyword.arg == "shell" and not is_false:
                yield source.fault(node.lineno, "hands a line to a shell")


def shape_made_late(source: Source) -> Iterator[str]:
    """Find a decoding that makes its shape's decoder on whatever thread comes first.

    msgspec 0.22 keeps what it knows of a type on the type before it has filled it in; a second
    thread that meets it then ends the process with SIGSEGV.
    """
    if is_at(source.path, ONE_THREAD):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and source.full_name(node.func) == "msgspec.json.decode":
            kinds = [keyword.value for keyword in node.keywords if keyword.arg == "type"]
            if any(source.full_name(kind) not in ("dict", "list") for kind in kinds):
                yield source.fault(node.lineno, "makes its decoder late, not as its module loads")


def print_outside_the_edge(source: Source) -> Iterator[str]:
    if is_at(source.path, ("aegis/cli/", "run.py")):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and source.full_name(node.func) == "print":
            yield source.fault(node.lineno, "prints")


def too_long(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield source.fault(lines, f"expected at most {FILE_LINES_MAX} lines, were {lines}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield source.fault(node.lineno, f"{node.name} has {length} lines")


def import_from_above(source: Source) -> Iterator[str]:
    here = floor_of(source.module)
    for line, name in source.imports:
        if name.partition(".")[0] not in HOUSE or name.startswith("aegis.__version__"):
            continue
        there = floor_of(name)
        if there is None or here is None:
            yield source.fault(line, f"{name if there is None else source.module} has no floor")
        elif room_of(name) != room_of(source.module) and there >= here:
            yield source.fault(line, f"{source.module} imports {name}, which is not below it")
        elif is_actor(source.module) and is_actor(name):
            yield source.fault(line, f"an actor imports another: {name}")


def room_of(module: str) -> str | None:
    """Return the longest known name of the room that a module, or a name in it, belongs to."""
    rooms = [room for floor in FLOORS for room in floor]
    own = [room for room in rooms if module == room or module.startswith(f"{room}.")]
    return max(own, key=len, default=None)


def floor_of(module: str) -> int | None:
    room = room_of(module)
    return next((level for level, floor in enumerate(FLOORS) if room in floor), None)


def is_actor(module: str) -> bool:
    """Say whether a module is an actor's, and not one that all of them share."""
    parts = module.split(".")
    return parts[0] == "actors" and len(parts) > 1 and ".".join(parts[:2]) not in SHARED_BY_ACTORS


def unfinished(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if UNFINISHED.search(line):
            yield source.fault(number, "something is still to be done")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if source.full_name(raised) == "NotImplementedError":
                yield source.fault(node.lineno, "a stub")


def unreasoned_noqa(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        found = NOQA.search(line)
        if found is None:
            continue
        if not found["codes"]:
            yield source.fault(number, "a blanket exception from the linter")
        elif not re.match(r"  \S", found["reason"]):
            yield source.fault(number, "an exception from the linter without a reason")


def machine_path(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if MACHINE_PATH.search(line):
            yield source.fault(number, f"the path of one machine: {line.strip()}")


def torn_end(source: Source) -> Iterator[str]:
    if source.text and not source.text.endswith("\n"):
        yield source.fault(source.text.count("\n") + 1, "the last line has no end")


PRODUCT_RULES: tuple[Rule, ...] = (
    library_outside_its_door,
    ambient_time_or_chance,
    impure_domain,
    money_in_the_threads_context,
    broad_except,
    formatted_sql,
    hostile_call,
    shape_made_late,
    print_outside_the_edge,
    too_long,
    import_from_above,
    unfinished,
    unreasoned_noqa,
)
"""What holds in aegis/, actors/, supervisors/ and run.py."""

TEXT_RULES: tuple[Rule, ...] = (machine_path, torn_end)
"""What holds in every file that is committed."""
