"""The list of checks, and the document that shows it."""

from __future__ import annotations

from pathlib import Path

from aegis.domain.checks import CHECKS, check_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text()
HEADING = "| check | what it reads | what it finds | remedy | what you should do |"


def test_the_document_has_each_check_as_the_list_has_it() -> None:
    _, _, table = DOCUMENT.partition(HEADING)
    rows = table.partition("\n\n")[0].splitlines()[2:]
    assert rows == [
        f"| `{c.name}` | {c.reads} | {c.finds} | {c.remedy or 'none'} | {c.advice} |"
        for c in CHECKS
    ]


def test_the_document_names_what_is_critical() -> None:
    critical = ", ".join(f"`{check.name}`" for check in CHECKS if check.is_critical)
    assert f"Critical are {critical}:" in DOCUMENT


def test_a_name_stands_for_one_check() -> None:
    assert [check_of(check.name) for check in CHECKS] == list(CHECKS)


def test_what_halts_entries_is_critical() -> None:
    assert all(check.is_critical for check in CHECKS if check.halt_cause)
