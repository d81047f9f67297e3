"""Backups as a person makes, lists and distrusts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import Place


@pytest.fixture
def lived(place: Place) -> Place:
    """Return a place where AEGIS has traded, and does not run."""
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    return place


def the_only(place: Place) -> Path:
    (folder,) = (each for each in (place.folder / "data" / "backups").iterdir() if each.is_dir())
    return folder


def test_a_backup_is_made_and_listed_with_what_the_store_says_of_itself(lived: Place) -> None:
    said = lived.say("backup")
    assert (said.code, said.out.split(":")[0]) == (0, "proved")
    (listed,) = lived.say("backups", "--json").json
    status = lived.say("status", "--json").json
    assert (listed["events"], listed["head_hash"]) == (status["events"], status["head_hash"])
    assert (listed["is_verified"], listed["trigger"]) == (True, "operator")
    assert str(listed["events"]) in lived.say("backups").out


def test_a_backup_without_news_says_so(lived: Place) -> None:
    lived.say("backup")
    said = lived.say("backup")
    assert (said.code, said.out.split(":")[0]) == (0, "there already, nothing has happened since")
    assert lived.say("backup", "--json").json["is_new"] is False


def test_a_backup_is_a_store_that_can_be_looked_at(
    lived: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived.say("backup")
    before = lived.say("positions", "--all", "--json").json
    monkeypatch.setenv("AEGIS_STORE__PATH", str(the_only(lived) / "aegis.db"))
    assert lived.say("verify").code == 0
    assert lived.say("positions", "--all", "--json").json == before


def test_no_backups_is_a_line_with_what_to_do(lived: Place) -> None:
    said = lived.say("backups")
    assert (said.code, said.out.count("\n")) == (0, 1)
    assert "run.py backup" in said.out
    assert lived.say("backups", "--json").json == []


def test_no_store_is_no_backup(place: Place) -> None:
    said = place.say("backup")
    assert said.code == 1
    assert "start AEGIS once" in said.err


def test_a_changed_bit_shows_when_backups_are_proved_anew(lived: Place) -> None:
    lived.say("backup")
    assert lived.say("backups", "--verify").code == 0
    ledger = the_only(lived) / "aegis.db.paper"
    data = bytearray(ledger.read_bytes())
    data[-1] ^= 1
    ledger.write_bytes(data)

    assert lived.say("backups").code == 0
    said = lived.say("backups", "--verify")
    assert said.code == 1
    assert "changed since" in said.out


def test_a_lost_file_shows_at_once(lived: Place) -> None:
    lived.say("backup")
    (the_only(lived) / "aegis.db").unlink()
    said = lived.say("backups", "--json")
    assert said.code == 1
    assert said.json[0]["is_verified"] is False


def test_a_second_folder_that_is_not_there_is_told_and_ends_with_1(
    lived: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_BACKUP__COPY_TO", "mounted")
    said = lived.say("backup")
    assert said.code == 1
    assert "backup.copy_to" in said.err
    (lived.folder / "mounted").mkdir()
    assert lived.say("backup").code == 0
    assert len(lived.say("backups", "--json").json) == 2


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ('[backup]\npath = "candles.csv"', "expected a folder, not a file"),
        ('[backup]\ncopy_to = "data/backups"', "expected another folder than backup.path"),
        ("[backup]\nkeep = 0", "expected a whole number from 1"),
    ],
)
def test_settings_of_backups_that_cannot_be_are_told(
    place: Place, settings: str, word: str
) -> None:
    write(place.folder, [HEADER, *rows()])
    place.configure(settings)
    said = place.say("config", "check")
    assert said.code == 78
    assert word in said.err
