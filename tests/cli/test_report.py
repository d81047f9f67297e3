"""`report`: where the page goes, and what must not happen on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis.cli.files import replacing
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import Place


@pytest.fixture
def lived(place: Place) -> Place:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    return place


def test_a_page_is_written_and_told(lived: Place) -> None:
    said = lived.say("report", "--html", "page.html")
    assert (said.code, said.err) == (0, "")
    trades = lived.say("statistics", "--json").json["trades"]
    assert said.out.startswith(f"page.html: {trades} trades, ")
    made = (lived.folder / "page.html").read_text()
    assert made.startswith("<!doctype html>\n<html")
    assert made.count('<tr title="position ') == trades + 1


def test_json_tells_the_same(lived: Place) -> None:
    told = lived.say("report", "--html", "page.html", "--json").json
    assert told["file"] == "page.html"
    assert told["bytes"] == (lived.folder / "page.html").stat().st_size


def test_a_page_takes_the_place_of_an_older_one_and_keeps_its_mode(lived: Place) -> None:
    page = lived.folder / "page.html"
    page.write_text("old")
    page.chmod(0o644)
    assert lived.say("report", "--html", "page.html").code == 0
    assert page.read_text() != "old"
    assert page.stat().st_mode & 0o777 == 0o644


def test_a_new_page_is_the_owner_s_alone(lived: Place) -> None:
    lived.say("report", "--html", "page.html")
    assert (lived.folder / "page.html").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(lived: Place) -> None:
    (lived.folder / "link.html").symlink_to("page.html")
    assert lived.say("report", "--html", "link.html").code == 0
    assert (lived.folder / "link.html").is_symlink()
    assert (lived.folder / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "report: expected --html FILE, the page to write, was nothing\n"),
        (("--html", "data"), "--html: expected a file, was the folder data\n"),
        (("--html", "/"), "--html: expected a file, was the folder /\n"),
        (("--html", "/dev/null"), "--html: expected a file that can be replaced, was /dev/null\n"),
        (
            ("--html", "no/page.html"),
            "--html: expected a folder that is there, was no; make it first\n",
        ),
        (
            ("--html", "data/aegis.db.paper"),
            "--html: expected a file of your own, was data/aegis.db.paper, which is the store's\n",
        ),
    ],
)
def test_where_no_page_can_be_is_told_in_one_line(
    lived: Place, arguments: tuple[str, ...], expected: str
) -> None:
    before = lived.files()
    said = lived.say("report", *arguments)
    assert (said.code, said.out, said.err) == (2, "", expected)
    assert lived.files() == before


def test_without_a_store_no_page_is_made(place: Place) -> None:
    before = place.names()
    said = place.say("report", "--html", "page.html")
    assert said.code == 1
    assert said.out.startswith("No store yet")
    assert place.names() == before
    assert place.say("report", "--html", "page.html", "--json").json == {"is_there": False}


def test_without_a_trade_the_page_says_so(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows(3)])
    place.say("run")
    assert place.say("report", "--html", "page.html").out.startswith("page.html: 0 trades")
    assert "No trades yet" in (place.folder / "page.html").read_text()


def test_since_leaves_out_what_was_before(lived: Place) -> None:
    told = lived.say("report", "--html", "page.html", "--since", "2030-01-01", "--json").json
    assert told["trades"] == 0


def test_a_file_that_cannot_be_made_is_named_as_it_was_asked_for() -> None:
    with pytest.raises(OSError, match=r"'/proc/x\.csv'"), replacing(Path("/proc/x.csv")):
        pytest.fail("nothing can be written there")


def test_a_page_that_cannot_be_written_whole_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    page = tmp_path / "page.html"
    page.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), replacing(page) as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert page.read_text() == "old"
