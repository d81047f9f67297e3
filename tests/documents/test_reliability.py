"""Each line of docs/reliability.md is held by tests, and they are there."""

from __future__ import annotations

import re

import pytest

from tests.documents.log_lines import ROOT

DOCUMENT = (ROOT / "docs" / "reliability.md").read_text()
TABLE = [line.strip("|").split("|") for line in DOCUMENT.splitlines() if line.startswith("| ")]
HEADER = "what happens"
LINES = {cells[0].strip(): cells[-1] for cells in TABLE if cells[0].strip() != HEADER}

CASES = (
    *("power is cut", "process is killed", "one call", "disk is full", "may not be written"),
    *("requests never arrive", "answers are lost", "cannot be believed", "revoked", "lag behind"),
    *("second AEGIS", "WAL is deleted", "WAL is removed", "pages turn bad", "clock steps back"),
)


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_held_by_tests_that_are_there(line: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", LINES[line])
    assert named
    assert len(named) == LINES[line].count("`") // 2
    for path, name in named:
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("case", CASES)
def test_it_speaks_of_each_case(case: str) -> None:
    assert any(case in line for line in LINES)
