"""The house keeps its rules, and each rule finds what breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests import tidy
from tests.tidy import PRODUCT_RULES, TEXT_RULES, Rule, Source

ROOT = Path(__file__).parents[1]
PRODUCT = ("aegis", "actors", "supervisors")
LEAST_FILES = 100
"""A tidy test that reads nothing finds nothing."""


def source_of(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


@cache  # each rule looks at all of them
def product() -> tuple[Source, ...]:
    files = [path for room in PRODUCT for path in sorted((ROOT / room).rglob("*.py"))]
    return tuple(source_of(path) for path in [*files, ROOT / "run.py"] if path.exists())


@cache
def committed() -> tuple[Source, ...]:
    """Return every text file under version control; in a bare copy, every one that is there."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [Path(folder, name) for folder, _, names in os.walk(ROOT) for name in names]
        paths = [path for path in paths if not is_made(path)]
    return tuple(source_of(path) for path in paths if path.is_file() and is_text(path))


def is_made(path: Path) -> bool:
    """Say whether a file is made by tools and not by people."""
    made = {".git", ".venv", "__pycache__", "data", "build", "dist"}
    parts = path.relative_to(ROOT).parts
    return any(part in made or part.endswith((".egg-info", "_cache")) for part in parts)


def is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def named(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=named)
def test_the_house_keeps_the_rule_against(rule: Rule) -> None:
    sources = product()
    assert len(sources) >= LEAST_FILES
    assert [fault for source in sources for fault in rule(source)] == []


@pytest.mark.parametrize("rule", TEXT_RULES, ids=named)
def test_every_committed_file_keeps_the_rule_against(rule: Rule) -> None:
    sources = committed()
    assert len(sources) >= LEAST_FILES
    assert [fault for source in sources for fault in rule(source)] == []


def test_every_test_that_is_excepted_from_the_linter_says_why() -> None:
    tests = [source_of(path) for path in sorted((ROOT / "tests").rglob("*.py"))]
    strict = [source for source in tests if source.path != "tests/test_tidy.py"]
    faults = [fault for source in strict for fault in tidy.unreasoned_noqa(source)]
    assert faults == []


DOMAIN, STORE, ACTOR = "aegis/domain/x.py", "aegis/store/x.py", "actors/guard.py"
TO_DO, NO_QA, HOME = "TO" + "DO", "# no" + "qa", "/ho" + "me"

