"""The settings of channels, as a person meets them."""

from __future__ import annotations

from tests.cli.place import Place

TELEGRAM = "[notify.telegram]\nenabled = true\nchat_ids = [42]\n"
QUICK = "[market]\nspeed = 0\n"


def test_a_missing_token_is_one_line_before_anything_is_made(place: Place) -> None:
    place.configure(TELEGRAM)
    said = place.say("run")
    assert said.code == 78
    (line,) = said.err.splitlines()
    assert line.startswith("config.toml:2: notify.telegram.enabled: expected a token as @BotFather")
    assert place.names() == {"config.toml"}


def test_a_look_at_the_store_needs_no_token(place: Place) -> None:
    place.configure(TELEGRAM)
    assert place.say("status").code == 0


def test_the_check_says_that_nothing_is_sent_at_full_speed(place: Place) -> None:
    place.configure(TELEGRAM + QUICK)
    said = place.say("config", "check")
    assert said.code == 0
    note = "at market.speed = 0 nothing is sent to telegram, only to the log"
    assert said.out.splitlines()[1] == f"note: {note}"
    assert place.say("config", "check", "--json").json["notes"] == [note]


def test_the_check_has_no_notes_where_all_is_meant(place: Place) -> None:
    place.configure(QUICK)
    assert len(place.say("config", "check").out.splitlines()) == 1
