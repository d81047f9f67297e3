"""docs/logging.md has every line that AEGIS can log, with its levels and fields, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import pytest

from aegis.domain.events import EVENT_TYPES, PositionMarked
from aegis.domain.narrate import describe
from aegis.log.logger import LIBRARY_EVENT, LOST_EVENT
from tests.documents.log_lines import ROOT, LogLine, Nameless, calls_in, product
from tests.domain.test_events import bare, full, recorded

DOCUMENT = (ROOT / "docs" / "logging.md").read_text()
ROW = re.compile(
    r"^\| `(?P<name>[A-Z]\w+)` \| (?P<levels>[^|]*) \| (?P<fields>[^|]*) \| (?P<rest>.*) \|$"
)
OF_EVERY_EVENT = {"at", "position"}
UNLOGGED = {PositionMarked.__name__}
"""Marks come with each candle; they would drown the rest."""


def rows() -> Mapping[str, re.Match[str]]:
    found = [row for row in map(ROW.match, DOCUMENT.splitlines()) if row]
    names = [row["name"] for row in found]
    assert len(names) == len(set(names)), "Expected each line's name once"
    return {row["name"]: row for row in found}


def words(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


ROWS = rows()
ROWS_OF_LINES = sorted(ROWS.keys() - EVENT_TYPES.keys() - {LOST_EVENT})


@cache  # half of a second, for who runs these tests
def calls() -> tuple[LogLine | Nameless, ...]:
    return tuple(call for path, tree in product() for call in calls_in(path, tree))


def lines() -> tuple[LogLine, ...]:
    return tuple(call for call in calls() if isinstance(call, LogLine))


def test_each_line_has_a_name_that_can_be_read_in_its_place() -> None:
    assert [call.place for call in calls() if isinstance(call, Nameless)] == []


def test_the_lines_that_are_known_to_be_there_were_found() -> None:
    names = {line.name for line in lines()}
    assert {"Heartbeat", "ActorDied", "ActorRestarting", "Starting", LIBRARY_EVENT} <= names


def test_the_document_has_a_row_for_each_line_and_event_and_no_other() -> None:
    assert ROWS.keys() == {line.name for line in lines()} | EVENT_TYPES.keys() | {LOST_EVENT}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_what_to_do(name: str) -> None:
    assert len(ROWS[name]["rest"].split()) >= 3


@pytest.mark.parametrize("name", ROWS_OF_LINES)
def test_the_document_has_the_fields_of_a_line(name: str) -> None:
    fields = {field for line in lines() if line.name == name for field in line.fields}
    assert words(ROWS[name]["fields"]) == fields


@pytest.mark.parametrize("name", ROWS_OF_LINES)
def test_the_document_has_the_levels_of_a_line(name: str) -> None:
    levels = {level for line in lines() if line.name == name for level in line.levels}
    assert levels <= words(ROWS[name]["levels"]) <= {"debug", "info", "warning", "error"}


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_document_has_the_level_and_fields_of_an_event(name: str) -> None:
    kind, row = EVENT_TYPES[name], ROWS[name]
    levels = set()
    for event in (full(kind), bare(kind)):
        level, fields = describe(recorded(event))
        levels.add(level)
        assert words(row["fields"]) == fields.keys() - OF_EVERY_EVENT
    assert levels <= words(row["levels"]) or name in UNLOGGED
    assert (row["levels"] == "never logged") is (name in UNLOGGED)