BAD: list[tuple[Rule, str, str]] = [
    (tidy.library_outside_its_door, DOMAIN, "import apsw"),
    (tidy.library_outside_its_door, "aegis/cli/x.py", "from apsw import Connection"),
    (tidy.library_outside_its_door, STORE, "import ccxt.async_support as ccxt"),
    (tidy.library_outside_its_door, STORE, "def f() -> None:\n    import requests"),
    (tidy.library_outside_its_door, "actors/guard.py", "import pykka"),
    (tidy.library_outside_its_door, "aegis/config/file.py", "from pydantic import BaseModel"),
    (tidy.library_outside_its_door, "aegis/log/lines.py", "import structlog"),
    (tidy.library_outside_its_door, "aegis/store/journal.py", "import sqlite3"),
    (tidy.library_outside_its_door, "aegis/exchange/paper.py", "import sqlite3"),
    (tidy.library_outside_its_door, "supervisors/runs.py", "from rich.table import Table"),
    (tidy.library_outside_its_door, "aegis/domain/x.py", "import numpy"),
    (tidy.library_outside_its_door, "supervisors/threads.py", "import time"),
    (tidy.library_outside_its_door, "supervisors/seeded.py", "from random import Random"),
    (tidy.library_outside_its_door, "aegis/store/identity.py", "import uuid"),
    (tidy.library_outside_its_door, CLOCK := "aegis/clock.py", "import uuid"),
    (tidy.library_outside_its_door, STORE, "import pickle"),
    (tidy.library_outside_its_door, STORE, "import marshal, shelve"),
    (tidy.library_outside_its_door, STORE, "from secrets import token_hex"),
    (tidy.ambient_time_or_chance, STORE, "from datetime import datetime\ndatetime.now()"),
    (tidy.ambient_time_or_chance, STORE, "import datetime as d\nx = d.datetime.utcnow"),
    (tidy.ambient_time_or_chance, STORE, "from datetime import datetime as dt\ndt.today()"),
    (tidy.ambient_time_or_chance, STORE, "from datetime import date\ndate.today()"),
    (tidy.ambient_time_or_chance, STORE, "import os\nos.urandom(8)"),
    (tidy.ambient_time_or_chance, STORE, "from os import urandom\nurandom(8)"),
    (tidy.impure_domain, DOMAIN, "x = float('1')"),
    (tidy.impure_domain, DOMAIN, "def f(x: float) -> None: ..."),
    (tidy.impure_domain, DOMAIN, "x = 0.5"),
    (tidy.impure_domain, DOMAIN, "x = 1e3"),
    (tidy.impure_domain, DOMAIN, "import os"),
    (tidy.impure_domain, DOMAIN, "from pathlib import Path"),
    (tidy.impure_domain, DOMAIN, "from aegis.messages import Tick"),
    (tidy.money_in_the_threads_context, STORE, "import decimal\ndecimal.getcontext().prec = 9"),
    (tidy.money_in_the_threads_context, STORE, "from decimal import localcontext\nlocalcontext()"),
    (tidy.money_in_the_threads_context, STORE, "from decimal import Decimal\nDecimal(0.1)"),
    (tidy.broad_except, STORE, "try: ...\nexcept Exception: ..."),
    (tidy.broad_except, STORE, "try: ...\nexcept: ..."),
    (tidy.broad_except, STORE, "try: ...\nexcept (OSError, BaseException) as e: ..."),
    (tidy.broad_except, STORE, "import builtins\ntry: ...\nexcept builtins.Exception: ..."),
    (tidy.broad_except, STORE, "from contextlib import suppress\nwith suppress(Exception): ..."),
    (tidy.formatted_sql, STORE, 'db.execute(f"PRAGMA {name}")'),
    (tidy.formatted_sql, STORE, 'db.execute("DELETE FROM x WHERE a = %s" % a)'),
    (tidy.formatted_sql, STORE, 'db.executemany("SELECT {}".format(a), rows)'),
    (tidy.formatted_sql, STORE, 'db.execute("SELECT * FROM x " + where)'),
    (tidy.formatted_sql, STORE, "db.execute(question + ending)"),
    (tidy.formatted_sql, STORE, 'question = f"select {column} from x"'),
    (tidy.formatted_sql, STORE, 'question = "INSERT INTO {} VALUES (1)".format(table)'),
    (tidy.formatted_sql, STORE, 'question = "UPDATE x SET a = " + value'),
    (tidy.hostile_call, STORE, "eval('1')"),
    (tidy.hostile_call, STORE, "exec(text)"),
    (tidy.hostile_call, STORE, "import builtins\nbuiltins.eval('1')"),
    (tidy.hostile_call, STORE, "import os\nos.system('ls')"),
    (tidy.hostile_call, STORE, "import subprocess\nsubprocess.run('ls', shell=True)"),
    (tidy.hostile_call, STORE, "import subprocess\nsubprocess.run('ls', shell=wanted)"),
    (tidy.shape_made_late, STORE, "import msgspec\nmsgspec.json.decode(data, type=Row)"),
    (tidy.print_outside_the_edge, STORE, "print('hello')"),
    (tidy.too_long, STORE, "def f() -> None:\n" + "    x = 1\n" * 60),
    (tidy.too_long, STORE, "class A:\n    async def f(self) -> None:\n" + "        x = 1\n" * 60),
    (tidy.too_long, STORE, "x = 1\n" * 401),
    (tidy.import_from_above, DOMAIN, "from aegis.store.journal import Store"),
    (tidy.import_from_above, "aegis/messages.py", "from aegis.ports import Clock"),
    (tidy.import_from_above, STORE, "from aegis.exchange.paper import PaperExchange"),
    (tidy.import_from_above, STORE, "import aegis.cli.main"),
    (tidy.import_from_above, "aegis/cli/x.py", "from actors.base import Actor"),
    (tidy.import_from_above, ACTOR, "from supervisors import system"),
    (tidy.import_from_above, ACTOR, "from actors.strategy import Plan"),
    (tidy.import_from_above, ACTOR, "from actors import strategy"),
    (tidy.import_from_above, ACTOR, "from . import strategy"),
    (tidy.import_from_above, "supervisors/x.py", "import run"),
    (tidy.import_from_above, "aegis/cellar/x.py", "import aegis.domain"),
    (tidy.import_from_above, STORE, "from aegis.cellar import x"),
    (tidy.unfinished, STORE, f"# {TO_DO}: later"),
    (tidy.unfinished, STORE, "raise NotImplementedError"),
    (tidy.unfinished, STORE, "raise NotImplementedError('later')"),
    (tidy.unreasoned_noqa, STORE, f"x = 1  {NO_QA}"),
    (tidy.unreasoned_noqa, STORE, f"x = 1  {NO_QA}: S101"),
    (tidy.unreasoned_noqa, STORE, f"x = 1  {NO_QA}: S101, PLR2004"),
    (tidy.machine_path, "README.md", f"See {HOME}/me/aegis."),
    (tidy.machine_path, "x.py", f'PATH = "{HOME}/me"'),
    (tidy.machine_path, "x.py", "PATH = r'C:" + "\\Users'"),
    (tidy.torn_end, "README.md", "a line\nwithout an end"),
]

