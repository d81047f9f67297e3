"""What docs/library.md and its example say is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.store.reading import read_positions
from aegis.store.verify import verify
from tests.store.test_position_state_manager import OPERATIONS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "library.md").read_text()
EXAMPLE = ROOT / "examples" / "positions_by_hand.py"


def carried_out(*arguments: str, folder: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_operation_is_in_the_document() -> None:
    told = re.findall(r"^\| `(\w+)\(", DOCUMENT, re.MULTILINE)
    assert told == list(OPERATIONS)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL))
def test_what_the_document_shows_runs_as_it_stands(tmp_path: Path, block: str) -> None:
    carried_out("-c", block, folder=tmp_path)
    assert verify(tmp_path / "data" / "aegis.db").ok


def test_the_example_goes_from_opening_to_result(tmp_path: Path) -> None:
    said = carried_out(str(EXAMPLE), "mine.db", folder=tmp_path).splitlines()
    assert said[-1] == "trades: 2 P&L: 159.836"
    assert "differences: ['phantom']" in said
    assert verify(tmp_path / "mine.db").ok
    assert {row["status"] for row in read_positions(tmp_path / "mine.db")} == {"CLOSED"}
