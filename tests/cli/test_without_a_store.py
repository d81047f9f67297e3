from __future__ import annotations

import pytest

from aegis.store.mark import Mark, MarkFile
from tests.cli.place import Place

LOOKS = (
    ("status",),
    ("positions",),
    ("positions", "--all"),
    ("history",),
    ("history", "abc"),
    ("statistics",),
    ("statistics", "--since", "2024-01-01"),
    ("verify",),
)
RESOLVE = ("resolve", "BTC/USDT", "--transferred")
ACTS = (("reconcile",), ("diagnose",), ("halt",), ("resume",), ("flatten",), RESOLVE)
ARCHIVE = (("backup",), ("backups",), ("restore", "latest"), ("recover", "--yes"))
DRY_RUNS = (("reconcile", "--dry-run"), ("diagnose", "--dry-run"), ("flatten", "--dry-run"))


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_a_look_at_no_store_says_how_to_start(place: Place, look: tuple[str, ...]) -> None:
    said = place.say(*look)
    assert said.code == (1 if look == ("verify",) else 0)
    assert said.out == "No store yet at data/aegis.db; start with: python run.py\n"
    assert said.err == ""


@pytest.mark.parametrize("command", [*LOOKS, ("health",), *ACTS, *ARCHIVE, *DRY_RUNS], ids=" ".join)
def test_a_command_that_finds_no_store_creates_nothing(
    place: Place, command: tuple[str, ...]
) -> None:
    before = place.names()
    place.say(*command)
    assert place.names() == before


@pytest.mark.parametrize(
    ("look", "expected"),
    [("positions", []), ("history", [])],
)
def test_json_of_no_store_has_its_usual_shape(place: Place, look: str, expected: object) -> None:
    said = place.say(look, "--json")
    assert said.json == expected
    assert "No store yet" in said.err


def test_verify_is_not_ok_where_there_is_nothing_to_prove(place: Place) -> None:
    said = place.say("verify", "--json")
    assert said.code == 1
    assert said.json == {
        "ok": False,
        "events": 0,
        "head_hash": "",
        "problems": [{"check": "store", "text": f"no store at {place.store}"}],
    }


@pytest.mark.parametrize("content", [None, b"", b"no database at all", b"\0" * 4096])
def test_a_database_that_lost_what_its_mark_knows_is_corrupt(
    place: Place, content: bytes | None
) -> None:
    place.store.parent.mkdir()
    mark = MarkFile(place.store, None)
    mark.fill(Mark(7, "a" * 64))
    mark.close()
    if content is not None:
        place.store.write_bytes(content)
    said = place.say("verify", "--json")
    assert said.code == 65
    assert said.json["ok"] is False
    assert place.say("verify").code == 65
    assert place.say("run").code == 65
    assert place.say("verify").code == 65
    assert place.store.exists() is (content is not None)


def test_the_status_of_no_store_says_that_there_is_none(place: Place) -> None:
    assert place.say("status", "--json").json["is_there"] is False


def test_the_statistics_of_no_store_say_that_there_is_none(place: Place) -> None:
    assert place.say("statistics", "--json").json["is_there"] is False


def test_nobody_is_well_where_nobody_runs(place: Place) -> None:
    said = place.say("health")
    assert said.code == 1
    assert said.out.startswith("stopped: nobody holds the store")
    assert place.say("health", "--json").json["is_healthy"] is False


NO_STORE = "No store yet at data/aegis.db; start with: python run.py"


@pytest.mark.parametrize("act", ACTS, ids=" ".join)
def test_nothing_can_be_done_where_there_is_no_store(place: Place, act: tuple[str, ...]) -> None:
    said = place.say(*act)
    assert (said.code, said.out, said.err) == (1, "", f"{NO_STORE}\n")
    assert place.say(*act, "--json").json == {"is_done": False, "text": NO_STORE}


@pytest.mark.parametrize("look", DRY_RUNS, ids=" ".join)
def test_a_dry_run_without_a_store_only_says_so(place: Place, look: tuple[str, ...]) -> None:
    said = place.say(*look)
    assert (said.code, said.out, said.err) == (0, f"{NO_STORE}\n", "")
