"""`--live` stands with every command, and is heeded by those that may trade."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis.cli import app
from aegis.cli.codes import Code
from aegis.store.lock import take_lock
from tests.cli.place import Place

HEEDING = {"run", "config check", "reconcile", "diagnose", "flatten", "recover"}


def commands() -> Iterator[tuple[str, Any]]:
    """Give each command with its name, those of groups too."""
    root: Any = app.command
    for name, command in root.commands.items():
        inner = getattr(command, "commands", {})
        yield from ((f"{name} {each}", found) for each, found in inner.items())
        if not inner:
            yield name, command


def help_of_live(command: Any) -> list[str]:
    return [each.help for each in command.params if "--live" in each.opts]


def test_each_command_takes_it_once_and_says_what_it_is_to_it() -> None:
    consent, unneeded = "Consent to live trading", "Not needed here"
    for name, command in commands():
        (said,) = help_of_live(command)
        assert said.startswith(consent if name in HEEDING else unneeded), name


def test_each_command_that_heeds_it_is_there() -> None:
    assert {name for name, _ in commands()} >= HEEDING


def test_a_look_with_it_is_the_look_without(place: Place) -> None:
    before, after = place.run("status"), place.run("status", "--live")
    assert (after.code, after.out, after.err) == (before.code, before.out, before.err)


def test_who_has_the_store_is_told_before_a_consent_is_asked_for(place: Place) -> None:
    place.configure('mode = "live"\n[market]\nsource = "exchange"\nspeed = 1\n')
    place.store.parent.mkdir()
    place.store.touch()
    lock = take_lock(place.store)
    assert place.say("recover", "--yes").code == Code.BUSY
    lock.release()
    assert place.say("recover", "--yes").code == Code.CONFIG
