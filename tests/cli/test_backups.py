"""Backups as a person makes, lists and distrusts them."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import METRONOME, Foreground, Place


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first place that has lived is copied to, for the others."""
    return tmp_path_factory.mktemp("pattern") / "data"


@pytest.fixture
def lived(place: Place, pattern: Path) -> Place:
    """Return a place where AEGIS has traded, and does not run."""
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    if pattern.exists():
        shutil.copytree(pattern, place.folder / "data")
    else:
        assert place.say("run").code == 0
        shutil.copytree(place.folder / "data", pattern)
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


def test_a_store_that_was_never_there_has_nothing_to_recover(place: Place) -> None:
    said = place.say("recover")
    assert (said.code, said.out) == (1, "")
    assert "No store yet" in said.err
    assert not place.store.exists()


def test_a_list_says_when_its_backups_were_proved(lived: Place) -> None:
    lived.say("backup")
    assert "Proved when made" in lived.say("backups").out
    assert "Proved anew" in lived.say("backups", "--verify").out


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


@pytest.mark.parametrize("text", ["", "{}", "rubbish", '{"format": 99}'])
def test_a_backup_that_cannot_be_read_is_told_and_no_news_to_a_restore(
    lived: Place, text: str
) -> None:
    lived.say("backup")
    (the_only(lived) / "backup.json").write_text(text)
    said = lived.say("backups")
    assert said.code == 1
    assert str(the_only(lived)) in said.err
    refused = lived.say("restore", "latest")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "No backup can be trusted" in refused.err


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


# Putting one back ------------------------------------------------------------------------------


def test_a_store_is_put_back_and_the_old_one_kept(lived: Place) -> None:
    lived.say("backup")
    head = lived.say("status", "--json").json["head_hash"]
    lived.store.unlink()
    assert lived.say("status").code == 65
    said = lived.say("restore", "latest")
    assert said.code == 0, said.err
    assert "run.py reconcile" in said.out
    (fact,) = (
        each
        for each in lived.say("history", "--json").json
        if each["event_type"] == "StoreRestored"
    )
    assert fact["data"]["head_hash"] == head
    assert lived.say("status", "--json").json["cause"] == "restore"


def test_restoring_over_a_running_aegis_is_refused(
    place: Place, foreground: Callable[..., Foreground]
) -> None:
    place.configure(METRONOME.format(speed=600, period_s=60))
    running = foreground()
    running.wait_for("StrategyArmed")
    assert place.say("backup").code == 0
    for command in (("restore", "latest"), ("recover", "--yes")):
        said = place.say(*command)
        assert said.code == 75
        assert "stop it first" in said.err
    running.end()
    assert place.say("verify").code == 0


@pytest.mark.long
def test_a_running_aegis_makes_a_backup_by_itself(
    place: Place, foreground: Callable[..., Foreground]
) -> None:
    place.configure(METRONOME.format(speed=600, period_s=60))
    running = foreground()
    assert "events=" in running.wait_for("BackupMade")
    (listed,) = place.say("backups", "--verify", "--json").json
    assert (listed["trigger"], listed["fault"]) == ("start", "")
    assert running.end().code == 0


@pytest.mark.parametrize(
    ("which", "word"),
    [
        ("latest", "found none"),
        ("nothing", "Expected latest, a backup in"),
        (".", "Expected latest"),
    ],
)
def test_a_restore_of_what_is_not_there_is_one_line(lived: Place, which: str, word: str) -> None:
    before = lived.say("status", "--json").json
    said = lived.say("restore", which)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert word in said.err
    assert lived.say("status", "--json").json == before


def test_rubbish_is_no_store_to_put_back(lived: Place) -> None:
    said = lived.say("restore", "candles.csv")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "candles.csv cannot be put back" in said.err


def test_where_nothing_was_forgotten_recover_asks_nothing_and_the_way_is_free(
    lived: Place,
) -> None:
    lived.say("backup")
    lived.say("restore", "latest")
    assert lived.say("resume").code == 1
    said = lived.say("recover")
    assert (said.code, said.err) == (0, "")
    assert lived.say("resume").code == 0


@pytest.fixture
def forgetful(place: Place) -> Place:
    """Return a place where AEGIS went on trading after its backup, and was put back."""
    place.configure(REPLAY)
    for count in (20, 60):
        write(place.folder, [HEADER, *rows(count)])
        assert place.say("run").code == 0
        if count == 20:
            assert place.say("backup").code == 0
    assert place.say("restore", "latest").code == 0
    return place


def test_a_backup_of_what_was_before_a_restore_is_no_backup_of_what_is(place: Place) -> None:
    place.configure(REPLAY)
    for count in (20, 60):
        write(place.folder, [HEADER, *rows(count)])
        assert place.say("run").code == 0
        assert place.say("backup").code == 0
    newest, eldest = (each["folder"] for each in place.say("backups", "--json").json)
    assert place.say("status", "--json").json["last_backup"]["folder"] == newest
    assert place.say("restore", Path(eldest).name).code == 0
    status = place.say("status", "--json").json
    assert status["last_backup"]["folder"] == eldest
    assert status["events"] == status["last_backup"]["events"] + 2


def test_what_was_forgotten_is_shown_and_without_a_yes_nothing_is_booked(
    forgetful: Place,
) -> None:
    before = forgetful.say("status", "--json").json["head_hash"]
    shown = forgetful.say("recover", "--dry-run")
    assert shown.code == 0
    assert "would book: " in shown.out
    asked = forgetful.say("recover")
    assert (asked.code, asked.out) == (1, shown.out)
    assert "Nothing was booked; say --yes" in asked.err
    assert forgetful.say("status", "--json").json["head_hash"] == before


def test_what_was_forgotten_is_booked_with_a_yes_and_trading_resumed(forgetful: Place) -> None:
    assert forgetful.say("resume").code == 1
    booked = forgetful.say("recover", "--yes")
    assert booked.code == 0, booked.out
    assert "0 discrepancies" in booked.out
    assert forgetful.say("resume").code == 0
    assert forgetful.say("verify").code == 0


def test_one_who_reads_json_is_not_asked(forgetful: Place) -> None:
    said = forgetful.say("recover", "--json")
    assert (said.code, said.json["is_done"]) == (1, False)
    assert "say --yes" in said.err


@pytest.mark.parametrize(("answer", "is_booked"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_person_is_asked_and_only_a_yes_books(
    forgetful: Place, monkeypatch: pytest.MonkeyPatch, answer: str, *, is_booked: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    said = forgetful.say("recover")
    assert "Book them? [y/N]" in said.err
    assert said.code == (0 if is_booked else 1)
    assert ("booked: " in said.out.replace("would book: ", "")) is is_booked