GOOD: list[tuple[Rule, str, str]] = [
    (tidy.library_outside_its_door, STORE, "import apsw, msgspec, os"),
    (tidy.library_outside_its_door, CLOCK, "import time, random, secrets"),
    (tidy.library_outside_its_door, "supervisors/x.py", "import pykka"),
    (tidy.library_outside_its_door, "run.py", "import typer"),
    (tidy.ambient_time_or_chance, STORE, "from datetime import datetime\ndatetime(2024, 1, 1)"),
    (tidy.ambient_time_or_chance, STORE, "clock.now()\nself.clock.today()"),
    (tidy.ambient_time_or_chance, CLOCK, "import datetime\ndatetime.datetime.now()"),
    (tidy.impure_domain, DOMAIN, "from decimal import Decimal\nx = Decimal('0.5')\ny = 5"),
    (tidy.impure_domain, STORE, "x = float(1)"),
    (tidy.money_in_the_threads_context, STORE, "from decimal import Decimal\nDecimal('0.1')"),
    (tidy.broad_except, "actors/base.py", "try: ...\nexcept Exception: ..."),
    (tidy.broad_except, STORE, "try: ...\nexcept (OSError, ValueError): ..."),
    (tidy.formatted_sql, STORE, 'db.execute("SELECT 1 FROM x WHERE a = ?", (a,))'),
    (tidy.formatted_sql, STORE, 'SELECT = _COLUMNS + "WHERE a = ?"\ndb.execute(SELECT)'),
    (tidy.formatted_sql, STORE, 'text = f"selected {count} rows"'),
    (tidy.formatted_sql, STORE, 'text = "a" + b'),
    (tidy.hostile_call, STORE, "import subprocess\nsubprocess.run(['ls'], shell=False)"),
    (tidy.hostile_call, STORE, "re.compile('x')\nself.eval()"),
    (tidy.shape_made_late, STORE, "import msgspec\nmsgspec.json.decode(data, type=dict)"),
    (tidy.shape_made_late, "aegis/cli/x.py", "import msgspec\nmsgspec.json.decode(d, type=Row)"),
    (tidy.print_outside_the_edge, "aegis/cli/x.py", "print('hello')"),
    (tidy.print_outside_the_edge, STORE, "console.print('hello')"),
    (tidy.too_long, STORE, "def f() -> None:\n" + "    x = 1\n" * 59),
    (tidy.too_long, STORE, "x = 1\n" * 400),
    (tidy.import_from_above, STORE, "from aegis.domain.book import Book\nimport aegis.ports"),
    (tidy.import_from_above, STORE, "from aegis.store.mark import Mark"),
    (tidy.import_from_above, ACTOR, "from actors import names\nfrom actors.base import Actor"),
    (tidy.import_from_above, "run.py", "from supervisors.runs import run"),
    (tidy.unfinished, STORE, "raise ValueError('x')\nclass MasTODOn: ..."),
    (tidy.unreasoned_noqa, STORE, f"x = 1  {NO_QA}: S101, PLR2004  it is a table"),
    (tidy.machine_path, "x.py", "url = 'https://example.org/homes/x'\npath = './home'"),
    (tidy.torn_end, "README.md", "a line\n"),
    (tidy.torn_end, "aegis/empty.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_finds_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    faults = list(rule(Source(path, text)))
    assert faults
    assert all(fault.startswith(f"{path}:") for fault in faults)


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_leaves_alone_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_each_rule_is_tried_on_what_breaks_it() -> None:
    assert {rule for rule, _, _ in BAD} == {*PRODUCT_RULES, *TEXT_RULES}
