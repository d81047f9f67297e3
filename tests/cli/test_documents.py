"""What the documents promise is what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
import typer.core

from aegis.cli import app
from aegis.cli.codes import Code
from aegis.cli.examples import EXAMPLES
from aegis.domain.findings import Kind
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import ROOT, Place

README = (ROOT / "README.md").read_text()
TEST_COMMAND = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'
)
RUN_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/python run.py"
COMMANDS = (
    "run", "backtest", "what-if", "status", "positions", "history", "at TIME", "statistics",
    "report", "export", "verify", "health", "config check", "config show", "reconcile", "diagnose",
    "halt", "resume", "flatten", "resolve", "import", "backup", "backups", "restore", "recover",
)  # fmt: skip


def block(language: str) -> str:
    """Return the one block of the README in a language."""
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_two_commands_stand_at_the_top_of_the_readme() -> None:
    top = README.splitlines()[:20]
    assert RUN_COMMAND in top
    assert TEST_COMMAND in top


def test_the_check_runs_the_test_command_verbatim() -> None:
    assert TEST_COMMAND in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(place: Place, command: str) -> None:
    assert f"`{command}" in README
    said = place.say(*command.split(), "--help")
    assert said.code == 0
    assert "--json" in said.out


def test_every_exit_code_is_in_the_readme() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert told == {int(code) for code in Code} | {70}


def test_every_kind_of_difference_is_in_the_document_on_reconciliation() -> None:
    document = (ROOT / "docs" / "reconciliation.md").read_text()
    told = re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)
    assert sorted(told) == sorted(Kind)


def test_the_strategy_of_the_readme_trades(place: Place) -> None:
    (place.folder / "dips.py").write_text(block("python"))
    place.configure(REPLAY.partition("[strategy]")[0] + block("toml"))
    write(place.folder, [HEADER, *rows()])
    assert place.say("config", "check").code == 0
    assert place.run("--json").json["trades"] >= 2


def names_of(group: typer.core.TyperGroup, before: str = "") -> Iterator[str]:
    """Yield each command's name, those of a group after its own."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from names_of(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def every_command() -> list[str]:
    assert isinstance(app.command, typer.core.TyperGroup)
    return sorted(names_of(app.command))


def test_every_command_has_an_example() -> None:
    assert every_command() == sorted(EXAMPLES)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines], ids=str)
def test_an_example_is_a_command_of_ours(place: Place, line: str) -> None:
    words = re.split(r" (?:\||\|\||&&|>) ", line)[-1 if "&& run.py" in line else 0].split()
    arguments = words[words.index("run.py") + 1 :]
    said = place.say(*arguments, "--help")
    assert said.code == 0, said.err


def test_the_help_of_a_command_ends_with_its_examples(place: Place) -> None:
    said = place.say("status", "--help")
    assert all(line in said.out for line in EXAMPLES["status"])
