"""`history`: the log read back as a story, from where to where one likes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from aegis.cli.history import EVENTS_SHOWN
from tests.cli.place import Place
from tests.store.big_stores import make_big_store
from tests.store.histories import open_store

EVENTS = 2_500
"""More than two pages of the log."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the store that the tests look at, once."""
    return make_big_store(tmp_path_factory.mktemp("made") / "aegis.db", events=EVENTS, positions=5)


@pytest.fixture
def lived(place: Place, made: Path) -> Place:
    shutil.copytree(made.parent, place.store.parent)
    return place


def numbers(place: Place, *arguments: str) -> list[int]:
    """Return the events that people are shown."""
    said = place.say("history", *arguments)
    assert said.code == 0, said.err
    return [int(line.split()[0]) for line in said.out.splitlines()]


def test_without_a_word_the_latest_are_told(lived: Place) -> None:
    assert numbers(lived) == list(range(EVENTS - EVENTS_SHOWN + 1, EVENTS + 1))


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        (("--from", "1"), 1, EVENTS),
        (("--to", "3"), 1, 3),
        (("--from", "999", "--to", "1001"), 999, 1001),
        (("--from", "1000", "--to", "1000"), 1000, 1000),
        (("--to", "2000", "--limit", "5"), 1996, 2000),
        (("--from", "1999", "--to", "2000", "--limit", "5"), 1999, 2000),
        (("--limit", "1001"), EVENTS - 1000, EVENTS),
        (("--from", "1999", "--limit", "9" * 20), 1999, EVENTS),
        (("--to", "999999"), 1, EVENTS),
    ],
)
def test_a_stretch_is_told_whole_and_in_order(
    lived: Place, arguments: tuple[str, ...], first: int, last: int
) -> None:
    assert numbers(lived, *arguments) == list(range(first, last + 1))


def test_a_time_is_inclusive_at_both_ends(lived: Place) -> None:
    events = lived.say("history", "--json", "--from", "1").json
    at = {event["event_id"]: event["timestamp"] for event in events}
    assert numbers(lived, "--from", at[10], "--to", at[12]) == [10, 11, 12]
    just_after = at[10].replace("000000Z", "000001Z")
    assert numbers(lived, "--from", just_after, "--to", at[12]) == [11, 12]


def test_json_has_every_field_of_every_event(lived: Place) -> None:
    events = lived.say("history", "--json", "--from", "1").json
    assert [event["event_id"] for event in events] == list(range(1, EVENTS + 1))
    assert set(events[0]) == {
        *("event_id", "position_id", "version", "event_type", "actor", "timestamp", "hash"),
        "data",
    }
    assert events[-1]["hash"] == lived.say("status", "--json").json["head_hash"]


def test_a_line_is_a_fact_in_words(lived: Place) -> None:
    lines = lived.say("history", "--from", "1", "--to", "40").out.splitlines()
    assert len(lines) == 40
    assert re.fullmatch(
        r" {6}1  2023-11-14 22:13:20  account {17}  BalancesStarted +"
        r"The account begins with 100000000 USDT",
        lines[0],
    )
    bought = next(line for line in lines if "OrderFilled" in line)
    assert re.search(r"Bought 0\.05 STAY0/USDT at [\d.]+, fee 0\.0043 USDT$", bought)


def test_a_position_s_own_events_may_be_bounded_too(lived: Place) -> None:
    position = lived.say("positions", "--json").json[0]["position_id"]
    own = [event["event_id"] for event in lived.say("history", position, "--json").json]
    told = lived.say("history", position, "--from", str(own[2]), "--json").json
    assert [event["event_id"] for event in told] == own[2:]
    told = lived.say("history", position, "--limit", "2", "--json").json
    assert [event["event_id"] for event in told] == own[-2:]


NOWHERE = (
    ("--from", "2500001"),
    ("--from", "9", "--to", "8"),
    ("--from", "9" * 30),
    ("--to", "0"),
    ("--to", "1970-01-01"),
    ("--from", "9998-12-31T23:59:59.999999999"),
)


@pytest.mark.parametrize("arguments", NOWHERE)
def test_where_nothing_happened_that_is_said(lived: Place, arguments: tuple[str, ...]) -> None:
    assert lived.say("history", *arguments).out == "No events there\n"
    assert lived.say("history", *arguments, "--json").out == "[]\n"


def test_a_store_without_events_has_no_story(place: Place) -> None:
    open_store(place.store).close()
    assert place.say("history").out == "No events yet\n"
    assert place.say("history", "--json").out == "[]\n"


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_what_is_no_point_names_its_option(lived: Place, option: str) -> None:
    said = lived.say("history", option, "soon")
    assert said.code == 2
    assert option in said.err
