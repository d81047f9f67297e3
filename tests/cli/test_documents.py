"""What the documents promise is what is there."""

from __future__ import annotations

import re

import pytest

from aegis.cli.codes import Code
from aegis.domain.findings import Kind
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import ROOT, Place

README = (ROOT / "README.md").read_text()
TEST_COMMAND = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'
)
RUN_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/python run.py"
COMMANDS = (
    "run", "backtest", "status", "positions", "history", "verify", "health",
    "config check", "config show", "reconcile", "diagnose", "halt", "resume", "flatten",
    "resolve",
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
