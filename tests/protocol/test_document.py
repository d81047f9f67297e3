"""docs/protocol.md has the tables as the code has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.protocol.document import moves_table, steps_table
from tests.protocol.mutants import MUTANTS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


@pytest.mark.parametrize("table", [moves_table, steps_table])
def test_the_document_has_the_table_of_the_code(table: Callable[[], str]) -> None:
    lost = [row for row in table().splitlines() if row not in DOCUMENT]
    assert not lost, "Expected docs/protocol.md as by: python -m tests.protocol --tables"
    assert table() in DOCUMENT


def test_the_document_has_no_row_that_the_code_has_not() -> None:
    told = {row for row in DOCUMENT.splitlines() if re.match(r"\| [^|]+ \| [A-Z_, ]+ \|", row)}
    assert told <= set(f"{moves_table()}\n{steps_table()}".splitlines())


def test_the_document_shows_a_mutant_that_there_is() -> None:
    (named,) = re.findall(r'--mutant "([^"]+)"', DOCUMENT)
    assert named in MUTANTS
